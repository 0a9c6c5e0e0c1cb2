"""The packet sockets of both protocols: opened, written, given up, tried again. Part of the shell of Layer 2.

What waits and logs is given in. A link whose socket cannot be opened, or fails, is no link for the machines until the
socket stands again: it is tried anew at the next change of the interfaces and at the latest after `RETRY` seconds.
"""

import errno
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address
from typing import Any, Final, Protocol

from herald.layer2 import arp, ethernet, ndp
from herald.layer2.groups import Groups
from herald.layer2.lane import Lane, OneLane, Readers, Say
from herald.layer2.link import Link, NdpLink
from herald.layer2.packet_socket import GroupSocket, PacketSocket

RETRY: Final = 1.0
"""Seconds after which a socket that could not be opened is tried again."""
REOPEN: Final = 0.05
"""Seconds after which a socket that failed is tried again. A link that goes down and up at once fails its socket, and
may look to the reader of the interfaces as if nothing had happened."""

REFUSED: Final = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EPERM})
"""What is said of a frame (a queue is full, a filter drops it), and not of the socket."""


class Timer(Protocol):
    """What runs at an instant, unless it is cancelled."""

    def when(self) -> float: ...
    def cancel(self) -> None: ...


class Loop(Readers, Protocol):
    """Calls later what may not be called now."""

    def time(self) -> float: ...
    def call_soon(self, callback: Callable[..., Any], /, *args: Any) -> Any: ...
    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer: ...


class Sockets:
    """One for each link and protocol that are wanted, as far as they can be had."""

    def __init__(
        self,
        loop: Loop,
        info: Say,
        warning: Say,
        open_arp: Callable[[Link], PacketSocket],
        open_ndp: Callable[[NdpLink], GroupSocket],
        *,
        on_readable: Callable[[Lane, int], None],
        on_links: Callable[[], None],
        on_trouble: Callable[[], None],
    ) -> None:
        """`on_links`: others can be read and written than before; `on_trouble`: because a socket failed."""
        self._loop = loop
        self._on_links = on_links
        self._on_trouble = on_trouble
        shell = loop, info, warning
        self.arp = OneLane("ARP", arp.FRAME_OCTETS, open_arp, on_readable, *shell)
        self.ndp = OneLane("NDP", ndp.LONGEST_OCTETS, open_ndp, on_readable, *shell)
        self._lanes: dict[int, Lane] = {ethernet.ETHERTYPE_ARP: self.arp, ethernet.ETHERTYPE_IPV6: self.ndp}
        self._groups = Groups(self.ndp, warning)
        self._wanted: tuple[tuple[Link, ...], tuple[NdpLink, ...]] = (), ()
        self._retry: Timer | None = None

    def follow(self, links: Iterable[Link], ndp_links: Iterable[NdpLink]) -> None:
        """Open, close and update sockets, so that there is one for each of these links."""
        self._wanted = tuple(links), tuple(ndp_links)
        complete = self.arp.follow(self._wanted[0])
        if not self.ndp.follow(self._wanted[1]) or not complete:
            self._retry_after(RETRY)
        self._changed()

    def link(self, index: int, data: bytes) -> Link | NdpLink | None:
        """The link of that index for frames like this one."""
        return self._lanes[ethernet.ethertype(data)].links.get(index)

    def send(self, index: int, data: bytes) -> OSError | None:
        """Write a frame; an error if it was not taken."""
        lane = self._lanes[ethernet.ethertype(data)]
        opened = lane.sockets.get(index)
        if opened is None:
            return OSError("no socket stands there")
        try:
            opened.send(data)
        except OSError as error:
            if error.errno not in REFUSED:
                self._loop.call_soon(self.lose, lane, index, error)
            return error
        return None

    def lose(self, lane: Lane, index: int, error: OSError) -> None:
        """It failed: give it up, and open it again."""
        if index not in lane.sockets:
            return
        lane.close(index, f"its socket failed: {error}")
        self._changed()
        self._retry_after(REOPEN)
        self._on_trouble()

    def join(self, index: int, group: IPv6Address) -> None:
        """Be a member of the group on that link, sooner or later."""
        if not self._groups.join(index, group):
            self._retry_after(RETRY)

    def leave(self, index: int, group: IPv6Address) -> None:
        """Be no longer a member there."""
        error = self._groups.leave(index, group)
        if error is not None:
            self._loop.call_soon(self.lose, self.ndp, index, error)

    def close(self) -> None:
        """Every socket is closed when this returns."""
        if self._retry is not None:
            self._retry.cancel()
        for lane in self._lanes.values():
            for index in list(lane.sockets):
                lane.close(index, "leaving")

    def _changed(self) -> None:
        self._groups.look_again()
        self._on_links()

    def _retry_after(self, seconds: float) -> None:
        if self._retry is not None:
            if self._retry.when() <= self._loop.time() + seconds:
                return
            self._retry.cancel()
        self._retry = self._loop.call_later(seconds, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self.follow(*self._wanted)
        if not self._groups.join_again():
            self._retry_after(RETRY)
