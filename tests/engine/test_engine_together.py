"""Who is counted among those that start."""

from herald.engine.together import PATIENCE_S, Together

A, B, C = (frozenset(name) for name in "ABC")


def test_all_that_start_are_counted_while_nobody_is_ready() -> None:
    together = Together()
    together.see(A | B, is_anyone_ready=False, now=0.0)
    together.see(A | B | C, is_anyone_ready=False, now=1.0)
    assert together.counted(1.0) == A | B | C
    assert together.deadline() is None


def test_those_go_on_to_be_counted_when_one_is_ready_and_who_comes_then_is_not() -> None:
    together = Together()
    together.see(A | B, is_anyone_ready=False, now=0.0)
    together.see(B, is_anyone_ready=True, now=1.0)
    together.see(B | C, is_anyone_ready=True, now=2.0)
    assert together.counted(2.0) == B


def test_who_joins_those_that_run_is_counted_by_nobody_nor_is_another_that_comes_at_the_same_time() -> None:
    together = Together()
    together.see(B | C, is_anyone_ready=True, now=0.0)
    assert together.counted(0.0) == frozenset()
    assert together.deadline() is None


def test_who_died_and_came_back_is_not_waited_for() -> None:
    together = Together()
    together.see(A | B, is_anyone_ready=False, now=0.0)
    for starting in (B, frozenset[str](), B):
        together.see(starting, is_anyone_ready=True, now=1.0)
    assert together.counted(1.0) == frozenset()


def test_who_is_never_ready_is_not_waited_for_without_end() -> None:
    together = Together()
    together.see(A | B, is_anyone_ready=False, now=0.0)
    together.see(B, is_anyone_ready=True, now=1.0)
    together.see(B, is_anyone_ready=True, now=5.0)
    until = together.deadline()
    assert until == 1.0 + PATIENCE_S
    assert together.counted(until - 0.1) == B
    assert together.counted(until) == frozenset()


def test_when_all_that_ran_answer_for_nothing_new_any_more_it_begins_anew() -> None:
    together = Together()
    together.see(A | B | C, is_anyone_ready=False, now=0.0)
    together.see(frozenset(), is_anyone_ready=True, now=1.0)
    together.see(A, is_anyone_ready=True, now=100.0)
    assert together.counted(100.0) == frozenset(), "one whose control is away is no candidate while others run"
    together.see(A | B | C, is_anyone_ready=False, now=200.0)
    together.see(B | C, is_anyone_ready=True, now=300.0)
    assert together.counted(300.0) == B | C, "the first one back does not take all"
    assert together.deadline() == 300.0 + PATIENCE_S
