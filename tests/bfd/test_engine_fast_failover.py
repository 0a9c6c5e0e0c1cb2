"""fastFailover in the engine: what becomes of a silent node, and of this one when it stood still."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
from test_bfd_driver import OURS, PEER, Network

from herald.bfd.control_packet import Diagnostic, State
from herald.bfd.path import Address, Lane, Path
from herald.engine.bfd_sessions import BfdSessions
from herald.engine.fast_failover import NO_GOSSIP, FastFailover
from herald.fast_failover.fence import AWAY, TICK

HERE = frozenset({"n1", "n2"})
LANE = Lane.of(Path(PEER))
Check = Callable[[], bool]


@dataclass
class Group:
    """The members that gossip knows, and what it was asked to do."""

    own_address: Address = OURS
    asked: list[str] = field(default_factory=list)
    accused: list[str] = field(default_factory=list)
    drained: int = 0

    def address_of(self, node: str) -> Address | None:
        return {"n1": OURS, "n2": PEER}.get(node)

    def ask(self, node: str) -> None:
        self.asked.append(node)

    def accuse(self, node: str) -> None:
        self.accused.append(node)

    def drain(self) -> None:
        self.drained += 1


class Stand:
    """n1, which watches n2."""

    def __init__(self) -> None:
        self.network = Network()
        self.group = Group()
        self.changes = 0
        self.returns: list[float] = []
        sessions = BfdSessions(self.network, random.Random(1))
        self.fenced: list[tuple[float, str]] = []
        self.failover = FastFailover(
            sessions,
            self.group,
            on_change=self._changed,
            on_return=self.returns.append,
            on_fenced=lambda seconds, why: self.fenced.append((seconds, why)),
        )
        self.failover.see(HERE)
        self.failover.watch(frozenset({"n2"}))

    def _changed(self) -> None:
        self.changes += 1

    def hear(self, state: State, **more: object) -> None:
        """A packet of n2."""
        times = {"desired_min_tx_us": 50_000, "required_min_rx_us": 50_000}
        self.network.say(state=state, **times, **more)

    async def until(self, check: Check) -> None:
        for _ in range(4000):
            if check():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("did not come true")

    async def come_up(self) -> None:
        self.hear(State.DOWN, your_discriminator=0)
        await self.until(lambda: self.network.sent[-1].state is State.INIT)
        self.hear(State.UP)
        await self.until(lambda: self.document["bfd"] == "Up")

    @property
    def document(self) -> dict[str, object]:
        return self.failover.document()["n2"]


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    made = Stand()
    yield made
    await made.failover.stop()


async def test_who_falls_silent_and_does_not_answer_is_dead_and_accused_until_it_answers(stand: Stand) -> None:
    await stand.come_up()
    assert stand.failover.dead == frozenset()
    await stand.until(lambda: stand.failover.dead == {"n2"})
    assert set(stand.group.asked) == {"n2"}
    assert stand.group.accused == ["n2"]
    assert stand.group.drained > 0, "answers that wait are read before anybody is taken for dead"
    silent_for = stand.failover.silent_for("n2")
    assert silent_for is not None
    assert silent_for >= 0.15
    assert (stand.changes, stand.document["phase"], stand.document["deaths"]) == (1, "dead", 1)
    assert stand.failover.counted()["watched"] == [{"node": "n2", "up": False, "falseAlarms": 0, "deaths": 1}]
    stand.failover.answered("n2")
    assert stand.failover.dead == frozenset()
    assert stand.changes == 2
    assert stand.failover.silent_for("n2") is None


async def test_who_falls_silent_and_answers_is_spared(stand: Stand) -> None:
    await stand.come_up()
    await stand.until(lambda: bool(stand.group.asked))
    stand.failover.answered("n2")
    assert (stand.document["phase"], stand.document["falseAlarms"], stand.changes) == ("watched", 1, 0)


async def test_who_says_that_it_shuts_down_is_not_suspected(stand: Stand) -> None:
    await stand.come_up()
    stand.hear(State.ADMIN_DOWN, diagnostic=Diagnostic.ADMINISTRATIVELY_DOWN)
    await stand.until(lambda: stand.document["bfd"] == "Down")
    await asyncio.sleep(0)
    assert stand.group.asked == []


async def test_after_a_pause_that_was_noticed_nothing_is_answered_until_the_session_is_up_again(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    await stand.come_up()
    assert stand.failover.may_answer()
    stand.hear(State.DOWN, diagnostic=Diagnostic.DETECTION_TIME_EXPIRED)
    time.sleep(AWAY + 2 * TICK)  # noqa: ASYNC251  # the whole process stands still
    assert not stand.failover.may_answer(), "what waits in the BFD socket is read first"
    assert stand.failover.own_document() == {"fenced": True, "pauses": 1}
    stand.hear(State.INIT)
    assert stand.fenced == []
    await stand.until(stand.failover.may_answer)
    await stand.until(lambda: bool(stand.returns))
    ((seconds, why),) = stand.fenced
    assert seconds >= AWAY
    assert "which n2 noticed" in why
    assert "until n2 agreed" in why
    (again,) = [one for one in caplog.records if getattr(one, "event", None) == "failoverAnswersAgain"]
    assert again.getMessage() == f"this node answers again: {why}"


async def test_when_the_last_watcher_is_gone_nobody_is_waited_for_and_all_is_announced_again(stand: Stand) -> None:
    await stand.come_up()
    stand.hear(State.DOWN, diagnostic=Diagnostic.DETECTION_TIME_EXPIRED)
    time.sleep(AWAY + 2 * TICK)  # noqa: ASYNC251  # the whole process stands still
    assert not stand.failover.may_answer()
    stand.group.address_of = lambda node: None  # type: ignore[method-assign]  # the fake
    stand.failover.see(frozenset({"n1"}))
    await asyncio.sleep(0)
    assert stand.failover.may_answer()
    assert len(stand.returns) == 1, "n2 may have taken all addresses before it went"


async def test_the_same_word_silences_nobody_who_has_been_running(stand: Stand) -> None:
    await stand.come_up()
    await asyncio.sleep(TICK)
    stand.hear(State.DOWN, diagnostic=Diagnostic.DETECTION_TIME_EXPIRED)
    await stand.until(lambda: stand.document["bfd"] == "Down")
    assert stand.failover.may_answer()


async def test_why_somebody_cannot_be_watched_is_said(stand: Stand) -> None:
    await stand.until(lambda: LANE in stand.network.listeners)
    assert stand.document["problem"] == "no BFD session yet; until it is up gossip decides"
    stand.failover.watch(frozenset({"n2", "n9"}))
    assert stand.failover.document()["n9"]["problem"] == "not known to gossip"


async def test_where_the_port_is_taken_that_is_said() -> None:
    stand = Stand()
    await stand.failover.stop()
    stand.network.listen_error = "UDP port 3784 of this host belongs to another program"
    sessions = BfdSessions(stand.network, random.Random(1))
    failover = FastFailover(sessions, stand.group, on_change=lambda: None, on_return=lambda _: None)
    failover.see(HERE)
    failover.watch(frozenset({"n2"}))
    assert failover.document()["n2"]["problem"] == stand.network.listen_error
    await failover.stop()


async def test_without_gossip_nobody_is_watched_and_that_is_said() -> None:
    network = Network()
    sessions = BfdSessions(network, random.Random(1))
    failover = FastFailover(sessions, None, on_change=lambda: None, on_return=lambda _: None)
    failover.watch(frozenset({"n2"}))
    failover.see(HERE)
    assert failover.document()["n2"]["problem"] == NO_GOSSIP
    assert (failover.sessions(), failover.dead, failover.may_answer()) == ({}, frozenset(), True)
    await failover.stop()


async def test_a_member_at_another_address_gets_a_session_there(stand: Stand) -> None:
    moved = ip_address("10.0.0.77")
    stand.group.address_of = lambda node: moved if node == "n2" else OURS  # type: ignore[method-assign]  # the fake
    stand.failover.see(HERE)
    (watched,) = stand.failover.sessions().values()
    assert watched.session.path.peer == moved
