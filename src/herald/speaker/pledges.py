"""Services that this node is to announce by BGP, and whether any of their sessions is up to do it. No I/O, no clock.

A route is given to sessions that are to be; whoever reads "announcing" takes it for sent. So it is said once a session
that has the service is up, and if none comes up for `PATIENCE_S`, that and the last error of each is said first.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from herald.cluster.meta import NamespacedName, NodeName
from herald.speaker import happening
from herald.speaker.status_object import Names, SessionReport
from herald.store.store import Event

PATIENCE_S: Final = 15.0
"""Longer than most sessions need after a start."""


@dataclass(slots=True)
class _Pledge:
    peers: Names
    since: float
    is_lamented: bool = False


class Pledges:
    """Of `node`. `report_of` gives what is known of the session with a BGPPeer; `now` is monotonic seconds."""

    def __init__(self, node: NodeName, report_of: Callable[[str], SessionReport | None]) -> None:
        self._node = node
        self._report_of = report_of
        self._open: dict[NamespacedName, _Pledge] = {}

    def want(self, service: NamespacedName, peers: Names, now: float) -> None:
        """The node has begun to tell these peers of the service."""
        self._open[service] = _Pledge(peers, now)

    def change(self, service: NamespacedName, peers: Names) -> None:
        """It tells these peers now; none: it does no longer."""
        if not peers:
            self._open.pop(service, None)
        elif service in self._open:
            self._open[service].peers = peers

    def services(self) -> tuple[NamespacedName, ...]:
        """Those of which it was not said yet that they are announced."""
        return tuple(self._open)

    def due(self, now: float) -> Iterator[Event]:
        """What can be said by now."""
        for service, pledge in tuple(self._open.items()):
            if any(self._is_up(peer) for peer in pledge.peers):
                del self._open[service]
                yield happening.node_assigned(service, self._node, happening.BGP)
            elif not pledge.is_lamented and now >= pledge.since + PATIENCE_S:
                pledge.is_lamented = True
                yield happening.no_session(service, self._node, "; ".join(self._words(peer) for peer in pledge.peers))

    def deadline(self) -> float | None:
        """When `due` may have something to say though no session has changed."""
        waiting = (pledge.since for pledge in self._open.values() if not pledge.is_lamented)
        first = min(waiting, default=None)
        return None if first is None else first + PATIENCE_S

    def _is_up(self, peer: str) -> bool:
        report = self._report_of(peer)
        return report is not None and report.state == "Established"

    def _words(self, peer: str) -> str:
        report = self._report_of(peer)
        if report is None or not report.last_error:
            return f"{peer}: not up yet"
        return f"{peer}: {report.last_error}"
