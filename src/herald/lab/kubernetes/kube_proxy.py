"""The real kube-proxy, in nftables mode, in the network namespace of a node.

It needs from the namespace: a way to the API server, `nft` 1.0.1 or newer, and a kernel with nftables' nat, fib, numgen
and conntrack. It is told to leave the sysctls of connection tracking alone, which belong to the machine and not to the
namespace. Its two ports, health 10256 and metrics 10249, are on the loopback interface of the namespace, so that every
node may have the same ones.
"""

import http.client
import json
import time
from pathlib import Path

from herald.lab.kubernetes import binaries
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.child import Child, ChildFailedError
from herald.lab.kubernetes.client import connect, exchange, over

USER = "system:kube-proxy"
"""The API server's own bootstrap roles let this user see Services, EndpointSlices and nodes."""

LOOPBACK = "127.0.0.1"
HEALTH_PORT = 10256
METRICS_PORT = 10249
POLL = 0.05


class KubeProxy:
    """kube-proxy of the node `node` in `namespace`. `start`, then `stop`.

    The node has to be in the API. `sync_seconds` is the shortest time between two changes of the rules; production has
    1 s. Log and configuration are in the API server's folder.
    """

    def __init__(self, server: ApiServer, node: str, namespace: str, *, sync_seconds: float = 0.1) -> None:
        self.node = node
        self.namespace = namespace
        name = f"kube-proxy-{node}"
        self._folder: Path = server.folder
        kubeconfig = server.user_kubeconfig(USER)
        settings = self._folder / f"{name}.json"
        settings.write_text(json.dumps(_settings(node, kubeconfig, sync_seconds), indent=2))
        self.child = Child(
            name,
            [str(binaries.find("kube-proxy")), f"--config={settings}"],
            folder=self._folder,
            namespace=namespace,
        )

    def start(self, within: float = 20.0) -> None:
        """Start, and wait until its first rules are in the kernel. ChildFailedError quotes the log."""
        self.child.start()
        deadline = time.monotonic() + within
        while not self._healthy():
            if not self.child.running or time.monotonic() >= deadline:
                words = self.child.last_words()
                self.child.kill()
                raise ChildFailedError(f"{self.child.name} did not become healthy:\n{words}")
            time.sleep(POLL)

    def stop(self) -> None:
        """End it. Its rules stay in the kernel, as they do when a real one dies, until the namespace goes."""
        self.child.terminate(within=3.0)

    def _healthy(self) -> bool:
        try:
            with connect(LOOPBACK, HEALTH_PORT, self.namespace, timeout=2) as connected:
                exchange(over(connected), "GET", "/healthz")
        except (OSError, http.client.HTTPException):
            return False
        return True


def _settings(node: str, kubeconfig: Path, sync_seconds: float) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": node,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "healthzBindAddress": f"{LOOPBACK}:{HEALTH_PORT}",
        "metricsBindAddress": f"{LOOPBACK}:{METRICS_PORT}",
        "nftables": {"minSyncPeriod": f"{round(sync_seconds * 1000)}ms"},
        # 0: leave it as it is.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
