"""Writes that only a leader may make, and only for as long as it leads.

    write ──may we?──▶ request ──429, 503: once more──▶ may we? ──▶ request …
      │no                 │ whoever asked is cancelled
      ▼                   ▼
    WithheldError       the request is seen to its end, beside; nothing is repeated

A request that has left cannot be called back: cut off, it may still be carried out by the server, at any time. So it is
waited for before the Lease is given back, and whoever leads next finds it done.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from herald.store.store import StoreError

_READING: Final = frozenset({"GET", "HEAD"})


class WithheldError(StoreError):
    """Not written: this process leads no longer, or does not yet."""


class Fence:
    """Asks `may_write` before every single request that writes."""

    def __init__(self, may_write: Callable[[], bool]) -> None:
        self._may_write = may_write
        self._under_way: set[asyncio.Task[bytes]] = set()

    def check(self, method: str, path: str) -> None:
        """Raises WithheldError if this request writes and must not be sent now."""
        if method not in _READING and not self._may_write():
            raise WithheldError(f"{method} {path}: not written: this controller leads no longer")

    async def see_through(self, method: str, request: Coroutine[Any, Any, bytes]) -> bytes:
        """What `request` gives. One that writes ends by itself, also when its caller is cancelled."""
        if method in _READING:
            return await request
        task = asyncio.ensure_future(request)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def settled(self, within_s: float) -> bool:
        """Wait until nothing is under way any more, not longer than this; whether it is so."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within_s)
        return not self._under_way

    def _ended(self, task: "asyncio.Task[bytes]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # Whoever asked has it too, unless it was cancelled: then nobody wants to know.
