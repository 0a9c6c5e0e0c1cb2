"""One fault on a settled stand, until it is settled again, and what was seen of it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from herald.lab.failover.faults import Fault
from herald.lab.failover.stand import Stand
from herald.lab.failover.watching import Seen, Sight

AFTERWARDS_S = 0.5
"""It is watched for so long after the last thing that was waited for."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What was seen, by address, and the frames that the nodes sent. `seconds`: how long it was watched."""

    talks: Mapping[str, Seen]
    asks: Mapping[str, Seen]
    frames: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """`struck`: from the blow until somebody answers again and a little longer. `mended`: from when it was put right
    until one node owns everything and all know each other; there `double_for` is how long two nodes answered."""

    struck: Phase
    mended: Phase
    double_for: float


async def trial(stand: Stand, fault: Fault, chance: random.Random, home: str | None = None) -> Outcome:
    """Strike the owner, which is `home` if that is given. Raises NeverSettledError."""
    owner = await stand.settled(home)
    await stand.switch.forget()
    begun = await stand.watching.begin()
    await asyncio.sleep(chance.uniform(0.0, 0.2))  # at any moment between two packets of those who watch each other
    await fault.strike(stand, owner)
    if fault.moves:
        await stand.until(_moved(stand, owner), f"another node than {owner} answers: {fault.name}")
    await asyncio.sleep(AFTERWARDS_S if fault.moves else 0.0)
    struck = await _phase(stand, begun)
    await stand.switch.forget()
    begun = await stand.watching.begin()
    await fault.mend(stand, owner)
    await stand.settled(home or owner)
    mended = await _phase(stand, begun)
    doubles = [seen.last_double for seen in mended.asks.values() if seen.last_double is not None]
    return Outcome(struck, mended, max(0.0, max(doubles, default=begun.now) - begun.now))


def _moved(stand: Stand, owner: str) -> Callable[[], Awaitable[str | None]]:
    async def so() -> str | None:
        sight = await stand.watching.read()
        nodes = {who for seen in sight.talks.values() for who in (seen.who or ("",))}
        return "" if owner not in nodes and "" not in nodes else None

    return so


async def _phase(stand: Stand, begun: Sight) -> Phase:
    sight = await stand.watching.read()
    return Phase(sight.talks, sight.asks, await stand.switch.counts(), sight.now - begun.now)
