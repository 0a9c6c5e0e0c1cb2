"""Herald's BGP against GoBGP and ExaBGP: two more opinions on what Herald writes."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any

import pytest
from frr_router import HERALD, ROUTER, FrrRouter, NamespaceLoop, eventually, frr_beside_herald, run
from peering_in_namespace import started

from herald.bgp.community import Community, LargeCommunity
from herald.bgp.driver import Peering
from herald.bgp.route import Route
from herald.bgp.session import Password, PeerParameters, State

pytestmark = [pytest.mark.netns, pytest.mark.interop]

GOBGP = f"""
[global.config]
  as = 64501
  router-id = "{ROUTER}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{HERALD}"
    peer-as = 64500
    auth-password = "secret123"
  [neighbors.transport.config]
    passive-mode = true
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
"""
EXABGP = """
process heard {{
  run {script};
  encoder json;
}}
neighbor {herald} {{
  router-id {router}; local-address {router}; local-as 64501; peer-as 64500; passive;
  family {{ ipv4 unicast; ipv6 unicast; }}
  api {{ processes [ heard ]; receive {{ parsed; update; }} }}
}}
"""
PLAIN = Route(IPv4Network("192.168.1.200/32"))
COLOURED = Route(
    IPv4Network("192.168.1.201/32"),
    communities=(Community(64500 << 16 | 10), Community(0xFFFFFF01)),
    large_communities=(LargeCommunity(64500, 1, 4294967295),),
    prepend=(64500, 64500),
)
SIX = Route(IPv6Network("2001:db8:cafe::1/128"), communities=(Community(64500 << 16 | 6),))
ROUTES = (PLAIN, COLOURED, SIX)


@contextmanager
def peering(loop: NamespaceLoop, password: str | None = None) -> Iterator[Peering]:
    """A started peering with the routes, in Herald's namespace."""
    secret = Password(password) if password else None
    parameters = PeerParameters("router", ip_address(ROUTER), 64500, 64501, password=secret, hold_time=9)

    with started(loop, parameters, *ROUTES) as here:
        yield here.peering


@pytest.fixture
def place() -> Iterator[tuple[FrrRouter, NamespaceLoop, Path]]:
    """Two namespaces joined by a wire, a loop in Herald's, and a directory."""
    with frr_beside_herald() as router:
        directory = Path(tempfile.mkdtemp(prefix="herald-peer-", dir="/tmp"))
        loop = NamespaceLoop(router.herald_namespace)
        try:
            yield router, loop, directory
        finally:
            loop.close()
            shutil.rmtree(directory)


@contextmanager
def running(namespace: str, directory: Path, *words: str) -> Iterator[None]:
    process = subprocess.Popen(["ip", "netns", "exec", namespace, *words])  # pytest shows what it says
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


