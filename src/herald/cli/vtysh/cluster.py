"""What all speakers together announce, where none is at hand: in the controller's pod, asked of the API server.

A neighbor is a BGPPeer here, with as many sessions as nodes have one with it; it counts as established if all of them
are. Prefixes are those of the services that some node says (ServiceBGPStatus) it announces to that peer.
"""

from collections.abc import Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from herald.announcement.decide import session_routes
from herald.announcement.gate import status_addresses
from herald.announcement.reason import Reason
from herald.announcement.sessions import DEFAULT_HOLD_TIME_S, Session
from herald.announcement.view import View
from herald.api.bgp_session_status import BGPSessionStatus, BGPSessionStatusStatus
from herald.api.service_bgp_status import ServiceBGPStatus, ServiceBGPStatusStatus
from herald.bgp.family import Family
from herald.bgp.route import Route
from herald.cli.vtysh.state import Document, State, state
from herald.cluster.meta import NamespacedName, NodeName
from herald.config.compile import compile_config
from herald.engine.bgp_document import route_of
from herald.store.cache import Cache
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.sources import Scope
from herald.store.kubernetes.store import KubernetesStore
from herald.store.store import KINDS

T = TypeVar("T")
_NOT_READ = {"EndpointSlice"}


class _List(msgspec.Struct, Generic[T], frozen=True):
    items: tuple[T, ...] = ()


async def read(client: ApiClient, namespace: str) -> State:
    """The state as of now. Raises StoreError."""
    folder = f"/apis/metallb.io/v1beta1/namespaces/{namespace}"
    told = msgspec.json.decode(await client.get(f"{folder}/servicebgpstatuses"), type=_List[ServiceBGPStatus]).items
    stand = msgspec.json.decode(await client.get(f"{folder}/bgpsessionstatuses"), type=_List[BGPSessionStatus]).items
    cache = Cache()
    store = KubernetesStore(client, Scope(namespace, load_balancers_only=True, with_status=False))
    async with aclosing(store.watch(KINDS.keys() - _NOT_READ)) as watch:
        cache.take(await anext(watch))
    view = View(compile_config(cache.resources(), namespace=namespace).config)
    routes = _routes(view, cache, [one.status for one in told])
    by_peer: dict[str, list[BGPSessionStatusStatus]] = {}
    for one in stand:
        by_peer.setdefault(one.status.peer, []).append(one.status)
    sessions = {session.name: session for node in view.config.nodes for session in view.sessions(node)}
    now = datetime.now(UTC)
    summary = [
        _neighbor(session, by_peer.get(name, []), routes.get(name, {}), now)
        for name, session in sorted(sessions.items())
    ]
    return state("cluster", summary, [route_of(name, route) for name in routes for route in routes[name].values()])


def _routes(view: View, cache: Cache, told: Iterable[ServiceBGPStatusStatus]) -> dict[str, dict[str, Route]]:
    """By session and prefix."""
    found: dict[str, dict[str, Route]] = {}
    for one in told:
        service = cache.services.get(NamespacedName(one.service_namespace, one.service_name))
        addresses = () if service is None else status_addresses(service)
        pool = None if isinstance(addresses, Reason) or not addresses else view.pool_of(addresses)
        if service is None or isinstance(addresses, Reason) or pool is None:
            continue
        reach = view.bgp_reach(pool.name, service.metadata.labels)
        for session, routes in session_routes(addresses, view.patterns(reach, NodeName(one.node))):
            if session.names & set(one.peers):
                found.setdefault(session.name, {}).update((str(route.prefix), route) for route in routes)
    return found


def _neighbor(
    session: Session, stand: list[BGPSessionStatusStatus], routes: dict[str, Route], now: datetime
) -> dict[str, Any]:
    peer = session.peer
    up = sum(one.state == "Established" for one in stand)
    is_up = bool(stand) and up == len(stand)
    ages = [(now - datetime.fromisoformat(one.since)).total_seconds() for one in stand if one.since]
    age = max(0.0, min(ages)) if ages else None
    error = next((f"{one.node}: {one.last_error}" for one in stand if one.last_error), None)
    return {
        "peer": session.name,
        "endpoint": "",
        "nodes": f"{up}/{len(stand)} nodes",
        "state": "Established" if is_up else "Active",
        "since": age or 0.0,
        "downFor": age,
        "localASN": session.own_asn,
        "remoteASN": peer.peer_asn,
        "routerID": None,
        "holdTime": None,
        "keepaliveTime": None,
        "nextRetry": None,
        "lastError": error,
        "lastErrorAge": age if error else None,
        "pinnedError": None,
        "ups": up,
        "flaps": 0,
        "messagesIn": {},
        "messagesOut": {},
        "capabilities": {"offered": [], "received": []},
        "neighbor": {
            "address": str(peer.peer_address) if peer.peer_address else None,
            "interface": peer.interface,
            "port": peer.peer_port,
            "peerASN": peer.peer_asn,
            "families": [family.text for family in Family if family in session.families],
            "internal": peer.is_ibgp,
            "multihop": peer.ebgp_multi_hop,
            "role": peer.role.text if peer.role else None,
            "holdTime": int(peer.hold_time_s or DEFAULT_HOLD_TIME_S),
            "keepaliveTime": None,
            "connectTime": None,
            "localAddress": None,
            "localRouterID": str(peer.router_id) if peer.router_id else None,
        },
        "families": [_family(family, session, routes, is_up=is_up) for family in Family],
    }


def _family(family: Family, session: Session, routes: dict[str, Route], *, is_up: bool) -> Document:
    count = sum(route.prefix.version == (4 if family is Family.IPV4_UNICAST else 6) for route in routes.values())
    return {
        "family": family.text,
        "negotiated": is_up and family in session.families,
        "wanted": count,
        "advertised": count if is_up else 0,
        "pending": 0,
        "received": 0,
        "nextHop": None,
        "reason": None,
    }
