"""The show socket: what `herald show` asks the running engine, over a Unix socket that only its owner may use.

One connection carries one question and one answer, a line of JSON each:

    {"show": "l2"}
    {"node": "n1", "show": "l2", "data": …}          or    {"error": "…"}

The `data` of each question (names as in JSON; `null` where nothing is known, seconds as numbers, never a secret):

    members        [{name, interfaces: [name], note}]   the live speakers, their usable interfaces, and what control
                    tells there (`herald.announcement.told`), hexadecimal, null if not Herald's; with gossip also those
                    that died or left lately, and of each more: {…, state: alive, suspect, dead or left, since,
                    incarnation, address, lastSeen}
                    `since`: how long in this state; `lastSeen`: how long since it answered a ping of this node
                    those that are watched closely also have fastFailover: {bfd: Up, Down or Init, phase: watched,
                    asked or dead, falseAlarms, deaths, calm, problem}
                    `falseAlarms`: silent by BFD, and answered by gossip; `deaths`: taken for dead at once; `calm`: for
                    so many seconds gossip alone decides; `problem`: why BFD does not watch it, or null
    gossip         {health, news, sendFailures, dropped: {reason: count},
                    unreachable: [{from, to, protocol, port, reason}]}, or null without gossip
                    `unreachable`: ways from and to this node on which gossip does not arrive, `protocol` udp or tcp
                    `health`: 0 is well, more is slower to accuse; `news`: what waits to be passed on
    interfaces     [{name, index, mac, up, carrier, addresses: [text], verdict, answering, ndpVerdict,
                    ndpAnswering}]
    l2             {holdings:  [{ip, interfaces: [name] or null for all, answeredOn: [name], reason, requests,
                                answers}],
                    conflicts: [{ip, interface, mac}], conflictsNotKept,
                    groups: {interface: [solicited-node group]}, dropped: {reason: frames},
                    gratuitous: {pending, framesSent}, sendFailures,
                    inUse: [{ip, interface, mac}], whoever keeps an address from being announced,
                    selfProbe: [{interface, protocol, failures, mute, lastLeft}]}
                    `failures`: in a row; `lastLeft`: how long since a probe was seen to leave, or null
    history        see `herald.engine.history`
    counters       see `herald.engine.counters`
    bfd            see `herald.engine.bfd_document`
    bgp summary    [{peer, endpoint, state, since, downFor, localASN, remoteASN, routerID, holdTime, keepaliveTime,
                    nextRetry, lastError, lastErrorAge, pinnedError, diagnosis, flaps, ups, pendingChanges: [field],
                    updatesWithErrors, messagesIn, messagesOut,
                    capabilities: {offered: [text], received: [text]}, shortSessions, dialledBy: us, peer or null,
                    turnedAway, waitsFor, notAccepted,
                    gracefulRestart: {offered, received: {restartTime, restarting, notification, families:
                                      {family: whether the forwarding was kept}} or null,
                                      kept: [family], notification} or null without a connection,
                    neighbor: {address, interface, vrf, port, peerASN, families: [text], internal, multihop,
                               ttlSecurity, passive, role, roleStrict, holdTime, keepaliveTime, connectTime,
                               localAddress, localRouterID},
                    families: [{family, negotiated, wanted, advertised, pending, received, nextHop,
                                nextHopLinkLocal, endOfRIBSent, endOfRIBReceived, reason}],
                    diagnosis: {cause, error, why, fix, age} or null
                    discovery: {neighbor, others: [address], reason, sent, received, invalid} or null}]
                    `discovery`: the neighbour of an unnumbered peer, further routers there, messages; or null
                    `pinnedError`: the error since it was up that tells most; `diagnosis`: what is known of it, `cause`
                    as in `herald.bgp.diagnosis`, `age` in seconds; null while it is up
                    `dialledBy`: who made the connection; `turnedAway`: connections of the peer that were not wanted;
                    `waitsFor`: what must come before there is one, other than time; `notAccepted`: why none of the
                    peer's would be taken; both in words, or null
                    `since`: how long in this state; `nextRetry`: how long until the next attempt;
                    `shortSessions`: how many in a row fell soon after they came up; `kept`: the families whose routes
                    the peer keeps when the session is lost
    bgp listen     {at: [where], shut: [why not], accepted, refused: {reason: connections}}, or null without
    bgp routes     [{peer, prefix, localPref, communities: [text], largeCommunities: [text], prepend: [ASN],
                    linkBandwidth, extendedCommunities: [text], established}]    `linkBandwidth` in Mbit/s
                    what is wished for towards each peer, and whether a session stands to carry it; in no order
"""

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from herald.bgp.capability import GracefulRestart
from herald.bgp.event import Initiator
from herald.bgp.fsm import State
from herald.bgp.message import MessageType
from herald.bgp.route import Route
from herald.bgp.snapshot import FamilySnapshot, Neighbor, RestartSnapshot, SessionSnapshot
from herald.engine.listener import why_waiting
from herald.engine.membership import Members, Notes
from herald.engine.wish import RouteTable
from herald.layer2.driver import JudgedInterface, Layer2Snapshot
from herald.layer2.responder import HoldingSnapshot
from herald.layer2.self_probe import WaySnapshot
from herald.net.interface import mac_text
from herald.router_discovery.discovery import DiscoverySnapshot

