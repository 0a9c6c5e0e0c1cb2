"""Follows kinds on the API server for as long as it is let: the shell of `watch_machine.py`.

Every failure becomes an event of the machine, so that a reflector ends only by being cancelled, or by a fault of ours.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from time import monotonic

from herald.store.kubernetes.client import ApiClient, ApiError, StoreError
from herald.store.kubernetes.watch_events import (
    Chunk,
    Cut,
    Effect,
    Ended,
    Event,
    Fact,
    Fetch,
    Follow,
    Opened,
    PageCame,
    Refused,
)
from herald.store.kubernetes.watch_machine import WatchMachine
from herald.store.pace import Pace

_BAD_REQUEST = 400

_log = logging.getLogger("herald.store")


class Reflector:
    """One path with its selectors. `tell` takes what is found, fact by fact, in order.

    `fallback`: the selectors from the moment on when the server does not know the others (400); whoever is told has to
    sort out the rest then. `heard` is called whenever the server has said anything at all, be it that there is no news.
    """

    def __init__(
        self,
        client: ApiClient,
        path: str,
        selectors: Mapping[str, str],
        machine: WatchMachine,
        tell: Callable[[Fact], None],
        heard: Callable[[], None] = lambda: None,
        *,
        fallback: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._path = path
        self._selectors = selectors
        self._fallback = fallback
        self._machine = machine
        self._tell = tell
        self._heard = heard
        self._pace = Pace()

    async def run(self) -> None:
        """For ever."""
        effects = self._machine.wake(monotonic())
        while True:
            request = await self._perform(effects)
            match request:
                case Fetch():
                    effects = self._machine.handle(await self._fetch(request), monotonic())
                case Follow():
                    effects = await self._follow(request)
                case None:
                    effects = await self._wait()

    async def _perform(self, effects: list[Effect]) -> Fetch | Follow | None:
        """Tell the facts, letting others run now and then; returns the request that is to be made, if one is."""
        request = None
        for effect in effects:
            if isinstance(effect, Fetch | Follow):
                request = effect
            else:
                self._tell(effect)
                await self._pace.breathe()
        return request

    async def _wait(self) -> list[Effect]:
        due = self._machine.deadline()
        assert due is not None, "no request under way, so something is waited for"
        await asyncio.sleep(max(0.0, due - monotonic()))
        return self._machine.wake(monotonic())

    async def _fetch(self, request: Fetch) -> Event:
        try:
            page = await self._client.get(self._path, {**self._selectors, **request.params})
            self._heard()
            return PageCame(page)
        except StoreError as error:
            if self._falls_back(error):
                return await self._fetch(request)
            return _failure(error)

    async def _follow(self, request: Follow) -> list[Effect]:
        """Until the stream has ended, or the machine does not want it any more."""
        params = {**self._selectors, **request.params}
        try:
            async with self._client.stream(self._path, params, silence_s=request.silence_s) as chunks:
                return await self._read(chunks)
        except StoreError as error:
            if self._falls_back(error):
                return await self._follow(request)
            return self._machine.handle(_failure(error), monotonic())

    def _falls_back(self, error: StoreError) -> bool:
        """Whether the server is asked again at once, with other selectors."""
        if self._fallback is None or not isinstance(error, ApiError) or error.status != _BAD_REQUEST:
            return False
        fields = {"event": "selectorUnknown", "path": self._path, "error": error.message}
        _log.info("%s: the API server cannot select (%s); all are read", self._path, error.message, extra=fields)
        self._selectors, self._fallback = self._fallback, None
        return True

    async def _read(self, chunks: AsyncIterator[bytes]) -> list[Effect]:
        effects = self._machine.handle(Opened(), monotonic())
        self._heard()
        while True:
            await self._perform(effects)
            chunk = await anext(chunks, None)
            if chunk is None:
                return self._machine.handle(Ended(), monotonic())
            self._heard()
            effects = self._machine.handle(Chunk(chunk), monotonic())
            if not self._machine.is_following:
                return effects


class Reflection:
    """Reflectors that run side by side, each in a task of its own."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._tasks: list[asyncio.Task[None]] = []
        self._stirred = asyncio.Event()

    def start(
        self,
        path: str,
        selectors: Mapping[str, str],
        tell: Callable[[Fact], None],
        heard: Callable[[], None] = lambda: None,
        *,
        fallback: Mapping[str, str] | None = None,
    ) -> None:
        """Follow one more path; see `Reflector`."""

        def stir(fact: Fact) -> None:
            tell(fact)
            self._stirred.set()

        machine = WatchMachine(random.Random())  # noqa: S311 (spreads load, guards nothing)
        reflector = Reflector(self._client, path, selectors, machine, stir, heard, fallback=fallback)
        task = asyncio.create_task(reflector.run(), name=path)
        task.add_done_callback(lambda _: self._stirred.set())
        self._tasks.append(task)

    async def news(self) -> None:
        """Wait until something was told since the last call. The fault of a reflector is raised here."""
        await self._stirred.wait()
        self._stirred.clear()
        for task in self._tasks:
            if task.done():
                task.result()

    async def stop(self) -> None:
        """End them all, and wait until they have."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _failure(error: StoreError) -> Event:
    match error:
        case ApiError():
            return Refused(error.status, error.reason, error.message)
        case _:
            return Cut(str(error))
