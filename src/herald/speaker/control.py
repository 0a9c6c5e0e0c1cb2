"""The control process of a speaker at work; `herald.speaker.control_process` starts it.

    store ──batches──▶ ┐                                       ┌ draft ──Apply──▶ engine
    engine ──Facts───▶ ┴ inputs ─▶ decider (no I/O) ─changes──▶┴ narrator ─▶ log

It holds no network rights. What it wished last stays in force in the engine while it is gone, while the store is gone,
and until it knows enough to wish anew: on every connection it tells the whole wish once, then changes. While a part of
the store cannot be read the whole wish is told without `reset`, so that it adds and withdraws nothing it cannot know.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime, monotonic, time
from typing import TypeAlias

from herald.cluster.meta import NodeName
from herald.engine.link import (
    PULSE_S,
    Apply,
    Channel,
    Departing,
    Downward,
    Facts,
    Join,
    LinkError,
    Moved,
    Pulse,
    Ready,
    Tell,
    Upward,
    Watch,
    connect,
)
from herald.observe import collector
from herald.observe.problems import ProblemLog
from herald.speaker.contest import Contest
from herald.speaker.decider import Decider, Options
from herald.speaker.departure import Pod, departing
from herald.speaker.draft import Draft, whole
from herald.speaker.drain import Drain
from herald.speaker.narrator import Narrator
from herald.speaker.publisher import Nobody, Publisher
from herald.speaker.reachability import Reachability
from herald.speaker.roll_call import SETTLE_S, UNKNOWN_S, RollCall
from herald.speaker.sentry_duty import SentryDuty
from herald.speaker.telling import FROZEN_S, Telling
from herald.store.pace import Pace
from herald.store.store import KINDS, Changes, Store

FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 1.0
_INPUTS = 64

_log = logging.getLogger("herald.speaker")

EngineChannel: TypeAlias = Channel[Downward, Upward]


@dataclass(frozen=True, slots=True)
class Connected:
    """The engine at the other end of `channel` is ready for the wish."""

    channel: EngineChannel


@dataclass(frozen=True, slots=True)
class Lost:
    """That connection is over."""

    channel: EngineChannel


@dataclass(frozen=True, slots=True)
class StoodStill:
    """This process did nothing for a while, and so perhaps the whole node."""


Input: TypeAlias = Changes | Connected | Lost | Facts | Join | Pod | StoodStill
Addresses: TypeAlias = Callable[[], AsyncGenerator[frozenset[str], None]]
"""Where speakers may be found for gossip, whenever that has changed."""
Deletion: TypeAlias = Callable[[], AsyncGenerator[bool, None]]
"""Whether the pod of this speaker is being deleted, whenever that has changed."""


def _to_nobody(decider: Decider) -> Publisher:
    return Nobody()


class Control:
    """The control process on a store and a link. `run` until it is cancelled."""

    def __init__(
        self,
        store: Store,
        link: Path,
        options: Options,
        publish: Callable[[Decider], Publisher] = _to_nobody,
        addresses: Addresses | None = None,
        deletion: Deletion | None = None,
    ) -> None:
        self._store = store
        self._link = link
        self._addresses = addresses
        self._deletion = deletion
        self._pod = Pod.UNKNOWN
        self._drain = Drain()
        self._told_departing: Departing | None = None
        self._decider = Decider(options)
        self._publisher = publish(self._decider)
        self._narrator = Narrator(self._decider, _log, self._publisher)
        self._contest = Contest(self._decider, self._narrator, self._publisher)
        self._reachability = Reachability(self._decider, self._publisher)
        self._sentries = SentryDuty(self._decider)
        self._telling = Telling(self._decider, self._publisher)
        self._problems = ProblemLog(_log)
        self._roll_call = RollCall()
        self._draft = Draft()
        self._channel: EngineChannel | None = None
        self._told_whole = False
        self._told_reset = False
        self._join: Join | None = None
        self._told_join = False
        self._pulse_at = 0.0
        self._inputs: asyncio.Queue[Input] = asyncio.Queue(_INPUTS)

    def complaint(self) -> str | None:
        """Why this node does not follow the cluster yet, or no longer; None if it does."""
        if self._channel is None:
            return "not connected to the engine"
        return None if self._decider.is_ready else "not everything has been listed yet"

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_store())
            tasks.create_task(self._keep_link())
            tasks.create_task(self._decide())
            tasks.create_task(self._publisher.run())
            tasks.create_task(self._notice_standstill())
            if self._addresses is not None:
                tasks.create_task(self._find_speakers(self._addresses))
            if self._deletion is not None:
                tasks.create_task(self._watch_pod(self._deletion))

    async def _notice_standstill(self) -> None:
        """By a clock that goes on while the machine is suspended, and where it can while a virtual one is paused."""
        while True:
            tick_s, before = self._telling.tick_s, clock_gettime(CLOCK_BOOTTIME)
            await asyncio.sleep(tick_s)
            if clock_gettime(CLOCK_BOOTTIME) > before + tick_s + FROZEN_S:
                await self._inputs.put(StoodStill())

    async def _watch_pod(self, deletion: Deletion) -> None:
        async with aclosing(deletion()) as news:
            async for is_deleted in news:
                await self._inputs.put(Pod.BEING_DELETED if is_deleted else Pod.STAYS)

    async def _find_speakers(self, addresses: Addresses) -> None:
        async with aclosing(addresses()) as found:
            async for present in found:
                await self._inputs.put(Join(tuple(sorted(present))))

    async def _watch_store(self) -> None:
        async with aclosing(self._store.watch(KINDS)) as watch:
            async for batch in watch:
                await self._inputs.put(batch)

    async def _keep_link(self) -> None:
        wait_s = FIRST_RETRY_S
        while True:
            try:
                channel = await connect(self._link)
                await self._listen(channel)
                wait_s = FIRST_RETRY_S
            except (OSError, LinkError) as error:
                extra = {"event": "engineLost", "error": str(error)}
                _log.warning("no connection to the engine, trying again: %s", error, extra=extra)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_RETRY_S)

    async def _listen(self, channel: EngineChannel) -> None:
        try:
            while (message := await channel.receive()) is not None:
                match message:
                    case Ready():
                        extra = {"event": "engineConnected", "pid": message.pid}
                        _log.info("connected to the engine of %s", message.node, extra=extra)
                        await self._inputs.put(Connected(channel))
                    case Facts():
                        await self._inputs.put(message)
        finally:
            channel.close()
            await self._inputs.put(Lost(channel))

    async def _decide(self) -> None:
        """The one task that decides and sends; whatever comes in is looked at between two steps of long work."""
        pace = Pace()
        while True:
            while not self._inputs.empty():
                await self._take(self._inputs.get_nowait())
            if self._decider.has_work:
                self._step()
            elif await self._send():
                pass
            elif self._sentries.has_more:
                self._sentries.look_at_more()
            elif self._narrator.has_more:
                self._narrator.tell_more()
            else:
                self._reachability.look_again()
                self._publisher.settle()
                await self._wait()
            if pace.is_due:
                await self._send()
                await pace.breathe()

    async def _wait(self) -> None:
        now = monotonic()
        instants = (
            self._roll_call.deadline(),
            self._drain.deadline(now),
            self._telling.deadline(now),
            self._contest.deadline(),
        )
        due = min((at for at in instants if at is not None), default=inf)
        wakes = min(due, self._pulse_at if self._channel is not None else inf)
        try:
            async with asyncio.timeout(None if wakes == inf else max(0.0, wakes - now)):
                item = await self._inputs.get()
        except TimeoutError:
            if monotonic() < due:  # only a sign of life is due, and `_send` gives it
                return
            self._see()
            self._telling.look_again(monotonic())
            self._contest.look_again(monotonic())
            self._depart()
        else:
            await self._take(item)

    async def _take(self, item: Input) -> None:
        match item:
            case Connected(channel):
                self._channel = channel
                self._told_whole = self._told_reset = self._told_join = False
                self._told_departing = None
                self._pulse_at = 0.0
                self._sentries.engine_is_new()
                self._telling.engine_is_new(monotonic())
                knows_where = self._addresses is None or self._join is not None
                self._roll_call.connected(monotonic(), SETTLE_S if knows_where else UNKNOWN_S)
            case Lost(channel):
                if channel is self._channel:
                    self._channel = None
            case Facts():
                self._roll_call.report(
                    {member.node: member.interfaces for member in item.members},
                    {member.node: member.note for member in item.members},
                )
                self._telling.absent(item.absent_at)
                self._narrator.note_left(item.left)
                self._narrator.note_unanswered(item.holdings)
                self._contest.see(item.conflicts, item.holdings, monotonic(), time())
                self._narrator.note_sessions(item.sessions)
                self._publisher.see(item.sessions)
                self._reachability.see(item.closed)
                self._see()
            case Join():
                if self._join is None:
                    self._roll_call.joined(monotonic())
                self._join, self._told_join = item, False
                self._telling.expect(len(item.addresses))
            case Pod():
                self._pod = item
            case StoodStill():
                self._telling.froze(monotonic())
            case _:
                pace = Pace()
                for _ in self._decider.taking(item):
                    await pace.breathe()
                    await self._give_sign()
                self._depart()
                self._problems.tell(self._decider.problems)
                self._publisher.took(item)

    def _see(self) -> None:
        members = self._roll_call.members(monotonic())
        if members is not None:
            usable_on = {NodeName(node): usable for node, usable in members.items()}
            notes = self._roll_call.notes()
            self._telling.see(usable_on, {node: notes.get(node) for node in members}, monotonic())

    def _depart(self) -> None:
        if not self._decider.has_synced:
            return
        node, now = self._decider.own_node, monotonic()
        self._drain.see(node.drain if node is not None else None, now)
        self._decider.depart(now=self._drain.is_departing(now))

    def _step(self) -> None:
        step = self._decider.step()
        self._draft.add(step.change)
        self._publisher.note(step)
        self._narrator.note(step)
        self._sentries.note(step)
        self._telling.note(step)

    async def _send(self) -> bool:
        """Tell the engine what it has not been told; False if there is nothing to tell or nobody to tell it to."""
        await self._give_sign()
        message = self._message() if self._channel is not None else None
        if message is None:
            return False
        await self._tell(message)
        return True

    async def _give_sign(self) -> None:
        """Now and then, also from within long work: who is busy is not to be taken for one that hangs."""
        if self._channel is not None and monotonic() >= self._pulse_at:
            self._pulse_at = monotonic() + PULSE_S
            await self._tell(Pulse())

    async def _tell(self, message: Downward) -> None:
        if self._channel is not None:
            try:
                await self._channel.send(message)
            except ConnectionError:
                self._channel = None  # its reader tells of the loss, and the next connection is told the whole wish

    def _message(self) -> Apply | Departing | Join | Moved | Tell | Watch | None:
        if self._join is not None and not self._told_join:
            self._told_join = True
            return self._join
        options = self._decider.options
        manner = departing(self._decider.own_node, self._pod, ignore_exclude_lb=options.ignore_exclude_lb)
        if manner != self._told_departing:
            self._told_departing = manner
            return manner
        telling = None if self._decider.has_work else self._telling.wish(monotonic())
        return telling or self._wish() or self._sentries.wish() or self._narrator.next_move()

    def _wish(self) -> Apply | None:
        """The whole wish once per connection, and again when the store is complete at last; otherwise what changed.

        The whole wish waits for the end of the work at hand: what is not decided yet would be missing in it.
        """
        is_complete = self._decider.is_complete
        if self._told_whole and (self._told_reset or not is_complete):
            return self._draft.take()
        if not self._decider.is_ready or self._decider.has_work:
            return None
        self._draft.clear()
        self._told_whole, self._told_reset = True, is_complete
        collector.set_aside()  # the cluster as it was found: from here on only changes are new
        return whole(self._decider.desired(), reset=is_complete)
