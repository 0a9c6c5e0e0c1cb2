"""What the engine has counted, for metrics: the answer to `counters` of the show socket, in slices.

    {"bgp": [{peer, endpoint, established, wanted, advertised, ups, flaps, messagesIn, messagesOut}],
     "bfd": [{address, up, packetsIn, packetsOut, echoesIn, echoesOut, ups, downs}], "bfdDropped": {reason: packets},
     "unreachable": [[from, to, protocol]],
     "failover": {"watched": [{node, up, falseAlarms, deaths}], "pauses": n} or null,
     "bgpListen": {accepted, refused: {reason: connections}, shut} or null,
     "conflicts": n, "mute": n, "inUse": n, "dropped": {reason: frames}, "sendFailures": n,
     "process": {rss, fds, cpuSeconds, startedAt},
     "layer2": {ip: [requests, answers, gratuitous]}}

A node may hold 10,000 addresses; written in one go they would keep requests waiting for tens of milliseconds.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from herald.bgp.fsm import State
from herald.bgp.message import MessageType
from herald.bgp.snapshot import SessionSnapshot
from herald.engine import bfd_document
from herald.engine.bfd import PeerWatch
from herald.engine.fast_failover import FastFailover
from herald.engine.link import ClosedWay
from herald.engine.listener import Listener
from herald.layer2.driver import Layer2Driver
from herald.layer2.snapshot import AddressCounts
from herald.observe import process_stats

SLICE: Final = 250
"""Addresses between two returns to the loop: well below a millisecond."""


def pieces(
    sessions: tuple[SessionSnapshot, ...],
    bfd: PeerWatch,
    layer2: Layer2Driver,
    closed: Iterable[ClosedWay] = (),
    listener: Listener | None = None,
    failover: FastFailover | None = None,
) -> Iterator[str]:
    """The document as text; the loop may do other work between two pieces."""
    head = {
        "bgp": [_session(one) for one in sessions],
        **bfd_document.counted(bfd),
        "conflicts": len(layer2.conflicts()),
        "mute": layer2.mute_links,
        "inUse": layer2.addresses_in_use,
        "dropped": {reason.value: count for reason, count in layer2.dropped().items()},
        "sendFailures": layer2.send_failures,
        "unreachable": [[one.source, one.target, one.protocol] for one in closed],
        "failover": None if failover is None else failover.counted(),
        "bgpListen": None if listener is None else listener.counts(),
        "process": process_stats.read().document,
    }
    yield f'{json.dumps(head)[:-1]}, "layer2": {{'
    counts = layer2.counts()
    separator = ""
    while text := _addresses(islice(counts, SLICE)):
        yield separator + text
        separator = ", "
    yield "}}"


def _addresses(counts: Iterable[AddressCounts]) -> str:
    return ", ".join(f'"{one.address}": [{one.requests}, {one.answers}, {one.gratuitous}]' for one in counts)


def _session(one: SessionSnapshot) -> dict[str, object]:
    return {
        "peer": one.name,
        "endpoint": one.endpoint,
        "established": one.state is State.ESTABLISHED,
        "wanted": sum(family.wanted for family in one.families),
        "advertised": one.advertised,
        "ups": one.ups,
        "flaps": one.flaps,
        "messagesIn": {kind.name.lower(): one.messages_in.get(kind, 0) for kind in MessageType},
        "messagesOut": {kind.name.lower(): one.messages_out.get(kind, 0) for kind in MessageType},
    }
