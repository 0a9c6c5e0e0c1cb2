"""Who we are to the API server: tokens that rotate, and credentials that a program hands out.

A service account's token is a file that the kubelet replaces about hourly; it is read again each minute and after a
401. An exec plugin (`client.authentication.k8s.io/v1`, `v1beta1`) is run when there is nothing yet, when what it gave
has expired, and after a 401. Each request is tried at most twice. No secret is in a repr or in a message.
"""

import asyncio
import os
import ssl
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, time
from typing import Any

import httpx2
import msgspec

from herald.store.store import StoreError

TOKEN_LIFE_S = 60.0
EXEC_TIMEOUT_S = 60.0
EXEC_LEEWAY_S = 10.0
EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_LONGEST_COMPLAINT = 200


class CredentialsError(StoreError):
    """Where the API server is, or who we are to it, cannot be found out. The message says what to do."""


class TokenFile(httpx2.Auth):
    """The bearer token in a file that is replaced from time to time. `clock` gives monotonic seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = monotonic) -> None:
        self._path = path
        self._clock = clock
        self._token = ""
        self._read_at = 0.0

    def __repr__(self) -> str:
        return f"TokenFile({self._path})"

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        used = self._current()
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            request.headers["Authorization"] = f"Bearer {self._read()}"
            yield request

    def _current(self) -> str:
        if self._token and self._clock() < self._read_at + TOKEN_LIFE_S:
            return self._token
        return self._read()

    def _read(self) -> str:
        """The token as the file has it; the last one while the file cannot be read. Raises CredentialsError."""
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            if not self._token:
                raise CredentialsError(f"token file {self._path} cannot be read: {_plain(error)}") from None
            token = ""
        self._token, self._read_at = token or self._token, self._clock()
        if not self._token:
            raise CredentialsError(f"token file {self._path} is empty")
        return self._token


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """The `exec` of a kubeconfig's user. `cluster` is what the plugin is told of the cluster, if it wants to know."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    install_hint: str = ""
    cluster: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        return f"ExecPlugin({self.command})"

    @property
    def info(self) -> str:
        """What `KUBERNETES_EXEC_INFO` says to the plugin."""
        spec: dict[str, Any] = {"interactive": False}
        if self.cluster is not None:
            spec["cluster"] = self.cluster
        return msgspec.json.encode({"apiVersion": self.api_version, "kind": "ExecCredential", "spec": spec}).decode()


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _ExecCredential(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    status: _Status | None = None


class ExecCredentials(httpx2.Auth):
    """What an exec plugin hands out: a token, or a client certificate that is put into `tls`. `clock`: Unix time."""

    def __init__(self, plugin: ExecPlugin, tls: ssl.SSLContext, clock: Callable[[], float] = time) -> None:
        self._plugin = plugin
        self._tls = tls
        self._clock = clock
        self._status: _Status | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"ExecCredentials({self._plugin.command})"

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        used = await self._fresh(None)
        response = yield _identified(request, used)
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            yield _identified(request, await self._fresh(used))

    async def _fresh(self, refused: _Status | None) -> _Status:
        """Credentials that have not expired, and are not those that were `refused`."""
        async with self._lock:
            if self._status is None or self._status is refused or self._has_expired(self._status):
                self._status = await run_plugin(self._plugin)
                if self._status.client_certificate_data:
                    _load_certificate(self._tls, self._status, self._plugin.command)
            return self._status

    def _has_expired(self, status: _Status) -> bool:
        until = status.expiration_timestamp
        return until is not None and self._clock() >= until.timestamp() - EXEC_LEEWAY_S


def _identified(request: httpx2.Request, status: _Status) -> httpx2.Request:
    if status.token:
        request.headers["Authorization"] = f"Bearer {status.token}"
    if status.client_certificate_data:
        # A connection keeps the certificate it was opened with; one request on each lets a new one come into use.
        request.headers["Connection"] = "close"
    return request


async def run_plugin(plugin: ExecPlugin) -> _Status:
    """Run the program. Raises CredentialsError, without a word of its output."""
    environment = {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": plugin.info}
    output = await _output_of((plugin.command, *plugin.args), environment, plugin.install_hint)
    try:
        answer = msgspec.json.decode(output, type=_ExecCredential)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise CredentialsError(f"exec plugin {plugin.command} did not print an ExecCredential") from None
    if answer.kind != "ExecCredential" or answer.api_version != plugin.api_version:
        raise CredentialsError(f"exec plugin {plugin.command} printed no ExecCredential of {plugin.api_version}")
    status = answer.status
    if status is None or not (status.token or (status.client_certificate_data and status.client_key_data)):
        raise CredentialsError(f"exec plugin {plugin.command} gave neither a token nor a certificate with its key")
    return status


async def _output_of(command: Sequence[str], environment: Mapping[str, str], hint: str) -> bytes:
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
    except OSError as error:
        raise CredentialsError(f"exec plugin {command[0]} cannot be run: {_plain(error)}. {hint}".rstrip()) from error
    try:
        async with asyncio.timeout(EXEC_TIMEOUT_S):
            output, complaint = await process.communicate()
    except TimeoutError:
        raise CredentialsError(f"exec plugin {command[0]} did not end within {EXEC_TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = complaint.decode(errors="replace").strip().rpartition("\n")[2][:_LONGEST_COMPLAINT]
        raise CredentialsError(f"exec plugin {command[0]} ended with {process.returncode}: {said}")
    return output


def _load_certificate(tls: ssl.SSLContext, status: _Status, command: str) -> None:
    with private_file(f"{status.client_certificate_data}\n{status.client_key_data}\n".encode()) as name:
        try:
            tls.load_cert_chain(name)
        except (ssl.SSLError, ValueError):
            raise CredentialsError(f"exec plugin {command} gave a certificate and key that do not fit") from None


def private_file(content: bytes) -> AbstractContextManager[str]:
    """A file that only we can read, for as long as it is needed: OpenSSL takes certificates from files alone."""
    return _PrivateFile(content)


class _PrivateFile(AbstractContextManager[str]):
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._file = tempfile.NamedTemporaryFile()  # noqa: SIM115 (closed in __exit__)

    def __enter__(self) -> str:
        self._file.write(self._content)
        self._file.flush()
        return self._file.name

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _plain(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
