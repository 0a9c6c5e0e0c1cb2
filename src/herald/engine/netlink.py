"""The kernel's interfaces, followed live: a dump, then the events, over one rtnetlink socket.

Dump and events come in order through the same socket, so that applying both as they arrive always ends in the present
state. A lost event (ENOBUFS, a cut datagram), a broken message, or a dump that the kernel calls inconsistent starts
over with a fresh dump; the list in force stays until that is complete. `RESCAN` seconds after the last one a dump is
made anyhow, should the kernel ever have forgotten to tell.

The addresses of a node with kube-proxy in IPVS mode are many (10,000 on one device); a dump comes in slices of up to
32 KiB and each is taken in by itself, so that nothing else waits.
"""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable
from typing import Final, assert_never

from herald.engine.rtnetlink import (
    RTM_GETADDR,
    RTM_GETLINK,
    AddressMessage,
    DumpEnd,
    InterfaceTable,
    LinkMessage,
    Message,
    NetlinkError,
    decode,
    request,
)
from herald.net.interface import Interface

RESCAN: Final = 10.0
_REPEAT: Final = 0.1  # not at once: under a storm of changes every dump is inconsistent
_BUFFER_OCTETS: Final = 64 * 1024
_RECEIVE_QUEUE_OCTETS: Final = 1024 * 1024
_GROUPS: Final = 0x1 | 0x10 | 0x100  # links, IPv4 addresses, IPv6 addresses
_DUMPS: Final = (RTM_GETLINK, RTM_GETADDR)
_DATAGRAMS_PER_WAKEUP: Final = 16

_log: Final = logging.getLogger("herald.engine.netlink")


class InterfaceMonitor:
    """Calls `on_change` with all interfaces once they are first known, and again whenever they are different."""

    def __init__(self, on_change: Callable[[tuple[Interface, ...]], None], *, rescan: float = RESCAN) -> None:
        self._on_change = on_change
        self._rescan = rescan
        self._loop = asyncio.get_running_loop()
        self._told: tuple[Interface, ...] | None = None
        self._table = InterfaceTable()
        self._fresh: InterfaceTable | None = None
        self._step = 0
        self._sequence = 0
        self._again = False
        self._known = False
        self._changed = False
        self._timer: asyncio.TimerHandle | None = None
        self._socket = _open()
        self._port: int = self._socket.getsockname()[0]
        self._loop.add_reader(self._socket, self._readable)
        self.resync()

    def resync(self) -> None:
        """Read everything anew. While a dump is under way, another follows it."""
        if self._fresh is not None:
            self._again = True
            return
        self._dump_again_after(self._rescan)
        self._start_dump()

    def close(self) -> None:
        """Stop following."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        if self._timer is not None:
            self._timer.cancel()

    def _dump_again_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._dump_again)

    def _dump_again(self) -> None:
        """A dump that is still under way after all that time has lost its end."""
        self._fresh = None
        self.resync()

    def _start_dump(self) -> None:
        self._fresh = InterfaceTable()
        self._again = False
        self._step = 0
        self._ask()

    def _ask(self) -> None:
        self._sequence += 1
        try:
            self._socket.send(request(_DUMPS[self._step], self._sequence))
        except OSError as error:
            self._fresh = None
            self._dump_again_after(_REPEAT)
            _log.warning("cannot ask for the interfaces: %s", error, extra={"event": "interfaceRescan"})

    def _readable(self) -> None:
        for _ in range(_DATAGRAMS_PER_WAKEUP):
            try:
                data, _, flags, sender = self._socket.recvmsg(_BUFFER_OCTETS)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._start_over("the kernel dropped events", error)
                continue
            if sender[0] != 0:  # anybody may write to a netlink socket; only port 0 is the kernel
                continue
            if flags & socket.MSG_TRUNC:
                self._start_over("a datagram was cut short", None)
                continue
            self._take(data)
        self._tell()

    def _take(self, data: bytes) -> None:
        try:
            for message in decode(data):
                self._take_message(message)
        except NetlinkError as error:
            self._start_over("a message could not be read", error)

    def _take_message(self, message: Message) -> None:
        if message.inconsistent:
            self._again = True
        match message.content:
            case LinkMessage() | AddressMessage() as content:
                if self._fresh is not None:
                    self._fresh.take(content)
                if message.port != self._port:  # an event; what the dump tells is in force when all of it is there
                    self._table.take(content)
                    self._changed = True
            case DumpEnd(error):
                if (message.port, message.sequence) == (self._port, self._sequence) and self._fresh is not None:
                    self._end_of_step(error)
            case None:
                pass
            case _:
                assert_never(message.content)

    def _end_of_step(self, error: int) -> None:
        if error:
            self._again = True
            _log.warning("dump of interfaces refused: %s", os.strerror(error), extra={"event": "interfaceRescan"})
        self._step += 1
        if self._step < len(_DUMPS):
            self._ask()
            return
        assert self._fresh is not None
        if self._again:
            self._fresh = None
            self._dump_again_after(_REPEAT)
            return
        self._table, self._fresh, self._known, self._changed = self._fresh, None, True, True

    def _start_over(self, what: str, error: Exception | None) -> None:
        _log.warning(
            "reading the interfaces anew: %s", what, extra={"event": "interfaceRescan", "error": str(error or what)}
        )
        self.resync()

    def _tell(self) -> None:
        if not (self._known and self._changed):
            return
        self._changed = False
        interfaces = self._table.interfaces()
        if interfaces != self._told:
            self._told = interfaces
            self._on_change(interfaces)


def _open() -> socket.socket:
    opened = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_QUEUE_OCTETS)
    opened.bind((0, _GROUPS))
    return opened
