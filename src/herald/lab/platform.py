"""What Herald runs in: the seam between a lab and the Kubernetes that it has.

    DataCentre, Walk ──> Platform ─┬─ FolderPlatform       a folder of manifests, the lab's own kube-proxy
                                   └─ KubernetesPlatform   a real API server, real kube-proxies, real kubectl

Scenarios say what a user does and what must then be seen; a platform knows how it is done and where to look.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

from herald.lab.blueprint import Blueprint
from herald.lab.launch import Launch
from herald.lab.place import Place
from herald.lab.proof import Command

HERALD = (sys.executable, "-m", "herald.cli.main")
"""The command line, also where no `herald` is installed."""

Operation = Mapping[str, Any]
"""One operation of a JSON patch (RFC 6902)."""


class Platform(Protocol):
    """A Kubernetes for one lab. Changes give back what kubectl had to say besides that it was done: warnings."""

    @property
    def legend(self) -> str:
        """What a reader of a run's report has to know."""
        ...

    @classmethod
    def adapted(cls, blueprint: Blueprint) -> Blueprint:
        """The blueprint with the machines that the platform itself needs."""
        ...

    @classmethod
    def obstacles(cls) -> list[str]:
        """Why this platform cannot be had on this machine, in words."""
        ...

    @classmethod
    def of(cls, blueprint: Blueprint, place: Place) -> Self:
        """The platform of a lab, not begun yet."""
        ...

    async def begin(self) -> None:
        """Once the namespaces are there: nodes are known, and what arrives at them for a service finds its way."""
        ...

    def release(self) -> None:
        """What was begun may outlive this process: from now on the journal of the place is how it is ended."""
        ...

    async def controller(self) -> Launch:
        """How the controller is started."""
        ...

    async def speaker(self, node: str) -> Launch:
        """How the speaker of a node is started."""
        ...

    async def node_lost(self, node: str) -> None:
        """A node has died: so has all that the platform runs there."""
        ...

    async def node_back(self, node: str) -> None:
        """The node has come back."""
        ...

    async def apply(self, file: str, text: str) -> list[str]:
        """`kubectl apply -f FILE`, whose content is `text`."""
        ...

    async def delete(self, kind: str, namespace: str, names: Sequence[str]) -> list[str]:
        """`kubectl delete KIND NAME… -n NAMESPACE`."""
        ...

    async def patch(self, kind: str, namespace: str, name: str, operations: Sequence[Operation]) -> list[str]:
        """`kubectl patch KIND NAME -n NAMESPACE --type=json -p=…`."""
        ...

    async def label_node(self, name: str, labels: Mapping[str, str]) -> list[str]:
        """`kubectl label node NAME key=value…`."""
        ...

    def asking(self, line: str) -> Command | None:
        """A line of shell with kubectl in it; None where there is no kubectl that could be asked."""
        ...

    def service(self, name: str) -> Command:
        """Shows, as YAML, the status of a Service of the namespace default."""
        ...

    def plan(self) -> Command:
        """`herald plan` of everything that is there now, as JSON."""
        ...

    def logs(self, component: str, pattern: str) -> Command:
        """The lines in the logs of `controller` or `speaker` that match an extended regular expression."""
        ...

    def guide(self) -> list[tuple[str, str]]:
        """What to say of a lab that stands: (word, sentence)."""
        ...
