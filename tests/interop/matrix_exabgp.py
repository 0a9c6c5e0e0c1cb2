"""ExaBGP: its configuration, and what it tells its helper process, in JSON.

It keeps no table of what it hears; that is up to helpers, and so this adapter makes one out of what ours was told.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from frr_router import ROUTER
from matrix_neighbor import ROUTER_AS, Capability, Learnt, Neighbor, Session
from unnumbered_routers import Daemons, daemons, run, until

AS_TRANS = 23456
_LINK_BANDWIDTH = 0x4004

# ExaBGP takes a helper that closes its end for dead, so that stays open as descriptor 3.
_HELPER = """#!/bin/sh
tail -n +1 -f {commands} &
exec cat 3>&1 > {heard}
"""
_PROCESS = """
process heard {{
  run {helper};
  encoder json;
}}
"""
_API = "processes [ heard ]; neighbor-changes; receive { parsed; open; update; keepalive; refresh; }"
_CAPABILITIES = {
    "asn4": Capability.FOUR_OCTET_AS,
    "route-refresh": Capability.ROUTE_REFRESH,
    "enhanced-route-refresh": Capability.ENHANCED_REFRESH,
    "extended-message": Capability.EXTENDED_MESSAGE,
    "nexthop": Capability.EXTENDED_NEXT_HOP,
    "graceful restart": Capability.GRACEFUL_RESTART,
}


def version() -> str:
    return run("exabgp", "--version").split()[2]


def config(*neighbors: Neighbor) -> str:
    """All but the helper."""
    return "".join(map(_block, neighbors))


def _block(neighbor: Neighbor) -> str:
    families = ("ipv4 unicast", "ipv6 unicast") if neighbor.ipv6 else ("ipv4 unicast",)
    able = {
        "asn4": not neighbor.two_octets,
        "route-refresh": True,
        "extended-message": neighbor.extended_message,
        "nexthop": neighbor.extended_next_hop,
    }
    statements = [
        f"router-id {ROUTER}",
        f"local-address {neighbor.local}",
        f"local-as {ROUTER_AS}",
        f"peer-as {AS_TRANS if neighbor.two_octets else neighbor.asn}",
        f"hold-time {neighbor.hold_time}",
    ]
    statements += [] if neighbor.dials else ["passive", "listen 179"]
    statements += [f'md5-password "{neighbor.password}"'] if neighbor.password else []
    statements += ["incoming-ttl 255"] if neighbor.ttl_security else []
    sections = {
        "capability": "".join(f"{name} {'enable' if on else 'disable'}; " for name, on in able.items()),
        "family": "".join(f"{family}; " for family in families),
        "nexthop": "ipv4 unicast ipv6;" if neighbor.extended_next_hop else "",
        "api": _API,
    }
    lines = [f"  {statement};" for statement in statements]
    lines += [f"  {name} {{ {text} }}" for name, text in sections.items() if text]
    return f"neighbor {neighbor.address} {{\n" + "\n".join(lines) + "\n}\n"


class ExaBgp:
    """A running ExaBGP that waits for Herald on `addresses`."""

    def __init__(self, daemons: Daemons, config: str, addresses: Sequence[str] = (ROUTER,)) -> None:
        self._heard = daemons.directory / "heard.json"
        self._commands = daemons.write("commands", "")
        helper = daemons.write("helper", _HELPER.format(commands=self._commands, heard=self._heard))
        helper.chmod(0o755)
        path = daemons.write("exabgp.conf", _PROCESS.format(helper=helper) + config)
        settings = ["exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp.api.ack=false"]
        self.process = daemons.start("env", *settings, "exabgp", str(path), name="exabgp")

        def listens() -> bool:
            listening = run("ip", "netns", "exec", daemons.host, "ss", "-ltn")
            return all(f"[{one}]:179" in listening or f"{one}:179" in listening for one in addresses)

        until(listens, f"ExaBGP listens on {addresses}; it says {daemons.log('exabgp')}")

    def heard(self, kind: str, address: str | None = None) -> list[Any]:
        """What it has told of messages of a kind: `open`, `update`, …, in order; of one neighbor, or of all."""
        lines = self._heard.read_text().splitlines() if self._heard.exists() else []
        told = [_parsed(line)["neighbor"] for line in lines if f'"type": "{kind}"' in line]
        return [one for one in told if address in (None, one["address"]["peer"])]

    def announcements(self, address: str | None = None) -> list[Any]:
        """UPDATEs but for End-of-RIBs."""
        updates = [one["message"].get("update") for one in self.heard("update", address)]
        return [update for update in updates if update is not None]

    def session(self, neighbor: Neighbor) -> Session:
        changes = [one["state"] for one in self.heard("state", neighbor.address)]
        if changes[-1:] != ["up"]:
            return Session()
        said = self.heard("open", neighbor.address)[-1]["open"]
        theirs = {one["name"]: one for one in said["capabilities"].values()}
        return Session(
            established=True,
            asn=theirs.get("asn4", {}).get("asn4", said["asn"]),
            hold_time=min(neighbor.hold_time, said["hold_time"]),
            keepalives=len(self.heard("keepalive", neighbor.address)),
            capabilities=frozenset(known for name, known in _CAPABILITIES.items() if name in theirs),
        )

    def learnt(self, neighbor: Neighbor, prefix: str) -> Learnt | None:
        found = None
        for update in self.announcements(neighbor.address):
            for by_hop in update.get("announce", {}).values():
                hops = tuple(hop for hop, entries in by_hop.items() if {"nlri": prefix} in entries)
                found = _learnt(hops, update["attribute"]) if hops else found
            for gone in update.get("withdraw", {}).values():
                found = None if {"nlri": prefix} in gone else found
        return found

    def has_communities(self, neighbor: Neighbor, prefix: str, count: int) -> bool:
        found = self.learnt(neighbor, prefix)
        return found is not None and len(found.communities) == count

    def ask_refresh(self, neighbor: Neighbor) -> None:
        with self._commands.open("a") as commands:
            commands.write(f"neighbor {neighbor.address} announce route-refresh ipv4 unicast\n")

    def updates(self, neighbor: Neighbor) -> int:
        return len(self.announcements(neighbor.address))

    def refreshes(self, neighbor: Neighbor) -> int:
        marks = [one["route-refresh"]["subtype"] for one in self.heard("refresh", neighbor.address)]
        return min(marks.count("begin"), marks.count("end"))


def _parsed(line: str) -> Any:
    # ExaBGP 4.2 writes "afi": ""ipv4"" of a route refresh.
    return json.loads(line.replace('""', '"') if '"type": "refresh"' in line else line)


def _learnt(hops: tuple[str, ...], said: dict[str, Any]) -> Learnt:
    extended = [one["value"].to_bytes(8) for one in said.get("extended-community", ())]
    return Learnt(
        next_hops=hops,
        as_path=tuple(said.get("as-path", ())),
        origin=said["origin"],
        local_pref=said.get("local-preference"),
        communities=tuple(":".join(map(str, one)) for one in said.get("community", ())),
        large_communities=tuple(":".join(map(str, one)) for one in said.get("large-community", ())),
        extended_communities=frozenset(
            _extended(one["string"])
            for octets, one in zip(extended, said.get("extended-community", ()), strict=True)
            if int.from_bytes(octets[:2]) != _LINK_BANDWIDTH
        ),
        bandwidths=tuple(
            struct.unpack("!Hf", octets[2:]) for octets in extended if int.from_bytes(octets[:2]) == _LINK_BANDWIDTH
        ),
    )


def _extended(shown: str) -> str:
    """`target:65000:100`, `origin:4200000000L:7`; of AS and value, 4.2 shows the value like an address in an origin."""
    name, _, rest = shown.partition(":")
    who, _, value = rest.partition(":")
    known = {"target": "rt", "origin": "soo"}.get(name, name)
    return f"{known}:{who.rstrip('L')}:{int(ip_address(value)) if '.' in value else value}" if value else shown


@contextmanager
def exabgp(host: str, config: str, addresses: Sequence[str] = (ROUTER,)) -> Iterator[ExaBgp]:
    with daemons(host) as there:
        yield ExaBgp(there, config, addresses)
