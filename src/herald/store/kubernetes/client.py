"""Single requests to the API server, and streams. Errors of the HTTP library stop here.

StoreError
├── CredentialsError      who we are, or where the server is, cannot be found out
├── UnreachableError      no answer: refused, cut off, too slow
├── WithheldError         not sent: only a leader may write this (see `fence`)
└── ApiError              the server answered, and it is no
"""

import asyncio
import copy
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import msgspec

from herald.store.kubernetes import kubeconfig as kubeconfigs
from herald.store.kubernetes.credentials import CredentialsError
from herald.store.kubernetes.fence import Fence
from herald.store.kubernetes.kubeconfig import Access
from herald.store.store import StoreError

REQUEST_TIMEOUT_S = 30.0
"""For a request as a whole, its repetitions included."""
SILENCE_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
MOST_REPETITIONS = 2
LONGEST_PAUSE_S = 5.0
_MOST_CONNECTIONS = 100

# It tells of every request; what operators would want to know of is told by those who make them.
logging.getLogger("httpx2").setLevel(logging.WARNING)

Params: TypeAlias = Mapping[str, str | int | bool]


class ApiError(StoreError):
    """The API server answered with an error. `reason` is its word, e.g. `Conflict`, `NotFound`, `Expired`."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{message} ({status} {reason})")
        self.status = status
        self.reason = reason
        self.message = message


class UnreachableError(StoreError):
    """The API server did not answer. Whether it has done what was asked is not known."""


class PatchKind(Enum):
    """How a patch is meant; the value is its media type."""

    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    JSON = "application/json-patch+json"
    APPLY = "application/apply-patch+yaml"


class Status(msgspec.Struct, frozen=True):
    """`v1.Status`, what an API server says instead of an object."""

    code: int = 0
    reason: str = ""
    message: str = ""


class ApiClient:
    """One API server, with one identity. `field_manager` is sent with every write."""

    def __init__(self, access: Access, field_manager: str = "herald") -> None:
        self.namespace = access.namespace
        """The namespace of the kubeconfig's context, or the one that the pod is in."""
        self._field_manager = field_manager
        limits = httpx2.Limits(max_connections=_MOST_CONNECTIONS, keepalive_expiry=30.0)
        timeout = httpx2.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self._http = access.open(timeout, limits)
        self._fence: Fence | None = None

    @classmethod
    def connect(
        cls, kubeconfig: Path | None = None, context: str | None = None, *, field_manager: str = "herald"
    ) -> "ApiClient":
        """In the pod's cluster, else by `kubeconfig`, `$KUBECONFIG` or `~/.kube/config`. Nothing is sent yet.

        Raises CredentialsError.
        """
        return cls(kubeconfigs.find(kubeconfig, context), field_manager)

    def __repr__(self) -> str:
        return f"ApiClient({self.url})"

    @property
    def url(self) -> str:
        """Where the API server is."""
        return str(self._http.base_url)

    def behind(self, fence: Fence) -> "ApiClient":
        """The same server, identity and connections; what is written by it is written by leave of `fence`."""
        fenced = copy.copy(self)
        fenced._fence = fence
        return fenced

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def get(self, path: str, params: Params | None = None) -> bytes:
        """GET. Raises ApiError, UnreachableError, CredentialsError, as all of these do."""
        return await self._request("GET", path, params)

    async def create(self, path: str, body: Any, params: Params | None = None) -> bytes:
        """POST `body` to the path of the kind."""
        return await self._request("POST", path, self._writing(params), body)

    async def replace(self, path: str, body: Any, params: Params | None = None) -> bytes:
        """PUT `body` to the path of the object."""
        return await self._request("PUT", path, self._writing(params), body)

    async def patch(
        self, path: str, body: Any, *, kind: PatchKind = PatchKind.MERGE, params: Params | None = None
    ) -> bytes:
        """PATCH. APPLY takes over fields of other managers only with `force` in `params`."""
        return await self._request("PATCH", path, self._writing(params), body, kind.value)

    async def delete(self, path: str, body: Any = None) -> None:
        """DELETE. An object that is not there is no error."""
        try:
            await self._request("DELETE", path, None, body)
        except ApiError as error:
            if error.status != httpx2.codes.NOT_FOUND:
                raise

    async def delete_all(self, path: str, selectors: Params) -> bytes:
        """DELETE all objects of a collection that `selectors` select; gives a list of them, as they were."""
        return await self._request("DELETE", path, selectors)

    @asynccontextmanager
    async def stream(
        self, path: str, params: Params | None = None, *, silence_s: float = SILENCE_TIMEOUT_S
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """GET whose answer has no end: its bytes as they come, cut anywhere.

        Entered once the answer has begun. `silence_s`: how long nothing may come before UnreachableError is raised.
        """
        timeout = httpx2.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        # Compressed, an event would wait in the server's compressor for the next one.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        request = self._http.build_request("GET", path, params=_plain(params), headers=headers, timeout=timeout)
        response = await self._send(request, stream=True)
        try:
            # The transport reads this mapping again when the body begins: only the head had to come soon.
            response.request.extensions["timeout"]["read"] = silence_s
            if response.is_error:
                raise _error_of(response.status_code, await _body(response))
            yield _chunks(response, silence_s)
        finally:
            await response.aclose()

    def _writing(self, params: Params | None) -> Params:
        return {"fieldManager": self._field_manager, **(params or {})}

    async def _request(
        self, method: str, path: str, params: Params | None, body: Any = None, media_type: str = "application/json"
    ) -> bytes:
        content = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        request = self._carry_out(method, path, params, content, media_type)
        return await (request if self._fence is None else self._fence.see_through(method, request))

    async def _carry_out(
        self, method: str, path: str, params: Params | None, content: bytes | None, media_type: str
    ) -> bytes:
        headers = {"Accept": "application/json", **({"Content-Type": media_type} if content is not None else {})}
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                for attempt in range(MOST_REPETITIONS + 1):
                    if self._fence is not None:
                        self._fence.check(method, path)
                    request = self._http.build_request(
                        method, path, params=_plain(params), headers=headers, content=content
                    )
                    response = await self._send(request)
                    pause_s = _pause_s(response)
                    if pause_s is None or attempt == MOST_REPETITIONS:
                        break
                    await asyncio.sleep(pause_s)
        except TimeoutError:
            raise UnreachableError(f"{method} {path}: no answer within {REQUEST_TIMEOUT_S:.0f} s") from None
        if response.is_error:
            raise _error_of(response.status_code, response.content)
        return response.content

    async def _send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response:
        try:
            return await self._http.send(request, stream=stream)
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise _unreachable(request, error) from error


async def _chunks(response: httpx2.Response, silence_s: float) -> AsyncIterator[bytes]:
    try:
        async for part in response.aiter_raw():
            yield part
    except httpx2.ReadTimeout:
        raise UnreachableError(f"{response.request.url.path}: silent for {silence_s:.0f} s") from None
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise _unreachable(response.request, error) from error


async def _body(response: httpx2.Response) -> bytes:
    try:
        return await response.aread()
    except (httpx2.HTTPError, httpx2.StreamError):
        return b""  # The status code says enough.


def _unreachable(request: httpx2.Request, error: Exception) -> UnreachableError:
    said = str(error) or type(error).__name__
    where = f"{request.url.scheme}://{request.url.netloc.decode()}"
    return UnreachableError(f"{request.method} {request.url.path}: {where} does not answer: {said}")


def _error_of(status: int, content: bytes) -> ApiError:
    try:
        said = msgspec.json.decode(content, type=Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = Status()
    phrase = httpx2.codes.get_reason_phrase(status)
    if status == httpx2.codes.UNAUTHORIZED:  # of this the server says no more than one word
        return ApiError(status, said.reason or phrase, "the API server does not accept our token or certificate (401)")
    return ApiError(status, said.reason or phrase.replace(" ", ""), said.message or phrase or "unknown error")


def _pause_s(response: httpx2.Response) -> float | None:
    """How long the server asks to wait before the request is repeated; None if it does not."""
    if response.status_code not in (httpx2.codes.TOO_MANY_REQUESTS, httpx2.codes.SERVICE_UNAVAILABLE):
        return None
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_PAUSE_S) if asked.isdecimal() else None


def _plain(params: Params | None) -> dict[str, str] | None:
    if params is None:
        return None
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in params.items()}


__all__ = [
    "ApiClient",
    "ApiError",
    "CredentialsError",
    "Params",
    "PatchKind",
    "Status",
    "StoreError",
    "UnreachableError",
]
