"""The two processes of an API server, etcd and kube-apiserver: their life, their faults and the end of those.

How a watch gets 410 Gone, as measured: compaction alone does not do it, since kube-apiserver answers from its own
watch cache, which reaches further back. That cache begins anew when kube-apiserver starts; every resourceVersion from
before is then "too old". `expire_history` does both.
"""

import http.client
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from herald.lab.kubernetes import binaries, configuration, snapshot
from herald.lab.kubernetes.certificates import Authority
from herald.lab.kubernetes.child import Child, ChildFailedError
from herald.lab.kubernetes.client import Client, RequestRefusedError
from herald.lab.kubernetes.etcd import Etcd
from herald.lab.kubernetes.kubeconfig import Endpoint
from herald.lab.kubernetes.snapshot import Snapshot

POLL = 0.03
SETTLING = 0.1
SETTINGS = tuple(
    f"/registry/{kind}/".encode()
    for kind in (
        "apiextensions.k8s.io/customresourcedefinitions",
        "clusterrolebindings",
        "clusterroles",
        "mutatingwebhookconfigurations",
        "namespaces",
        "rolebindings",
        "roles",
        "validatingwebhookconfigurations",
    )
)
"""Objects in etcd by which kube-apiserver itself goes."""


class ApiProcesses:
    """etcd and kube-apiserver. `start` before anything else, `stop` in the end, or a `with` block for both.

    `address` is where it listens and `namespace` the network namespace in which that address is; `others` are further
    addresses and names by which clients reach it. `directory` keeps all files after `stop`; without one they are in a
    temporary folder, which goes, except after a failed start. `options` are further flags of kube-apiserver, without
    the dashes.
    """

    def __init__(
        self,
        *,
        address: str = "127.0.0.1",
        namespace: str | None = None,
        port: int | None = None,
        others: Sequence[str] = (),
        directory: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.namespace = namespace
        self.port = port or configuration.free_port(address, namespace)
        self._kept = directory
        self._others = tuple(others)
        self._options = dict(options or {})
        self._folder: Path | None = None
        self._etcd: Etcd | None = None
        self._server: Child | None = None
        self._client: Client | None = None
        self._authority = Authority()

    # What clients need to know.

    @property
    def url(self) -> str:
        """https://ADDRESS:PORT"""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"

    @property
    def folder(self) -> Path:
        """All files: logs, certificates, kubeconfigs, etcd's data."""
        assert self._folder is not None, "the API server was not started"
        return self._folder

    @property
    def ca(self) -> Path:
        """The PEM of the authority that signed the server's certificate."""
        return self.folder / "ca.crt"

    @property
    def admin_kubeconfig(self) -> Path:
        """A kubeconfig of the group system:masters, which may do everything."""
        return self.folder / "admin.kubeconfig"

    @property
    def endpoint(self) -> Endpoint:
        """What a kubeconfig says about the server."""
        return Endpoint(self.url, self._authority.certificate)

    # Life.

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start both and wait until the API is ready: system namespaces and RBAC's own roles are there.

        ProgramMissingError when a program is not on this machine; ChildFailedError with the end of the log, after
        everything was stopped again, when one of them does not come up.
        """
        assert self._folder is None, "the API server was started already"
        programs = binaries.find("kube-apiserver"), binaries.find("kubectl"), binaries.find("etcd")
        folder = self._folder = self._kept or Path(tempfile.mkdtemp(prefix="herald-kubernetes-"))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            tls = configuration.write_credentials(folder, self._authority, self.endpoint, (self.address, *self._others))
            self._client = Client(self.address, self.port, self.namespace, tls)
            self._etcd = Etcd(folder)
            flags = configuration.flags(self.address, self.port) | self._options
            argv = [str(programs[0]), *(f"--{name}={value}" for name, value in flags.items())]
            self._server = Child("kube-apiserver", argv, folder=folder, namespace=self.namespace)
            self._etcd.child.start()
            self._server.start()
            self._etcd.wait_ready()
            self._wait_ready()
        except BaseException:
            self._end_children()
            raise

    def stop(self) -> None:
        """End both and remove the temporary folder. No error when they have ended already, or never started."""
        self._end_children()
        if self._folder is not None and self._kept is None:
            shutil.rmtree(self._folder)
        self._folder = None

    # Faults, and the end of them.

    def kill_api_server(self) -> None:
        """SIGKILL to kube-apiserver: every connection is cut at once, its port refuses new ones."""
        self._running_server.kill()

    def terminate_api_server(self, within: float = 10.0) -> None:
        """SIGTERM to kube-apiserver: it ends watches in good order, as in a rolling upgrade."""
        self._running_server.terminate(within)

    def start_api_server(self) -> None:
        """Start kube-apiserver again on the same port, and wait until it is ready."""
        self._running_server.start()
        self._wait_ready()

    def pause_api_server(self) -> None:
        """SIGSTOP: connections stay open, and nothing is answered any more; the kernel still accepts new ones."""
        self._running_server.send(signal.SIGSTOP)

    def resume_api_server(self) -> None:
        """SIGCONT."""
        self._running_server.send(signal.SIGCONT)

    def kill_etcd(self) -> None:
        """SIGKILL to etcd: the API server answers errors until `start_etcd`."""
        self._running_etcd.child.kill()

    def start_etcd(self) -> None:
        """Start etcd again with the same data, and wait until the API is ready again."""
        self._running_etcd.child.start()
        self._running_etcd.wait_ready()
        if self._running_server.running:
            self._wait_ready()

    def restart_etcd(self) -> None:
        """SIGKILL to etcd, and start it again."""
        self.kill_etcd()
        self.start_etcd()

    def compact_etcd(self) -> int:
        """Let etcd forget all history up to now. The revision up to which it did.

        A list that goes on from a `continue` token of before may be answered 410. A watch is not: `expire_history`.
        """
        revision = self._running_etcd.revision()
        self._running_etcd.compact(revision)
        return revision

    def expire_history(self) -> None:
        """Make every resourceVersion of before too old: a watch or a paged list that goes on from one gets 410.

        kube-apiserver is killed for it and started again, since only that empties its watch cache. One object is
        written meanwhile, so that also the latest resourceVersion of before lies in the past.
        """
        self.request("POST", "/api/v1/namespaces/default/events", _history_mark())
        self.kill_api_server()
        self.compact_etcd()
        self.start_api_server()

    def heal(self) -> None:
        """Undo every fault above that is still there; at once when there is none."""
        etcd, server = self._running_etcd, self._running_server
        if not etcd.child.running:
            self.start_etcd()
        if not server.running:
            self.start_api_server()
        self.resume_api_server()
        self._wait_ready()

    def snapshot(self) -> Snapshot:
        """All objects as they are now, to `restore`."""
        return snapshot.take(self._running_etcd)

    def restore(self, wanted: Snapshot) -> Snapshot:
        """Bring all objects back to a snapshot, below the API; the snapshot to use the next time.

        What kube-apiserver itself derives from objects (permissions, webhooks to call, kinds to serve) follows a
        moment later, and there is nothing to ask whether it has; so this waits for that long if need be.
        """
        restored, touched = snapshot.restore(self._running_etcd, wanted)
        if any(key.startswith(SETTINGS) for key in touched):
            time.sleep(SETTLING)
            self.wait_crds_served()
            # What kubectl remembers of the kinds that there are.
            shutil.rmtree(self.folder / ".kube", ignore_errors=True)
        return restored

    def wait_crds_served(self, within: float = 30.0) -> None:
        """Wait until the kinds of all CRDs can be listed. TimeoutError names one that cannot."""
        deadline = time.monotonic() + within
        crds = self.request("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
        for spec in (crd["spec"] for crd in crds):
            version = next(version["name"] for version in spec["versions"] if version["storage"])
            path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
            while not self._answers(path):
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"{path} is not served after {within:.0f} s")
                time.sleep(POLL)

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", timeout: float = 10.0
    ) -> Any:
        """One request as administrator; see `Client.request`."""
        assert self._client is not None, "the API server was not started"
        return self._client.request(method, path, body, content_type=content_type, timeout=timeout)

    def processes(self) -> dict[str, int]:
        """The process id of each of the two that runs."""
        children = (self._running_etcd.child, self._running_server)
        return {child.name: child.pid for child in children if child.running}

    def release(self) -> None:
        """Let both outlive this process. From now on somebody else has to end them."""
        for child in (self._running_etcd.child, self._running_server):
            child.release()

    def resident_bytes(self) -> dict[str, int]:
        """Memory of each process (VmRSS)."""
        return {child.name: child.resident_bytes() for child in (self._running_etcd.child, self._running_server)}

    # Within.

    @property
    def _running_server(self) -> Child:
        assert self._server is not None, "the API server was not started"
        return self._server

    @property
    def _running_etcd(self) -> Etcd:
        assert self._etcd is not None, "the API server was not started"
        return self._etcd

    def _end_children(self) -> None:
        for child in (self._server, None if self._etcd is None else self._etcd.child):
            if child is not None:
                child.kill()

    def _wait_ready(self, within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while not self._ready():
            if not self._running_server.running or time.monotonic() >= deadline:
                code = self._running_server.exit_code()
                why = f"within {within:.0f} s" if code is None else f"and ended with exit code {code}"
                raise ChildFailedError(
                    f"kube-apiserver did not become ready {why} (files are in {self.folder}):\n"
                    f"{self._running_server.last_words()}"
                )
            time.sleep(POLL)

    def _ready(self) -> bool:
        # What the API server makes itself comes a moment after /readyz is content.
        default, system = "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system"
        return all(map(self._answers, ("/readyz", default, system, f"{default}/services/kubernetes")))

    def _answers(self, path: str) -> bool:
        try:
            self.request("GET", path, timeout=2)
        except (OSError, http.client.HTTPException, RequestRefusedError):
            return False
        return True


def _history_mark() -> dict[str, Any]:
    """An object that is written only to have been written."""
    return {
        "metadata": {"generateName": "history-", "namespace": "default"},
        "involvedObject": {"kind": "Namespace", "name": "default", "namespace": "default"},
        "reason": "History",
        "message": "written so that what was before is the past",
        "type": "Normal",
    }
