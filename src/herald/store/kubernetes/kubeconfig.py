"""Where the API server is, and with which credentials: in the cluster, or by kubeconfig files.

Order: a file that was named, the pod's service account, `$KUBECONFIG` (several paths are merged: the first that defines
a name counts), `~/.kube/config`. lightkube understands the result; credentials that change are ours (`credentials.py`).
"""

import os
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import yaml
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from herald.store.kubernetes.credentials import EXEC_VERSIONS, CredentialsError, ExecCredentials, ExecPlugin, TokenFile

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_KUBECONFIG = Path("~/.kube/config")
_NOTICE_DEAD_PEERS = (
    # A machine that is gone sends nothing, and a watch sends nothing to it: only this notices within half a minute.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
_FILES = {
    "clusters": ("cluster", ("certificate-authority",)),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
    "contexts": ("context", ()),
}


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server. `exec_plugin` is set if a program hands out the credentials."""

    config: SingleConfig
    exec_plugin: ExecPlugin | None = None
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Access({self.config.cluster.server}, context {self.config.context_name})"

    @property
    def namespace(self) -> str:
        """The namespace of the context or of the pod."""
        return self.config.namespace

    def open(self, timeout: httpx2.Timeout, limits: httpx2.Limits) -> httpx2.AsyncClient:
        """A client for it. Raises CredentialsError."""
        try:
            params = ConnectionParams(timeout=timeout, proxy=self.proxy).httpx_params(self.config)
        except (ConfigError, OSError, ValueError, AssertionError) as error:
            # OSError: a certificate file, or what is in it (ssl.SSLError is one).
            raise CredentialsError(f"context {self.config.context_name}: {error}") from error
        tls = params["verify"]
        params["auth"] = self._auth(tls) or params["auth"]
        params["transport"] = httpx2.AsyncHTTPTransport(
            verify=tls, limits=limits, proxy=self.proxy, socket_options=_NOTICE_DEAD_PEERS
        )
        return httpx2.AsyncClient(**params)

    def _auth(self, tls: ssl.SSLContext) -> httpx2.Auth | None:
        user = self.config.user
        if user is not None and user.token_file:
            return TokenFile(Path(self.config.abs_file(user.token_file)))
        return ExecCredentials(self.exec_plugin, tls) if self.exec_plugin else None


def find(
    kubeconfig: Path | None,
    context: str | None,
    *,
    environment: Mapping[str, str] | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Access:
    """How to reach the API server. Raises CredentialsError."""
    environment = os.environ if environment is None else environment
    if kubeconfig is not None:
        return from_files((kubeconfig,), context)
    if context is None and "KUBERNETES_SERVICE_HOST" in environment and (service_account / "token").exists():
        return in_cluster(environment, service_account)
    named = tuple(Path(path) for path in environment.get("KUBECONFIG", "").split(os.pathsep) if path)
    return from_files(named or (DEFAULT_KUBECONFIG,), context)


def in_cluster(environment: Mapping[str, str], service_account: Path) -> Access:
    """The pod's own service account. Raises CredentialsError."""
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        namespace = (service_account / "namespace").read_text().strip()
    except OSError as error:
        raise CredentialsError(f"{service_account / 'namespace'} cannot be read: {error.strerror}") from error
    cluster = {
        "server": f"https://{f'[{host}]' if ':' in host else host}:{port}",
        "certificate-authority": str(service_account / "ca.crt"),
    }
    raw = {
        "current-context": "in-cluster",
        "clusters": [{"name": "in-cluster", "cluster": cluster}],
        "users": [{"name": "in-cluster", "user": {"tokenFile": str(service_account / "token")}}],
        "contexts": [
            {"name": "in-cluster", "context": {"cluster": "in-cluster", "user": "in-cluster", "namespace": namespace}}
        ],
    }
    return _chosen(raw, None, "the pod's service account")


def from_files(paths: Iterable[Path], context: str | None) -> Access:
    """Kubeconfig files, merged as kubectl does. Of several, those that are not there are passed over.

    Raises CredentialsError.
    """
    files = [path.expanduser() for path in paths]
    present = [path for path in files if path.is_file()]
    if not present:
        raise CredentialsError(
            f"no kubeconfig: {', '.join(map(str, files))} is not there, and this is not a pod with a service account; "
            "name one with --kubeconfig or $KUBECONFIG"
        )
    merged: dict[str, Any] = {"current-context": None, **{section: [] for section in _FILES}}
    for path in present:
        _merge(merged, _read(path), path)
    return _chosen(merged, context, ", ".join(map(str, present)))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"kubeconfig {path} cannot be read: {error}") from error
    except yaml.YAMLError:
        # The error quotes the line, and a token may be in it.
        raise CredentialsError(f"kubeconfig {path} is not YAML") from None
    if not isinstance(content, dict):
        raise CredentialsError(f"kubeconfig {path} is not a kubeconfig")
    return content


