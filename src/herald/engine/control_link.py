"""The engine's side of the link: takes in whoever connects, hands on what control wishes, tells it the facts.

The newest connection is the one that counts; an older one is closed. When none is there the facts wait. Whether control
is there at all, and alive, is watched by `herald.engine.attendance`.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Final, assert_never

from herald.engine.attendance import LOOK_S, Attendance, News
from herald.engine.link import (
    Apply,
    Assembly,
    Channel,
    Departing,
    Downward,
    Facts,
    Join,
    Leave,
    LinkError,
    Moved,
    Pulse,
    Ready,
    Tell,
    Upward,
    Watch,
    accepted,
)

SPACING: Final = 0.01
"""Least seconds between two `Facts`: what changes meanwhile travels together."""
GRACE: Final = 0.3
"""Seconds until a loss is told: where everybody is told to end at once, control may end before we hear of it."""

_log: Final = logging.getLogger("herald.engine.link")


class ControlLink:
    """Serves control over a listening socket."""

    def __init__(
        self,
        ready: Ready,
        *,
        facts: Callable[[], Facts],
        on_apply: Callable[[tuple[Apply, ...]], Awaitable[None]],
        on_join: Callable[[tuple[str, ...]], None],
        on_leave: Callable[[str], None],
        on_departing: Callable[[Departing], None],
        on_moved: Callable[[Moved], None],
        on_watch: Callable[[Watch], None],
        on_tell: Callable[[bytes], None],
        on_away: Callable[[str], None] = lambda _: None,
        on_wished: Callable[[], None] = lambda: None,
        on_hung: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_apply` gets all parts of an `Apply` when the last has come; `facts` gives the present ones.

        `on_away` is told why nobody is there who decides, and `on_wished` of each wish that is in force; `on_hung`: a
        control that was there gives no sign any more.
        """
        self._ready = ready
        self._facts = facts
        self._on_apply = on_apply
        self._on_join = on_join
        self._on_leave = on_leave
        self._on_departing = on_departing
        self._on_moved = on_moved
        self._on_watch = on_watch
        self._on_tell = on_tell
        self._on_away = on_away
        self._on_wished = on_wished
        self._on_hung = on_hung
        self._attendance = Attendance()
        self._is_applying = False
        self._channel: Channel[Upward, Downward] | None = None
        self._changed = asyncio.Event()
        self._is_leaving = False
        self._told: Facts | None = None
        self._loss: tuple[str, asyncio.TimerHandle] | None = None

    async def start(self, listening: socket.socket) -> asyncio.Server:
        """Serve from now on."""
        return await asyncio.start_unix_server(self._serve, sock=listening)

    async def watch_control(self) -> None:
        """Look whether control is there, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            if self._is_applying:  # it waits for us
                self._attendance.heard(loop.time())
            for news in self._attendance.look(loop.time()):
                self._follow(news)

    def _follow(self, news: News) -> None:
        match news:
            case News.AWAY:
                self._on_away(self._attendance.away or "")
            case News.CLOSE:
                if self._channel is not None:
                    self._channel.abort()
            case News.END:
                self._on_hung()
            case _:
                assert_never(news)

    def leaving(self) -> None:
        """We are about to end: that control ends too is no news from now on."""
        if self._loss is not None:
            self._loss[1].cancel()
        self._loss, self._is_leaving = None, True

    def close(self) -> None:
        """End the connection there is, on purpose."""
        self.leaving()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def note_change(self) -> None:
        """The facts may be different now."""
        self._changed.set()

    async def tell_facts(self) -> None:
        """Tell control what changed, for ever. Nobody else sends after `Ready`."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            channel, facts = self._channel, self._facts()
            if channel is None or facts == self._told:
                continue
            try:
                await channel.send(facts)
            except ConnectionError:
                continue  # whoever reads from it learns of the same loss and says so
            if channel is self._channel:
                self._told = facts
            await asyncio.sleep(SPACING)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            channel = accepted(reader, writer)
        except LinkError as error:
            _log.warning("connection refused: %s", error, extra={"event": "controlRefused", "error": str(error)})
            writer.close()
            return
        if self._channel is not None:
            self._channel.abort()  # it may have stopped reading: whoever waits to tell it facts must be let go
        self._tell_loss()
        # From here on this is the one that counts, before anything is waited for: two may come at the same time.
        self._channel, self._told = channel, None
        self._attendance.lost(asyncio.get_running_loop().time())
        self._attendance.connected()
        reason = "it closed the connection"
        try:
            await channel.send(self._ready)  # written before it waits, and so before any facts
            _log.info("control is connected", extra={"event": "controlConnected"})
            self.note_change()
            await self._listen(channel)
        except (LinkError, ConnectionError) as error:
            reason = str(error)
        finally:
            channel.close()
            if self._channel is channel:
                self._channel = None
                self._attendance.lost(asyncio.get_running_loop().time())
                self._note_loss(reason)

    def _note_loss(self, reason: str) -> None:
        if not self._is_leaving:
            self._loss = reason, asyncio.get_running_loop().call_later(GRACE, self._tell_loss)

    def _tell_loss(self) -> None:
        if self._loss is None:
            return
        (reason, timer), self._loss = self._loss, None
        timer.cancel()
        extra = {"event": "controlLost", "reason": reason}
        _log.warning("control is gone; the last wish stays in force: %s", reason, extra=extra)

    async def _listen(self, channel: Channel[Upward, Downward]) -> None:
        assembly = Assembly()
        while (message := await channel.receive()) is not None:
            if self._channel is not channel:  # replaced while it was talking
                return
            self._attendance.heard(asyncio.get_running_loop().time(), is_pulse=isinstance(message, Pulse))
            match message:
                case Pulse():
                    pass
                case Leave(reason):
                    self._on_leave(reason)
                case Departing():
                    self._on_departing(message)
                case Moved():
                    self._on_moved(message)
                case Tell(note):
                    self._on_tell(note)
                case Watch():
                    self._on_watch(message)
                case Join(addresses):
                    self._on_join(addresses)
                case Apply():
                    parts = assembly.add(message)
                    if parts is not None:
                        await self._follow_wish(channel, parts)
            await asyncio.sleep(0)  # parts that wait in the buffer must not keep requests for an address waiting

    async def _follow_wish(self, channel: Channel[Upward, Downward], parts: tuple[Apply, ...]) -> None:
        self._is_applying = True
        try:
            await self._on_apply(parts)
        finally:
            self._is_applying = False
        if self._channel is channel:
            self._attendance.heard(asyncio.get_running_loop().time())
            self._attendance.wished()
            self._on_wished()