LONGEST_QUESTION: Final = 4096
SLICE: Final = 100
"""Routes in one piece of an answer: a millisecond or two."""
PATIENCE: Final = 5.0
"""Seconds that a question may take to come in, and an answer to go out."""

_DIALLED_BY: Final = {Initiator.US: "us", Initiator.PEER: "peer"}

Document = Any
Answer = Callable[[], Document]
Links = Mapping[str, DiscoverySnapshot]
Pieces = Callable[[], Iterator[str]]
"""Gives a document as text, in pieces that each take a millisecond at most."""

_log: Final = logging.getLogger("herald.engine.show")


class ShowSocket:
    """Answers the questions given as tables of their names; what is in `long` is made while other work goes on."""

    def __init__(self, node: str, answers: Mapping[str, Answer], long: Mapping[str, Pieces] | None = None) -> None:
        self._node = node
        self._answers = answers
        self._long = long or {}

    async def start(self, listening: socket.socket) -> asyncio.Server:
        """Answer from now on; `listening` is what `bind` gives."""
        return await asyncio.start_unix_server(self._serve, sock=listening, limit=LONGEST_QUESTION)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                for piece in self._answer(await reader.readline()):
                    writer.write(piece.encode())
                    await writer.drain()
                    await asyncio.sleep(0)
        except (OSError, ValueError) as error:  # asked in no time, or gone before the answer; ValueError: line too long
            _log.debug("question dropped: %s", error, extra={"event": "showDropped"})
        finally:
            writer.close()

    def _answer(self, question: bytes) -> Iterator[str]:
        """The line of the answer, in pieces."""
        try:
            asked = json.loads(question)
        except ValueError:
            yield _line({"error": "the question is not JSON"})
            return
        what = asked.get("show") if isinstance(asked, dict) else None
        if isinstance(what, str) and what in self._long:
            yield _line({"node": self._node, "show": what, "data": 0}).removesuffix("0}\n")
            yield from self._long[what]()
            yield "}\n"
        elif isinstance(what, str) and what in self._answers:
            yield _line({"node": self._node, "show": what, "data": self._answers[what]()})
        else:
            known = ", ".join(sorted(self._answers.keys() | self._long.keys()))
            yield _line({"error": f'"show" must be one of {known}'})


def _line(document: Document) -> str:
    return json.dumps(document) + "\n"


