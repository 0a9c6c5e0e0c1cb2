"""Which nodes have fallen silent, so that what their speakers said last is true no longer. No I/O, no clock.

A status object goes with the pod that wrote it, but when the power of a node fails the pod stays for as long as the
Node does. So Kubernetes is asked what it thinks: a node that is not ready or not there, a speaker that is not ready.

Silence must last for `GRACE_S`, and each silence is told once. Who is cut off from the API server is silent, too, and
comes back with words of its own; and who speaks though Kubernetes takes it for dead has the last word.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

GRACE_S: Final = 20.0
"""Kubernetes has waited for 40 s by then; a container that is started again is ready sooner."""


@dataclass(frozen=True, slots=True)
class Silence:
    """`why`: what Kubernetes says of the node or its speaker."""

    node: str
    why: str


@dataclass(frozen=True, slots=True)
class SpeakerPod:
    """Where the pod of a speaker runs. `is_ready` None: nobody has said so far."""

    node: str
    is_ready: bool | None


class SilentNodes:
    """`now` is monotonic seconds."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._silences: dict[str, Silence] = {}
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def see(self, nodes: Mapping[str, bool | None], pods: Mapping[str, SpeakerPod], now: float) -> None:
        """All nodes, and whether they are ready (None: nobody has said so far), and all pods of speakers; by name."""
        self._silences = {silence.node: silence for silence in _silences(nodes, pods)}
        self._told &= self._silences.keys()
        self._since = {node: self._since.get(node, now) for node in self._silences}

    def due(self, now: float) -> tuple[Silence, ...]:
        """Those that have lasted and were not told."""
        return tuple(
            self._silences[node] for node in sorted(self._untold()) if now >= self._since[node] + self._grace_s
        )

    def told(self, silence: Silence) -> None:
        """Everything was done about it."""
        self._told.add(silence.node)

    def deadline(self) -> float | None:
        """When the next one will be due."""
        return min((self._since[node] + self._grace_s for node in self._untold()), default=None)

    def _untold(self) -> set[str]:
        return self._since.keys() - self._told


def _silences(nodes: Mapping[str, bool | None], pods: Mapping[str, SpeakerPod]) -> Iterator[Silence]:
    speaking = {pod.node for pod in pods.values() if pod.is_ready is not False}
    for name, is_ready in nodes.items():
        if is_ready is False:
            yield Silence(name, f"node {name} is not ready")
    for name, pod in pods.items():
        if pod.node and pod.node not in nodes:
            yield Silence(pod.node, f"there is no node {pod.node} any more")
        elif pod.node and pod.node not in speaking and nodes[pod.node] is not False:
            yield Silence(pod.node, f"its speaker, pod {name}, is not ready")
