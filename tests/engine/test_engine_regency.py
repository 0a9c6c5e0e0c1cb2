"""What the engine does while control is away; `tests/interop/test_failback.py` shows it with whole speakers."""

import asyncio
import signal
import sys
from ipaddress import ip_address
from math import inf

import pytest

from herald.engine.membership import Members
from herald.engine.regency import Regency
from herald.layer2.holding import Address

ADDRESS = ip_address("192.0.2.1")
PRESENT: Members = {"n2": frozenset({"eth0"})}
AWAY: Members = {"n2": frozenset()}


class Node:
    """The parts of an engine that are told something, and what they were told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.others: Members = PRESENT
        self.held_again: list[frozenset[Address]] = []
        self.regency = Regency(
            self,
            lambda: self,  # type: ignore[arg-type, return-value]  # only `away` and `ready` are used of a membership
            others=lambda: self.others,
            on_change=lambda: self.said.append("change"),
            on_lend=lambda: self.said.append("keep"),
            on_alone=self.held_again.append,
            supervised=False,
        )

    def lend(self) -> None:
        self.said.append("lend")

    def take_back(self) -> None:
        self.said.append("take back")

    def away(self) -> None:
        self.said.append("away")

    def ready(self) -> None:
        self.said.append("ready")

    def told(self) -> list[str]:
        said, self.said = self.said, []
        return said


async def test_control_that_is_away_is_told_to_the_others_before_anything_is_lent_and_back_the_other_way_round(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    node = Node()
    node.regency.control_is_away("it went")
    assert node.told() == ["away", "keep", "lend", "change"]
    assert (node.regency.away, node.regency.absent_at) == ("it went", inf)
    node.regency.control_is_back()
    assert node.told() == ["take back", "change", "ready"]
    assert node.regency.away is None
    assert node.regency.absent_at not in (None, inf)
    assert [getattr(record, "event", "") for record in caplog.records] == ["controlAway", "controlBack"]


async def test_where_nobody_else_could_answer_nothing_is_lent() -> None:
    node = Node()
    node.others = {}
    node.regency.control_is_away("it went")
    assert node.told() == ["away", "take back", "change"]
    node.others = PRESENT
    node.regency.look_again()
    node.others = AWAY
    node.regency.look_again()
    assert node.told() == ["keep", "lend", "take back"]
    assert node.held_again == []


async def test_while_control_is_there_members_may_come_and_go_and_every_wish_says_that_the_node_is_ready() -> None:
    node = Node()
    node.regency.look_again()
    assert node.told() == []
    node.regency.control_is_back()
    assert node.told() == ["take back", "ready"]
    assert node.regency.absent_at is None


async def test_what_another_node_takes_is_kept_in_mind_once_and_only_while_control_is_away() -> None:
    node = Node()
    assert not node.regency.taken(ADDRESS)
    assert node.regency.forget_taken() == frozenset()
    node.regency.control_is_away("it went")
    assert node.regency.taken(ADDRESS)
    assert node.regency.forget_taken() == {ADDRESS}
    assert node.regency.forget_taken() == frozenset()


async def test_a_node_that_was_thought_dead_was_absent_until_now_unless_it_is_so_still() -> None:
    node = Node()
    node.regency.was_thought_dead()
    assert node.told() == ["change"]
    assert node.regency.absent_at not in (None, inf)
    node.regency.control_is_away("it went")
    node.regency.was_thought_dead()
    assert node.regency.absent_at == inf


async def test_what_another_node_took_is_held_again_once_when_that_one_is_gone_and_nobody_else_is_there() -> None:
    node = Node()
    node.others = {**PRESENT, "n3": frozenset()}
    node.regency.control_is_away("it went")
    node.regency.taken(ADDRESS)
    node.others = {"n3": frozenset()}
    node.regency.look_again()
    node.regency.look_again()
    assert node.held_again == [{ADDRESS}]
    assert node.regency.forget_taken() == frozenset(), "it is in the wish, and held"


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(PRESENT, id="it is there"),
        pytest.param(AWAY, id="its control is away: it may answer"),
        pytest.param({"n3": frozenset({"eth0"})}, id="another one is there to take it"),
        pytest.param({"n3": None}, id="one of MetalLB's is there to take it"),
    ],
)
async def test_what_another_node_took_is_left_to_it_or_to_the_next(others: Members) -> None:
    node = Node()
    node.regency.control_is_away("it went")
    node.regency.taken(ADDRESS)
    node.others = others
    node.regency.look_again()
    assert node.held_again == []
    assert node.regency.forget_taken() == {ADDRESS}


async def test_what_the_next_one_took_from_a_taker_that_is_gone_is_left_to_that_one() -> None:
    node = Node()
    node.regency.control_is_away("it went")
    node.regency.taken(ADDRESS)
    others: list[Members] = [{"n3": frozenset({"eth0"})}, {"n3": frozenset()}, {}]
    for node.others in others:
        assert node.held_again == []
        node.regency.look_again()
    assert node.held_again == [{ADDRESS}]


async def test_what_is_gone_with_its_taker_while_control_is_there_is_for_control_to_decide() -> None:
    node = Node()
    node.regency.control_is_away("it went")
    node.regency.taken(ADDRESS)
    node.regency.control_is_back()
    node.others = {}
    node.regency.look_again()
    assert node.held_again == []


async def test_without_a_supervisor_that_could_start_control_again_people_are_told_to(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Node().regency.end_control()
    (line,) = caplog.messages
    assert line.endswith("nobody here can start it again: restart the speaker")


CHILD = """
from herald.engine.regency import Regency
nothing = lambda *_: None
Regency(None, nothing, others=dict, on_change=nothing, on_lend=nothing, on_alone=nothing, supervised=True).end_control()
"""


async def test_a_supervisor_is_told_to_start_it_again() -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
    try:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, stderr=asyncio.subprocess.PIPE)
        _, said = await child.communicate()
        await asyncio.wait_for(told.wait(), 10)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
    assert said == b"control gives no sign of life: it is to be started again\n"
