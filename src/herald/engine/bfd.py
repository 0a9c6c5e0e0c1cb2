"""Which BGP peers are watched over by BFD, on which paths, and who is told what (RFC 5882).

Peers that mean the same two ends share one session, as RFC 5882 §2 demands; where their profiles differ, the one of the
peer that is first by name counts.

A session begins when BGP first came up, or after `PATIENCE` seconds: a peer may want to see BFD first. Earlier would do
harm with FRR 8, which replaces its BFD session when BGP comes up, and takes that for a failure if it was up before.
In strict mode (`bfd_strict`) BFD has to be up before, so it begins at once.

Whether a session is single hop or multihop follows FRR, which routers and MetalLB's
users know: multihop with `ebgpMultiHop`, and for internal peers that are in no subnet of ours.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from herald.bfd.control_packet import State
from herald.bfd.driver import Watched, reason
from herald.bfd.path import Address, Hops, Path
from herald.bfd.profile import BFDProfile
from herald.bfd.reception import Reason
from herald.bfd.session import Cause, Changed
from herald.bgp.event import BfdDown, BfdPaused, BfdUp
from herald.bgp.parameters import PeerParameters
from herald.engine.bfd_sessions import BfdSessions

GRACE: Final = 4.0
"""Seconds in which a peer whose BFD began anew may come up again without BGP being told (RFC 5882 §3.1, hysteresis): at
one packet a second each way that takes three at most."""

PATIENCE: Final = 5.0

News = BfdDown | BfdUp | BfdPaused | None
"""What a change means to the BGP session: nothing, where only the word in `show` is another one."""


class PeerWatch:
    """The BFD sessions of the engine's peers."""

    def __init__(
        self,
        sessions: BfdSessions,
        *,
        is_on_link: Callable[[Address], bool],
        on_change: Callable[[str, News], None],
    ) -> None:
        """`on_change` gets the name of each peer that a change concerns."""
        self._driver = sessions.user(self._changed)
        self._is_on_link = is_on_link
        self._on_change = on_change
        self._wanted: dict[str, tuple[Path, BFDProfile, PeerParameters]] = {}
        self._graces: dict[Path, asyncio.TimerHandle] = {}
        self._waiting: dict[str, tuple[PeerParameters, asyncio.TimerHandle]] = {}

    def follow(self, parameters: PeerParameters) -> None:
        """Watch over this peer as it is configured now, or no longer; if it is new, soon."""
        name = parameters.name
        if name in self._wanted:
            self._watch(parameters)
            return
        self._stop_waiting(name)
        if parameters.bfd_strict:
            self._watch(parameters)
        elif parameters.bfd is not None:
            timer = asyncio.get_running_loop().call_later(PATIENCE, self.begin, name)
            self._waiting[name] = parameters, timer

    @property
    def waiting(self) -> frozenset[str]:
        """The peers whose sessions have not begun."""
        return frozenset(self._waiting)

    def begin(self, name: str) -> None:
        """BGP is up with this peer, or takes too long."""
        waiting = self._stop_waiting(name)
        if waiting is not None:
            self._watch(waiting)

    def _stop_waiting(self, name: str) -> PeerParameters | None:
        parameters, timer = self._waiting.pop(name, (None, None))
        if timer is not None:
            timer.cancel()
        return parameters

    def _watch(self, parameters: PeerParameters) -> None:
        name, before = parameters.name, self._wanted.get(parameters.name)
        profile = parameters.bfd
        path = None if profile is None else path_to(parameters, self._is_on_link)
        if path is None or profile is None:
            self._wanted.pop(name, None)
        else:
            self._wanted[name] = (path, profile, parameters)
            self._settle(path)
        if before is not None and before[0] != path:
            self._settle(before[0])
        if path is not None and (before is None or before[0] != path):
            # It may have been there already, for another peer or part; of that the session knows nothing yet, and
            # strict mode, which may be switched on later, goes by what it knows.
            self._on_change(name, BfdUp() if self._driver.state(path) is State.UP else BfdPaused())

    def drop(self, name: str) -> None:
        """The peer is no longer configured."""
        self._stop_waiting(name)
        before = self._wanted.pop(name, None)
        if before is not None:
            self._settle(before[0])

    def look_again(self) -> None:
        """The addresses of this host are different: who is on a link may be so too."""
        for _, _, parameters in tuple(self._wanted.values()):
            if parameters.internal:
                self.follow(parameters)

    def state(self, name: str) -> str:
        """The state of the session that watches over a peer, as the RFC writes it; empty without one."""
        wanted = self._wanted.get(name)
        if name in self._waiting:
            return State.DOWN.text
        return "" if wanted is None else self._driver.state(wanted[0]).text

    def snapshots(self) -> Mapping[tuple[str, ...], Watched]:
        """All sessions, by the names of the peers they are for."""
        return {tuple(self._names(path)): watched for path, watched in self._driver.snapshots().items()}

    def dropped(self) -> dict[Reason, int]:
        """Packets that no session got, by reason."""
        return self._driver.dropped()

    async def stop(self) -> None:
        """End all sessions, telling the peers that nothing has failed."""
        self._wanted = {}
        for name in self.waiting:
            self._stop_waiting(name)
        for path in tuple(self._graces):
            self._relent(path)
        await self._driver.stop()

    def _names(self, path: Path) -> list[str]:
        return sorted(name for name, (wanted, _, _) in self._wanted.items() if wanted == path)

    def _settle(self, path: Path) -> None:
        """Have a session on this path if somebody wants it."""
        names = self._names(path)
        if names:
            self._driver.watch(path, self._wanted[names[0]][1])
        else:
            self._relent(path)
            self._driver.unwatch(path)

    def _changed(self, path: Path, change: Changed) -> None:
        news: News = None
        if change.after is State.UP:
            self._relent(path)
            news = BfdUp()
        elif change.before is State.UP and change.cause is Cause.FAILURE:
            news = BfdDown(reason(change))
        elif change.before is State.UP:
            news = BfdPaused()
        if change.before is State.UP and change.cause is Cause.BEGAN_ANEW:
            self._relent(path)
            self._graces[path] = asyncio.get_running_loop().call_later(GRACE, self._grace_over, path)
        self._tell(path, news)

    def _grace_over(self, path: Path) -> None:
        del self._graces[path]
        self._tell(path, BfdDown(f"the peer has begun anew, and was not up again within {GRACE:g} s"))

    def _relent(self, path: Path) -> None:
        waiting = self._graces.pop(path, None)
        if waiting is not None:
            waiting.cancel()

    def _tell(self, path: Path, news: News) -> None:
        for name in self._names(path):
            self._on_change(name, news)


def path_to(parameters: PeerParameters, is_on_link: Callable[[Address], bool]) -> Path | None:
    """Between which ends a peer is to be watched over; None while it has no address."""
    peer = parameters.peer_address
    if peer is None:
        return None
    is_far = parameters.multihop if not parameters.internal else not (peer.is_link_local or is_on_link(peer))
    hops = Hops.MULTI if is_far and parameters.interface is None else Hops.SINGLE
    return Path(peer, hops, parameters.source_address, parameters.interface, parameters.vrf)
