"""Requests to the API server with the cluster administrator's certificate.

A test cluster's API server may stand in a network namespace. Its requests go there through a socket that a thread made
inside the namespace: a socket stays in the namespace in which it was made, whoever uses it afterwards.
"""

import ctypes
import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

CLONE_NEWNET = 0x40000000
NAMED = Path("/run/netns")
T = TypeVar("T")

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class RequestRefusedError(Exception):
    """The API server answered with a status of 400 or above."""

    def __init__(self, request: str, code: int, answer: str) -> None:
        super().__init__(f"{request}: {code}: {answer}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Client:
    """Where the API server is, and who asks."""

    address: str
    port: int
    namespace: str | None
    tls: ssl.SSLContext

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", timeout: float = 10.0
    ) -> Any:
        """The answer to one request, decoded from JSON where it is JSON, else as text.

        RequestRefusedError for a status of 400 or above; OSError, http.client.HTTPException when there is no answer.
        """
        with self.connection(timeout) as connection:
            return exchange(connection, method, path, body, content_type)

    @contextmanager
    def connection(self, timeout: float = 10.0) -> Iterator[http.client.HTTPConnection]:
        """A connection for many requests by `exchange`, one after the other."""
        with (
            connect(self.address, self.port, self.namespace, timeout) as plain,
            self.tls.wrap_socket(plain, server_hostname=self.address) as secure,
        ):
            yield over(secure)


def over(connected: socket.socket) -> http.client.HTTPConnection:
    """HTTP over a socket that is connected already."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = connected
    return connection


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    content_type: str = "application/json",
) -> Any:
    """One request and its answer; see `Client.request`."""
    headers = {"Content-Type": content_type} if body is not None else {}
    connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status >= 400:
        raise RequestRefusedError(f"{method} {path}", answer.status, _message(text))
    is_json = "json" in answer.headers.get("Content-Type", "")
    return json.loads(text) if is_json else text


def connect(address: str, port: int, namespace: str | None, timeout: float) -> socket.socket:
    """A TCP connection made from inside `namespace`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = in_namespace(namespace, lambda: socket.socket(family, socket.SOCK_STREAM))
    made.settimeout(timeout)
    try:
        made.connect((address, port))
    except BaseException:
        made.close()
        raise
    return made


def in_namespace(namespace: str | None, make: Callable[[], T]) -> T:
    """What `make` gives when called inside a network namespace: in a thread of its own that ends with the call."""
    if namespace is None:
        return make()

    def enter() -> T:
        descriptor = os.open(NAMED / namespace, os.O_RDONLY)
        try:
            # os.setns exists from Python 3.12 on.
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
        finally:
            os.close(descriptor)
        return make()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(enter).result()


def _message(text: str) -> str:
    """What a metav1.Status says, or the text itself."""
    try:
        status = json.loads(text)
    except ValueError:
        return text.strip()
    return str(status.get("message", text)) if isinstance(status, dict) else text
