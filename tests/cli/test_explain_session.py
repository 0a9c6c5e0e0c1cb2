"""`herald explain peer` of a running speaker: the session, why it is not up, and what to do."""

import asyncio
import json
import random
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import pytest
from click.testing import CliRunner

from herald.bfd.profile import DEFAULT
from herald.bgp.capability import FourOctetAs, Multiprotocol
from herald.bgp.diagnosis import Cause, Finding
from herald.bgp.family import Family
from herald.bgp.message import Keepalive, Message, Open, encode
from herald.bgp.notification import CeaseSubcode, cease
from herald.bgp.parameters import PeerParameters
from herald.bgp.path_attribute import WireContext
from herald.bgp.route import Route
from herald.bgp.session import (
    BfdDown,
    BfdUp,
    Closed,
    Connected,
    ConnectFailed,
    Event,
    Received,
    RoutesChanged,
    Session,
    Start,
)
from herald.cli.explain_session import explain_session
from herald.cli.main import main
from herald.engine import bgp_document
from herald.engine.show import ShowSocket, bind
from herald.report.explain import Explanation, State

PEER = PeerParameters("tor", ip_address("10.0.0.1"), 64500, 64501)
LOCAL = Connected(ip_address("10.0.0.2"), ip_address("2001:db8::2"), IPv4Address("10.0.0.2"), IPv4Address("10.0.0.2"))  # type: ignore[arg-type]  # it is IPv6
FOUR = Multiprotocol(Family.IPV4_UNICAST)
ROUTES = RoutesChanged((Route(ip_network("192.0.2.7/32")), Route(ip_network("2001:db8::7/128"))))
REFUSED = ConnectFailed("connection refused by 10.0.0.1:179", Finding(Cause.REFUSED, "nobody listens", "start BGP"))


STRICT = replace(PEER, bfd=DEFAULT, bfd_strict=True)


def heard(*messages: Message) -> Received:
    return Received(b"".join(encode(one, WireContext()) for one in messages))


def up(*families: Multiprotocol) -> tuple[Event, ...]:
    theirs = Open(64501, 90, IPv4Address("10.0.0.1"), (*families, FourOctetAs(64501)))
    return (LOCAL, heard(theirs, Keepalive()))


def explained(*events: Event, peer: PeerParameters = PEER, name: str = "tor") -> Explanation:
    session = Session(peer, random.Random(1))
    for event in (Start(), *events):
        session.handle(event, 100.0)
        for _ in range(4):
            session.wake(100.0)
    return explain_session("node-1", bgp_document.summary((session.snapshot(),), 103.0, {}), name)


def section(found: Explanation, title: str) -> tuple[str, ...] | None:
    return next((each.lines for each in found.sections if each.title == title), None)


def test_a_failed_attempt_is_told_with_its_cause_and_remedy() -> None:
    found = explained(REFUSED)
    assert section(found, "ERROR") == ("connection refused by 10.0.0.1:179 (3.0s ago)",)
    assert (section(found, "CAUSE"), section(found, "FIX")) == (("nobody listens",), ("start BGP",))
    assert str(found.verdict) == "Not announced: connection refused by 10.0.0.1:179: nobody listens. Fix: start BGP"
    assert found.facts["session"]["diagnosis"]["cause"] == "refused"


def test_what_came_after_the_telling_error_is_told_too() -> None:
    found = explained(*up(FOUR), Closed("the peer closed the connection"))
    assert section(found, "ERROR") == ("the peer closed the connection (3.0s ago)",)
    assert section(found, "CAUSE") is None
    assert found.verdict.state is State.NOT_ANNOUNCED


@pytest.mark.parametrize(
    ("events", "state", "words"),
    [
        pytest.param(
            (), State.NOT_ANNOUNCED, "the session is not up yet (Connect), and nothing went wrong", id="begun"
        ),
        pytest.param(up(FOUR), State.NOT_ANNOUNCED, "the session is established, and there is no route", id="no route"),
        pytest.param(
            (ROUTES, *up(FOUR)),
            State.DEGRADED,
            "1 route sent; ipv6-unicast: the peer does not offer ipv6-unicast: activate ipv6-unicast",
            id="one family",
        ),
        pytest.param(
            (ROUTES, *up(FOUR, Multiprotocol(Family.IPV6_UNICAST))), State.ANNOUNCED, "2 routes sent", id="all"
        ),
    ],
)
def test_the_verdict_says_how_it_stands(events: tuple[Event, ...], state: State, words: str) -> None:
    verdict = explained(*events).verdict
    assert verdict.state is state
    assert verdict.message.startswith(words)


