"""The remote control of a watcher: `begin`, `read`, and what it says as values."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from herald.lab.failover.tally import ASK_EVERY, TALK_S
from herald.lab.place import Place
from herald.lab.process import PROMPT, inside


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client, or an asker, saw of one address since `begin`.

    `silent`: the longest time without an answer, seconds. `lost`: what was never answered, but for the last 0.15 s.
    `who`: nodes or MACs that answered within the last 0.3 s. `doubles`: questions that two MACs answered; `double_s`:
    the time that these stand for; `last_double`: when.
    """

    silent: float
    who: tuple[str, ...]
    moves: int = 0
    doubles: int = 0
    double_s: float = 0.0
    last_double: float | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything, at the watcher's monotonic time `now`, by address."""

    now: float
    talks: Mapping[str, Seen]
    asks: Mapping[str, Seen]


class Watching:
    """A running watcher. One question at a time."""

    def __init__(self, child: Process, ask_every: int) -> None:
        self._child = child
        self._ask_every = ask_every
        self._turn = asyncio.Lock()

    @classmethod
    async def start(
        cls, place: Place, client: str, asker: str, port: int, addresses: Sequence[str], ask_every: int = ASK_EVERY
    ) -> "Watching":
        """Start it and wait until it asks. There is a raw question for every `ask_every` datagrams."""
        words = [place.namespace(client), place.namespace(asker), str(port), str(ask_every), *addresses]
        argv = inside(None, [*PROMPT, sys.executable, "-m", "herald.lab.failover.watcher", *words])
        with place.log("watcher").open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                *argv, stdin=PIPE, stdout=PIPE, stderr=log, start_new_session=True, limit=1 << 22
            )
        place.record_process("watcher", child.pid)
        made = cls(child, ask_every)
        await made._line()
        return made

    async def begin(self) -> Sight:
        """Forget what was."""
        return await self._ask("begin")

    async def read(self) -> Sight:
        """What was seen since."""
        return await self._ask("read")

    async def close(self) -> None:
        """End it."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        await self._child.wait()

    async def _ask(self, word: str) -> Sight:
        assert self._child.stdin is not None
        async with self._turn:
            self._child.stdin.write(f"{word}\n".encode())
            document = json.loads(await self._line())
        talks = {address: _talk(one) for address, one in document["talks"].items()}
        return Sight(document["now"], talks, {address: self._asking(one) for address, one in document["asks"].items()})

    def _asking(self, one: Mapping[str, Any]) -> Seen:
        double_s = one["doubles"] * TALK_S * self._ask_every
        silent, who = one["silence"]["longest"], tuple(one["macs"])
        return Seen(silent, who, 0, one["doubles"], double_s, one["lastDouble"], one["lost"])

    async def _line(self) -> bytes:
        assert self._child.stdout is not None
        async with asyncio.timeout(20):
            line = await self._child.stdout.readline()
        if not line:
            raise RuntimeError("the watcher ended; its log says why")
        return line


def _talk(one: Mapping[str, Any]) -> Seen:
    return Seen(one["silence"]["longest"], tuple(one["nodes"]), moves=one["moves"], lost=one["lost"])
