"""The platform without Kubernetes: a folder of manifests that Herald watches, and the lab's own kube-proxy.

What kubectl would do is played on the folder (cluster.py); there is no kubectl to be asked anything.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from herald.lab.blueprint import Blueprint
from herald.lab.cluster import Cluster
from herald.lab.launch import Launch
from herald.lab.place import Place
from herald.lab.platform import HERALD, Operation
from herald.lab.proof import Command


@dataclass(frozen=True, slots=True)
class FolderPlatform:
    """A folder in place of a cluster."""

    blueprint: Blueprint
    place: Place
    cluster: Cluster

    @property
    def legend(self) -> str:
        """What stands for what in the report."""
        return (
            "Lines with `$ kubectl` are what you would type in a cluster; the lab has no API server, and plays them on "
            "the folder of manifests that Herald watches."
        )

    @classmethod
    def adapted(cls, blueprint: Blueprint) -> Blueprint:
        """No machine more."""
        return blueprint

    @classmethod
    def obstacles(cls) -> list[str]:
        """None."""
        return []

    @classmethod
    def of(cls, blueprint: Blueprint, place: Place) -> "FolderPlatform":
        """The folder is that of the place."""
        return cls(blueprint, place, Cluster(place.config, place.directory))

    async def begin(self) -> None:
        """Write the nodes, and start the lab's kube-proxy."""
        self.cluster.add_nodes(self.blueprint.node_addresses)
        options = ("--config", str(self.place.config), "--prefix", self.place.prefix)
        Launch("kube-proxy", (sys.executable, "-m", "herald.lab.kube_proxy", *options)).start(self.place)

    def release(self) -> None:
        """A folder stays, and so do processes that are in the journal."""

    async def controller(self) -> Launch:
        """On the lab's own machine, where the folder is."""
        return Launch("controller", (*HERALD, "controller", "--config", str(self.place.config)))

    async def speaker(self, node: str) -> Launch:
        """All speakers read the same folder."""
        options = ["--config", str(self.place.config), "--node-name", node]
        options += ["--show-socket", str(self.place.show_socket(node))]
        options += ["--members-dir", str(self.place.config / ".herald" / "members")]
        return Launch(f"speaker-{node}", (*HERALD, "speaker", *options), node)

    async def node_lost(self, node: str) -> None:
        """Nothing of the platform runs on nodes."""

    async def node_back(self, node: str) -> None:
        """Nothing of the platform runs on nodes."""

    async def apply(self, file: str, text: str) -> list[str]:
        """Write the objects into the folder; nobody checks them, so that Herald sees what a user wrote."""
        self.cluster.apply(text)
        return []

    async def delete(self, kind: str, namespace: str, names: Sequence[str]) -> list[str]:
        """Remove the objects' files."""
        self.cluster.delete(kind, namespace, *names)
        return []

    async def patch(self, kind: str, namespace: str, name: str, operations: Sequence[Operation]) -> list[str]:
        """Change the object's file."""
        self.cluster.patch(kind, namespace, name, operations)
        return []

    async def label_node(self, name: str, labels: Mapping[str, str]) -> list[str]:
        """Change the node's file."""
        self.cluster.label("Node", None, name, labels)
        return []

    def asking(self, line: str) -> Command | None:
        """There is no kubectl."""
        return None

    def service(self, name: str) -> Command:
        """The status that the controller keeps beside the folder."""
        file = f"service.default.{name}.yaml"
        return Command(("cat", str(self.place.config / ".herald" / "status" / file)), f"cat .herald/status/{file}")

    def plan(self) -> Command:
        """`herald plan` over the folder."""
        return Command((*HERALD, "plan", "-f", str(self.place.config), "-o", "json"), "herald plan -f .", patience=30.0)

    def logs(self, component: str, pattern: str) -> Command:
        """grep over log files."""
        files = sorted(str(path) for path in self.place.logs.glob(f"{component}*.log"))
        shown = f'kubectl logs -l component={component} | grep -iE "{pattern}"'
        return Command(("grep", "-ihE", pattern, *files), shown)

    def guide(self) -> list[tuple[str, str]]:
        """Where the folder is."""
        told = f"{self.place.config}/*.yaml; what you write, change or delete there is applied at once"
        return [("Manifests", told)]
