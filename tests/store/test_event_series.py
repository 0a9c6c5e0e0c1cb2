"""Events: counted when they repeat, rationed for each object, remembered within bounds."""

from herald.allocator.convergence import EventType
from herald.config.findings import ObjectKey
from herald.store.kubernetes.event_series import BURST, REFILL_S, REMEMBERED, SERIES_S, Count, Create, Drop, EventSeries
from herald.store.store import Event

UID = "7d5d"


def event(name: str = "web", message: str = "m") -> Event:
    return Event(ObjectKey("Service", "default", name), EventType.NORMAL, "IPAllocated", message)


def test_a_repeated_event_raises_the_count_of_the_first() -> None:
    series = EventSeries()
    assert series.judge(event(), UID, 0.0) == Create(event())
    series.created(event(), UID, "web.1", 0.0)
    assert series.judge(event(), UID, 1.0) == Count(event(), "web.1", 2)
    assert series.judge(event(), UID, 2.0) == Count(event(), "web.1", 3)
    assert series.judge(event(message="other"), UID, 3.0) == Create(event(message="other"))


def test_an_object_that_was_made_anew_has_events_of_its_own() -> None:
    series = EventSeries()
    series.created(event(), UID, "web.1", 0.0)
    assert series.judge(event(), "another", 1.0) == Create(event())
    series.created(event(), "another", "web.2", 1.0)
    assert series.judge(event(), "another", 2.0) == Count(event(), "web.2", 2)


def test_an_event_that_the_server_has_forgotten_is_new_again() -> None:
    series = EventSeries()
    series.created(event(), UID, "web.1", 0.0)
    assert series.judge(event(), UID, SERIES_S + 1) == Create(event())
    series.created(event(), UID, "web.2", SERIES_S + 1)
    series.lost(event(), UID)
    assert series.judge(event(), UID, SERIES_S + 2) == Create(event())


def test_an_object_that_says_too_much_is_cut_short_and_others_are_not() -> None:
    series = EventSeries()
    for number in range(BURST):
        assert isinstance(series.judge(event(message=str(number)), UID, 0.0), Create)
    assert series.judge(event(message="x"), UID, 0.0) == Drop(event(message="x"), is_first=True)
    assert series.judge(event(message="y"), UID, 0.0) == Drop(event(message="y"), is_first=False)
    assert isinstance(series.judge(event("other"), UID, 0.0), Create)
    assert isinstance(series.judge(event(message="x"), UID, REFILL_S), Create)
    assert isinstance(series.judge(event(message="y"), UID, REFILL_S), Drop)


def test_what_is_remembered_is_bounded() -> None:
    series = EventSeries()
    for number in range(3 * REMEMBERED):
        one = event(f"s{number}")
        series.judge(one, UID, float(number))
        series.created(one, UID, f"e{number}", float(number))
    assert isinstance(series.judge(event("s0"), UID, 9e9), Create)
    assert len(series._series) <= REMEMBERED
    assert len(series._buckets) <= REMEMBERED
