"""The engine's end of the real link, recording what control tells it."""

import asyncio
from pathlib import Path

from herald.engine.link import (
    Apply,
    Assembly,
    Channel,
    Departing,
    Downward,
    Facts,
    Join,
    Moved,
    Pulse,
    Ready,
    Tell,
    Upward,
    Watch,
    accepted,
)

PATIENCE_S = 20.0


class FakeEngine:
    """Listens at `path`; says `Ready` and the facts to whoever connects."""

    def __init__(self, path: Path, facts: Facts) -> None:
        self._path = path
        self._facts = facts
        self._server: asyncio.Server | None = None
        self._channel: Channel[Upward, Downward] | None = None
        self._applied: asyncio.Queue[Apply] = asyncio.Queue()
        self._joins: asyncio.Queue[Join] = asyncio.Queue()
        self._moves: asyncio.Queue[Moved] = asyncio.Queue()
        self._departings: asyncio.Queue[Departing] = asyncio.Queue()
        self._watches: asyncio.Queue[Watch] = asyncio.Queue()
        self.pulses = 0

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def stop(self) -> None:
        """Die: whoever is connected loses the connection."""
        assert self._server is not None
        self._server.close()
        if self._channel is not None:
            self._channel.close()
        self._channel = None

    async def say(self, facts: Facts) -> None:
        """The facts are these from now on."""
        self._facts = facts
        if self._channel is not None:
            await self._channel.send(facts)

    async def applied(self) -> Apply:
        """The next whole `Apply`."""
        return await asyncio.wait_for(self._applied.get(), PATIENCE_S)

    async def joins(self) -> Join:
        """The next `Join`."""
        return await asyncio.wait_for(self._joins.get(), PATIENCE_S)

    async def moved(self) -> Moved:
        """The next `Moved`."""
        return await asyncio.wait_for(self._moves.get(), PATIENCE_S)

    async def departing(self) -> Departing:
        """The next `Departing`."""
        return await asyncio.wait_for(self._departings.get(), PATIENCE_S)

    async def watches(self) -> Watch:
        """The next `Watch`."""
        return await asyncio.wait_for(self._watches.get(), PATIENCE_S)

    async def hears_nothing_for(self, seconds: float) -> bool:
        """Whether no `Apply` comes for so long."""
        await asyncio.sleep(seconds)
        return self._applied.empty()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._channel = channel = accepted(reader, writer)
        assembly = Assembly()
        await channel.send(Ready("node-1", 1))
        await channel.send(self._facts)
        while (message := await channel.receive()) is not None:
            if isinstance(message, Pulse):
                self.pulses += 1
                continue
            if isinstance(message, Tell):
                continue
            if isinstance(message, Join):
                self._joins.put_nowait(message)
                continue
            if isinstance(message, Departing):
                self._departings.put_nowait(message)
                continue
            if isinstance(message, Watch):
                self._watches.put_nowait(message)
                continue
            if isinstance(message, Moved):
                self._moves.put_nowait(message)
                continue
            assert isinstance(message, Apply)
            collected = assembly.add(message)
            if collected is not None:
                self._applied.put_nowait(united(collected))
        channel.close()


def united(collected: tuple[Apply, ...]) -> Apply:
    """The message that travelled in parts."""
    return Apply(
        reset=collected[0].reset,
        holdings=tuple(one for part in collected for one in part.holdings),
        holdings_dropped=tuple(one for part in collected for one in part.holdings_dropped),
        peers=tuple(one for part in collected for one in part.peers),
        peers_dropped=tuple(one for part in collected for one in part.peers_dropped),
        routes=tuple(one for part in collected for one in part.routes),
    )
