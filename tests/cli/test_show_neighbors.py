"""`herald show bgp neighbors`, drawn from a real session's snapshot as the engine documents it."""

import json
import random
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from test_show import herald_show

from herald.bgp import message
from herald.bgp.capability import FourOctetAs, GracefulRestart, HostName, Multiprotocol, Role
from herald.bgp.family import Family
from herald.bgp.message import Keepalive, Open
from herald.bgp.path_attribute import WireContext
from herald.bgp.session import Closed, Connected, Incoming, PeerParameters, Received, Session, Start
from herald.cli.show_neighbors import neighbors
from herald.engine.bgp_document import summary
from herald.engine.show import ShowSocket, bind
from herald.report.table import plain

FOUR = Family.IPV4_UNICAST
PEER = PeerParameters("router-1", ip_address("10.0.0.1"), 64500, 64501, restart_time=120)
LOCAL = Connected(ip_address("10.0.0.2"), IPv6Address("2001:db8::2"), IPv4Address("10.0.0.2"), IPv4Address("10.0.0.2"))
ROUTER = (Multiprotocol(FOUR), FourOctetAs(64501), GracefulRestart(60, notification=True), HostName("tor"), Role(0))


def session(parameters: PeerParameters = PEER, *capabilities: Any) -> Session:
    made = Session(parameters, random.Random(1), "node-1")
    theirs = Open(64501, 90, IPv4Address("10.0.0.1"), capabilities or ROUTER)
    said = [Received(message.encode(one, WireContext())) for one in (theirs, Keepalive())]
    for event in (Start(), LOCAL, *said):
        made.handle(event, 100.0)
    while made.deadline() == 100.0:
        made.wake(100.0)
    return made


def documents(*sessions: Session, now: float = 103.0) -> list[Any]:
    made: list[Any] = summary(tuple(one.snapshot() for one in sessions), now, {})
    return made


def test_what_each_end_offers_stands_side_by_side() -> None:
    lines = [line.split() for line in plain(neighbors(documents(session()))).splitlines()]
    for expected in (
        ["multiprotocol", "ipv4-unicast", "yes", "yes"],
        ["multiprotocol", "ipv6-unicast", "yes", "-"],
        ["extended-message", "yes", "-"],
        ["four-octet-as", "64500", "64501"],
        ["fqdn", "node-1", "tor"],
        ["bgp-role", "-", "provider"],
        ["graceful-restart", "120s", "helper"],
        ["ipv4-unicast", "yes", "0", "0", "0", "0", "10.0.0.2", "sent", "-"],
    ):
        assert expected in lines


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            session(),
            "it keeps our routes of ipv4-unicast and ipv6-unicast for 120 s when the session is lost, also for",
        ),
        (session(PEER, Multiprotocol(FOUR), GracefulRestart(60)), "but not for a NOTIFICATION"),
        (session(replace(PEER, restart_time=None)), "it forgets our routes when the session is lost"),
        (session(replace(PEER, hold_time=0)), "no hold time: silence of the peer is not noticed"),
    ],
    ids=["kept-always", "kept-unless-told", "not-wanted", "no-hold-time"],
)
def test_what_follows_is_said_in_a_sentence(made: Session, words: str) -> None:
    assert words in plain(neighbors(documents(made)))


def test_a_lost_session_says_why() -> None:
    lost = session()
    lost.handle(Closed("the peer reset the connection"), 101.0)
    shown = plain(neighbors(documents(lost)))
    assert "router-1: last error, 2.0s ago: the peer reset the connection" in shown
    assert "CAPABILITY" not in shown, "without a connection nothing is offered"


def test_what_a_session_waits_for_is_said_and_who_dialled() -> None:
    passive = Session(replace(PEER, passive=True), random.Random(1))
    passive.handle(Start(), 100.0)
    assert "router-1: waiting for the peer to dial (passive)" in plain(neighbors(documents(passive)))
    refusal = "cannot listen at 0.0.0.0:179: another program takes connections there"
    (one,) = summary((passive.snapshot(),), 103.0, {}, lambda _: refusal)
    assert f"waiting for the peer to dial (passive): {refusal}" in plain(neighbors([one]))
    passive.handle(Incoming(LOCAL), 101.0)
    assert "router-1: the peer has dialled this connection" in plain(neighbors(documents(passive)))


def test_without_a_session_that_is_said() -> None:
    assert "no BGPPeer selects this node" in plain(neighbors([]))


async def test_one_peer_can_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "show.sock"
    shown = documents(session(), session(replace(PEER, name="router-2")))
    async with await ShowSocket("node-1", {"bgp summary": lambda: shown}).start(bind(path)):
        code, out, _ = await herald_show(path, "bgp", "neighbors", "router-2", "-o", "json")
        assert (code, [each["peer"] for each in json.loads(out)["data"]]) == (0, ["router-2"])
        assert json.loads(out)["data"][0]["gracefulRestart"] == {
            "offered": {
                "restartTime": 120,
                "restarting": False,
                "notification": True,
                "families": {"ipv4-unicast": True, "ipv6-unicast": True},
            },
            "received": {"restartTime": 60, "restarting": False, "notification": True, "families": {}},
            "kept": ["ipv4-unicast", "ipv6-unicast"],
            "notification": True,
        }
        code, _, error = await herald_show(path, "bgp", "neighbors", "router-3")
        assert (code, "no BGP session with router-3; it has router-1, router-2" in error) == (2, True)
