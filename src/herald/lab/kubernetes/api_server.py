"""A Kubernetes API: etcd and kube-apiserver of a real release, on this machine, for as long as somebody needs them.

RBAC is on, the default admission plug-ins are on, TLS is real, Services are dual-stack. What a cluster has besides is
absent, and that shows:

* no controller-manager: nothing is collected as garbage when its owner goes, nobody writes EndpointSlices or fills the
  status of Deployments, a namespace that is deleted stays "Terminating" (`delete_namespace` finishes it), and the
  service account `default` of a namespace is there only where `create_namespace` made it;
* no scheduler and no kubelet: a pod stays "Pending", a node is what somebody writes into the API;
* no aggregated APIs.

How a watch gets 410 Gone, as measured: compaction alone does not do it, since kube-apiserver answers from its own
watch cache, which reaches further back. That cache begins anew when kube-apiserver starts; every resourceVersion from
before is then "too old". `expire_history` does both.
"""

import http.client
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec

from herald.lab.kubernetes import binaries, kubeconfig
from herald.lab.kubernetes.certificates import Authority, Pair, private_pem
from herald.lab.kubernetes.child import Child, ChildFailedError
from herald.lab.kubernetes.client import Client, RequestRefusedError, in_namespace
from herald.lab.kubernetes.etcd import CLIENTS, Etcd
from herald.lab.kubernetes.kubeconfig import Endpoint
from herald.lab.process import CommandFailedError, Result, inside

LOOPBACK = "127.0.0.1"
SERVICE_RANGES = ("10.96.0.0/16", "fd00:10:96::/112")
SERVICE_ADDRESSES = ("10.96.0.1", "fd00:10:96::1")
"""What the Service `kubernetes` may get."""

NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
ISSUER = "https://kubernetes.default.svc.cluster.local"
PORTS = range(20_000, 32_000)
"""Below the ports that the kernel gives to outgoing connections, so that a port stays free while nobody listens."""

POLL = 0.03
TOKEN_SECONDS = 3600