def bind(path: Path) -> socket.socket:
    """A socket at `path` for its owner only, in the place of one that a dead engine left. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind(str(path))
    path.chmod(0o600)
    return bound


def members(known: Members, notes: Notes) -> Document:
    """The document of `members`, sorted by name."""
    return [
        {
            "name": node,
            "interfaces": None if names is None else sorted(names),
            "note": None if (note := notes.get(node)) is None else note.hex(),
        }
        for node, names in sorted(known.items())
    ]


def watched(known: Document, watched_nodes: Mapping[str, Document]) -> Document:
    """The document of `members` with what is known of those that are watched closely."""
    return [
        {**row, "fastFailover": watched_nodes[row["name"]]} if row["name"] in watched_nodes else row for row in known
    ]


def interfaces(judged: tuple[JudgedInterface, ...]) -> Document:
    """The document of `interfaces`."""
    return [
        {
            "name": one.interface.name,
            "index": one.interface.index,
            "mac": mac_text(one.interface.mac) if one.interface.mac else None,
            "up": one.interface.up,
            "carrier": one.interface.carrier,
            "addresses": [str(address) for address in one.interface.addresses],
            "verdict": one.verdict.value,
            "answering": one.reading,
            "ndpVerdict": one.ndp_verdict.value,
            "ndpAnswering": one.ndp_reading,
        }
        for one in judged
    ]


def layer2(snapshot: Layer2Snapshot) -> Document:
    """The document of `l2`."""
    responder = snapshot.responder
    return {
        "holdings": [_holding(one) for one in responder.holdings],
        "conflicts": [
            {"ip": str(one.address), "interface": one.interface, "mac": mac_text(one.mac)}
            for one in responder.conflicts
        ],
        "conflictsNotKept": responder.conflicts_turned_away,
        "groups": {name: [str(group) for group in groups] for name, groups in snapshot.groups.items()},
        "dropped": {reason.value: count for reason, count in responder.dropped.items()},
        "gratuitous": {"pending": snapshot.announcer.pending, "framesSent": snapshot.announcer.frames_sent},
        "sendFailures": snapshot.send_failures,
        "inUse": [
            {"ip": str(one.address), "interface": one.interface, "mac": mac_text(one.mac)} for one in snapshot.in_use
        ],
        "selfProbe": [_self_probe(one, snapshot.now) for one in snapshot.self_probes],
    }


def _self_probe(one: WaySnapshot, now: float) -> Document:
    return {
        "interface": one.interface,
        "protocol": "ARP" if one.version == 4 else "NDP",
        "failures": one.failures,
        "mute": one.is_mute,
        "lastLeft": None if one.left_at is None else round(now - one.left_at, 3),
    }


def _holding(one: HoldingSnapshot) -> Document:
    wanted = one.holding.interfaces
    return {
        "ip": str(one.holding.address),
        "interfaces": None if wanted is None else sorted(wanted),
        "answeredOn": sorted(one.links),
        "reason": one.unanswered.value if one.unanswered else None,
        "requests": one.requests,
        "answers": one.answers,
    }


def bgp_summary(
    sessions: tuple[SessionSnapshot, ...],
    now: float,
    links: Links,
    refusal: Callable[[str], str | None] = lambda _: None,
) -> Document:
    """The document of `bgp summary`; `now` in the monotonic seconds of the snapshots, `links` by interface.

    `refusal` says why connections of a peer are not taken, or None.
    """
    return [
        _session(one, now)
        | {"discovery": _discovery(one.neighbor.interface, links)}
        | {"waitsFor": why_waiting(one, refusal(one.name)), "notAccepted": refusal(one.name)}
        for one in sessions
    ]


def _discovery(interface: str | None, links: Links) -> Document:
    one = links.get(interface) if interface is not None else None
    if one is None:
        return None
    return {
        "neighbor": str(one.neighbour) if one.neighbour else None,
        "others": [str(other) for other in one.others],
        "reason": one.reason,
        "sent": one.sent,
        "received": one.received,
        "invalid": one.invalid,
    }


def _session(one: SessionSnapshot, now: float) -> Document:
    return {
        "peer": one.name,
        "endpoint": one.endpoint,
        "state": one.state.value,
        "since": round(now - one.since, 3),
        "downFor": None if one.down_at is None or one.established_at is not None else round(now - one.down_at, 3),
        "localASN": one.local_asn,
        "remoteASN": one.remote_asn,
        "routerID": str(one.remote_router_id) if one.remote_router_id else None,
        "holdTime": one.hold_time,
        "keepaliveTime": one.keepalive_time,
        "nextRetry": None if one.next_retry is None else round(max(0.0, one.next_retry - now), 3),
        "lastError": one.last_error.text if one.last_error else None,
        "lastErrorAge": round(now - one.last_error.at, 3) if one.last_error else None,
        "pinnedError": one.pinned_error.text if one.pinned_error else None,
        "diagnosis": _diagnosis(one, now),
        "flaps": one.flaps,
        "ups": one.ups,
        "pendingChanges": list(one.pending_changes),
        "updatesWithErrors": one.updates_with_errors,
        "messagesIn": _by_name(one.messages_in),
        "messagesOut": _by_name(one.messages_out),
        "capabilities": {"offered": list(one.capabilities_offered), "received": list(one.capabilities_received)},
        "shortSessions": one.short_sessions,
        "dialledBy": _DIALLED_BY[one.initiator] if one.initiator else None,
        "turnedAway": one.turned_away,
        "gracefulRestart": _restart(one.graceful_restart) if one.graceful_restart else None,
        "neighbor": _neighbor(one.neighbor),
        "families": [_family(family) for family in one.families],
    }


def _diagnosis(one: SessionSnapshot, now: float) -> Document:
    error = one.telling_error
    if one.established_at is not None or error is None:
        return None
    found = error.finding
    return {
        "cause": found.cause.value if found else None,
        "error": error.symptom,
        "why": found.why if found else None,
        "fix": found.fix if found else None,
        "age": round(now - error.at, 3),
    }


def _restart(one: RestartSnapshot) -> Document:
    return {
        "offered": _said(one.offered) if one.offered else None,
        "received": _said(one.received) if one.received else None,
        "kept": [family.text for family in one.kept],
        "notification": one.notification,
    }


def _said(one: GracefulRestart) -> Document:
    return {
        "restartTime": one.restart_time,
        "restarting": one.restarting,
        "notification": one.notification,
        "families": {entry.family.text: entry.forwarding for entry in one.families},
    }


def _neighbor(one: Neighbor) -> Document:
    return {
        "address": str(one.address) if one.address else None,
        "interface": one.interface,
        "vrf": one.vrf,
        "ttlSecurity": one.ttl_security,
        "passive": one.passive,
        "role": one.role.text if one.role else None,
        "roleStrict": one.role_strict,
        "port": one.port,
        "peerASN": one.peer_asn,
        "families": [family.text for family in one.families],
        "internal": one.internal,
        "multihop": one.multihop,
        "holdTime": one.hold_time,
        "keepaliveTime": one.keepalive_time,
        "connectTime": one.connect_time,
        "localAddress": str(one.local_address) if one.local_address else None,
        "localRouterID": str(one.local_router_id) if one.local_router_id else None,
    }


def _family(one: FamilySnapshot) -> Document:
    return {
        "family": one.family.text,
        "negotiated": one.negotiated,
        "wanted": one.wanted,
        "advertised": one.advertised,
        "pending": one.pending,
        "received": one.received,
        "nextHop": str(one.next_hop[0]) if one.next_hop else None,
        "nextHopLinkLocal": str(one.next_hop[1]) if len(one.next_hop) > 1 else None,
        "endOfRIBSent": one.end_of_rib_sent,
        "endOfRIBReceived": one.end_of_rib_received,
        "reason": one.reason,
    }


def _by_name(counts: Mapping[MessageType, int]) -> dict[str, int]:
    return {kind.name.lower(): count for kind, count in counts.items()}


def bgp_routes(tables: Mapping[str, RouteTable], sessions: tuple[SessionSnapshot, ...]) -> Iterator[str]:
    """The document of `bgp routes`, in pieces. Who asks for it puts it in order: that would take us too long here."""
    established = {one.name for one in sessions if one.state is State.ESTABLISHED}
    yield "["
    separator = ""
    for peer in sorted(tables):
        routes = iter(tuple(tables[peer].values()))
        while some := [_route(peer, route, established=peer in established) for route in islice(routes, SLICE)]:
            yield separator + json.dumps(some)[1:-1]
            separator = ", "
    yield "]"


def _route(peer: str, route: Route, *, established: bool) -> Document:
    return {
        "peer": peer,
        "prefix": str(route.prefix),
        "localPref": route.local_pref,
        "communities": [community.text for community in route.communities],
        "largeCommunities": [community.text for community in route.large_communities],
        "prepend": list(route.prepend),
        "linkBandwidth": route.link_bandwidth,
        "extendedCommunities": [community.text for community in route.extended_communities],
        "established": established,
    }