def test_a_peer_that_the_node_does_not_have_is_no_riddle() -> None:
    found = explained(name="tour")
    assert found.verdict.message == 'node-1 has no BGP session with tour; did you mean "tor"?; it has tor'


async def herald(*words: str) -> tuple[int, str, str]:
    result = await asyncio.to_thread(CliRunner().invoke, main, list(words))
    return result.exit_code, result.stdout, result.stderr


async def test_the_speaker_is_asked_unless_manifests_or_a_cluster_are_named(tmp_path: Path) -> None:
    session = Session(replace(PEER, name="tor"), random.Random(1))
    for event in (Start(), REFUSED):
        session.handle(event, 100.0)
    path = tmp_path / "show.sock"
    answers = {"bgp summary": lambda: bgp_document.summary((session.snapshot(),), 103.0, {})}
    async with await ShowSocket("node-1", answers).start(bind(path)):
        code, out, _ = await herald("explain", "peer", "tor", "--socket", str(path))
        assert (code, "nobody listens" in out) == (1, True)
        code, out, _ = await herald("explain", "peer", "tor", "--socket", str(path), "-o", "json")
        document = json.loads(out)
        assert (code, document["kind"], document["session"]["diagnosis"]["fix"]) == (1, "peer", "start BGP")
        code, _, err = await herald("explain", "pool", "p", "--socket", str(path), "-f", str(tmp_path))
        assert (code, "--socket is for `explain peer`" in err) == (3, True)


async def test_without_a_speaker_the_exit_code_is_no_verdict(tmp_path: Path) -> None:
    code, _, err = await herald("explain", "peer", "tor", "--socket", str(tmp_path / "none"))
    assert (code, err.startswith("herald explain: no speaker runs behind")) == (3, True)


def test_what_a_session_waits_for_is_the_verdict() -> None:
    found = explained(peer=replace(PEER, passive=True))
    assert str(found.verdict) == "Not announced: waiting for the peer to dial (passive)"
    strict = explained(peer=STRICT)
    assert str(strict.verdict).startswith("Not announced: waiting for BFD (strict mode). Fix: see `herald show bfd`")


SHUT_DOWN = heard(cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN))
LOST = BfdDown("control detection time expired")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        pytest.param(
            SHUT_DOWN,
            "they sent Cease/Administrative Shutdown: its operator has shut this session down (3.0s ago)",
            id="shut down",
        ),
        pytest.param(LOST, "we sent Cease/BFD Down: control detection time expired: BFD hears nothing", id="BFD"),
    ],
)
def test_while_bfd_is_waited_for_what_ended_the_session_is_history_without_a_remedy(end: Event, words: str) -> None:
    found = explained(BfdUp(), *up(FOUR), end, LOST, peer=STRICT)
    assert [title for title in ("BEFORE", "ERROR", "CAUSE", "FIX", "LATEST") if section(found, title)] == ["BEFORE"]
    assert section(found, "BEFORE")[0].startswith(words)  # type: ignore[index]  # it is there
    assert str(found.verdict).count("Fix: ") == 1


def test_a_session_that_bfd_has_ended_has_a_cause_and_a_remedy() -> None:
    found = explained(BfdUp(), *up(FOUR), LOST, peer=replace(PEER, bfd=DEFAULT))
    assert found.facts["session"]["diagnosis"]["cause"] == "bfd-down"
    assert "herald show bfd" in section(found, "FIX")[0]  # type: ignore[index]  # it is there


def test_a_passive_peer_that_could_not_dial_either_is_told_both() -> None:
    session = Session(replace(STRICT, passive=True), random.Random(1))
    session.handle(Start(), 100.0)
    document = bgp_document.summary((session.snapshot(),), 103.0, {}, lambda _: "cannot listen on 10.0.0.2:179")
    words = str(explain_session("node-1", document, "tor").verdict)
    assert "could not: cannot listen on 10.0.0.2:179. Fix: have this node take its connections" in words
    assert "herald show bfd" in words


def test_a_peer_that_closes_before_its_open_may_be_shut_down() -> None:
    found = explained(LOCAL, Closed("the peer reset the connection"))
    assert "or bring it up there (in FRR `no neighbor 10.0.0.2 shutdown`)" in section(found, "FIX")[0]  # type: ignore[index]  # it is there