class ApiServer:
    """etcd and kube-apiserver. `start` before anything else, `stop` in the end, or a `with` block for both.

    `address` is where it listens and `namespace` the network namespace in which that address is; `others` are further
    addresses and names by which clients reach it. `directory` keeps all files after `stop`; without one they are in a
    temporary folder, which goes, except after a failed start. `options` are further flags of kube-apiserver, without
    the dashes.
    """

    def __init__(
        self,
        *,
        address: str = LOOPBACK,
        namespace: str | None = None,
        port: int | None = None,
        others: Sequence[str] = (),
        directory: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.namespace = namespace
        self.port = port or _free_port(address, namespace)
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
            self._write_credentials()
            self._etcd = Etcd(folder)
            argv = [str(programs[0]), *(f"--{name}={value}" for name, value in self._flags().items())]
            self._server = Child("kube-apiserver", argv, folder=folder, namespace=self.namespace)
            self._etcd.child.start()
            self._server.start()
            self._etcd.wait_ready()
            self._wait_ready()
            for namespace in ("default", "kube-system"):
                self.create_service_account(namespace, "default")
        except BaseException:
            self._end_children()
            raise

    def stop(self) -> None:
        """End both and remove the temporary folder. No error when they have ended already, or never started."""
        self._end_children()
        if self._folder is not None and self._kept is None:
            shutil.rmtree(self._folder)
        self._folder = None

    # Faults.

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

    # Use.

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", timeout: float = 10.0
    ) -> Any:
        """One request as administrator; see `Client.request`."""
        assert self._client is not None, "the API server was not started"
        return self._client.request(method, path, body, content_type=content_type, timeout=timeout)

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True, user: Path | None = None) -> str:
        """Run kubectl as administrator, or with the kubeconfig `user`, and give what it prints.

        CommandFailedError when it fails and `check` is set. `kubectl_result` tells more, warnings for instance.
        """
        result = self.kubectl_result(*args, stdin=stdin, user=user)
        if check and not result.ok:
            raise CommandFailedError(result)
        return result.stdout

    def kubectl_result(
        self, *args: str, stdin: str | None = None, user: Path | None = None, within: float = 60.0
    ) -> Result:
        """Run kubectl to its end: exit code, standard output and standard error, on which warnings are."""
        argv = inside(self.namespace, [str(binaries.find("kubectl")), *args])
        environment = os.environ | {"KUBECONFIG": str(user or self.admin_kubeconfig), "HOME": str(self.folder)}
        began = time.monotonic()
        try:
            ended = subprocess.run(
                argv, input=stdin or "", capture_output=True, text=True, env=environment, timeout=within, check=False
            )
        except subprocess.TimeoutExpired:
            return Result(argv, None, "", "", time.monotonic() - began)
        return Result(argv, ended.returncode, ended.stdout, ended.stderr, time.monotonic() - began)

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Make a namespace, with the service account `default` that otherwise a controller makes."""
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": dict(labels or {})}})
        self.create_service_account(name, "default")

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace at once. What is in it must be gone already, or it stays behind unreachable."""
        path = f"/api/v1/namespaces/{name}"
        self.request("DELETE", path)
        self.request("PUT", f"{path}/finalize", {"metadata": {"name": name}, "spec": {"finalizers": []}})

    def create_service_account(self, namespace: str, name: str) -> None:
        """Make a service account; no error when it exists."""
        try:
            self.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
        except RequestRefusedError as error:
            if error.code != http.HTTPStatus.CONFLICT:
                raise

    def token(self, namespace: str, name: str, seconds: int = TOKEN_SECONDS) -> str:
        """A bearer token of a service account, as in a pod, good for `seconds` (600 at least)."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        answer = self.request("POST", path, {"spec": {"expirationSeconds": seconds}})
        return str(answer["status"]["token"])

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a fresh token of a service account."""
        text = kubeconfig.with_token(self.endpoint, self.token(namespace, name), namespace)
        return kubeconfig.write(self.folder / f"{namespace}.{name}.kubeconfig", text)

    def service_account_folder(self, namespace: str, name: str, folder: Path, seconds: int = TOKEN_SECONDS) -> Path:
        """Write what a pod finds at /var/run/secrets/kubernetes.io/serviceaccount; again: rotate the token."""
        token = self.token(namespace, name, seconds)
        return kubeconfig.write_pod_folder(folder, self.endpoint, token, namespace)

    def certificate(self, user: str, groups: Sequence[str] = ()) -> Pair:
        """A client certificate: to RBAC, the user `user` in `groups`."""
        return self._authority.client(user, groups)

    def serving_certificate(self, name: str, names: Sequence[str]) -> Pair:
        """A server's certificate of the cluster's authority."""
        return self._authority.server(name, names)

    def user_kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig of any user, such as system:kube-proxy."""
        text = kubeconfig.with_certificate(self.endpoint, self.certificate(user, groups))
        return kubeconfig.write(self.folder / f"{user.replace(':', '-')}.kubeconfig", text)

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

    def _write_credentials(self) -> None:
        names = (*NAMES, LOOPBACK, self.address, *SERVICE_ADDRESSES, *self._others)
        server = self._authority.server("kube-apiserver", dict.fromkeys(names))
        admin = self._authority.client("admin", ["system:masters"])
        files = {
            "ca.crt": self._authority.certificate,
            "server.crt": server.certificate,
            "server.key": server.key,
            "admin.crt": admin.certificate,
            "admin.key": admin.key,
            "service-account.key": private_pem(ec.generate_private_key(ec.SECP256R1())),
        }
        for name, content in files.items():
            kubeconfig.write(self.folder / name, content.decode())
        kubeconfig.write(self.admin_kubeconfig, kubeconfig.with_certificate(self.endpoint, admin))
        tls = ssl.create_default_context(cadata=self._authority.certificate.decode())
        tls.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        self._client = Client(self.address, self.port, self.namespace, tls)

    def _flags(self) -> dict[str, str]:
        # Endpoints of the Service `kubernetes` may not be loopback addresses, so then there are none.
        reconciler = "none" if self.address in (LOOPBACK, "::1") else "lease"
        return {
            "etcd-servers": CLIENTS,
            "bind-address": self.address,
            "advertise-address": self.address,
            "endpoint-reconciler-type": reconciler,
            "secure-port": str(self.port),
            "tls-cert-file": "server.crt",
            "tls-private-key-file": "server.key",
            "client-ca-file": "ca.crt",
            "authorization-mode": "Node,RBAC",
            "allow-privileged": "true",
            "service-account-issuer": ISSUER,
            "service-account-key-file": "service-account.key",
            "service-account-signing-key-file": "service-account.key",
            "service-cluster-ip-range": ",".join(SERVICE_RANGES),
            "profiling": "false",
            **self._options,
        }

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
        try:
            self.request("GET", "/readyz", timeout=2)
            # They come a moment after /readyz is content.
            self.request("GET", "/api/v1/namespaces/default", timeout=2)
            self.request("GET", "/api/v1/namespaces/kube-system", timeout=2)
        except (OSError, http.client.HTTPException, RequestRefusedError):
            return False
        return True


def _free_port(address: str, namespace: str | None) -> int:
    """A port on which nobody listens. Chosen at random, so that two who choose at once seldom choose the same."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(100):
        port = random.choice(PORTS)  # noqa: S311 - no secret
        with in_namespace(namespace, lambda: socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                refusal = error
            else:
                return port
    raise refusal


def _history_mark() -> dict[str, Any]:
    """An object that is written only to have been written."""
    return {
        "metadata": {"generateName": "history-", "namespace": "default"},
        "involvedObject": {"kind": "Namespace", "name": "default", "namespace": "default"},
        "reason": "History",
        "message": "written so that what was before is the past",
        "type": "Normal",
    }
