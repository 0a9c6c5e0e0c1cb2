"""What `herald show bfd` asks, and what metrics count of BFD: documents of names as in JSON, intervals in milliseconds.

bfd   {sessions: [{peers: [name], node, address, localAddress, interface, vrf, multihop, minimumTTL, profile, passive,
                   state, since, downFor, diagnostic, downDiagnostic, discriminator, remoteDiscriminator,
                   detectMultiplier, transmitInterval, receiveInterval, echoInterval,
                   sendingEvery, detectionTime, polling, polls,
                   remote: {state, diagnostic, detectMultiplier, transmitInterval, receiveInterval, echoInterval,
                            demand} or null,
                   echo: {running, looped, sent, received, roundTrip},
                   packetsIn, packetsOut, ups, downs, problem}],
       waiting: [name], dropped: {reason: packets}}
      `since`: seconds in this state; `downFor`: seconds since it was last up, null while it is or if it never was;
      `transmitInterval`, `receiveInterval`, `echoInterval`: what we say, 0: none; `sendingEvery`: what holds,
      before jitter; `waiting`: peers whose session begins when BGP is up
       failover: {fenced, pauses}}
      `peers`: BGP peers; `node`: the node that is watched for fastFailover, else null; `failover`: whether this node
      answers nothing because it was away, and how often it did not run for a while
"""

import socket
from collections.abc import Mapping
from typing import Any

from herald.bfd.control_packet import State, diagnostic_text
from herald.bfd.driver import Watched
from herald.bfd.path import Hops
from herald.bfd.snapshot import Remote
from herald.engine.bfd import PeerWatch
from herald.engine.fast_failover import FastFailover

Document = Any


def shown(watch: PeerWatch, failover: FastFailover, now: float) -> Document:
    """The document of `bfd`; `now` in the monotonic seconds of the snapshots."""
    nodes = [_session((), one, now, node) for node, one in failover.sessions().items()]
    return {
        "sessions": [*_sessions(watch.snapshots(), now), *nodes],
        "waiting": sorted(watch.waiting),
        "dropped": {reason.value: count for reason, count in watch.dropped().items()},
        "failover": failover.own_document(),
    }


def counted(watch: PeerWatch) -> Document:
    """What metrics are made of, see `herald.engine.counters`."""
    return {
        "bfd": [
            {
                "address": str(one.session.path.peer),
                "up": one.session.state is State.UP,
                "packetsIn": one.session.packets_in,
                "packetsOut": one.session.packets_out,
                "echoesIn": one.session.echo.received,
                "echoesOut": one.session.echo.sent,
                "ups": one.session.ups,
                "downs": one.session.downs,
            }
            for one in watch.snapshots().values()
        ],
        "bfdDropped": {reason.value: count for reason, count in watch.dropped().items()},
    }


def _sessions(watched: Mapping[tuple[str, ...], Watched], now: float) -> list[Document]:
    return [_session(names, one, now) for names, one in sorted(watched.items(), key=lambda item: item[0])]


def _session(names: tuple[str, ...], watched: Watched, now: float, node: str | None = None) -> Document:
    one, path, profile, echo = watched.session, watched.session.path, watched.session.profile, watched.session.echo
    local = path.local or (watched.way.local if watched.way else None)
    multihop = path.hops is Hops.MULTI
    loops = profile.echo_mode and not multihop
    is_up = one.state is State.UP
    return {
        "peers": list(names),
        "node": node,
        "address": str(path.peer),
        "localAddress": None if local is None else str(local),
        "interface": path.interface or _interface(watched),
        "vrf": path.vrf,
        "multihop": multihop,
        "minimumTTL": profile.minimum_ttl if multihop else 255,
        "profile": profile.name,
        "passive": profile.passive_mode,
        "state": one.state.text,
        "since": round(now - one.since, 3),
        "downFor": None if is_up or one.down_at is None else round(now - one.down_at, 3),
        "diagnostic": diagnostic_text(one.diagnostic),
        "downDiagnostic": diagnostic_text(one.down_diagnostic),
        "discriminator": one.discriminator,
        "remoteDiscriminator": one.remote.discriminator if one.remote else 0,
        "detectMultiplier": profile.detect_multiplier,
        "transmitInterval": one.desired_min_tx_us // 1000,
        "receiveInterval": one.required_min_rx_us // 1000,
        "echoInterval": profile.echo_interval_ms if loops else 0,
        "sendingEvery": None if one.transmit_interval is None else round(one.transmit_interval * 1000, 3),
        "detectionTime": round(one.detection_time * 1000, 3),
        "polling": one.polling,
        "polls": one.polls,
        "remote": _remote(one.remote),
        "echo": {
            "running": echo.running,
            "looped": echo.looped,
            "sent": echo.sent,
            "received": echo.received,
            "roundTrip": None if echo.round_trip is None else round(echo.round_trip * 1000, 3),
        },
        "packetsIn": one.packets_in,
        "packetsOut": one.packets_out,
        "ups": one.ups,
        "downs": one.downs,
        "problem": watched.problem,
    }


def _remote(remote: Remote | None) -> Document:
    if remote is None:
        return None
    return {
        "state": remote.state.text,
        "diagnostic": diagnostic_text(remote.diagnostic),
        "detectMultiplier": remote.detect_multiplier,
        "transmitInterval": remote.desired_min_tx_us / 1000,
        "receiveInterval": remote.required_min_rx_us / 1000,
        "echoInterval": remote.required_min_echo_rx_us / 1000,
        "demand": remote.demand,
    }


def _interface(watched: Watched) -> str | None:
    """Where the peer's packets come in."""
    if watched.way is None:
        return None
    try:
        return socket.if_indextoname(watched.way.interface_index)
    except OSError:  # it is gone since
        return None
