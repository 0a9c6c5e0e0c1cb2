"""A Kubernetes API: etcd and kube-apiserver of a real release, on this machine, for as long as somebody needs them.

RBAC is on, the default admission plug-ins are on, TLS is real, Services are dual-stack. What a cluster has besides is
absent, and that shows:

* no controller-manager: nothing is collected as garbage when its owner goes, nobody writes EndpointSlices or fills the
  status of Deployments, a namespace that is deleted stays "Terminating" (`delete_namespace` finishes it), and the
  service account `default` of a namespace is there only where `create_namespace` made it;
* no scheduler and no kubelet: a pod stays "Pending", a node is what somebody writes into the API;
* no aggregated APIs.
"""

import http.client
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from herald.lab.kubernetes import bulk, kubeconfig, snapshot, tool
from herald.lab.kubernetes.api_processes import ApiProcesses
from herald.lab.kubernetes.certificates import Pair
from herald.lab.kubernetes.client import RequestRefusedError
from herald.lab.process import CommandFailedError, Result

TOKEN_SECONDS = 3600


class ApiServer(ApiProcesses):
    """An API server as a cluster has it, with whoever may use it; see `ApiProcesses` for what it is started with."""

    def start(self) -> None:
        """Start both and wait until the API is ready: system namespaces and RBAC's own roles are there.

        As `ApiProcesses.start`; besides, the service accounts that are always there are made.
        """
        super().start()
        try:
            for namespace in ("default", "kube-system"):
                self.create_service_account(namespace, "default")
        except BaseException:
            self._end_children()
            raise

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
        return self._run("kubectl", args, stdin, user, within)

    def helm(self, *args: str, stdin: str | None = None, user: Path | None = None, within: float = 60.0) -> Result:
        """Run helm to its end, as administrator or with the kubeconfig `user`."""
        return self._run("helm", args, stdin, user, within)

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

    def seed(self, folder: str, documents: Iterable[dict[str, Any]]) -> None:
        """Put many objects into etcd at once, past the API: 10,000 of them in seconds instead of minutes.

        `folder` is where etcd has objects of the kind: "services/specs", "endpointslices", "metallb.io/bgppeers". The
        documents are complete (apiVersion, kind, name, namespace, whatever the API would have filled in), since nobody
        checks or defaults them. Hundreds of them have the same resourceVersion, which the API would never do: a watch
        that breaks off amid them goes on behind all of them. `seed_each` is for those who watch.
        """
        values = (bulk.entry(folder, document) for document in documents)
        snapshot.write(self._running_etcd, dict(values))

    def seed_each(self, folder: str, documents: Iterable[dict[str, Any]]) -> None:
        """The same, one by one, each with a resourceVersion of its own: some 1,000 in a second."""
        self._running_etcd.put_each(bulk.entry(folder, document) for document in documents)

    def _run(self, program: str, args: Sequence[str], stdin: str | None, user: Path | None, within: float) -> Result:
        kubeconfig = user or self.admin_kubeconfig
        home, namespace = self.folder, self.namespace
        return tool.run(
            program, args, kubeconfig=kubeconfig, home=home, namespace=namespace, stdin=stdin, within=within
        )
