"""When a changed file is believed."""

from pathlib import Path

from herald.store.settling import LOSS_S, SETTLE_S, Settling

FILE = Path("pool.yaml")
ONE, TWO = (1, 1, 10), (1, 2, 20)


def test_a_file_is_due_once_it_has_been_left_alone() -> None:
    settling = Settling()
    settling.seen(FILE, ONE, now=100.0)
    assert settling.due(100.0) == {}
    assert settling.deadline() == 100.0 + SETTLE_S
    assert settling.due(100.0 + SETTLE_S) == {FILE: ONE}


def test_each_further_write_starts_the_wait_anew() -> None:
    settling = Settling()
    settling.seen(FILE, ONE, now=100.0)
    settling.seen(FILE, TWO, now=100.0 + SETTLE_S)
    assert settling.due(100.0 + SETTLE_S) == {}
    assert settling.due(100.0 + 3 * SETTLE_S) == {FILE: TWO}


def test_looking_again_at_the_same_file_does_not_prolong_the_wait() -> None:
    settling = Settling()
    settling.seen(FILE, ONE, now=100.0)
    settling.seen(FILE, ONE, now=100.0 + SETTLE_S / 2)
    assert settling.due(100.0 + SETTLE_S) == {FILE: ONE}


def test_a_file_that_vanished_is_believed_late() -> None:
    settling = Settling()
    settling.seen(FILE, None, now=100.0)
    assert settling.due(100.0 + SETTLE_S) == {}
    assert settling.due(100.0 + LOSS_S) == {FILE: None}


def test_a_file_that_vanished_and_came_back_settles_like_any_other() -> None:
    settling = Settling()
    settling.seen(FILE, None, now=100.0)
    settling.seen(FILE, TWO, now=100.1)
    assert settling.due(100.1 + SETTLE_S) == {FILE: TWO}


def test_a_doubted_file_is_due_again_after_the_longer_wait_and_then_not_doubted() -> None:
    settling = Settling()
    settling.seen(FILE, ONE, now=100.0)
    assert settling.doubt(FILE, 100.0 + SETTLE_S)
    assert settling.due(100.0 + LOSS_S - 0.001) == {}
    assert settling.due(100.0 + LOSS_S) == {FILE: ONE}
    assert not settling.doubt(FILE, 100.0 + LOSS_S)


def test_what_was_believed_waits_no_longer() -> None:
    settling = Settling()
    settling.seen(FILE, ONE, now=100.0)
    settling.believe((FILE,))
    assert settling.deadline() is None
