"""Which event is a new object, which one raises the count of another, and which is one too many. No I/O, no clock.

What was said before about the same object is counted, not said again. An object that was made anew under the same name
is another one, with another uid: `kubectl describe` shows it only what bears its own. Each name may have a burst of new
events, and then one now and then: a service that flaps must not fill etcd. What is remembered is bounded.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeAlias

from herald.config.findings import ObjectKey
from herald.store.store import Event

BURST: Final = 25
REFILL_S: Final = 60.0
"""Seconds after which an object may have one event more."""
REMEMBERED: Final = 2048
SERIES_S: Final = 3300.0
"""An API server keeps events for an hour; one that was last said longer ago is said anew."""


@dataclass(frozen=True, slots=True)
class Create:
    """A new event, the first of its series."""

    event: Event


@dataclass(frozen=True, slots=True)
class Count:
    """The event `name` has happened `count` times by now."""

    event: Event
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Too many about this object. `is_first`: none was dropped since the last that was not."""

    event: Event
    is_first: bool


Verdict: TypeAlias = Create | Count | Drop


@dataclass(slots=True)
class _Series:
    name: str
    count: int
    last: float


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    is_dry: bool = False


class EventSeries:
    """`now` is monotonic seconds."""

    def __init__(self) -> None:
        self._series: OrderedDict[tuple[Event, str | None], _Series] = OrderedDict()
        self._buckets: OrderedDict[ObjectKey, _Bucket] = OrderedDict()

    def judge(self, event: Event, uid: str | None, now: float) -> Verdict:
        """What is to be done about the event, of an object with this uid. Every write costs one of the burst."""
        bucket = self._bucket(event.about, now)
        if bucket.left < 1:
            is_first, bucket.is_dry = not bucket.is_dry, True
            return Drop(event, is_first)
        bucket.left -= 1
        bucket.is_dry = False
        series = self._series.get((event, uid))
        if series is None or now - series.last > SERIES_S:
            return Create(event)
        series.count, series.last = series.count + 1, now
        self._series.move_to_end((event, uid))
        return Count(event, series.name, series.count)

    def created(self, event: Event, uid: str | None, name: str, now: float) -> None:
        """The event stands under this name."""
        self._series[event, uid] = _Series(name, 1, now)
        if len(self._series) > REMEMBERED:
            self._series.popitem(last=False)

    def lost(self, event: Event, uid: str | None) -> None:
        """There is no such event any more."""
        self._series.pop((event, uid), None)

    def _bucket(self, about: ObjectKey, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(about, _Bucket(BURST, now))
        bucket.left = min(BURST, bucket.left + (now - bucket.at) / REFILL_S)
        bucket.at = now
        self._buckets.move_to_end(about)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket
