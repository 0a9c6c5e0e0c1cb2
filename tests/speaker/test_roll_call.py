"""Who is taken for alive, and when."""

from herald.speaker.roll_call import SETTLE_S, RollCall

BOTH, ALONE = frozenset({"a", "b"}), frozenset({"a"})


def test_nothing_is_concluded_before_the_first_engine_has_had_time_to_look_around() -> None:
    call = RollCall()
    call.connected(100.0)
    assert call.members(100.0) is None
    call.report(ALONE)
    assert call.members(100.1) is None
    assert call.deadline() == 100.0 + SETTLE_S
    call.report(BOTH)
    assert call.members(100.0 + SETTLE_S) == BOTH
    assert call.deadline() is None


def test_a_new_engine_misses_nobody_until_it_has_had_time_to_look_around() -> None:
    call = RollCall()
    call.connected(100.0)
    call.report(BOTH)
    call.members(101.0)
    call.connected(200.0)
    call.report(ALONE)
    assert call.members(200.1) == BOTH
    assert call.members(200.0 + SETTLE_S) == ALONE


def test_a_settled_engine_is_believed_at_once() -> None:
    call = RollCall()
    call.connected(100.0)
    call.report(BOTH)
    call.members(101.0)
    call.report(ALONE)
    assert call.members(101.01) == ALONE
