"""What the engine does while control is away; `tests/interop/test_failback.py` shows it with whole speakers."""

from ipaddress import ip_address
from math import inf

import pytest

from herald.engine.regency import Regency

ADDRESS = ip_address("192.0.2.1")


class Node:
    """The parts of an engine that are told something, and what they were told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.others = True
        self.regency = Regency(
            self,
            lambda: self,  # type: ignore[arg-type, return-value]  # only `away` and `ready` are used of a membership
            has_others=lambda: self.others,
            on_change=lambda: self.said.append("change"),
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
    assert node.told() == ["away", "lend", "change"]
    assert (node.regency.away, node.regency.absent_at) == ("it went", inf)
    node.regency.control_is_back()
    assert node.told() == ["take back", "change", "ready"]
    assert node.regency.away is None
    assert node.regency.absent_at not in (None, inf)
    assert [getattr(record, "event", "") for record in caplog.records] == ["controlAway", "controlBack"]


async def test_where_nobody_else_could_answer_nothing_is_lent() -> None:
    node = Node()
    node.others = False
    node.regency.control_is_away("it went")
    assert node.told() == ["away", "take back", "change"]
    node.others = True
    node.regency.look_again()
    node.others = False
    node.regency.look_again()
    assert node.told() == ["lend", "take back"]


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
