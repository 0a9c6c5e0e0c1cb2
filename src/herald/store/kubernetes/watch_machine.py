"""List, then watch: how one kind of object is followed on an API server. No I/O.

    LISTING ──last page──▶ OPENING ──answer begins──▶ FOLLOWING
       ▲ ▲                  │  ▲                          │
       │ └──410, or refused │  └── stream ended or cut ───┤
       │    three times     ▼                             │
       └──────────────── WAITING ◀── ERROR, garbage ──────┘
                     (back-off with jitter)

After an outage PROBING stands before OPENING: a server whose data was restored from a backup would let us watch from a
version that lies in its future, and say nothing for a long time. One small list tells how far it is.

A version that the server has forgotten is told by HTTP 410 or by an `ERROR` of code 410 in the stream: both lead to a
new list, whose end shows what was deleted meanwhile. Any other cut is resumed behind the last whole event; what came of
an event before the cut is dropped. A stream that lived for `STEADY_S` has proven the server: it is resumed at once. One
that brought something new before it ended is resumed after the shortest pause. After a silence, the first refusal is
the word of a server that is there again, though it may not know its roles or its history yet: pauses begin anew.
"""

import random
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

import msgspec

from herald.cluster.wire import wire_name
from herald.store.kubernetes.watch_events import (
    NO_JSON,
    Chunk,
    Cut,
    Effect,
    Ended,
    Event,
    Fetch,
    Follow,
    Following,
    Identity,
    ListBegun,
    ListEnded,
    Opened,
    PageCame,
    Present,
    Put,
    Refused,
    Remove,
    Trouble,
)

PAGE = 500
WATCH_S = 300
"""A watch is asked for this long, up to twice as long, so that many watches do not end together."""
STEADY_S = 5.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
MOST_EXPIRED_PAGES = 2
MOST_REFUSALS = 3
"""So often a watch may be refused for any reason before the version is given up: a list is always right."""
GONE, SERVER_ERROR = 410, 500


