"""The same answers as JSON, with FRR's keys. Keys whose value Herald does not know are absent."""

import time
from typing import Any

from herald.cli.vtysh import capabilities
from herald.cli.vtysh.state import Entry, Neighbor, Path, State
from herald.cli.vtysh.text import unspecified, uptime

Document = dict[str, Any]
_FAMILIES = {4: "ipv4Unicast", 6: "ipv6Unicast"}
_MESSAGES = {
    "opens": "open",
    "notifications": "notification",
    "updates": "update",
    "keepalives": "keepalive",
    "routeRefresh": "route_refresh",
}


def summary(state: State, versions: tuple[int, ...]) -> Document:
    """By address family; a family without neighbors is absent."""
    return {_FAMILIES[version]: _summary(state, version) for version in versions if state.of_family(version)}


def _summary(state: State, version: int) -> Document:
    neighbors = state.of_family(version)
    return {
        "routerId": state.router_id,
        "as": state.local_asn,
        "vrfId": 0,
        "vrfName": "default",
        "tableVersion": 0,
        "ribCount": len(state.table(version)),
        "ribMemory": 0,
        "peerCount": len(neighbors),
        "peerMemory": 0,
        "peers": {one.address: _peer(one, version) for one in neighbors},
        "failedPeers": sum(not one.is_established for one in neighbors),
        "displayedPeers": len(neighbors),
        "totalPeers": len(neighbors),
        "dynamicPeers": 0,
        "bestPath": {"multiPathRelax": "false"},
    }


def _peer(one: Neighbor, version: int) -> Document:
    family, seconds = one.family(version), one.up_for
    since = {} if not one.is_established else {"peerUptimeEstablishedEpoch": _epoch(seconds)}
    return {
        **capabilities.hostname(one),
        "desc": one.description,
        "remoteAs": one.remote_asn,
        "localAs": one.document["localASN"],
        "version": 4,
        "msgRcvd": sum(one.messages("messagesIn").values()),
        "msgSent": sum(one.messages("messagesOut").values()),
        "tableVersion": 0,
        "outq": family["pending"],
        "inq": 0,
        "peerUptime": uptime(seconds),
        "peerUptimeMsec": int(seconds or 0) * 1000,
        **since,
        "pfxRcd": 0,
        "pfxSnt": family["advertised"],
        "state": one.document["state"],
        "peerState": "OK",
        "connectionsEstablished": one.document["ups"],
        "connectionsDropped": one.document["flaps"],
        "idType": _id_type(one),
    }


def _id_type(one: Neighbor) -> str:
    if one.is_unnumbered:
        return "interface"
    return "ipv6" if ":" in one.address else "ipv4"


def table(state: State, version: int) -> Document:
    """`show ip bgp json`."""
    return {
        "vrfId": 0,
        "vrfName": "default",
        "tableVersion": 0,
        "routerId": state.router_id,
        "defaultLocPrf": 100,
        "localAS": state.local_asn,
        "routes": {str(entry.prefix): _routes(state, entry) for entry in state.table(version)},
    }


def _routes(state: State, entry: Entry) -> list[Document]:
    return [
        {
            "valid": True,
            **({"bestpath": True, "selectionReason": "First path received"} if number == 0 else {}),
            "pathFrom": "external",
            "prefix": str(entry.prefix.network_address),
            "prefixLen": entry.prefix.prefixlen,
            "network": str(entry.prefix),
            "version": 0,
            "metric": path.metric,
            **_preference(path),
            "weight": 32768,
            "peerId": "(unspec)",
            "path": path.as_path,
            "origin": "IGP",
            "nexthops": [
                {"ip": unspecified(entry), "hostname": state.node, "afi": f"ipv{entry.prefix.version}", "used": True}
            ],
        }
        for number, path in enumerate(entry.paths)
    ]


def _preference(path: Path) -> Document:
    return {} if path.route["localPref"] is None else {"locPrf": path.route["localPref"]}


def advertised(state: State, neighbor: Neighbor, version: int) -> Document:
    """`show bgp neighbors ADDRESS advertised-routes json`."""
    entries = state.advertised(neighbor, version)
    next_hop = neighbor.family(version)["nextHop"]
    key = "nextHop" if version == 4 else "nextHopGlobal"
    head = {
        "bgpTableVersion": 0,
        "bgpLocalRouterId": state.router_id,
        "defaultLocPrf": 100,
        "localAS": state.local_asn,
        "bgpStatusCodes": {
            "suppressed": "s",
            "damped": "d",
            "history": "h",
            "valid": "*",
            "best": ">",
            "multipath": "=",
            "internal": "i",
            "ribFailure": "r",
            "stale": "S",
            "removed": "R",
        },
        "bgpOriginCodes": {"igp": "i", "egp": "e", "incomplete": "?"},
    }
    routes = {
        str(entry.prefix): {
            "addrPrefix": str(entry.prefix.network_address),
            "prefixLen": entry.prefix.prefixlen,
            "network": str(entry.prefix),
            key: next_hop or unspecified(entry),
            "metric": entry.paths[0].metric,
            **_preference(entry.paths[0]),
            "weight": 32768,
            "path": entry.paths[0].as_path,
            "bgpOriginCode": "i",
            "appliedStatusSymbols": {"*": True, ">": True},
        }
        for entry in entries
    }
    tail = {"totalPrefixCounter": len(entries), "filteredPrefixCounter": 0}
    return {**(head if entries else {}), "advertisedRoutes": routes, **tail}


