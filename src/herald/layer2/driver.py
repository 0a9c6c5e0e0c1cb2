"""The shell of Layer 2: one packet socket per eligible link, the responder and the announcer behind it.

Which interfaces there are is told from outside (`set_interfaces`), at every change that the kernel reports; how a
socket is opened is given in. A link whose socket cannot be opened, or fails, is no link for the machines until the
socket stands again: it is tried anew at the next change and at the latest after `RETRY` seconds.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol, assert_never

from herald.layer2 import arp
from herald.layer2.announcer import DEFAULT_RATE, Announcer, AnnouncerSnapshot
from herald.layer2.conflict import Conflict
from herald.layer2.event import (
    ClearConflict,
    Effect,
    Event,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ReportConflict,
    SendFailed,
    SendFrame,
)
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Exclusion, Link, Verdict, judge, links
from herald.layer2.responder import Responder, ResponderSnapshot, Unanswered
from herald.net.interface import Interface, mac_text

RETRY: Final = 1.0
"""Seconds after which a socket that could not be opened is tried again."""
REOPEN: Final = 0.05
"""Seconds after which a socket that failed is tried again. A link that goes down and up at once fails its socket, and
may look to the reader of the interfaces as if nothing had happened."""
FRAMES_PER_WAKEUP: Final = 64
"""Frames read before other work gets its turn; a flood on one link must not starve the BGP sessions."""

_log: Final = logging.getLogger("herald.layer2")


class PacketSocket(Protocol):
    """A non-blocking socket that gives and takes whole Ethernet frames of one link, ARP only."""

    def fileno(self) -> int: ...
    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes, /) -> int: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class JudgedInterface:
    """An interface and whether it may answer; `reading` says whether its socket really stands."""

    interface: Interface
    verdict: Verdict
    reading: bool


@dataclass(frozen=True, slots=True)
class Layer2Snapshot:
    """The whole state of Layer 2 for people. `send_failures` counts frames that the kernel refused."""

    responder: ResponderSnapshot
    announcer: AnnouncerSnapshot
    interfaces: tuple[JudgedInterface, ...]
    send_failures: int


class Layer2Driver:
    """Runs Layer 2 in an asyncio loop. All methods belong to that loop's thread and return at once."""

    def __init__(
        self,
        open_socket: Callable[[Link], PacketSocket],
        *,
        exclusion: Exclusion,
        on_change: Callable[[], None],
        on_trouble: Callable[[], None],
        rate: int = DEFAULT_RATE,
    ) -> None:
        """`open_socket` may raise OSError.

        `on_change` is called after anything that people may want to know has changed; `on_trouble` when a socket
        failed, so that the list of interfaces is read anew.
        """
        self._open_socket = open_socket
        self._exclusion = exclusion
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._loop = asyncio.get_running_loop()
        self._responder = Responder()
        self._announcer = Announcer(rate)
        self._interfaces: tuple[Interface, ...] = ()
        self._links: dict[int, Link] = {}
        self._sockets: dict[int, PacketSocket] = {}
        self._refused: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._send_failures = 0

    def apply(self, held: tuple[Holding, ...], released: tuple[Address, ...]) -> None:
        """Follow a changed wish: `held` are new or different, `released` no longer wanted."""
        if held or released:
            self._tell(HoldingsChanged(held, released))
            self._on_change()

    def set_interfaces(self, interfaces: Iterable[Interface]) -> None:
        """Follow the interfaces of this machine; open, close and update sockets as they now require."""
        self._interfaces = tuple(interfaces)
        wanted = {link.index: link for link in links(self._interfaces, self._exclusion)}
        for index in self._sockets.keys() - wanted.keys():
            self._close(index, "no longer eligible")
        self._refused &= wanted.keys()
        for link in wanted.values():
            if link.index not in self._sockets:
                self._open(link)
        self._links = {index: link for index, link in wanted.items() if index in self._sockets}
        self._tell_links()
        self._on_change()

    def close(self) -> None:
        """Stop answering: every socket is closed when this returns."""
        for timer in (self._timer, self._retry):
            if timer is not None:
                timer.cancel()
        for index in list(self._sockets):
            self._close(index, "leaving")

    def snapshot(self) -> Layer2Snapshot:
        """The present state."""
        return Layer2Snapshot(
            self._responder.snapshot(), self._announcer.snapshot(), self.interfaces(), self._send_failures
        )

    def interfaces(self) -> tuple[JudgedInterface, ...]:
        """Every interface of this machine with its verdict."""
        return tuple(JudgedInterface(i, judge(i, self._exclusion), i.index in self._sockets) for i in self._interfaces)

    def unanswered(self) -> tuple[tuple[Address, Unanswered], ...]:
        """The holdings that are answered on no link, with the reason."""
        return self._responder.unanswered()

    def conflicts(self) -> tuple[Conflict, ...]:
        """The foreign claims that are open."""
        return self._responder.conflicts()

    # Sockets.

    def _open(self, link: Link) -> None:
        try:
            opened = self._open_socket(link)
        except OSError as error:
            if link.index not in self._refused:  # said once, not every second
                self._refused.add(link.index)
                _log.warning(
                    "cannot open a packet socket on %s, retrying: %s",
                    link.name,
                    error,
                    extra={"event": "createARPResponder", "interface": link.name, "error": str(error)},
                )
            self._retry_after(RETRY)
            return
        self._refused.discard(link.index)
        self._sockets[link.index] = opened
        self._links[link.index] = link
        self._loop.add_reader(opened.fileno(), self._readable, link.index)
        _log.info(
            "answering ARP on %s",
            link.name,
            extra={"event": "createARPResponder", "interface": link.name, "mac": mac_text(link.mac)},
        )

    def _close(self, index: int, reason: str) -> None:
        opened = self._sockets.pop(index)
        link = self._links.pop(index)
        self._loop.remove_reader(opened.fileno())
        opened.close()
        _log.info(
            "no longer answering ARP on %s: %s",
            link.name,
            reason,
            extra={"event": "deleteARPResponder", "interface": link.name, "reason": reason},
        )

    def _lose(self, index: int, error: OSError) -> None:
        if index not in self._sockets:
            return
        self._close(index, f"its socket failed: {error}")
        self._tell_links()
        self._on_change()
        self._retry_after(REOPEN)
        self._on_trouble()

    def _retry_after(self, seconds: float) -> None:
        if self._retry is not None:
            if self._retry.when() <= self._loop.time() + seconds:
                return
            self._retry.cancel()
        self._retry = self._loop.call_later(seconds, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self.set_interfaces(self._interfaces)

    def _readable(self, index: int) -> None:
        opened = self._sockets[index]
        for _ in range(FRAMES_PER_WAKEUP):
            try:
                data = opened.recv(arp.FRAME_OCTETS)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._lose(index, error)
                return
            self._perform(self._responder.handle(FrameReceived(index, data), self._loop.time()))
        self._arm()

    def _send(self, index: int, data: bytes) -> None:
        opened = self._sockets.get(index)
        if opened is None:
            return
        try:
            opened.send(data)
        except OSError as error:
            self._send_failures += 1
            self._responder.handle(SendFailed(index, data), self._loop.time())
            if not isinstance(error, BlockingIOError):
                self._loop.call_soon(self._lose, index, error)

    # Machines.

    def _tell_links(self) -> None:
        macs = frozenset(i.mac for i in self._interfaces if i.mac is not None)
        self._tell(LinksChanged(tuple(self._links.values()), macs))

    def _tell(self, event: Event) -> None:
        now = self._loop.time()
        self._perform(self._responder.handle(event, now))
        self._perform(self._announcer.handle(event, now))
        self._arm()

    def _wake(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._perform(self._responder.wake(now))
        self._perform(self._announcer.wake(now))
        self._arm()

    def _arm(self) -> None:
        deadlines = [at for at in (self._responder.deadline(), self._announcer.deadline()) if at is not None]
        due = min(deadlines) if deadlines else None
        if self._timer is not None:
            if self._timer.when() == due:
                return
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._wake)

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendFrame(index, data):
                    self._send(index, data)
                case ReportConflict(conflict):
                    _log.warning(
                        "%s on %s also claims %s, which this node holds",
                        mac_text(conflict.mac),
                        conflict.interface,
                        conflict.address,
                        extra={"event": "addressConflict", **_conflict_fields(conflict)},
                    )
                    self._on_change()
                case ClearConflict(conflict):
                    _log.info(
                        "the claim of %s to %s is over",
                        mac_text(conflict.mac),
                        conflict.address,
                        extra={"event": "addressConflictCleared", **_conflict_fields(conflict)},
                    )
                    self._on_change()
                case _:
                    assert_never(effect)


def _conflict_fields(conflict: Conflict) -> dict[str, str]:
    return {"ip": str(conflict.address), "interface": conflict.interface, "mac": mac_text(conflict.mac)}