class Phase(Enum):
    """See the head of the module."""

    WAITING = "waiting"
    LISTING = "listing"
    PROBING = "probing"
    OPENING = "opening"
    FOLLOWING = "following"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`version`: behind which event a watch would resume; None: a list comes first."""

    phase: Phase
    version: str | None
    failures: int


class _ListMeta(msgspec.Struct, frozen=True, rename=wire_name):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct, frozen=True):
    metadata: _ListMeta
    items: tuple[msgspec.Raw, ...] | None = None


class _Object(msgspec.Struct, frozen=True):
    metadata: Identity


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Status(msgspec.Struct, frozen=True):
    code: int = 0
    reason: str = ""
    message: str = ""


_page = msgspec.json.Decoder(_Page)
_object = msgspec.json.Decoder(_Object)
_line = msgspec.json.Decoder(_Line)
_status = msgspec.json.Decoder(_Status)


class WatchMachine:
    """One kind. `chance` spreads watches and retries of many processes."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._phase = Phase.WAITING
        self._due: float | None = 0.0
        self._version: str | None = None
        self._continue = ""
        self._expired_pages = 0
        self._was_away = False
        self._failures = 0
        self._refusals = 0
        self._is_forgiven = False
        self._opened_at = 0.0
        self._opened_behind: str | None = None
        self._rest = b""

    def deadline(self) -> float | None:
        """When to `wake`; None while a request is under way."""
        return self._due

    @property
    def is_following(self) -> bool:
        """Whether the stream is still wanted."""
        return self._phase is Phase.FOLLOWING

    def snapshot(self) -> Snapshot:
        """Where it stands."""
        return Snapshot(self._phase, self._version, self._failures)

    def wake(self, now: float) -> list[Effect]:
        """Begin, or begin again."""
        if self._due is None or now < self._due:
            return []
        if self._version is None:
            return self._list()
        return self._probe() if self._was_away else self._follow()

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See the head of the module."""
        match event:
            case PageCame():
                assert self._phase in (Phase.LISTING, Phase.PROBING), event
                return self._take_page(event.body, now)
            case Opened():
                assert self._phase is Phase.OPENING, event
                self._phase, self._opened_at, self._rest = Phase.FOLLOWING, now, b""
                self._opened_behind = self._version
                return [Following()]
            case Chunk():
                assert self._phase is Phase.FOLLOWING, event
                return self._take_octets(event.octets, now)
            case Ended():
                assert self._phase is Phase.FOLLOWING, event
                return self._end(now)
            case Refused():
                return self._refused(event, now)
            case Cut():
                return self._cut(event, now)
            case _:
                assert_never(event)

    # Listing.

    def _list(self) -> list[Effect]:
        is_new = not self._continue
        self._phase, self._due = Phase.LISTING, None
        # A list that expires again and again while it is read in pages has to be read in one piece.
        params: dict[str, str | int | bool] = {"limit": PAGE} if self._expired_pages < MOST_EXPIRED_PAGES else {}
        if not is_new:
            params["continue"] = self._continue
        return [*([ListBegun()] if is_new else []), Fetch(params)]

    def _take_page(self, body: bytes, now: float) -> list[Effect]:
        try:
            page = _page.decode(body)
            found: list[Effect] = [Present(_object.decode(raw).metadata, raw) for raw in page.items or ()]
        except NO_JSON as error:
            return self._garbage(f"a list that cannot be read: {error}", now)
        if not page.metadata.resource_version:
            # Every list has one. Were this taken for a list, all that is not in it would be gone.
            return self._garbage("a list without a resourceVersion", now)
        if self._phase is Phase.PROBING:
            return self._take_probe(page.metadata.resource_version)
        self._continue = page.metadata.continue_
        if self._continue:
            return [*found, *self._list()]
        self._version, self._expired_pages, self._was_away = page.metadata.resource_version, 0, False
        return [*found, ListEnded(), *self._follow()]

    def _list_anew(self, now: float) -> list[Effect]:
        """The version or the page to go on from is forgotten. The second time in a row it is not done at once."""
        self._version, self._continue = None, ""
        if self._failures:
            return self._pause(now)
        self._failures += 1
        return self._list()

    def _probe(self) -> list[Effect]:
        self._phase, self._due = Phase.PROBING, None
        return [Fetch({"limit": 1})]

    def _take_probe(self, version: str) -> list[Effect]:
        self._was_away = False
        if not _is_before(version, self._version):
            return self._follow()
        self._version = None
        return self._list()

    # Following.

    def _follow(self) -> list[Effect]:
        assert self._version is not None
        self._phase, self._due = Phase.OPENING, None
        return [
            Follow(
                {
                    "watch": True,
                    "allowWatchBookmarks": True,
                    "resourceVersion": self._version,
                    "timeoutSeconds": int(WATCH_S * self._chance.uniform(1, 2)),
                }
            )
        ]

    def _take_octets(self, octets: bytes, now: float) -> list[Effect]:
        *lines, self._rest = (self._rest + octets).split(b"\n") if b"\n" in octets else (self._rest + octets,)
        effects: list[Effect] = []
        for line in lines:
            if line.strip():
                effects += self._take_line(line, now)
            if self._phase is not Phase.FOLLOWING:
                break
        return effects

    def _take_line(self, line: bytes, now: float) -> list[Effect]:
        try:
            event = _line.decode(line)
            if event.type == "ERROR":
                status = _status.decode(event.object)
                return self._refused(Refused(status.code, status.reason, status.message), now)
            identity = _object.decode(event.object).metadata
            if not identity.resource_version:
                return self._garbage("an event without a resourceVersion", now)
        except NO_JSON as error:
            return self._garbage(f"an event that cannot be read: {error}", now)
        return self._take_event(event, identity, now)

    def _take_event(self, event: _Line, identity: Identity, now: float) -> list[Effect]:
        if _is_before(identity.resource_version, self._version):
            # The server's data is older than what it told before: restored from a backup.
            return self._list_anew(now)
        self._version, self._refusals = identity.resource_version, 0
        match event.type:
            case "ADDED" | "MODIFIED":
                return [Put(identity, event.object)]
            case "DELETED":
                return [Remove(identity)]
            case "BOOKMARK":
                return []
        return self._garbage(f"an event of unknown type {event.type[:40]!r}", now)

    # Ends.

    def _end(self, now: float) -> list[Effect]:
        return self._follow() if self._settle(now) else self._resume_later(now)

    def _refused(self, event: Refused, now: float) -> list[Effect]:
        doing = self._doing
        self._settle(now)
        self._forgive()
        if event.status == GONE:
            self._expired_pages += self._phase is Phase.LISTING
            return self._list_anew(now)
        self._was_away = self._was_away or event.status >= SERVER_ERROR
        self._refusals += 1
        if self._refusals >= MOST_REFUSALS:
            self._version, self._continue, self._refusals = None, "", 0
        return [Trouble(event, doing), *self._pause(now)]

    def _cut(self, event: Cut, now: float) -> list[Effect]:
        doing = self._doing
        if self._settle(now):
            # One broken connection says little; the attempt that follows at once says more.
            return self._follow()
        self._was_away = self._was_away or self._phase is not Phase.FOLLOWING
        return [Trouble(event, doing), *self._resume_later(now)]

    def _garbage(self, what: str, now: float) -> list[Effect]:
        doing = self._doing
        self._settle(now)
        self._version, self._continue = None, ""
        return [Trouble(Cut(f"the server sent {what}"), doing), *self._pause(now)]

    @property
    def _doing(self) -> str:
        return "list" if self._phase in (Phase.LISTING, Phase.PROBING) else "watch"

    def _settle(self, now: float) -> bool:
        """Forget past failures if the stream that has just ended was a long one. Whether it was."""
        is_steady = self._phase is Phase.FOLLOWING and now - self._opened_at > STEADY_S
        if is_steady:
            self._failures = self._refusals = 0
            self._is_forgiven = False
        return is_steady

    def _forgive(self) -> None:
        """How long nobody answered says nothing of a server that does. Once: one that comes and goes is spared."""
        if not self._is_forgiven:
            self._failures, self._is_forgiven = 0, True

    def _resume_later(self, now: float) -> list[Effect]:
        if self._phase is Phase.FOLLOWING and self._version != self._opened_behind:
            self._failures = 0
        return self._pause(now)

    def _pause(self, now: float) -> list[Effect]:
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 16))
        self._failures += 1
        self._phase, self._due, self._rest = Phase.WAITING, now + longest * self._chance.uniform(0.5, 1), b""
        return []


def _is_before(version: str, known: str | None) -> bool:
    """Versions are whole numbers that only grow, by the API's contract; others cannot be compared."""
    return bool(known) and version.isdecimal() and str(known).isdecimal() and int(version) < int(known or 0)
