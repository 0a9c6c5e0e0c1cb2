"""Credentials as files: kubeconfigs, and what a pod finds under /var/run/secrets/kubernetes.io/serviceaccount."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from herald.lab.kubernetes.certificates import Pair

NAME = "test"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The API server as a client has to know it: its URL, and the PEM of the authority that vouches for it."""

    url: str
    authority: bytes


def with_certificate(endpoint: Endpoint, pair: Pair) -> str:
    """A kubeconfig that authenticates with a client certificate."""
    return _render(
        endpoint,
        {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)},
        namespace="default",
    )


def with_token(endpoint: Endpoint, token: str, namespace: str) -> str:
    """A kubeconfig that authenticates with a bearer token; `namespace` is the one when a command names none."""
    return _render(endpoint, {"token": token}, namespace)


def write(path: Path, text: str) -> Path:
    """Write a file that only its owner can read, since it holds a secret. Replaced as a whole, for who watches it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    return temporary.replace(path)


def write_pod_folder(folder: Path, endpoint: Endpoint, token: str, namespace: str) -> Path:
    """`token`, `ca.crt` and `namespace`, as in every pod. Written again, the token is replaced in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "ca.crt", endpoint.authority.decode())
    write(folder / "namespace", namespace)
    write(folder / "token", token)
    return folder


def write_secret_folder(folder: Path, data: Mapping[str, str]) -> Path:
    """A Secret as its pod has it mounted; `data` as the API gives it, in base64."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in data.items():
        write(folder / name, base64.b64decode(content).decode())
    return folder


def _render(endpoint: Endpoint, user: dict[str, str], namespace: str) -> str:
    cluster = {"server": endpoint.url, "certificate-authority-data": _base64(endpoint.authority)}
    context = {"cluster": NAME, "user": NAME, "namespace": namespace}
    # JSON is YAML.
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": context}],
        "current-context": NAME,
    }
    return json.dumps(document, indent=2)


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
