"""Whole groups on a virtual clock, over a network that loses, delays and separates."""

import pytest

from herald.lab.swim_simulation.measure import detection
from herald.lab.swim_simulation.simulation import Simulation
from herald.swim.event import Kind, Leave, SetMeta
from herald.swim.profile import HERALD, LAN


@pytest.mark.parametrize("loss", [0.0, 0.05], ids=["no loss", "5 % loss"])
@pytest.mark.parametrize("size", [3, 4, 10])
def test_a_crash_is_known_to_all_within_a_second_in_small_groups(size: int, loss: float) -> None:
    assert max(detection(size, HERALD, seed=seed, loss=loss).last for seed in range(8)) < 1.0


def test_a_crash_is_known_to_all_within_two_seconds_in_a_larger_group() -> None:
    assert detection(40, HERALD, seed=3, loss=0.05).last < 2.0


@pytest.mark.parametrize("size", [3, 10])
def test_nobody_is_wrongly_dead_at_5_percent_loss(size: int) -> None:
    simulation = Simulation(size, HERALD, seed=5, loss=0.05)
    simulation.run(500 / size)
    assert simulation.false_deaths() == []


def test_who_is_wrongly_suspected_because_much_is_lost_contradicts() -> None:
    simulation = Simulation(10, HERALD, seed=5, loss=0.3)
    simulation.run(30.0)
    assert [note for _, _, note in simulation.notes if note.kind is Kind.SUSPECTED]
    assert [note for _, _, note in simulation.notes if note.kind is Kind.REFUTED]
    assert simulation.false_deaths() == []


def test_metallbs_timing_is_what_memberlist_was_measured_at() -> None:
    times = [detection(3, LAN, seed=seed, loss=0.0).last for seed in range(10)]
    assert min(times) > 5.0
    assert max(times) < 7.5


def test_members_are_found_through_one_and_learn_what_the_others_say_of_themselves() -> None:
    simulation = Simulation(5, HERALD, seed=1, joined=False)
    for member in range(1, 5):
        simulation.join(member, 0)
    simulation.tell(4, SetMeta(b"herald/1 eth7"))
    simulation.run(2.0)
    assert {simulation.sees(member) for member in range(5)} == {frozenset(range(5))}
    assert {simulation.machine(member).present()["n4"] for member in range(5)} == {b"herald/1 eth7"}


@pytest.mark.parametrize("seconds", [3.0, 120.0], ids=["short", "longer than the dead are remembered"])
def test_a_healed_partition_is_one_group_again_without_being_told(seconds: float) -> None:
    simulation = Simulation(6, HERALD, seed=2)
    simulation.run(2.0)
    simulation.separate({0, 1})
    simulation.run(seconds)
    assert simulation.sees(0) == {0, 1}
    assert simulation.sees(5) == {2, 3, 4, 5}
    simulation.separate(())
    simulation.run(2.0)
    assert {simulation.sees(member) for member in range(6)} == {frozenset(range(6))}


def test_who_is_cut_off_alone_takes_longer_to_believe_that_all_others_died_than_they_need_for_it() -> None:
    simulation = Simulation(3, HERALD, seed=4)
    simulation.run(2.0)
    simulation.separate({0})
    simulation.run(10.0)
    by_the_others = max(one.at for one in simulation.verdicts if one.member == 0)
    by_the_lonely = min(one.at for one in simulation.verdicts if one.observer == 0)
    assert by_the_others < by_the_lonely


def test_a_node_that_was_stopped_for_a_moment_neither_dies_nor_takes_others_for_dead() -> None:
    simulation = Simulation(5, HERALD, seed=6)
    for _ in range(20):
        simulation.run(1.0)
        simulation.stop(2, 0.25)
    assert simulation.verdicts == []


def test_a_node_that_was_stopped_for_long_is_dead_and_takes_nobody_for_dead_when_it_goes_on() -> None:
    simulation = Simulation(5, HERALD, seed=7)
    simulation.run(2.0)
    simulation.stop(2, 10.0)
    simulation.run(5.0)
    assert simulation.sees(0) == {0, 1, 3, 4}
    simulation.run(7.0)
    assert {simulation.sees(member) for member in range(5)} == {frozenset(range(5))}
    assert [one for one in simulation.verdicts if one.observer == 2] == []


def test_who_leaves_is_gone_at_once_and_nobody_calls_it_dead() -> None:
    simulation = Simulation(10, HERALD, seed=8, loss=0.05)
    simulation.run(2.0)
    simulation.tell(3, Leave())
    simulation.run(0.15)
    simulation.crash(3)
    assert all(3 not in simulation.sees(member) for member in range(10) if member != 3)
    simulation.run(5.0)
    assert simulation.verdicts == []


def test_members_with_metallbs_timing_and_ours_live_together() -> None:
    simulation = Simulation(6, HERALD, seed=9, loss=0.02, profiles={0: LAN, 1: LAN, 2: LAN})
    simulation.run(60.0)
    assert simulation.verdicts == []
    simulation.crash(1)
    simulation.run(3.0)
    assert all(1 not in simulation.sees(member) for member in (0, 2, 3, 4, 5))
    assert simulation.false_deaths() == []
