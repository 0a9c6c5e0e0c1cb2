"""Which ways between this node and the others are closed: found, named, and taken back when they open again.

A group goes on where two of its members do not reach each other: others ask for them, and a TCP ping counts. So a
firewall that drops UDP or TCP between two nodes shows late, as a group that falls apart on a bad day. Here every other
member, and every place where one should be, is asked by either protocol every `FRESH` seconds or so (in large groups
less often: `PINGS_AT_A_TIME` and `CHECKS_AT_A_TIME` a second); whoever does not answer more often, and after `PATIENCE`
seconds the way is closed.

    by TCP    no connection of ours is answered                                        us → it
    by UDP    no ping of ours is answered, and nothing of it arrives                   it → us
              no ping is answered, and it says by TCP that nothing of us arrives       us → it
              no ping is answered, it does not say, but what it sends arrives          us → it
              no ping is answered, it does not say, and nothing of it arrives          both: nothing tells them apart

Where packets of another key come from the other's endpoint, that is the reason of whatever is closed: a secret that
differs, and no firewall. Anybody can send such a packet from there, so it explains what is closed and closes nothing.

It *says so* in the payload of the ack that answers a ping by TCP, where memberlist has none and ignores one.
"""

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from herald.swim.event import Kind
from herald.swim.local import ForCheck, Local, PathsDue
from herald.swim.member import Endpoint, Member
from herald.swim.message import Ack, Message, Ping

TICK: Final = 1.0
FRESH: Final = 10.0
"""Seconds for which an answer is proof."""
ROUND: Final = 15.0
PATIENCE: Final = 40.0
"""Seconds without an answer after which a way is closed."""
FEWEST_TRIES: Final = 4
PINGS_AT_A_TIME: Final = 4
CHECKS_AT_A_TIME: Final = 3
"""A second, of those of whom nothing bad is known."""
DOUBTS_AT_A_TIME: Final = 16
"""Of those that did not answer, a second."""
CHECK_AGAIN: Final = 3.0
CHECK_LASTS: Final = 5.0
MOST_TOLD: Final = 64

HEARD: Final = b"herald/1 udp"
NOT_HEARD: Final = b"herald/1 no-udp"
OTHER_KEY: Final = "what comes from there is encrypted with another key, or not at all"


class Transport(enum.Enum):
    """By which protocol; the value is for people."""

    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Closed:
    """A way on which nothing arrives, between this node and `other`, a name or else an address.

    `outward`: from this node to the other; otherwise from the other to this node. `at` is the other's endpoint.
    """

    other: str
    at: Endpoint
    transport: Transport
    outward: bool
    reason: str

    def text(self, own: str) -> str:
        """`n1 → n2 udp/7946: why`, from the node called `own`."""
        return f"{self._way(own)}: {self.reason}"

    def opened(self, own: str) -> str:
        """The same when it is over."""
        return f"{self._way(own)}: open again; before, {self.reason}"

    def _way(self, own: str) -> str:
        ends = (own, self.other) if self.outward else (self.other, own)
        return f"{ends[0]} → {ends[1]} {self.transport.value}/{self.at.port}"


@dataclass(slots=True)
class _Way:
    """What is known of one protocol towards one other. `proven`: when it answered last, or began to be looked at."""

    proven: float
    tries: int = 0
    asked: float = float("-inf")

    @property
    def was_asked(self) -> bool:
        return self.asked > float("-inf")

    def answered(self, now: float) -> None:
        self.proven, self.tries = now, 0

    def is_closed(self, now: float) -> bool:
        return self.tries >= FEWEST_TRIES and now - self.proven >= PATIENCE


@dataclass(slots=True)
class _Path:
    name: str
    is_member: bool
    at: Endpoint
    since: float
    udp: _Way
    tcp: _Way
    heard: float = float("-inf")
    other_key: float = float("-inf")
    other_key_told: float = float("-inf")
    hears_us: bool | None = None
    hears_us_at: float = float("-inf")
    is_checking: bool = False
    why_not: str = ""
    closed: tuple[Closed, ...] = ()


