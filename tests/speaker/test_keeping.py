"""What a node claims under `failback`, and when it lets go."""

from ipaddress import ip_address

from herald.announcement.incremental import Tenure
from herald.cluster.meta import NamespacedName, NodeName
from herald.config.failback import NEVER
from herald.speaker.keeping import CALM_S, LINGER_S, START_S, Keeping

ME, OTHER, THIRD = NodeName("me"), NodeName("other"), NodeName("third")
WEB = NamespacedName("default", "web")
ADDRESS = ip_address("10.0.0.1")
ALL = frozenset({ADDRESS})


def keeping(present: int = 3, expected: int = 3) -> Keeping:
    made = Keeping()
    made.see(present, expected, 0.0)
    return made


def hold(one: Keeping, now: float, failback_s: float = NEVER, in_turn: NodeName | None = ME) -> None:
    one.hold({WEB: Tenure(ADDRESS, failback_s, in_turn)}, ME, now)


def test_what_is_held_is_claimed_at_once_and_for_ever_with_never() -> None:
    one = keeping()
    hold(one, 1.0)
    assert one.claimed(1.0) == ALL
    hold(one, 2.0, in_turn=OTHER)
    assert one.claimed(1e9) == ALL
    one.hold({WEB: None}, ME, 2e9)
    assert one.claimed(2e9) == frozenset()
    assert one.lingering(2e9) == frozenset(), "what somebody else has is let go at once"


def test_with_a_delay_it_is_given_back_when_the_other_has_been_there_for_so_long() -> None:
    one = keeping()
    hold(one, 0.0, 10.0)
    assert one.claimed(100.0) == ALL, "nobody else is in turn"
    hold(one, 100.0, 10.0, OTHER)
    assert one.deadline(100.0) == 110.0
    assert one.claimed(109.9) == ALL
    assert one.claimed(110.0) == frozenset()
    assert one.lingering(110.0) == ALL, "this node goes by its former claim until the other one answers"
    assert one.deadline(110.0) == 110.0 + LINGER_S
    assert one.lingering(110.0 + LINGER_S) == frozenset()
    assert one.claimed(111.0) == frozenset(), "and does not claim it again"


def test_the_delay_begins_anew_when_the_other_is_lost_or_a_third_is_in_turn() -> None:
    one = keeping()
    hold(one, 0.0, 10.0, OTHER)
    hold(one, 9.0, 10.0, ME)
    hold(one, 9.5, 10.0, OTHER)
    assert one.claimed(19.0) == ALL
    hold(one, 19.2, 10.0, THIRD)
    assert one.claimed(29.0) == ALL
    assert one.claimed(29.2) == frozenset()


def test_after_a_power_cut_the_first_one_up_claims_nothing_until_the_others_are_there() -> None:
    one = keeping(present=1)
    hold(one, 0.0)
    assert one.claimed(1.0) == frozenset()
    assert one.deadline(1.0) == START_S
    one.see(3, 3, 2.0)
    assert one.claimed(2.0) == ALL


def test_it_does_not_wait_for_ever_for_those_who_do_not_come() -> None:
    one = keeping(present=1)
    hold(one, 0.0)
    assert one.claimed(START_S) == ALL
    younger = keeping(present=1)
    younger.resume()
    hold(younger, 0.0)
    assert younger.claimed(0.0) == ALL, "a control that finds claims of its node was not at the start"


def test_who_was_cut_off_from_most_yields_until_it_has_been_well_for_a_while() -> None:
    one = keeping()
    for now, present in ((100.0, 3), (100.2, 2), (100.4, 1)):
        one.see(present, 3, now)
    assert one.yields(1000.0)
    one.see(2, 3, 1000.0)
    assert one.yields(1000.0 + CALM_S - 0.1)
    assert not one.yields(1000.0 + CALM_S)


def test_who_loses_the_smaller_part_or_one_after_another_over_time_does_not_yield() -> None:
    one = keeping(present=5)
    one.see(3, 5, 100.0)
    assert not one.yields(100.0)
    one.see(2, 5, 100.0 + CALM_S)
    one.see(1, 5, 100.0 + 2 * CALM_S)
    assert not one.yields(200.0)
    pair = keeping(present=2, expected=2)
    pair.see(1, 2, 50.0)
    assert not pair.yields(50.0), "of two neither is the larger part"


def test_who_stood_still_yields_for_a_while() -> None:
    one = keeping()
    one.froze(50.0)
    assert one.yields(50.0)
    assert one.deadline(50.0) == 50.0 + CALM_S
    assert not one.yields(50.0 + CALM_S)


def test_who_was_absent_without_knowing_yields_as_long_as_it_is_and_a_while_longer() -> None:
    one = keeping()
    one.absent(float("inf"))
    assert one.yields(1e6)
    one.absent(1e6)
    assert one.yields(1e6 + CALM_S - 0.1)
    assert one.deadline(1e6) == 1e6 + CALM_S
    assert not one.yields(1e6 + CALM_S)


def test_an_engine_that_is_gone_can_no_longer_say_that_its_absence_is_over() -> None:
    one = keeping()
    one.absent(float("inf"))
    one.engine_is_new(50.0)
    assert one.yields(50.0 + CALM_S - 0.1)
    assert not one.yields(50.0 + CALM_S)
    one.engine_is_new(100.0)
    assert not one.yields(100.0), "an engine that said nothing of the kind changes nothing"
