"""Events: counted when they repeat, rationed for each object, remembered within bounds."""

from herald.allocator.convergence import EventType
from herald.config.findings import ObjectKey
from herald.store.kubernetes.event_series import BURST, REFILL_S, REMEMBERED, SERIES_S, Count, Create, Drop, EventSeries
from herald.store.store import Event


def event(name: str = "web", message: str = "m") -> Event:
    return Event(ObjectKey("Service", "default", name), EventType.NORMAL, "IPAllocated", message)


def test_a_repeated_event_raises_the_count_of_the_first() -> None:
    series = EventSeries()
    assert series.judge(event(), 0.0) == Create(event())
    series.created(event(), "web.1", 0.0)
    assert series.judge(event(), 1.0) == Count(event(), "web.1", 2)
    assert series.judge(event(), 2.0) == Count(event(), "web.1", 3)
    assert series.judge(event(message="other"), 3.0) == Create(event(message="other"))


def test_an_event_that_the_server_has_forgotten_is_new_again() -> None:
    series = EventSeries()
    series.created(event(), "web.1", 0.0)
    assert series.judge(event(), SERIES_S + 1) == Create(event())
    series.created(event(), "web.2", SERIES_S + 1)
    series.lost(event())
    assert series.judge(event(), SERIES_S + 2) == Create(event())


def test_an_object_that_says_too_much_is_cut_short_and_others_are_not() -> None:
    series = EventSeries()
    for number in range(BURST):
        assert isinstance(series.judge(event(message=str(number)), 0.0), Create)
    assert series.judge(event(message="x"), 0.0) == Drop(event(message="x"), is_first=True)
    assert series.judge(event(message="y"), 0.0) == Drop(event(message="y"), is_first=False)
    assert isinstance(series.judge(event("other"), 0.0), Create)
    assert isinstance(series.judge(event(message="x"), REFILL_S), Create)
    assert isinstance(series.judge(event(message="y"), REFILL_S), Drop)


def test_what_is_remembered_is_bounded() -> None:
    series = EventSeries()
    for number in range(3 * REMEMBERED):
        one = event(f"s{number}")
        series.judge(one, float(number))
        series.created(one, f"e{number}", float(number))
    assert isinstance(series.judge(event("s0"), 9e9), Create)
    assert len(series._series) <= REMEMBERED
    assert len(series._buckets) <= REMEMBERED
