"""What FRR 8.4.4 printed in a small network, and what a Herald speaker in its place would tell of itself.

The network: node-1 (10.50.0.2, AS 64500) with an established session to 10.50.0.1 (AS 64501) for IPv4, one that never
came up to 10.50.0.9 (AS 64502), and one to 2001:db8:50::1 (AS 64501) for IPv6.
"""

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "frr_8_4_4"


def recorded(name: str) -> str:
    """FRR's own words."""
    return (RECORDED / name).read_text()


def recorded_json(name: str) -> Any:
    """FRR's own document."""
    return json.loads(recorded(name))


def _family(name: str, sent: int, next_hop: str | None, *, negotiated: bool) -> dict[str, Any]:
    return {
        "family": name,
        "negotiated": negotiated,
        "wanted": sent,
        "advertised": sent if negotiated else 0,
        "pending": 0,
        "received": 0,
        "nextHop": next_hop if negotiated else None,
        "endOfRIBSent": negotiated,
        "endOfRIBReceived": negotiated,
        "reason": None,
    }


_RESTART = {"restartTime": 120, "restarting": True, "notification": True, "families": {}}
_AGREED = {"offered": _RESTART, "received": _RESTART, "kept": [], "notification": True}


def _capabilities(family: str, *own: str) -> list[str]:
    both = ["route-refresh", "enhanced-route-refresh", "extended-message", "graceful-restart helper"]
    return [f"multiprotocol {family}", *both, *own]


def _session(name: str, address: str, asn: int, family: str, messages: dict[str, int] | None) -> dict[str, Any]:
    up = messages is not None
    return {
        "peer": name,
        "endpoint": f"{address}:179",
        "state": "Established" if up else "Active",
        "since": 4.2 if up else 1.0,
        "downFor": None,
        "localASN": 64500,
        "remoteASN": asn if up else None,
        "routerID": "10.50.0.1" if up else None,
        "holdTime": 90 if up else None,
        "keepaliveTime": 30.0 if up else None,
        "nextRetry": None if up else 117.6,
        "lastError": None if up else "no route",
        "lastErrorAge": None if up else 6.0,
        "pinnedError": None,
        "flaps": 0,
        "ups": int(up),
        "pendingChanges": [],
        "updatesWithErrors": 0,
        "messagesIn": messages or {},
        "messagesOut": messages or {},
        "capabilities": {
            "offered": _capabilities(family, f"four-octet-as {64500}", "fqdn node-1"),
            "received": _capabilities(family, "route-refresh-cisco", f"four-octet-as {asn}", "fqdn router"),
        },
        "shortSessions": 0,
        "gracefulRestart": {"offered": _RESTART, "received": _RESTART, "kept": [], "notification": True}
        if up
        else None,
        "neighbor": {
            "address": address,
            "port": 179,
            "peerASN": asn,
            "families": [family],
            "internal": False,
            "multihop": False,
            "holdTime": 90 if up else 180,
            "keepaliveTime": None,
            "connectTime": None,
            "localAddress": "10.50.0.2" if up else None,
            "localRouterID": "10.50.0.2" if up else None,
        },
        "families": [
            _family("ipv4-unicast", 4, "10.50.0.2", negotiated=up and family == "ipv4-unicast"),
            _family("ipv6-unicast", 1, "2001:db8:50::2", negotiated=up and family == "ipv6-unicast"),
        ],
    }


def _route(peer: str, prefix: str, **more: Any) -> dict[str, Any]:
    plain = {"localPref": None, "communities": [], "largeCommunities": [], "prepend": [], "established": True}
    return {"peer": peer, "prefix": prefix, **plain, **more}


_V4 = {"open": 1, "update": 3, "keepalive": 1}
SESSIONS = [
    _session("internet", "10.50.0.1", 64501, "ipv4-unicast", _V4),
    _session("away", "10.50.0.9", 64502, "ipv4-unicast", None),
    _session("six", "2001:db8:50::1", 64501, "ipv6-unicast", {"open": 1, "update": 2, "keepalive": 1}),
]
ROUTES = [
    _route(peer, prefix, **more)
    for peer in ("away", "internet")
    for prefix, more in (
        ("198.51.100.0/25", {}),
        ("10.0.0.0/24", {}),
        ("192.168.1.200/32", {}),
        (
            "192.168.1.201/32",
            {"localPref": 150, "communities": ["64500:100", "64500:200"], "largeCommunities": ["64500:1:2"]},
        ),
    )
] + [_route("six", "2001:db8:1::200/128")]
EXTENDED = _route(
    "away",
    "192.168.1.202/32",
    communities=["64500:100"],
    largeCommunities=["64500:1:2"],
    extendedCommunities=["rt:65000:100", "rt:192.0.2.1:9", "rt:4200000000:7", "soo:65000:7"],
    linkBandwidth=8000,
)
"""A route of a session that is down."""
