"""What `herald show bgp` asks: documents of names as in JSON; `null` where nothing is known, seconds as numbers.

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
bgp routes     [{peer, prefix, localPref, communities: [text], largeCommunities: [text], prepend: [ASN],
                linkBandwidth, extendedCommunities: [text], med, established}]    `linkBandwidth` in Mbit/s
                what is wished for towards each peer, and whether a session stands to carry it; in no order
"""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from herald.bgp.capability import GracefulRestart
from herald.bgp.event import Initiator
from herald.bgp.fsm import State
from herald.bgp.message import MessageType
from herald.bgp.route import Route
from herald.bgp.snapshot import FamilySnapshot, Neighbor, RestartSnapshot, SessionSnapshot
from herald.engine.listener import why_waiting
from herald.engine.wish import RouteTable
from herald.router_discovery.discovery import DiscoverySnapshot

SLICE: Final = 100
"""Routes in one piece of an answer: a millisecond or two."""

_DIALLED_BY: Final = {Initiator.US: "us", Initiator.PEER: "peer"}

Document = Any
Links = Mapping[str, DiscoverySnapshot]


def summary(
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


def routes(tables: Mapping[str, RouteTable], sessions: tuple[SessionSnapshot, ...]) -> Iterator[str]:
    """The document of `bgp routes`, in pieces. Who asks for it puts it in order: that would take us too long here."""
    established = {one.name for one in sessions if one.state is State.ESTABLISHED}
    yield "["
    separator = ""
    for peer in sorted(tables):
        routes = iter(tuple(tables[peer].values()))
        while some := [route_of(peer, route) | {"established": peer in established} for route in islice(routes, SLICE)]:
            yield separator + json.dumps(some)[1:-1]
            separator = ", "
    yield "]"


def route_of(peer: str, route: Route) -> Document:
    """What is wished for towards a peer."""
    return {
        "peer": peer,
        "prefix": str(route.prefix),
        "localPref": route.local_pref,
        "communities": [community.text for community in route.communities],
        "largeCommunities": [community.text for community in route.large_communities],
        "prepend": list(route.prepend),
        "linkBandwidth": route.link_bandwidth,
        "extendedCommunities": [community.text for community in route.extended_communities],
        "med": route.med,
    }
