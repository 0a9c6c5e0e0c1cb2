"""Whom this node watches, and who watches it, for fastFailover: worked out beside the wish, when nothing is urgent.

It takes a decision over all nodes for each service that is reached by an L2Advertisement with `fastFailover`. That is
kept for when the wish has been told, so that a take-over does not wait for it. The engine is told all of it whenever it
has changed, once everything has been looked at; until then the sessions there are stay.
"""

from itertools import islice
from typing import Final

from herald.announcement.decide import line_of
from herald.announcement.gate import class_reason, status_addresses
from herald.announcement.readiness import ASSUMED, NONE
from herald.announcement.reason import Reason
from herald.announcement.sentries import Line, partners_of
from herald.announcement.view import View
from herald.cluster.meta import NamespacedName
from herald.engine.link import Watch
from herald.speaker.decider import Decider, Step

SLICE: Final = 20
"""Services between two returns to the caller: a millisecond or two."""


class SentryDuty:
    """Follows `decider`. Call `look_at_more` as long as it `has_more`."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._unseen = ASSUMED if decider.options.assume_ready else NONE
        self._looked_at: View | None = None
        self._to_look_at: dict[NamespacedName, None] = {}
        self._lines: dict[NamespacedName, Line] = {}
        self._is_outdated = True
        self._told: Watch | None = None
        self._wished = Watch()

    def note(self, step: Step) -> None:
        """The decider came to this."""
        view = self._decider.view
        if view is None or not any(ad.fast_failover for ad in view.config.l2_advertisements):
            self._is_outdated = self._is_outdated or bool(self._lines)
            self._to_look_at, self._lines = {}, {}
        elif view is self._looked_at:
            self._to_look_at.update(dict.fromkeys(step.services))
        else:
            self._to_look_at.update(dict.fromkeys((*self._decider.cache.services, *self._lines)))
        self._looked_at = view

    def engine_is_new(self) -> None:
        """What was told is forgotten."""
        self._told = None

    @property
    def has_more(self) -> bool:
        """Whether `look_at_more` has something to do."""
        return bool(self._to_look_at) or self._is_outdated

    def look_at_more(self) -> None:
        """Look at some of the services."""
        keys = tuple(islice(self._to_look_at, SLICE))
        for key in keys:
            del self._to_look_at[key]
            self._keep(key, self._line(key))
        if not self._to_look_at and self._is_outdated:
            partners = partners_of(self._decider.options.node, frozenset(self._lines.values()))
            self._wished, self._is_outdated = Watch(tuple(sorted(partners))), False

    def wish(self) -> Watch | None:
        """What the engine is to be told, or None if it knows."""
        if self.has_more or not self._decider.is_ready or self._wished == self._told:
            return None
        self._told = self._wished
        return self._told

    def _keep(self, key: NamespacedName, line: Line) -> None:
        if self._lines.get(key, ()) == line:
            return
        self._is_outdated = True
        if line:
            self._lines[key] = line
        else:
            del self._lines[key]

    def _line(self, key: NamespacedName) -> Line:
        service, view = self._decider.cache.services.get(key), self._looked_at
        if service is None or view is None:
            return ()
        if class_reason(service, self._decider.options.load_balancer_class) is not None:
            return ()
        addresses = status_addresses(service)
        if isinstance(addresses, Reason):
            return ()
        return line_of(service, addresses, self._decider.slices.readiness(key, self._unseen), view)