class GoBgp:
    """What the daemon in that namespace shows."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def show(self, *words: str) -> Any:
        done = subprocess.run(
            ["ip", "netns", "exec", self._namespace, "gobgp", *words, "-j"], capture_output=True, text=True, check=False
        )
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else {}

    def routes(self, family: str) -> dict[str, dict[int, Any]]:
        """Path attributes by type, by prefix."""
        table = self.show("global", "rib", "-a", family)
        return {prefix: {one["type"]: one for one in paths[0]["attrs"]} for prefix, paths in table.items()}


def test_gobgp_with_a_password_learns_what_was_wished_for_and_forgets_it(
    place: tuple[FrrRouter, NamespaceLoop, Path],
) -> None:
    router, loop, directory = place
    (directory / "gobgp.toml").write_text(GOBGP)
    go = GoBgp(router.namespace)
    with running(router.namespace, directory, "gobgpd", "-f", str(directory / "gobgp.toml"), "--log-plain"):
        eventually(lambda: go.show("neighbor"), "gobgpd answers")
        with peering(loop, "secret123") as herald:
            eventually(lambda: len(go.routes("ipv4")) == 2 and len(go.routes("ipv6")) == 1, "GoBGP has the routes")
            four = go.routes("ipv4")
            assert set(four["192.168.1.200/32"]) == {1, 2, 3}, "ORIGIN, AS_PATH, NEXT_HOP: no MED, no LOCAL_PREF"
            coloured = four["192.168.1.201/32"]
            assert set(coloured) == {1, 2, 3, 8, 32}
            assert coloured[2]["as_paths"][0]["asns"] == [64500, 64500, 64500]
            assert coloured[8]["communities"] == [64500 << 16 | 10, 0xFFFFFF01]
            (large,) = coloured[32]["value"]
            assert list(large.values()) == [64500, 1, 4294967295]
            (six,) = go.routes("ipv6").values()
            assert six[14]["nexthop"] == "2001:db8:50::2"
            loop.do(lambda: herald.apply_routes((), (COLOURED.prefix, SIX.prefix)))
            eventually(lambda: list(go.routes("ipv4")) == ["192.168.1.200/32"], "the route is withdrawn")
            eventually(lambda: not go.routes("ipv6"), "the IPv6 route is withdrawn")
            (neighbor,) = go.show("neighbor")
            assert neighbor["state"]["session_state"] == 6, "still the same session, Established"
        eventually(lambda: not go.routes("ipv4"), "what it learnt goes with the session")


def test_gobgp_with_another_password_gets_no_session(place: tuple[FrrRouter, NamespaceLoop, Path]) -> None:
    router, loop, directory = place
    (directory / "gobgp.toml").write_text(GOBGP)
    go = GoBgp(router.namespace)
    with running(router.namespace, directory, "gobgpd", "-f", str(directory / "gobgp.toml"), "--log-plain"):
        eventually(lambda: go.show("neighbor"), "gobgpd answers")
        with peering(loop, "wrong") as herald:
            eventually(lambda: loop.do(herald.snapshot).last_error is not None, "the attempt is given up", 20.0)
            error = loop.do(herald.snapshot).last_error
    assert error is not None
    assert "its TCP MD5 password is another than this one" in error.text


def test_exabgp_hears_exactly_what_was_wished_for(place: tuple[FrrRouter, NamespaceLoop, Path]) -> None:
    router, loop, directory = place
    script, heard = directory / "heard", directory / "heard.json"
    script.write_text(f"#!/bin/sh\nexec cat 3>&1 > {heard}\n")  # ExaBGP takes a helper that closes its end for dead
    script.chmod(0o755)
    (directory / "exa.conf").write_text(EXABGP.format(script=script, herald=HERALD, router=ROUTER))
    settings = ["exabgp.daemon.user=root", "exabgp.api.cli=false", f"exabgp.tcp.bind={ROUTER}", "exabgp.tcp.port=179"]
    settings += ["exabgp.api.ack=false"]

    def updates() -> list[Any]:
        lines = [json.loads(line) for line in heard.read_text().splitlines()] if heard.exists() else []
        messages = [line["neighbor"]["message"] for line in lines if line["type"] == "update"]
        return [message["update"] for message in messages if "update" in message]  # the others are End-of-RIBs

    def said(key: str) -> list[Any]:
        return [update for update in updates() if key in update]

    with running(router.namespace, directory, "env", *settings, "exabgp", str(directory / "exa.conf")):
        eventually(lambda: ":179" in run("ip", "netns", "exec", router.namespace, "ss", "-ltn"), "ExaBGP listens")
        with peering(loop) as herald:
            eventually(lambda: loop.do(herald.snapshot).state is State.ESTABLISHED, "the session is up")
            eventually(lambda: len(said("announce")) == 3, "three kinds of routes are heard")
            loop.do(lambda: herald.apply_routes((), (COLOURED.prefix, SIX.prefix)))
            eventually(lambda: len(said("withdraw")) == 2, "both withdrawals are heard")
    attributes: dict[str, tuple[set[str], Any]] = {}
    for update in said("announce"):
        for by_hop in update["announce"].values():
            for hop, entries in by_hop.items():
                for entry in entries:
                    attributes.setdefault(entry["nlri"], (set(), update["attribute"]))[0].add(hop)
    assert attributes["192.168.1.200/32"] == ({HERALD}, {"origin": "igp", "as-path": [64500], "confederation-path": []})
    assert attributes["192.168.1.201/32"][1] == {
        "origin": "igp",
        "as-path": [64500, 64500, 64500],
        "confederation-path": [],
        "community": [[64500, 10], [65535, 65281]],
        "large-community": [[64500, 1, 4294967295]],
    }
    link_local, beyond = sorted(attributes["2001:db8:cafe::1/128"][0], key=lambda hop: not hop.startswith("fe80:"))
    assert (link_local[:6], beyond) == ("fe80::", "2001:db8:50::2"), "both next hops of who is on the link (RFC 2545)"
    gone = [entry["nlri"] for update in said("withdraw") for some in update["withdraw"].values() for entry in some]
    assert sorted(gone) == ["192.168.1.201/32", "2001:db8:cafe::1/128"]
