"""One etcd, alone, on a Unix socket: it takes no port, and an API server in any network namespace reaches it.

Socket addresses are relative to the folder in which etcd and kube-apiserver both run (a path may have only 107 octets).
etcd wants a port in every address, so there is one in the name of the socket.
"""

import http.client
import socket
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from herald.lab.kubernetes import binaries
from herald.lab.kubernetes.child import Child, ChildFailedError
from herald.lab.kubernetes.client import RequestRefusedError, exchange, over

CLIENTS = "unix://etcd:1"
PEERS = "unix://etcd-peer:1"
POLL = 0.02


class Etcd:
    """etcd with its data in `folder`. Data survives the process; the machine may not crash (no fsync)."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / CLIENTS.removeprefix("unix://")
        options = {
            "name": "etcd-0",
            "data-dir": "etcd",
            "listen-client-urls": CLIENTS,
            "advertise-client-urls": CLIENTS,
            "listen-peer-urls": PEERS,
            "initial-advertise-peer-urls": PEERS,
            "initial-cluster": f"etcd-0={PEERS}",
            "unsafe-no-fsync": "true",
            "max-txn-ops": "1000",
            "log-level": "warn",
        }
        argv = [str(binaries.find("etcd")), *(f"--{name}={value}" for name, value in options.items())]
        self.child = Child("etcd", argv, folder=folder)

    def wait_ready(self, within: float = 20.0) -> None:
        """Wait until etcd serves requests. ChildFailedError when it ended or the time is up."""
        deadline = time.monotonic() + within
        while not self._healthy():
            if not self.child.running or time.monotonic() >= deadline:
                raise ChildFailedError(f"etcd did not become ready:\n{self.child.last_words()}")
            time.sleep(POLL)

    def revision(self) -> int:
        """The revision of the latest write; to Kubernetes, the highest resourceVersion."""
        return int(self.ask("/v3/kv/range", {"key": "AA=="})["header"]["revision"])

    def compact(self, revision: int) -> None:
        """Forget all history before `revision`, on disk as well."""
        self.ask("/v3/kv/compaction", {"revision": revision, "physical": True})

    def _healthy(self) -> bool:
        try:
            return '"health":"true"' in self.ask("/health")
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """A request to etcd's JSON gateway; octets in it are in base64. OSError when etcd refuses it.

        /health is not of the gateway, and gives its JSON as text.
        """
        with self._connection() as connection:
            return exchange(connection, "GET" if body is None else "POST", path, body)

    def put_each(self, values: Iterable[tuple[bytes, bytes]]) -> None:
        """Write values one after the other, each with a revision of its own. OSError when etcd refuses one."""
        with self._connection() as connection:
            for key, value in values:
                written = {"key": b64encode(key).decode(), "value": b64encode(value).decode()}
                exchange(connection, "POST", "/v3/kv/put", written)

    @contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(10)
            made.connect(str(self._socket))
            try:
                yield over(made)
            except RequestRefusedError as error:
                raise OSError(f"etcd: {error}") from error