def entry(state: State, found: Entry) -> Document:
    """`show bgp ipv4 unicast PREFIX json`."""
    return {
        "prefix": str(found.prefix),
        "version": 0,
        "advertisedTo": {one.address: {"hostname": one.name} | capabilities.hostname(one) for one in found.told},
        "paths": [_path(state, found, path, is_best=number == 0) for number, path in enumerate(found.paths)],
    }


def _path(state: State, found: Entry, path: Path, *, is_best: bool) -> Document:
    asns, route = path.route["prepend"], path.route
    segments = [{"type": "as-sequence", "list": asns}] if asns else []
    communities = {
        key: {"string": " ".join(route[name]), "list": route[name]}
        for key, name in (("community", "communities"), ("largeCommunity", "largeCommunities"))
        if route[name]
    }
    if path.extended_communities:
        communities["extendedCommunity"] = {"string": path.extended_communities}
    hop = unspecified(found)
    return {
        "aspath": {"string": path.as_path or "Local", "segments": segments, "length": len(asns)},
        "origin": "IGP",
        "metric": path.metric,
        **_preference(path),
        "weight": 32768,
        "valid": True,
        "version": 0,
        "sourced": True,
        "local": True,
        **({"bestpath": {"overall": True, "selectionReason": "First path received"}} if is_best else {}),
        **communities,
        "nexthops": [
            {
                "ip": hop,
                "hostname": state.node,
                "afi": f"ipv{found.prefix.version}",
                "metric": 0,
                "accessible": True,
                "used": True,
            }
        ],
        "peer": {"peerId": hop, "routerId": state.router_id},
    }


def neighbors(state: State, chosen: tuple[Neighbor, ...]) -> Document:
    """`show bgp neighbors json`."""
    return {one.address: _neighbor(state, one) for one in chosen}


def _neighbor(state: State, one: Neighbor) -> Document:
    document, ends = one.document, one.ends
    sent, received = one.messages("messagesOut"), one.messages("messagesIn")
    keepalive = ends["keepaliveTime"] or ends["holdTime"] // 3
    statistics = {
        f"{key}{way}": counts.get(name, 0)
        for key, name in _MESSAGES.items()
        for way, counts in (("Sent", sent), ("Recv", received))
    }
    return {
        "remoteAs": one.remote_asn,
        "localAs": document["localASN"],
        "nbrInternalLink" if ends["internal"] else "nbrExternalLink": True,
        "nbrDesc": one.description,
        "localRole": one.roles[0],
        "remoteRole": one.roles[1],
        "bgpVersion": 4,
        "remoteRouterId": document["routerID"] or "0.0.0.0",  # noqa: S104
        "localRouterId": state.router_id,
        "bgpState": document["state"],
        **capabilities.hostname(one),
        **_timers(one),
        "bgpTimerConfiguredHoldTimeMsecs": ends["holdTime"] * 1000,
        "bgpTimerConfiguredKeepAliveIntervalMsecs": keepalive * 1000,
        **capabilities.document(one),
        "messageStats": {
            "depthInq": 0,
            "depthOutq": sum(one.family(version)["pending"] for version in (4, 6)),
            **statistics,
            "totalSent": sum(sent.values()),
            "totalRecv": sum(received.values()),
        },
        "addressFamilyInfo": {
            _FAMILIES[version]: {"acceptedPrefixCounter": 0, "sentPrefixCounter": one.family(version)["advertised"]}
            for version in (4, 6)
            if one.carries(version)
        },
        "connectionsEstablished": document["ups"],
        "connectionsDropped": document["flaps"],
        **_reset(one),
        **({} if ends["internal"] else {"externalBgpNbrMaxHopsAway": 255 if ends["multihop"] else 1}),
        **_hosts(one),
    }


def _timers(one: Neighbor) -> Document:
    if not one.is_established:
        return {}
    seconds, document = one.up_for, one.document
    return {
        "bgpTimerUpMsec": int(seconds or 0) * 1000,
        "bgpTimerUpString": uptime(seconds),
        "bgpTimerUpEstablishedEpoch": _epoch(seconds),
        "bgpTimerHoldTimeMsecs": document["holdTime"] * 1000,
        "bgpTimerKeepAliveIntervalMsecs": int(document["keepaliveTime"] * 1000),
    }


def _reset(one: Neighbor) -> Document:
    age = one.document["lastErrorAge"]
    if age is None:
        return {}
    reason = one.document["lastError"] or one.document["pinnedError"]
    return {"lastResetTimerMsecs": int(age) * 1000, "lastResetDueTo": reason}


def _hosts(one: Neighbor) -> Document:
    if not one.is_established:
        retry = one.document["nextRetry"]
        return {} if retry is None else {"nextConnectTimerDueInMsecs": int(retry * 1000)}
    hops = {version: one.family(version)["nextHop"] for version in (4, 6)}
    return {
        "hostLocal": one.ends["localAddress"],
        "hostForeign": one.foreign_host,
        "portForeign": one.ends["port"],
        "nexthop": hops[4] or "0.0.0.0",  # noqa: S104
        "nexthopGlobal": hops[6] or "::",
    }


def _epoch(seconds: float | None) -> int:
    return int(time.time() - (seconds or 0))
