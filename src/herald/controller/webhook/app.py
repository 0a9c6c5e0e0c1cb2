"""The HTTP side: the paths that MetalLB's manifests name, bodies within bounds, one answer per question.

    POST /validate-metallb-io-{version}-{kind}    AdmissionReview     `admission`
    POST /validate-metallb-io-deletion            the same, of every kind
    POST /convert                                 ConversionReview    `conversion`

What is no review at all gets a 4xx. A fault of ours is a 500, which the API server treats by the webhook's
failurePolicy.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from herald.controller.webhook import admission_review, conversion
from herald.controller.webhook.admission import REVIEWED, review
from herald.controller.webhook.admission_review import AdmissionRequest, Review, ReviewError
from herald.controller.webhook.configuration import DELETION_PATH
from herald.controller.webhook.conversion import ConversionError
from herald.controller.webhook.fresh import refreshed
from herald.controller.webhook.world import World
from herald.store.kubernetes.client import ApiClient

LARGEST_REVIEW = 8 * 1024 * 1024
"""A request to the API server may have 3 MiB, what it replaces as much as etcd takes, and both come in one review."""
LARGEST_CONVERSION = 32 * 1024 * 1024
"""A list of many peers is converted in one request."""
MOST_OCTETS = 64 * 1024 * 1024
"""Of all bodies that are being read together."""
BODY_TIMEOUT_S = 10.0
SECOND_LOOK_S = 0.3
"""So long a cache may lag behind an object that was applied just before, in the same folder."""
MOST_AT_ONCE = 4
"""Reviews that are worked on at a time; the others wait."""
_MISSING = ("HL001", "HL002", "HL003", "HL004", "HL005", "HL072", "HL077", "HL102")
"""Warnings that another object takes away, which may be there already."""

_log = logging.getLogger("herald.controller.webhook")


class _RefusedError(Exception):
    """A request that is not answered as asked."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def application(world: Callable[[], World], client: ApiClient | None = None) -> Starlette:
    """The ASGI application. Without a `client` the caches alone count."""
    webhooks = _Webhooks(world, client)
    kinds = [Route(path, webhooks.validate, methods=["POST"]) for path in PATHS]
    return Starlette(routes=[*kinds, Route("/convert", webhooks.convert, methods=["POST"])])


PATHS = (
    *(
        f"/validate-metallb-io-{version}-{kind.lower()}"
        for kind in REVIEWED
        for version in (("v1beta1", "v1beta2") if kind == "BGPPeer" else ("v1beta1",))
    ),
    DELETION_PATH,
)
"""The object itself says what it is; the path is how the API server's configuration names the webhook."""


class _Webhooks:
    def __init__(self, world: Callable[[], World], client: ApiClient | None) -> None:
        self._world = world
        self._client = client
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._bodies = _Bodies()

    async def validate(self, request: Request) -> Response:
        """Answer an AdmissionReview."""
        try:
            asked = admission_review.decode(await self._bodies.read(request, LARGEST_REVIEW))
        except _RefusedError as refused:
            return PlainTextResponse(str(refused), refused.status)
        except ReviewError as error:
            return PlainTextResponse(str(error), 400)
        async with self._slots:
            answer = await self._review(asked)
        _tell(asked, answer)
        return Response(admission_review.encode(asked, answer), media_type="application/json")

    async def convert(self, request: Request) -> Response:
        """Answer a ConversionReview."""
        try:
            asked = conversion.decode(await self._bodies.read(request, LARGEST_CONVERSION))
        except _RefusedError as refused:
            return PlainTextResponse(str(refused), refused.status)
        except ConversionError as error:
            return PlainTextResponse(str(error), 400)
        # In a thread, as reviews: all peers of a large cluster may come at once.
        answer = await asyncio.to_thread(conversion.answer, asked)
        return Response(answer, media_type="application/json")

    async def _review(self, asked: AdmissionRequest) -> Review:
        first = await self._look(asked)
        if not any(map(_misses_something, first.warnings)):
            return first
        await asyncio.sleep(SECOND_LOOK_S)
        second = await self._look(asked)
        if self._world().is_complete:
            return second
        # What could not be listed yet is not missing.
        return replace(second, warnings=tuple(each for each in second.warnings if not _misses_something(each)))

    async def _look(self, asked: AdmissionRequest) -> Review:
        world = self._world()
        if self._client is not None:
            world = await refreshed(world, asked, self._client)
        # In a thread: a large cluster takes long, and the lease is renewed meanwhile.
        return await asyncio.to_thread(review, asked, world)


def _misses_something(warning: str) -> bool:
    return any(rule in warning for rule in _MISSING)


class _Bodies:
    """Reads bodies, each within its bound and all together within theirs."""

    def __init__(self) -> None:
        self._octets = 0

    async def read(self, request: Request, largest: int) -> bytes:
        """The body. Raises _RefusedError."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise _RefusedError(415, f"Content-Type {media_type or 'is missing; it'} must be application/json")
        parts = bytearray()
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                await self._gather(request, parts, largest)
        except TimeoutError:
            raise _RefusedError(408, f"the body did not come within {BODY_TIMEOUT_S:.0f} s") from None
        except ClientDisconnect:
            raise _RefusedError(400, "the body ended early") from None
        finally:
            self._octets -= len(parts)
        return bytes(parts)

    async def _gather(self, request: Request, parts: bytearray, largest: int) -> None:
        async for part in request.stream():
            parts += part
            self._octets += len(part)
            if len(parts) > largest:
                raise _RefusedError(413, f"more than {largest} octets are not read")
            if self._octets > MOST_OCTETS:
                raise _RefusedError(503, "too many bodies are being read; try again")


def _tell(asked: AdmissionRequest, answer: Review) -> None:
    fields = {"webhook": asked.kind.kind, "action": asked.operation.lower()}
    name = f"{asked.namespace}/{asked.name}"
    if answer.allowed:
        _log.debug("%s admitted", name, extra={**fields, "warnings": len(answer.warnings)})
    else:
        _log.error("%s refused", name, extra={**fields, "error": answer.message})
