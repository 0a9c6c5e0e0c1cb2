"""The BGP peers of the engine: one `Peering` for each that is wished for, fed with differences."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from herald.bgp.driver import Dial, Peering
from herald.bgp.fsm import State
from herald.bgp.parameters import PeerParameters
from herald.bgp.snapshot import SessionSnapshot
from herald.engine.link import SessionFact
from herald.engine.wish import Difference

_log: Final = logging.getLogger("herald.engine.bgp")


class Peers:
    """All peerings by the peer's name. Tasks it starts belong to the group given in."""

    def __init__(
        self, tasks: asyncio.TaskGroup, *, dial: Dial, rng: random.Random, on_change: Callable[[], None]
    ) -> None:
        self._tasks = tasks
        self._dial = dial
        self._rng = rng
        self._on_change = on_change
        self._peers: dict[str, _Peer] = {}
        self._new: dict[str, _Peer] = {}

    def apply(self, difference: Difference) -> None:
        """Follow one step of the wish."""
        for name in difference.peers_dropped:
            self._drop(name)
        for parameters in difference.peers:
            if parameters.name in self._peers:
                self._peers[parameters.name].peering.update(parameters)
            else:
                self._add(parameters)
        for name, change in difference.routes.items():
            if name in self._peers:
                self._peers[name].peering.apply_routes(change.upserts, change.withdrawn)

    def start_new(self) -> None:
        """Let the peers added since the last call connect. They wait for it, so that their first routes are all."""
        new, self._new = self._new, {}
        for peer in new.values():
            peer.peering.start()

    def snapshots(self) -> tuple[SessionSnapshot, ...]:
        """Every session, by name of the peer."""
        return tuple(self._peers[name].peering.snapshot() for name in sorted(self._peers))

    def facts(self) -> tuple[SessionFact, ...]:
        """Every session as control is told of it."""
        return tuple(_fact(snapshot) for snapshot in self.snapshots())

    async def stop(self, reason: str) -> None:
        """End all sessions, telling the peers why."""
        peers, self._peers = self._peers, {}
        await asyncio.gather(*(peer.peering.stop(reason) for peer in peers.values()))

    def _add(self, parameters: PeerParameters) -> None:
        peer = _Peer(parameters, self._dial, self._rng, self._on_change)
        self._peers[parameters.name] = self._new[parameters.name] = peer
        fields = {"peer": parameters.name, "endpoint": parameters.endpoint}
        _log.info("BGP peer %s configured", parameters.name, extra={"event": "peerAdded", **fields})

    def _drop(self, name: str) -> None:
        peer = self._peers.pop(name)
        self._new.pop(name, None)
        _log.info("BGP peer %s no longer configured", name, extra={"event": "peerRemoved", "peer": name})
        self._tasks.create_task(peer.peering.stop("peer removed from the configuration"))
        self._on_change()


class _Peer:
    """A peering, and what was last said of it in the log."""

    def __init__(
        self, parameters: PeerParameters, dial: Dial, rng: random.Random, on_change: Callable[[], None]
    ) -> None:
        self._on_change = on_change
        self._established = False
        self._problem: str | None = None
        self.peering = Peering(parameters, dial=dial, rng=rng, on_change=self._changed)

    def _changed(self, snapshot: SessionSnapshot, problem: str | None) -> None:
        established = snapshot.state is State.ESTABLISHED
        fields = {"peer": snapshot.name, "endpoint": snapshot.endpoint}
        if established and not self._established:
            self._problem = None
            _log.info("BGP session with %s established", snapshot.name, extra={"event": "sessionUp", **fields})
        elif self._established and not established:
            reason = problem or "ended by this speaker"
            fields["reason"] = reason
            _log.info("BGP session with %s down: %s", snapshot.name, reason, extra={"event": "sessionDown", **fields})
        elif problem is not None and problem != self._problem:  # the hundredth failure of one kind tells nothing new
            self._problem = problem
            fields["reason"] = problem
            _log.warning(
                "no BGP session with %s: %s", snapshot.name, problem, extra={"event": "sessionFailed", **fields}
            )
        self._established = established
        self._on_change()


def _fact(snapshot: SessionSnapshot) -> SessionFact:
    established = snapshot.state is State.ESTABLISHED
    error = None if established else snapshot.last_error
    return SessionFact(snapshot.name, established, snapshot.state.value, error.text if error else None)
