"""fastFailover in the engine: BFD sessions with the nodes that control names, and what follows from their silence.

    control ── Watch(nodes) ──▶ ┐                 ┌──▶ BFD at 50 ms × 3, one session per node, over its gossip address
    BFD ── silent, up ─────────▶├─ Vigil, Fence ──┼──▶ gossip: ask, accuse
    gossip ── answered, members ┘                 └──▶ who is taken for dead; whether this node may answer

Without gossip there is nobody to be asked, and nothing is watched. Where a session cannot be (another program has the
port, a firewall drops it, the nodes are on different links) the node is left to gossip, and `document` says why.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final, Protocol, assert_never

from herald.bfd.control_packet import Diagnostic, State
from herald.bfd.driver import Watched
from herald.bfd.path import Address, Path
from herald.bfd.profile import BFDProfile
from herald.bfd.session import Cause, Changed
from herald.engine.bfd_sessions import BfdSessions
from herald.fast_failover.fence import LONGEST, TICK, Absence, Fence
from herald.fast_failover.vigil import (
    Answered,
    CameUp,
    Effect,
    Event,
    LeaveToGossip,
    MembersChanged,
    Question,
    Spare,
    TakeForAlive,
    TakeForDead,
    Vigil,
    WatchChanged,
    WatchedNodesChanged,
    WentSilent,
)

PROFILE: Final = BFDProfile("fastFailover", receive_interval_ms=50, transmit_interval_ms=50, detect_multiplier=3)
LET_GO_S: Final = 0.1
"""Seconds that a node next in line has to let go, before the owner speaks up after it was back."""
NO_GOSSIP: Final = "fastFailover needs gossip (--ml-bindaddr): without it nobody can be asked"
NO_SESSION_YET: Final = "no BFD session yet; until it is up gossip decides"

_log: Final = logging.getLogger("herald.engine.failover")


class Group(Protocol):
    """What is needed of gossip."""

    @property
    def own_address(self) -> Address: ...

    def address_of(self, node: str) -> Address | None:
        """Where a member is; None if there is none of that name."""

    def ask(self, node: str) -> None:
        """Have it asked whether it is there."""

    def accuse(self, node: str) -> None:
        """Tell the group that it is not."""

    def drain(self) -> None:
        """Read what waits."""


class FastFailover:
    """Made and used in one loop."""

    def __init__(
        self,
        bfd: BfdSessions,
        group: Group | None,
        *,
        on_change: Callable[[], None],
        on_return: Callable[[float], None],
        on_fenced: Callable[[float, str], None] = lambda _seconds, _why: None,
    ) -> None:
        """`on_change`: `dead` is different. `on_return`: announce again after so many seconds, others may have.

        `on_fenced`: this node answers again after it answered nothing for so many seconds, and why, in words.
        """
        self._group = group
        self._on_change = on_change
        self._on_return = on_return
        self._on_fenced = on_fenced
        self._loop = asyncio.get_running_loop()
        self._vigil = Vigil()
        self._fence = Fence(_now())
        self._bfd = bfd
        self._user = bfd.user(self._session_changed)
        self._paths: dict[str, Path] = {}
        self._been_up: set[str] = set()
        self._deaths: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._wanted: frozenset[str] = frozenset()
        self._was_closed = False

    def watch(self, nodes: frozenset[str]) -> None:
        """Control wants these to be watched, and no others."""
        self._wanted = nodes
        if self._group is not None:
            self._tell(WatchChanged(nodes))

    def see(self, present: frozenset[str]) -> None:
        """By gossip these nodes are there, maybe at other addresses than before."""
        self._fence.present(present)
        self._tell(MembersChanged(present))
        self._deaths = {node: silent for node, silent in self._deaths.items() if node not in present - self.dead}
        self._follow()

    def answered(self, node: str) -> None:
        """A node answers to gossip."""
        self._tell(Answered(node))

    @property
    def dead(self) -> frozenset[str]:
        """Nodes that do not count as there, whatever gossip says so far."""
        return self._vigil.dead()

    def silent_for(self, node: str) -> float | None:
        """How long a node that BFD found dead had been silent then; None if it was found otherwise."""
        return self._deaths.get(node)

    def may_answer(self) -> bool:
        """Whether requests may be answered now: not if this node was away, and others have taken its place."""
        if self._paths:
            self._look_at_clock()
        elif not self._was_closed:
            return True
        is_closed = self._fence.is_closed(_now())
        if is_closed is not self._was_closed:
            self._was_closed = is_closed
            if not is_closed:
                self._answer_again(self._fence.absence())
        return not is_closed

    def _answer_again(self, absence: Absence) -> None:
        now = _now()
        silent = now - absence.began
        why = _absence_words(absence, now)
        extra = {
            "event": "failoverAnswersAgain",
            "nodes": sorted(absence.missed_by),
            "silentFor": round(silent, 4),
            "notRunningFor": round(absence.returned - absence.began, 4),
        }
        _log.warning("this node answers again: %s", why, extra=extra)
        self._on_fenced(silent, why)
        self._loop.call_soon(self._on_return, LET_GO_S)

    def sessions(self) -> dict[str, Watched]:
        """The BFD sessions, by node."""
        known = self._user.snapshots()
        return {node: known[path] for node, path in sorted(self._paths.items()) if path in known}

    def document(self) -> dict[str, dict[str, Any]]:
        """What `show members` says of each node that control wants to be watched, see `herald.engine.show`."""
        sessions = self.sessions()
        posts = {one.node: one for one in self._vigil.snapshot(self._loop.time())}
        found: dict[str, dict[str, Any]] = {}
        for node in sorted(self._wanted | posts.keys()):
            post, session = posts.get(node), sessions.get(node)
            found[node] = {
                "bfd": State.DOWN.text if session is None else session.session.state.text,
                "phase": None if post is None else post.phase.value,
                "falseAlarms": 0 if post is None else post.spared,
                "deaths": 0 if post is None else post.deaths,
                "calm": 0.0 if post is None else round(post.calm, 1),
                "problem": self._problem(session),
            }
        return found

    def counted(self) -> dict[str, Any]:
        """For metrics, see `herald.engine.counters`."""
        sessions = self.sessions()
        watched = [
            {
                "node": one.node,
                "up": one.node in sessions and sessions[one.node].session.state is State.UP,
                "falseAlarms": one.spared,
                "deaths": one.deaths,
            }
            for one in self._vigil.snapshot(self._loop.time())
        ]
        return {"watched": watched, "pauses": self._fence.pauses}

    def own_document(self) -> dict[str, Any]:
        """What of this node itself: whether it may answer, and how often it did not run for a while."""
        return {"fenced": not self.may_answer(), "pauses": self._fence.pauses}

    async def stop(self) -> None:
        """End the sessions; the others are told that nothing has failed."""
        for timer in (self._timer, self._ticking):
            if timer is not None:
                timer.cancel()
        self._paths = {}
        await self._user.stop()

    def _problem(self, session: Watched | None) -> str | None:
        if self._group is None:
            return NO_GOSSIP
        if session is None:
            return "not known to gossip"
        up = session.session.state is State.UP
        return None if up else session.problem or NO_SESSION_YET

    # The machines.

    def _tell(self, event: Event) -> None:
        self._perform(self._vigil.handle(event, self._loop.time()))

    def _wake(self) -> None:
        self._timer = None
        if self._group is not None:
            self._group.drain()  # an answer that is there counts, even if this process was late
        self._perform(self._vigil.wake(self._loop.time()))

    def _arm(self) -> None:
        due = self._vigil.deadline()
        if self._timer is not None:
            if self._timer.when() == due:
                return
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._wake)

    def _perform(self, effects: list[Effect]) -> None:
        group = self._group
        for effect in effects:
            match effect:
                case Question(node):
                    if group is not None:
                        group.ask(node)
                case TakeForDead(node, silent_for):
                    self._deaths[node] = silent_for
                    _write(effect)
                    self._on_change()
                    if group is not None:
                        group.accuse(node)
                case TakeForAlive(node):
                    self._deaths.pop(node, None)
                    _write(effect)
                    self._on_change()
                case Spare() | LeaveToGossip():
                    _write(effect)
                case WatchedNodesChanged():
                    self._follow()
                case _:
                    assert_never(effect)
        self._arm()

    # The sessions.

    def _follow(self) -> None:
        """Have a session with everybody who is watched and known, and with nobody else."""
        wanted = {node: path for node in self._vigil.nodes() if (path := self._path_to(node)) is not None}
        before, self._paths = self._paths, wanted
        for node, path in before.items():
            if wanted.get(node) != path:
                self._user.unwatch(path)
                self._been_up.discard(node)
                self._fence.up(node)
        for node, path in wanted.items():
            if before.get(node) != path:
                self._user.watch(path, PROFILE)
        if wanted and self._ticking is None:
            self._fence.tick(_now())
            self._tick()
        elif not wanted and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
            self.may_answer()  # who was waited for is gone, maybe with our addresses: then they are announced again

    def _path_to(self, node: str) -> Path | None:
        address = None if self._group is None else self._group.address_of(node)
        if self._group is None or address is None or address == self._group.own_address:
            return None
        local = self._group.own_address
        return self._bfd.path_to(Path(address, local=None if local.is_unspecified else local))

    def _session_changed(self, path: Path, change: Changed) -> None:
        node = next((name for name, known in self._paths.items() if known == path), None)
        if node is None:
            return
        self._look_at_clock(drain=False)
        if change.after is State.UP:
            self._fence.up(node)
            if node in self._been_up:
                self._on_return(LET_GO_S)
            self._been_up.add(node)
            self._tell(CameUp(node))
            self.may_answer()
        elif change.before is State.UP and change.cause is Cause.FAILURE:
            if change.diagnostic is Diagnostic.DETECTION_TIME_EXPIRED:
                self._tell(WentSilent(node, change.silent_for))
            elif self._fence.declared_silent(node, _now()):
                text = f"this node did not run for a while, and {node} noticed: it answers again when {node} agrees"
                _log.warning(text, extra={"event": "failoverFenced", "node": node})

    # The clock.

    def _tick(self) -> None:
        self._ticking = self._loop.call_later(TICK, self._tick)
        self.may_answer()

    def _look_at_clock(self, *, drain: bool = True) -> None:
        """After a pause, learn first what the others think of it."""
        pause = self._fence.tick(_now())
        if pause is not None and drain:
            self._bfd.driver.drain()


def _now() -> float:
    """The clock of the fence, which goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _absence_words(absence: Absence, now: float) -> str:
    names = ", ".join(sorted(absence.missed_by))
    until = f"until {names} agreed" if absence.is_agreed else f"for {names} had not agreed within {LONGEST:g} s"
    away, fenced = absence.returned - absence.began, now - absence.returned
    return (
        f"it did not run for {away:.3f} s, which {names} noticed, and answered nothing for {fenced:.3f} s more, {until}"
    )


def _write(told: TakeForDead | TakeForAlive | Spare | LeaveToGossip) -> None:
    node = told.node
    match told:
        case TakeForDead(_, silent_for):
            text = f"{node} is taken for dead: silent for {silent_for:.3f} s by BFD, and no answer by gossip"
            extra = {"event": "failoverDead", "node": node, "silentFor": round(silent_for, 4), "cause": "bfd"}
            _log.warning(text, extra=extra)
        case TakeForAlive(_, calm):
            text = f"{node} answers again, so it counts as there; for {calm:g} s gossip alone decides about it"
            _log.warning(text, extra={"event": "failoverAlive", "node": node, "calm": calm})
        case Spare():
            text = f"{node} was silent by BFD and answers by gossip: nothing is taken over"
            _log.info(text, extra={"event": "failoverSpared", "node": node})
        case LeaveToGossip():
            text = f"{node} is silent by BFD; it was taken for dead wrongly not long ago, so gossip decides"
            _log.info(text, extra={"event": "failoverCalm", "node": node})
