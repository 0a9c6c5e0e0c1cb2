"""The platform with a real Kubernetes: kube-apiserver and etcd, kube-proxy on every node, kubectl.

    control-plane   a machine more: kube-apiserver, etcd, Herald's controller, and what stands for
                    kube-controller-manager (endpoint_controller)
    node            kube-proxy (nftables), a speaker, the application

Herald runs from the shipped manifests (pod.py): the arguments, environment and service accounts that stand there, and
with these exactly the rights that stand there. Speakers reach the API through the Service `kubernetes`, by kube-proxy.
kube-apiserver calls the webhooks by the shipped configuration; it finds their pod by its EndpointSlice, since on its
own machine there is no kube-proxy.
"""

import asyncio
import json
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from herald.cli import manifests
from herald.lab import process
from herald.lab.blueprint import Blueprint
from herald.lab.kubernetes import binaries, deletion, kubeconfig, nodes
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.client import RequestRefusedError
from herald.lab.kubernetes.endpoint_controller import slices_path
from herald.lab.kubernetes.kube_proxy import KubeProxy
from herald.lab.kubernetes.pod import NAMESPACE, Pod
from herald.lab.launch import Launch
from herald.lab.place import Place
from herald.lab.platform import HERALD, Operation
from herald.lab.proof import Command
from herald.lab.topology import Host, interface

HOST = "control-plane"
HOST_NUMBER = 5
"""The address of that machine within the nodes' network."""

API_PORT = 6443
WEBHOOK_PORT = 9443
API_OF_PODS = ("10.96.0.1", 443)
KEY_MOUNT = "/etc/ml_secret_key"
KEY_SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/memberlist"
KEY_WITHIN = 30.0
"""Seconds within which the controller makes the key of the speakers' group."""

OBJECTS = (
    "ipaddresspools,bgppeers,bgpadvertisements,l2advertisements,bfdprofiles,communities,svc,nodes,endpointslices,ns"
)
"""The kinds that `herald plan` looks at."""

KUBECTL = """\
#!/bin/sh
# kubectl as administrator of the lab's cluster, whose API server is in a network namespace.
# What a kubelet would do is done by the lab's, unless it is the one who asks.
verb= noun= skip=
for word in "$@"; do
  if [ -n "$skip" ]; then skip=; continue; fi
  case "$word" in
    -n|--namespace|-l|--selector|-c|--container|--context|--user|--cluster) skip=1 ;;
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else noun=$word; break; fi ;;
  esac
done
case "$verb ${{noun%%/*}} $HERALD_LAB_KUBELET" in
  "logs "*|"exec "*|"delete pod "|"delete pods "|"delete po ")
    exec {python} -m herald.lab.kubernetes.kubelet {lab} "$@" ;;
esac
exec ip netns exec {namespace} env KUBECONFIG={kubeconfig} HOME={home} {kubectl} "$@"
"""
IN_POD = '#!/bin/sh\nexec {python} -m herald.cli.main {words} "$@"\n'


