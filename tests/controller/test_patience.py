"""When what failed is tried again, and when a rival is left alone: tables of instants."""

from itertools import pairwise

from herald.controller.patience import FAILING, FIRST_PAUSE_S, FIRST_RETRY_S, LONGEST_RETRY_S, Patience
from herald.controller.rivalry import FIRST_TRUCE_S, LONGEST_TRUCE_S, RESTORED, WINDOW_S, Rivalry, Truce


def test_each_key_waits_longer_after_every_failure_and_no_other_key_does() -> None:
    patience: Patience[str] = Patience(16)
    now = 0.0
    for expected in (0.05, 0.1, 0.2, 0.4):
        patience.failed("a", now)
        assert patience.take_due(now + expected - 0.001) == ()
        assert patience.take_due(now + expected) == ("a",)
    for _ in range(30):
        patience.failed("a", now)
    assert patience.deadline(now) == now + LONGEST_RETRY_S
    patience.failed("b", now)
    assert patience.take_due(now + FIRST_RETRY_S) == ("b",)


def test_one_key_that_always_fails_holds_up_nobody() -> None:
    patience: Patience[str] = Patience(16)
    for number in range(100):
        patience.failed("a", float(number))
        assert patience.slots(float(number)) == 16


def test_when_everything_fails_nothing_is_tried_then_one_thing_and_then_all() -> None:
    patience: Patience[int] = Patience(16)
    for key in range(FAILING):
        patience.failed(key, 0.0)
    assert patience.slots(0.0) == 0
    assert patience.slots(FIRST_PAUSE_S) == 1
    patience.failed(0, FIRST_PAUSE_S)
    assert patience.slots(2 * FIRST_PAUSE_S) == 0
    assert patience.slots(3 * FIRST_PAUSE_S) == 1
    patience.succeeded(0, 1.0)
    assert patience.slots(1.0) == 16
    assert sorted(patience.take_due(1.0)) == list(range(1, FAILING))


def test_a_rival_is_answered_a_few_times_then_left_alone_ever_longer() -> None:
    rivalry: Rivalry[str] = Rivalry()
    for second in range(RESTORED):
        assert rivalry.overwritten("a", float(second)) is None
    assert rivalry.overwritten("a", 3.0) == Truce(3.0 + FIRST_TRUCE_S, is_new=True)
    assert rivalry.overwritten("a", 4.0) == Truce(3.0 + FIRST_TRUCE_S, is_new=False)
    assert rivalry.overwritten("b", 4.0) is None
    assert rivalry.overwritten("a", 63.0) is None
    assert rivalry.overwritten("a", 64.0) == Truce(64.0 + 2 * FIRST_TRUCE_S, is_new=True)


def test_an_overwriting_every_second_is_answered_ten_times_a_minute_at_most_and_ever_less() -> None:
    rivalry: Rivalry[str] = Rivalry()
    answered = [second for second in range(7200) if rivalry.overwritten("a", float(second)) is None]
    assert all(len([each for each in answered if start <= each < start + 60]) <= 4 for start in answered)
    assert len(answered) < 12
    gaps = [later - earlier for earlier, later in pairwise(answered)]
    assert max(gaps) <= LONGEST_TRUCE_S + 2


def test_one_edit_now_and_then_is_no_rivalry() -> None:
    rivalry: Rivalry[str] = Rivalry()
    assert all(rivalry.overwritten("a", number * WINDOW_S) is None for number in range(100))
