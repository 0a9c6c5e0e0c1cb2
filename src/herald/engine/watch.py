"""Watching whether a frame leaves its link: the witnesses of `herald.layer2.self_probe`.

A witness sees every frame that leaves its link, which costs the kernel a copy of each; so it stands only while there is
something to see, a fraction of a millisecond mostly. Closing it makes the kernel wait for all its processors, which
the loop that answers must not: a thread does it.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from herald.engine.packet_socket import open_witness
from herald.layer2 import ethernet
from herald.layer2.link import Link, NdpLink
from herald.layer2.packet_socket import PacketSocket

_LARGEST: Final = 128

_log: Final = logging.getLogger("herald.engine.watch")


class Watch:
    """The witnesses that stand now, by link and frame."""

    def __init__(self, open_witness: Callable[[Link | NdpLink, int], PacketSocket] = open_witness) -> None:
        """`open_witness` may raise OSError. Made in the loop's thread."""
        self._open_witness = open_witness
        self._loop = asyncio.get_running_loop()
        self._witnesses: dict[tuple[int, bytes], PacketSocket] = {}

    def begin(self, link: Link | NdpLink, data: bytes, on_left: Callable[[int, bytes], None]) -> bool:
        """Watch for `data` on `link`; False if that cannot be, and then nothing follows from silence either."""
        try:
            opened = self._open_witness(link, ethernet.ethertype(data))
        except OSError as error:
            _log.debug("no witness on %s: %s", link.name, error, extra={"event": "noWitness", "interface": link.name})
            return False
        self.end(link.index, data)
        self._witnesses[link.index, data] = opened
        self._loop.add_reader(opened.fileno(), self._readable, link.index, data, on_left)
        return True

    def end(self, index: int, data: bytes) -> None:
        """Watch for it no longer; if nobody does, nothing happens."""
        opened = self._witnesses.pop((index, data), None)
        if opened is not None:
            self._loop.remove_reader(opened.fileno())
            self._loop.run_in_executor(None, opened.close)

    def close(self) -> None:
        """Watch for nothing more."""
        for opened in self._witnesses.values():
            self._loop.remove_reader(opened.fileno())
            opened.close()
        self._witnesses.clear()

    def _readable(self, index: int, data: bytes, on_left: Callable[[int, bytes], None]) -> None:
        try:
            seen = self._witnesses[index, data].recv(_LARGEST)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the link goes; whoever waits is told in time that nothing was seen
            self.end(index, data)
            return
        if seen == data:
            on_left(index, data)
