"""GoBGP: its configuration, and what `gobgp -j` tells."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from frr_router import ROUTER
from matrix_neighbor import ROUTER_AS, Capability, Learnt, Neighbor, Session
from unnumbered_routers import Daemons, daemons, run, until

ESTABLISHED = 6
ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF, COMMUNITIES, MP_REACH, EXTENDED, LARGE = 1, 2, 3, 5, 8, 14, 16, 32

_HEAD = f"""
[global.config]
  as = {ROUTER_AS}
  router-id = "{ROUTER}"
[global.apply-policy.config]
  default-export-policy = "reject-route"
"""
_CAPABILITIES = {
    "FourOctetASN": Capability.FOUR_OCTET_AS,
    "RouteRefresh": Capability.ROUTE_REFRESH,
    "EnhancedRouteRefresh": Capability.ENHANCED_REFRESH,
    "ExtendedNexthop": Capability.EXTENDED_NEXT_HOP,
    "GracefulRestart": Capability.GRACEFUL_RESTART,
}


def version() -> str:
    return run("gobgpd", "--version").split()[-1]


def config(*neighbors: Neighbor) -> str:
    return _HEAD + "".join(map(_block, neighbors))


def _block(neighbor: Neighbor) -> str:
    if neighbor.interface is None:
        who = f'neighbor-address = "{neighbor.address}"'
    else:
        who = f'neighbor-interface = "{neighbor.interface}"'
    tables = {
        "config": [who, f"peer-as = {neighbor.asn}"],
        "timers.config": [f"hold-time = {neighbor.hold_time}"],
    }
    if neighbor.dials:
        tables["timers.config"].append("connect-retry = 1")
    else:
        tables["transport.config"] = ["passive-mode = true"]
    if neighbor.password:
        tables["config"].append(f'auth-password = "{neighbor.password}"')
    if neighbor.ttl_security:
        tables["ttl-security.config"] = ["enabled = true", "ttl-min = 255"]
    if neighbor.multihop:
        tables["ebgp-multihop.config"] = ["enabled = true", "multihop-ttl = 5"]
    if neighbor.graceful_restart:
        tables["graceful-restart.config"] = ["enabled = true", "helper-only = true"]
    lines = ["[[neighbors]]"]
    for name, entries in tables.items():
        lines += [f"  [neighbors.{name}]", *(f"    {entry}" for entry in entries)]
    for family in ("ipv4-unicast", "ipv6-unicast") if neighbor.ipv6 else ("ipv4-unicast",):
        lines += ["  [[neighbors.afi-safis]]", "    [neighbors.afi-safis.config]", f'      afi-safi-name = "{family}"']
        if neighbor.graceful_restart:
            lines += ["    [neighbors.afi-safis.mp-graceful-restart.config]", "      enabled = true"]
    return "\n".join(lines) + "\n"


class GoBgp:
    """A running gobgpd."""

    def __init__(self, daemons: Daemons, config: str) -> None:
        self._host = daemons.host
        path = str(daemons.write("gobgp.toml", config))
        self.process = daemons.start(
            "gobgpd", "-f", path, "--api-hosts", "127.0.0.1:50051", "--pprof-disable", "--log-plain", name="gobgpd"
        )
        until(lambda: self.show("neighbor"), f"gobgpd answers; it says {daemons.log('gobgpd')}")

    def ask(self, *words: str) -> str | None:
        """What `gobgp` answers; None if it complains."""
        command = ["ip", "netns", "exec", self._host, "gobgp", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else None

    def show(self, *words: str) -> Any:
        return json.loads(self.ask(*words, "-j") or "{}")

    def attributes(self, family: str) -> dict[str, dict[int, Any]]:
        """Of every prefix of its table, the path attributes by type."""
        return {prefix: _by_type(paths[0]) for prefix, paths in self.show("global", "rib", "-a", family).items()}

    def session(self, neighbor: Neighbor) -> Session:
        shown = self.show("neighbor", neighbor.address)
        if not shown or shown["state"].get("session_state") != ESTABLISHED:
            return Session()
        theirs = {
            one["type_url"].rsplit(".", 1)[1].removesuffix("Capability"): one for one in shown["state"]["remote_cap"]
        }
        heard = shown["state"]["messages"]["received"]
        return Session(
            established=True,
            asn=shown["state"]["peer_asn"],
            hold_time=shown["timers"]["state"].get("negotiated_hold_time", 0),
            keepalives=heard.get("keepalive", 0),
            capabilities=frozenset(known for name, known in _CAPABILITIES.items() if name in theirs),
            host_name=_first_string(theirs["Fqdn"]["value"]) if "Fqdn" in theirs else None,
        )

    def learnt(self, neighbor: Neighbor, prefix: str) -> Learnt | None:
        family = "ipv6" if ":" in prefix else "ipv4"
        paths = self.show("neighbor", neighbor.address, "adj-in", "-a", family).get(prefix)
        if not paths:
            return None
        said = _by_type(paths[0])
        hop = said[NEXT_HOP] if NEXT_HOP in said else said[MP_REACH]
        return Learnt(
            next_hops=(hop["nexthop"],),
            as_path=tuple(asn for part in said[AS_PATH].get("as_paths", ()) for asn in part["asns"]),
            origin=("igp", "egp", "incomplete")[said[ORIGIN]["value"]],
            local_pref=said[LOCAL_PREF]["value"] if LOCAL_PREF in said else None,
            communities=tuple(
                f"{one >> 16}:{one & 0xFFFF}" for one in said.get(COMMUNITIES, {}).get("communities", ())
            ),
            large_communities=tuple(":".join(map(str, one.values())) for one in said.get(LARGE, {}).get("value", ())),
            bandwidths=tuple(
                (one["asn"], one["bandwidth"]) for one in said.get(EXTENDED, {}).get("value", ()) if not _is_plain(one)
            ),
            extended_communities=frozenset(map(_extended, filter(_is_plain, said.get(EXTENDED, {}).get("value", ())))),
        )

    def has_communities(self, neighbor: Neighbor, prefix: str, count: int) -> bool:
        found = self.learnt(neighbor, prefix)
        return found is not None and len(found.communities) == count

    def ask_refresh(self, neighbor: Neighbor) -> None:
        assert self.ask("neighbor", neighbor.address, "softresetin") is not None

    def updates(self, neighbor: Neighbor) -> int:
        return int(self.show("neighbor", neighbor.address)["state"]["messages"]["received"].get("update", 0))

    def refreshes(self, neighbor: Neighbor) -> int:
        return 0


def _is_plain(one: dict[str, Any]) -> bool:
    return "bandwidth" not in one


def _extended(one: dict[str, Any]) -> str:
    """`65000:100`, and an AS of four octets as `64086.59904:7`."""
    name = {2: "rt", 3: "soo"}.get(one["subtype"], f"type {one['type']}")
    who, colon, value = one["value"].partition(":")
    high, dot, low = who.partition(".")
    asn = str(int(high) << 16 | int(low)) if dot and "." not in low else who
    return f"{name}:{asn}{colon}{value}"


def _by_type(path: dict[str, Any]) -> dict[int, Any]:
    return {attribute["type"]: attribute for attribute in path["attrs"]}


def _first_string(value: str) -> str:
    """The first field of a protocol buffer, in base64: tag, length, octets."""
    octets = base64.b64decode(value)
    return octets[2 : 2 + octets[1]].decode()


@contextmanager
def gobgp(host: str, config: str) -> Iterator[GoBgp]:
    with daemons(host) as there:
        yield GoBgp(there, config)