class Paths:
    """See the head of the module."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self._places: tuple[Endpoint, ...] = ()
        self._paths: dict[Endpoint, _Path] = {}
        self._members: list[Member] = []
        self._empty: list[Endpoint] = []
        self._names: dict[Endpoint, str] = {}
        self._to_ping = self._to_check = 0
        self._doubted: dict[Endpoint, None] = {}
        self._closed: dict[Endpoint, tuple[Closed, ...]] = {}
        self.is_outdated = True
        local.timers.set(PathsDue(), local.now + TICK)

    def closed(self) -> tuple[Closed, ...]:
        """Every way that is closed, up to `MOST_TOLD`."""
        return tuple(one for path in self._closed.values() for one in path)[:MOST_TOLD]

    def set_places(self, places: Iterable[Endpoint]) -> None:
        """Members should be there."""
        self._places, self.is_outdated = tuple(places), True

    def shift(self, by: float) -> None:
        """This node was held up for so long: that is not held against the others."""
        for path in self._paths.values():
            path.since += by
            path.udp.proven += by
            path.tcp.proven += by
            path.heard += by

    # What happens.

    def heard(self, source: Endpoint) -> None:
        """A packet came from there that only a member can have sent."""
        path = self._paths.get(source)
        if path is not None:
            path.heard = self._local.now

    def heard_unauthenticated(self, source: Endpoint) -> None:
        """A packet came from there that nobody with a key of this group has sealed. Of strangers nothing is kept.

        Told is the second one in a row: who does not know whether we have a changed key says everything with both.
        """
        path, now = self._paths.get(source), self._local.now
        if path is None:
            return
        again = path.other_key > path.heard
        if again and now - path.other_key_told >= PATIENCE and now - path.heard >= FRESH:
            text = f"{OTHER_KEY}: is the secret the same on both? (sha256sum of the file secretkey tells)"
            self._local.note(Kind.OTHER_KEY, path.name or str(path.at), text)
        if again:
            path.other_key_told = now
        path.other_key = now

    def acked(self, source: Endpoint) -> None:
        """And it answers something that we sent there."""
        path = self._paths.get(source)
        if path is not None:
            path.udp.answered(self._local.now)
            if path.closed:
                self._judge(path)

    def answered(self, place: Endpoint, message: Message) -> None:
        """A stream that we opened to there was answered."""
        path = self._paths.get(place)
        if path is None:
            return
        path.tcp.answered(self._local.now)
        path.is_checking = False
        if isinstance(message, Ack) and message.payload in (HEARD, NOT_HEARD):
            path.hears_us, path.hears_us_at = message.payload == HEARD, self._local.now
        if path.closed:
            self._judge(path)

    def unanswered(self, place: Endpoint, reason: str) -> None:
        """A stream that we opened to there was not."""
        path = self._paths.get(place)
        if path is not None:
            path.tcp.tries += 1
            path.is_checking, path.why_not = False, reason
            self._doubted[place] = None

    def word_for(self, source: Endpoint | None) -> bytes:
        """What to say by TCP to who pings from there: whether it is heard by UDP. Nothing while it is not known."""
        path = self._paths.get(source) if source is not None else None
        if path is None:
            return b""
        now = self._local.now
        if now - path.heard < PATIENCE:
            return HEARD
        return NOT_HEARD if now - path.since >= PATIENCE else b""

    # What is done about it.

    def look(self) -> None:
        """Ask a few, and judge those that do not answer."""
        local = self._local
        local.timers.set(PathsDue(), local.now + TICK)
        if self.is_outdated:
            self._follow()
        share = math.ceil((len(self._members) + len(self._empty)) / ROUND)
        for _ in range(min(share, PINGS_AT_A_TIME)):
            self._ping(self._path(self._to_ping), FRESH)
            self._to_ping += 1
        for _ in range(min(share, CHECKS_AT_A_TIME)):
            self._check(self._path(self._to_check), FRESH)
            self._to_check += 1
        for endpoint in list(self._doubted)[:DOUBTS_AT_A_TIME]:
            self._doubt(self._paths[endpoint])

    def _doubt(self, path: _Path) -> None:
        now = self._local.now
        self._doubted.pop(path.at)
        if not (path.udp.tries or path.tcp.tries):
            return
        self._doubted[path.at] = None  # at the end: the others have their turn
        if path.udp.tries:
            self._ping(path, 0.0)
        if path.tcp.tries and now - path.tcp.asked >= CHECK_AGAIN:
            self._check(path, 0.0)
        self._judge(path)

    def _ping(self, path: _Path, fresh: float) -> None:
        local = self._local
        if path.udp.was_asked and local.now - path.udp.proven < fresh:
            return
        if path.udp.tries:
            local.keys.silent(path.at)
        path.udp.tries += 1
        path.udp.asked = local.now
        self._doubted[path.at] = None
        ping = Ping(local.next_sequence(), path.name, local.me.endpoint, local.name)
        local.send(path.at, ping, is_heard=False)

    def _check(self, path: _Path, fresh: float) -> None:
        """By TCP; also where only UDP is in doubt, for what it says of it."""
        local = self._local
        is_fresh = path.tcp.was_asked and local.now - path.tcp.proven < fresh
        if path.is_checking or (is_fresh and not path.udp.tries):
            return
        path.is_checking, path.tcp.asked = True, local.now
        ping = Ping(local.next_sequence(), path.name, local.me.endpoint, local.name)
        local.ask(ForCheck(), path.at, ping, CHECK_LASTS)

    def _judge(self, path: _Path) -> None:
        found = (*self._by_udp(path), *self._by_tcp(path))
        if found == path.closed:
            return
        local, before = self._local, path.closed
        path.closed = found
        if found:
            self._closed[path.at] = found
        else:
            self._closed.pop(path.at, None)
        news = {
            Kind.CLOSED: [one.text(local.name) for one in _without(found, before)],
            Kind.OPENED: [one.opened(local.name) for one in _without(before, found)],
        }
        for kind, texts in news.items():
            if texts:
                local.note(kind, path.name or str(path.at), "; ".join(texts))
        local.changed()

    def _by_tcp(self, path: _Path) -> Iterable[Closed]:
        if path.tcp.is_closed(self._local.now):
            yield self._found(path, Transport.TCP, path.why_not, outward=True)

    def _by_udp(self, path: _Path) -> Iterable[Closed]:
        now = self._local.now
        if not path.udp.is_closed(now):
            return
        arrives = now - path.heard < PATIENCE
        says = path.hears_us if now - path.hears_us_at < PATIENCE else None
        if not says:
            why = "it says that nothing arrives there" if says is False else "no ping is answered"
            yield self._found(path, Transport.UDP, why, outward=True)
        if not arrives and (says is not None or path.is_member):  # from a host that is down nothing arrives either
            yield self._found(path, Transport.UDP, "nothing of it arrives here", outward=False)

    def _found(self, path: _Path, transport: Transport, reason: str, *, outward: bool) -> Closed:
        is_other_key = path.other_key > path.heard and self._local.now - path.other_key < PATIENCE
        told = OTHER_KEY if is_other_key else reason
        return Closed(path.name or str(path.at.address), path.at, transport, outward, told)

    def _follow(self) -> None:
        """Who is looked at follows who is there, and who should be."""
        local = self._local
        self.is_outdated = False
        self._members = [one for one in local.roster if one.state.present and one.name != local.name]
        members = {one.endpoint: one.name for one in self._members}
        self._empty = [one for one in dict.fromkeys(self._places) if one not in members]
        names = members | {one.endpoint: one.name for one in local.roster if one.endpoint in self._empty}  # of the dead
        self._names = {place: names.get(place, "") for place in self._empty}
        for gone in self._paths.keys() - members.keys() - self._names.keys():
            del self._paths[gone]
            self._doubted.pop(gone, None)
            if self._closed.pop(gone, None):
                local.changed()
        for endpoint, path in self._paths.items():
            path.name, path.is_member = names.get(endpoint, ""), endpoint in members

    def _path(self, turn: int) -> _Path:
        """That of the member or empty place whose turn it is; made when it is asked first."""
        turn %= len(self._members) + len(self._empty)
        if turn < len(self._members):
            name, at, is_member = self._members[turn].name, self._members[turn].endpoint, True
        else:
            at, is_member = self._empty[turn - len(self._members)], False
            name = self._names[at]
        path = self._paths.get(at)
        if path is None:
            now = self._local.now
            path = self._paths[at] = _Path(name, is_member, at, now, _Way(now), _Way(now))
        return path


def _without(these: tuple[Closed, ...], others: tuple[Closed, ...]) -> list[Closed]:
    """Those of `these` whose way is not among `others`, whatever the reason."""
    known = {(one.transport, one.outward) for one in others}
    return [one for one in these if (one.transport, one.outward) not in known]
