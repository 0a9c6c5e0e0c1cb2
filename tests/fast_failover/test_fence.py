"""A node that was away: when it must not answer, and that nobody but its own clock can bring that about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.fast_failover.fence import AWAY, LONGEST, REACTION, TICK, Absence, Fence

WATCHERS = frozenset({"b", "c"})


def fence_after(pause: float, *declaring: str) -> tuple[Fence, float]:
    fence, now = Fence(0.0), pause
    fence.tick(now)
    for watcher in declaring:
        fence.declared_silent(watcher, now)
    return fence, now


@pytest.mark.parametrize(
    ("pause", "declaring", "closed"),
    [
        pytest.param(TICK, "", False, id="all is well"),
        pytest.param(TICK, "b", False, id="a declaration alone, as a forged packet would be one"),
        pytest.param(AWAY, "", False, id="away, and nobody minds"),
        pytest.param(AWAY, "b", True, id="away, and missed"),
        pytest.param(60.0, "b c", True, id="away for long, and missed by all"),
    ],
)
def test_it_is_closed_for_who_was_away_and_was_missed(pause: float, declaring: str, closed: bool) -> None:
    fence, now = fence_after(pause, *declaring.split())
    assert fence.is_closed(now) is closed


def test_a_declaration_that_is_on_its_way_counts_for_a_moment() -> None:
    fence, now = fence_after(AWAY)
    assert fence.declared_silent("b", now + REACTION - 0.01)
    fence, now = fence_after(AWAY)
    assert not fence.declared_silent("b", now + REACTION + 0.01)


def test_it_opens_when_all_who_missed_it_have_it_back() -> None:
    fence, now = fence_after(1.0, "b", "c")
    fence.up("b")
    assert fence.is_closed(now)
    fence.up("c")
    assert not fence.is_closed(now)


def test_who_is_gone_is_not_waited_for() -> None:
    fence, now = fence_after(1.0, "b", "c")
    fence.present(frozenset({"c"}))
    assert fence.is_closed(now)
    fence.present(frozenset())
    assert not fence.is_closed(now)


def test_it_opens_in_any_case_after_a_while() -> None:
    fence, now = fence_after(1.0, "b")
    assert fence.is_closed(now + LONGEST - 0.01)
    assert not fence.is_closed(now + LONGEST)
    assert not fence.is_closed(now + LONGEST + 1)


@pytest.mark.parametrize(
    ("seen_again", "is_agreed"), [("b c", True), ("b", False)], ids=["by all who missed it", "not by c"]
)
def test_what_it_was_closed_for_is_told_when_it_is_open_again(seen_again: str, is_agreed: bool) -> None:
    fence, now = fence_after(1.0, "b", "c")
    fence.tick(now + TICK)
    for watcher in seen_again.split():
        fence.up(watcher)
    assert not fence.is_closed(now + LONGEST)
    assert fence.absence() == Absence(began=0.0, returned=1.0, missed_by=WATCHERS, is_agreed=is_agreed)


def test_the_length_of_a_pause_is_told_and_counted() -> None:
    fence = Fence(0.0)
    assert [fence.tick(at) for at in (0.05, 0.1, 1.1, 1.15)] == [None, None, 1.0, None]
    assert fence.pauses == 1


@given(st.lists(st.tuples(st.floats(0, AWAY - 0.001), st.sampled_from(sorted(WATCHERS)))))
def test_a_node_that_runs_is_silenced_by_nobody(story: list[tuple[float, str]]) -> None:
    fence, now = Fence(0.0), 0.0
    for wait, watcher in story:
        now += wait
        fence.tick(now)
        fence.declared_silent(watcher, now)
        assert not fence.is_closed(now)