@dataclass(slots=True)
class KubernetesPlatform:
    """A cluster of its own for one lab."""

    blueprint: Blueprint
    place: Place
    server: ApiServer
    pods: dict[str, Pod]
    proxies: dict[str, KubeProxy] = field(default_factory=dict)

    @property
    def legend(self) -> str:
        """What stands for what in the report."""
        return (
            "Lines with `$ kubectl` were run as they stand, by the real kubectl against a real kube-apiserver (logs, "
            "exec and the end of a pod, which are a kubelet's, are the lab's), and their time counts. On every node a "
            "real kube-proxy runs; Herald runs as its manifests say, with the rights that stand there."
        )

    @classmethod
    def adapted(cls, blueprint: Blueprint) -> Blueprint:
        """With a machine for the control plane on the nodes' segment."""
        node = blueprint.topology.host(blueprint.nodes[0])
        network = ip_network(node.interfaces[0].addresses[0].network)
        address = f"{network[HOST_NUMBER]}/{network.prefixlen}"
        return blueprint.with_host(Host(HOST, (interface("eth0", address, on=blueprint.segment),), node.routes))

    @classmethod
    def obstacles(cls) -> list[str]:
        """The programs that are missing."""
        try:
            for program in ("etcd", "kube-apiserver", "kubectl", "kube-proxy"):
                binaries.find(program)
        except (binaries.ProgramMissingError, OSError) as error:
            return [str(error)]
        return []

    @classmethod
    def of(cls, blueprint: Blueprint, place: Place) -> "KubernetesPlatform":
        """Nothing runs yet."""
        address = blueprint.topology.host(HOST).address
        server = ApiServer(
            address=address,
            namespace=place.namespace(HOST),
            port=API_PORT,
            directory=place.directory / "kubernetes",
            # Webhooks are called at their pods' addresses, as there is no kube-proxy on that machine.
            options={"enable-aggregator-routing": "true"},
        )
        folder = place.directory / "pods"
        pods = [Pod("controller", "controller-0", HOST, address, folder / "controller-0")]
        for node, own in blueprint.node_addresses.items():
            pods.append(Pod("speaker", f"speaker-{node}", node, own, folder / f"speaker-{node}"))
        return cls(blueprint, place, server, {pod.node: pod for pod in pods})

    # Life.

    async def begin(self) -> None:
        """Start the API server, make nodes, start kube-proxies, apply Herald's manifests, make its pods."""
        await asyncio.to_thread(self.server.start)
        self._record()
        self._write_programs()
        await asyncio.gather(asyncio.to_thread(self._begin_nodes), asyncio.to_thread(self._install))

    def release(self) -> None:
        """Guards no longer end what this process started."""
        self.server.release()
        for proxy in self.proxies.values():
            proxy.child.release()

    async def controller(self) -> Launch:
        """In the pod controller-0, on the control plane's machine."""
        return self._launch(self.pods[HOST], (self.server.address, API_PORT), {})

    async def speaker(self, node: str) -> Launch:
        """In the pod of that node, which waits for the key of the speakers' group, as it does in a cluster."""
        key = await asyncio.to_thread(self._group_key)
        return self._launch(self.pods[node], API_OF_PODS, {KEY_MOUNT: str(key)})

    async def node_lost(self, node: str) -> None:
        """Its kube-proxy is dead; in the API the node stays ready for a while, as it does in a cluster."""
        self.proxies[node].child.kill()

    async def node_back(self, node: str) -> None:
        """kube-proxy runs again."""
        await asyncio.to_thread(self._start_proxy, node)

    # Faults.

    async def kill_api(self) -> None:
        """SIGKILL to kube-apiserver."""
        await asyncio.to_thread(self.server.kill_api_server)

    async def start_api(self) -> None:
        """Start it again, and wait until it is ready."""
        await asyncio.to_thread(self.server.start_api_server)
        self._record()

    async def restart_etcd(self) -> None:
        """SIGKILL to etcd, start it again with its data, and wait until the API is ready."""
        await asyncio.to_thread(self.server.restart_etcd)
        self._record()

    # What users do.

    async def apply(self, file: str, text: str) -> list[str]:
        """By the real kubectl, from the file."""
        path = self.place.config / file
        path.write_text(text)
        return await self._kubectl("apply", "-f", str(path))

    async def delete(self, kind: str, namespace: str, names: Sequence[str]) -> list[str]:
        """By the real kubectl."""
        return await self._kubectl("delete", kind.lower(), *names, "-n", namespace)

    async def patch(self, kind: str, namespace: str, name: str, operations: Sequence[Operation]) -> list[str]:
        """By the real kubectl."""
        words = ("-n", namespace, "--type=json", f"-p={json.dumps(list(operations))}")
        return await self._kubectl("patch", kind.lower(), name, *words)

    async def label_node(self, name: str, labels: Mapping[str, str]) -> list[str]:
        """By the real kubectl."""
        return await self._kubectl("label", "node", name, *(f"{key}={value}" for key, value in labels.items()))

    # What can be asked.

    def asking(self, line: str) -> Command | None:
        """The line, run by a shell that finds the lab's kubectl."""
        path = f"PATH={self._programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return Command(("env", path, "sh", "-c", line), f"$ {line}", patience=30.0)

    def service(self, name: str) -> Command:
        """`kubectl get svc`."""
        return Command((str(self.kubectl), "get", "svc", name, "-o", "yaml"), f"$ kubectl get svc {name}")

    def plan(self) -> Command:
        """`herald plan` of what kubectl gets."""
        get = f"{shlex.quote(str(self.kubectl))} get {OBJECTS} -A -o yaml"
        line = f"{get} | {shlex.join(HERALD)} plan -f - -o json"
        return Command(("sh", "-c", line), "$ kubectl get … -A -o yaml | herald plan -f -", patience=30.0)

    def logs(self, component: str, pattern: str) -> Command:
        """`kubectl logs`, all of them."""
        logs = f"kubectl logs -n {NAMESPACE} -l component={component}"
        line = f"{logs} --tail=-1 | grep -iE {shlex.quote(pattern)}"
        argv = ("env", f"PATH={self._programs}:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", line)
        return Command(argv, f'$ kubectl logs -l component={component} | grep -iE "{pattern}"')

    def guide(self) -> list[tuple[str, str]]:
        """Where kubectl is."""
        return [("kubectl", f"{self.kubectl}, or export PATH={self._programs}:$PATH")]

    @property
    def kubectl(self) -> Path:
        """The lab's kubectl: logs, exec and the deletion of pods by the lab, everything else by the real one."""
        return self._programs / "kubectl"

    # Within.

    @property
    def _programs(self) -> Path:
        return self.place.directory / "bin"

    async def _kubectl(self, *words: str) -> list[str]:
        """Lines that kubectl wrote to its standard error. CommandFailedError when it fails."""
        result = await process.must([str(self.kubectl), *words], within=60.0)
        return result.stderr.splitlines()

    def _record(self) -> None:
        for name, pid in self.server.processes().items():
            self.place.record_process(name, pid)

    def _write_programs(self) -> None:
        real = binaries.find("kubectl")
        in_pod = self._programs / "pod"
        in_pod.mkdir(parents=True)
        python = shlex.quote(sys.executable)
        text = KUBECTL.format(
            python=python,
            lab=self.place.directory,
            namespace=self.place.namespace(HOST),
            kubeconfig=self.server.admin_kubeconfig,
            home=self.server.folder,
            kubectl=shlex.quote(str(real)),
        )
        programs = {self.kubectl: text}
        programs[in_pod / "herald"] = IN_POD.format(python=python, words="")
        programs[in_pod / "vtysh"] = IN_POD.format(python=python, words="vtysh")
        for path, content in programs.items():
            path.write_text(content)
            path.chmod(0o755)

    def _begin_nodes(self) -> None:
        for name, address in self.blueprint.node_addresses.items():
            nodes.create(self.server, name, [address])
            self.proxies[name] = KubeProxy(self.server, name, self.place.namespace(name))
        for name in self.proxies:
            self._start_proxy(name)
        argv = [sys.executable, "-m", "herald.lab.kubernetes.endpoint_controller", "--folder", str(self.server.folder)]
        argv += ["--address", self.server.address, "--port", str(API_PORT)]
        Launch("endpoint-controller", tuple(argv), HOST).start(self.place)

    def _start_proxy(self, node: str) -> None:
        proxy = self.proxies[node]
        proxy.start()
        self.place.record_process(proxy.child.name, proxy.child.pid)

    def _install(self) -> None:
        self.server.kubectl("apply", "--server-side", "-f", "-", stdin=manifests.dump_yaml())
        self.server.wait_crds_served()
        self.server.request("POST", slices_path(NAMESPACE), _webhook_slice(self.server.address))
        for pod in self.pods.values():
            pod.create(self.server)
            pod.write_files(self.server)

    def _launch(self, pod: Pod, api: tuple[str, int], mounts: Mapping[str, str]) -> Launch:
        if pod.component == "speaker":
            self._link_socket(pod)
        launch = Launch(pod.name, pod.command(self.place.directory, api, mounts), pod.node)
        deletion.remember(launch, pod.folder)
        return launch

    def _link_socket(self, pod: Pod) -> None:
        """`herald show` of the lab finds the speaker's socket where that of any lab is."""
        usual = self.place.show_socket(pod.node)
        if not usual.is_symlink():
            usual.symlink_to(pod.sockets / f"{pod.node}.sock")

    def _group_key(self) -> Path:
        """The folder into which a kubelet would mount the Secret. TimeoutError when there is none."""
        secret = _until_there(lambda: self.server.request("GET", KEY_SECRET), KEY_WITHIN)
        folder = self.place.directory / "memberlist"
        return kubeconfig.write_secret_folder(folder, secret["data"])


def _until_there(read: Callable[[], Any], within: float) -> Any:
    deadline = time.monotonic() + within
    while True:
        try:
            return read()
        except RequestRefusedError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(str(error)) from error
        time.sleep(0.05)


def _webhook_slice(address: str) -> dict[str, Any]:
    """Where the webhooks' pod is."""
    return {
        "metadata": {
            "name": "metallb-webhook-service-lab",
            "labels": {"kubernetes.io/service-name": "metallb-webhook-service"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "", "port": WEBHOOK_PORT, "protocol": "TCP"}],
    }