def _merge(merged: dict[str, Any], raw: Mapping[str, Any], path: Path) -> None:
    merged["current-context"] = merged["current-context"] or raw.get("current-context")
    for section, (field, file_fields) in _FILES.items():
        known = {entry["name"] for entry in merged[section]}
        for entry in raw.get(section) or ():
            if not (isinstance(entry, dict) and isinstance(entry.get("name"), str)):
                raise CredentialsError(f"kubeconfig {path}: {section} has an entry without a name")
            if entry["name"] not in known:
                body = dict(entry.get(field) or {})
                body.update({name: str(path.parent / body[name]) for name in file_fields if body.get(name)})
                merged[section].append({"name": entry["name"], field: body})


def _chosen(raw: Mapping[str, Any], context: str | None, source: str) -> Access:
    try:
        config = KubeConfig.from_dict(dict(raw)).get(context)
    except (ConfigError, KeyError) as error:
        raise CredentialsError(f"{source}: {_reason(error)}") from None
    except msgspec.ValidationError as error:
        raise CredentialsError(f"{source}: {error}") from None
    assert config is not None, "get() without a default raises instead"
    names = (config.context.cluster, config.context.user)
    cluster = _named(raw["clusters"], names[0], "cluster")
    user = _named(raw["users"], names[1], "user")
    return Access(config, _plugin(user.get("exec"), cluster, source), cluster.get("proxy-url"))


def _reason(error: ConfigError | KeyError) -> str:
    return f"there is no cluster or user {error}" if isinstance(error, KeyError) else str(error)


def _named(entries: Iterable[Mapping[str, Any]], name: str | None, field: str) -> Mapping[str, Any]:
    return next((entry[field] for entry in entries if entry["name"] == name), {})


class _Variable(msgspec.Struct, frozen=True):
    name: str
    value: str


class _Exec(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    command: str
    args: tuple[str, ...] | None = None
    env: tuple[_Variable, ...] | None = None
    install_hint: str | None = None
    provide_cluster_info: bool = False


def _plugin(raw: object, cluster: Mapping[str, Any], source: str) -> ExecPlugin | None:
    if raw is None:
        return None
    try:
        read = msgspec.convert(raw, _Exec)
    except msgspec.ValidationError as error:
        raise CredentialsError(f"{source}: users[].user.exec: {error}") from None
    if read.api_version not in EXEC_VERSIONS:
        raise CredentialsError(
            f"{source}: exec plugin {read.command}: apiVersion {read.api_version} is not known; "
            f"use {' or '.join(EXEC_VERSIONS)}"
        )
    return ExecPlugin(
        api_version=read.api_version,
        command=read.command,
        args=read.args or (),
        env=tuple((variable.name, variable.value) for variable in read.env or ()),
        install_hint=read.install_hint or "",
        cluster=cluster if read.provide_cluster_info else None,
    )
