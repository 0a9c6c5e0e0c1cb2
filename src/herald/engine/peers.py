"""The BGP peers of the engine: one `Peering` for each that is wished for, fed with differences, and BFD beside it."""

import asyncio
import logging
import random
import socket
import time
from collections.abc import Callable
from typing import Final

from herald.bgp import explanation
from herald.bgp.driver import Dial, Peering
from herald.bgp.event import Leaving, ParametersChanged
from herald.bgp.family import Address
from herald.bgp.fsm import State
from herald.bgp.graceful_restart import Past
from herald.bgp.parameters import PeerParameters
from herald.bgp.snapshot import SessionSnapshot
from herald.engine.bfd import News, PeerWatch
from herald.engine.bfd_sessions import BfdSessions
from herald.engine.link import SessionFact
from herald.engine.listen_address import ListenAddress
from herald.engine.listener import Listener, why_waiting
from herald.engine.ways import News as WayNews
from herald.engine.ways import Ways
from herald.engine.wish import Difference

COUNT_EVERY: Final = 3.0
"""Seconds between two looks at how many prefixes were sent: 10,000 changes of a route are no 10,000 facts."""
BFD_AFTER: Final = 0.03
"""Seconds between the end of BGP sessions and of the BFD sessions that watch over them."""

_log: Final = logging.getLogger("herald.engine.bgp")


