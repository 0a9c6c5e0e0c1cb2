"""Which nodes come and go too often."""

import pytest

from herald.cluster.meta import NodeName
from herald.speaker.flaps import FIRST_S, LONGEST_S, WITHIN_S, Flaps

ME, OTHER = NodeName("me"), NodeName("other")
BOTH = {ME: frozenset({"eth0"}), OTHER: frozenset({"eth0"})}
GONE = {ME: frozenset({"eth0"})}
MUTE: dict[NodeName, frozenset[str] | None] = {**BOTH, OTHER: frozenset()}


def lose(flaps: Flaps, now: float) -> None:
    flaps.see(BOTH, now)
    flaps.see(GONE, now)


def test_one_loss_is_nothing_and_two_are_too_many() -> None:
    flaps = Flaps(ME)
    lose(flaps, 0.0)
    assert not flaps.damped(0.0)
    lose(flaps, 100.0)
    assert flaps.damped(100.0).keys() == {OTHER}
    assert flaps.deadline(100.0) == 100.0 + FIRST_S
    assert not flaps.damped(100.0 + FIRST_S)


def test_each_loss_more_doubles_the_time_up_to_a_limit() -> None:
    flaps = Flaps(ME)
    lengths = []
    for number in range(12):
        lose(flaps, number * 10.0)
        record = flaps.damped(number * 10.0).get(OTHER)
        lengths.append(record.until - number * 10.0 if record else 0.0)
    assert lengths[:5] == [0.0, FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert max(lengths) == lengths[-1] == LONGEST_S


@pytest.mark.parametrize(
    ("pause", "damped"),
    [pytest.param(WITHIN_S - 1.0, True, id="soon"), pytest.param(WITHIN_S, False, id="long after")],
)
def test_what_was_long_ago_is_forgotten(pause: float, damped: bool) -> None:
    flaps = Flaps(ME)
    lose(flaps, 0.0)
    lose(flaps, pause)
    assert bool(flaps.damped(pause)) is damped


def test_a_node_without_a_usable_interface_is_lost_too_and_a_speaker_of_metallb_that_tells_none_is_not() -> None:
    flaps = Flaps(ME)
    for now in (0.0, 1.0):
        flaps.see(BOTH, now)
        flaps.see(MUTE, now)
    assert flaps.damped(1.0).keys() == {OTHER}
    foreign = Flaps(ME)
    for now in (0.0, 1.0, 2.0):
        foreign.see({**BOTH, OTHER: None}, now)
    assert not foreign.damped(2.0)


def test_a_node_does_not_judge_itself() -> None:
    flaps = Flaps(ME)
    for now in (0.0, 1.0, 2.0):
        flaps.see(BOTH, now)
        flaps.see({OTHER: frozenset({"eth0"})}, now)
    assert not flaps.damped(2.0)


def test_what_was_lost_before_anybody_asked_for_damping_is_not_held_against_a_node() -> None:
    flaps = Flaps(ME)
    for now in range(0, 10, 2):
        flaps.see(BOTH, now, counts=False)
        flaps.see(GONE, now + 1, counts=False)
    assert flaps.damped(10.0) == {}


def test_once_nobody_asks_for_damping_all_is_forgotten() -> None:
    flaps = Flaps(ME)
    lose(flaps, 0.0)
    lose(flaps, 1.0)
    assert flaps.damped(2.0)
    flaps.forget()
    assert flaps.damped(2.0) == {}
