"""A peering of Herald that runs in a namespace, with real sockets."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from frr_router import NamespaceLoop

from herald.bgp.driver import Peering
from herald.bgp.fsm import State
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.bgp.snapshot import SessionSnapshot
from herald.engine.tcp import dial


class Started:
    """One peer that is kept."""

    def __init__(self, loop: NamespaceLoop, peering: Peering) -> None:
        self._loop = loop
        self.peering = peering

    @property
    def snapshot(self) -> SessionSnapshot:
        return self._loop.do(self.peering.snapshot)

    @property
    def established(self) -> bool:
        return self.snapshot.state is State.ESTABLISHED

    @property
    def error(self) -> str:
        """Why the last attempt or session ended; empty if none has."""
        last = self.snapshot.last_error
        return last.text if last is not None else ""

    def update(self, parameters: PeerParameters) -> None:
        self._loop.do(lambda: self.peering.update(parameters))


@contextmanager
def started(loop: NamespaceLoop, parameters: PeerParameters, *routes: Route, host_name: str = "") -> Iterator[Started]:
    """A peering that announces the routes; the peer is told `host_name`."""

    def begin() -> Peering:
        made = Peering(parameters, dial=dial, rng=random.Random(1), on_change=lambda *_: None, host_name=host_name)
        made.apply_routes(routes, ())
        made.start()
        return made

    here = Started(loop, loop.do(begin))
    try:
        yield here
    finally:
        loop.call(lambda: here.peering.stop("the test is over"))