class Peers:
    """All peerings by the peer's name. Tasks it starts belong to the group given in."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        *,
        dial: Dial,
        rng: random.Random,
        on_change: Callable[[], None],
        bfd: BfdSessions,
        is_on_link: Callable[[Address], bool],
        past_with: Callable[[PeerParameters], Past] = lambda _: Past.NOTHING,
        host_name: str = "",
        listen: tuple[ListenAddress, ...] = (),
    ) -> None:
        """`bfd` has the sessions of BFD; `is_on_link` says whether an address is in a subnet of this host.

        `past_with` says what a peer of the first wish may have of an earlier process; peers are told `host_name`,
        and may dial us where we `listen`.
        """
        self._past_with = past_with
        self._host_name = host_name
        self._is_complete = False
        self.bfd = PeerWatch(bfd, is_on_link=is_on_link, on_change=self._bfd_says)
        self.ways = Ways(dial, rng, self._way_says)
        self.listener = Listener(listen, self._incoming, on_change)
        self._tasks = tasks
        self._rng = rng
        self._on_change = on_change
        self._peers: dict[str, _Peer] = {}
        self._new: dict[str, _Peer] = {}
        self._counting: asyncio.TimerHandle | None = None
        self._counted: dict[str, int] = {}

    def apply(self, difference: Difference) -> None:
        """Follow one step of the wish."""
        for name in difference.peers_dropped:
            self._drop(name)
        for parameters in difference.peers:
            if parameters.name in self._peers:
                self._update(self.ways.follow(parameters))
            else:
                self._add(parameters)
        for name, change in difference.routes.items():
            if name in self._peers:
                self._peers[name].peering.apply_routes(change.upserts, change.withdrawn)
        if difference.routes:
            self._count_soon()

    def start_new(self, *, complete: bool) -> None:
        """Let the peers added since the last call connect. They wait for it, so that their first routes are all.

        `complete`: all that is wished for is known now. Before that was so once, no peer is sent an End-of-RIB.
        """
        new, self._new = self._new, {}
        was_complete, self._is_complete = self._is_complete, self._is_complete or complete
        for peer in new.values():
            past = Past.NOTHING if was_complete else self._past_with(peer.parameters)
            peer.peering.start(past, complete=self._is_complete)
        if complete and not was_complete:
            for peer in self._peers.values():
                peer.peering.routes_complete()

    def snapshots(self) -> tuple[SessionSnapshot, ...]:
        """Every session, by name of the peer."""
        return tuple(self._peers[name].peering.snapshot() for name in sorted(self._peers))

    def facts(self) -> tuple[SessionFact, ...]:
        """Every session as control is told of it."""
        return tuple(
            self._peers[name].fact(self.bfd.state(name), self.listener.refusal(name)) for name in sorted(self._peers)
        )

    async def stop(self, reason: str, leaving: Leaving) -> None:
        """End all sessions; peers that are to forget our routes are told why."""
        if self._counting is not None:
            self._counting.cancel()
        self.ways.close()
        self.listener.close()
        peers, self._peers = self._peers, {}
        stopping = [asyncio.ensure_future(peer.peering.stop(reason, leaving)) for peer in peers.values()]
        # BGP first: FRR 8 takes our AdminDown for a failure, and forgets routes that it is to keep for our return.
        await asyncio.sleep(BFD_AFTER)
        await asyncio.gather(self.bfd.stop(), *stopping)

    def _add(self, parameters: PeerParameters) -> None:
        resolved = self.ways.follow(parameters)
        peer = _Peer(resolved, self.ways.dial, self._rng, self._changed, self._host_name)
        self._peers[parameters.name] = self._new[parameters.name] = peer
        self.bfd.follow(resolved)
        self.listener.follow(resolved)
        fields = {"peer": parameters.name, "endpoint": parameters.endpoint}
        _log.info("BGP peer %s configured", parameters.name, extra={"event": "peerAdded", **fields})

    def _drop(self, name: str) -> None:
        peer = self._peers.pop(name)
        self._new.pop(name, None)
        self.bfd.drop(name)
        self.ways.drop(name)
        self.listener.drop(name)
        _log.info("BGP peer %s no longer configured", name, extra={"event": "peerRemoved", "peer": name})
        self._tasks.create_task(peer.peering.stop("peer removed from the configuration"))
        self._on_change()

    def _update(self, parameters: PeerParameters) -> None:
        self.listener.follow(parameters)  # first: what still came in by the old rules is ended by the new ones
        self._peers[parameters.name].peering.update(parameters)
        self.bfd.follow(parameters)

    def _incoming(self, sock: socket.socket, parameters: PeerParameters) -> bool:
        peer = self._peers.get(parameters.name)
        return peer is not None and peer.peering.accept(sock, parameters)

    def _way_says(self, name: str, news: WayNews) -> None:
        if name not in self._peers:
            return
        if isinstance(news, ParametersChanged):
            self._update(news.parameters)
        else:
            self.listener.look_again()
            self._peers[name].peering.tell(news)

    def _bfd_says(self, name: str, news: News) -> None:
        """Nothing, where the peer was shut down by its operator: BGP carries on (RFC 5882 §3.2)."""
        if news is not None and name in self._peers:
            self._peers[name].peering.tell(news)
        self._on_change()

    def _changed(self) -> None:
        for name in self.bfd.waiting:
            if name in self._peers and self._peers[name].established:
                self.bfd.begin(name)
        for name, peer in self._peers.items():
            self.ways.note_state(name, established=peer.established)
        self._on_change()
        self._count_soon()

    def _count_soon(self) -> None:
        if self._counting is None:
            self._counting = asyncio.get_running_loop().call_later(COUNT_EVERY, self._count)

    def _count(self) -> None:
        self._counting = None
        snapshots = self.snapshots()
        counted = {snapshot.name: snapshot.advertised for snapshot in snapshots}
        if counted != self._counted:
            self._counted = counted
            self._on_change()
        if any(family.pending for snapshot in snapshots for family in snapshot.families):
            self._count_soon()


class _Peer:
    """A peering, what was last said of it in the log, and since when it has been so."""

    def __init__(
        self,
        parameters: PeerParameters,
        dial: Dial,
        rng: random.Random,
        on_change: Callable[[], None],
        host_name: str,
    ) -> None:
        self.parameters = parameters  # as they were when it was added
        self._on_change = on_change
        self.established = False
        self._since = time.time()
        self._problem: str | None = None
        self.peering = Peering(parameters, dial=dial, rng=rng, on_change=self._changed, host_name=host_name)

    def _changed(self, snapshot: SessionSnapshot, problem: str | None) -> None:
        established = snapshot.state is State.ESTABLISHED
        fields = {"peer": snapshot.name, "endpoint": snapshot.endpoint}
        if established and not self.established:
            self._problem = None
            _log.info("BGP session with %s established", snapshot.name, extra={"event": "sessionUp", **fields})
        elif self.established and not established:
            reason = problem or "ended by this speaker"
            fields["reason"] = reason
            _log.info("BGP session with %s down: %s", snapshot.name, reason, extra={"event": "sessionDown", **fields})
        elif problem is not None and problem != self._problem:  # the hundredth failure of one kind tells nothing new
            self._problem = problem
            fields["reason"] = problem
            _log.warning(
                "no BGP session with %s: %s", snapshot.name, problem, extra={"event": "sessionFailed", **fields}
            )
        if established != self.established:
            self.established, self._since = established, time.time()
        self._on_change()

    def fact(self, bfd: str, refusal: str | None) -> SessionFact:
        """The session as control is told of it; `bfd` is the state of the session that watches over it.

        `refusal` is why connections of the peer are not taken, if so.
        """
        snapshot = self.peering.snapshot()
        error = snapshot.telling_error.text if snapshot.telling_error else None
        if not self.established:
            error = why_waiting(snapshot, refusal) or error
        return SessionFact(
            snapshot.name,
            self.established,
            snapshot.state.value,
            None if self.established else error,
            snapshot.endpoint,
            self._since,
            error,
            snapshot.advertised,
            bfd,
            _unsent(snapshot) if self.established else "",
        )


def _unsent(snapshot: SessionSnapshot) -> str:
    """Which routes are not sent over a session that stands, and why."""
    lacking = (one for one in snapshot.families if one.reason is not None and one.wanted > one.advertised)
    return "; ".join(
        f"{one.wanted - one.advertised} of {one.wanted} {one.family.text} routes are not sent: {one.reason}"
        + ("" if one.negotiated else f" ({explanation.not_exchanged(one.family.text)})")
        for one in lacking
    )
