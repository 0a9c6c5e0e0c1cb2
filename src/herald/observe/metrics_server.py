"""/metrics over HTTPS, for callers whom the API server lets read it.

no or unknown bearer token     401
known, and not allowed         403
nobody there to ask            503
"""

import logging
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Final, TypeAlias

from herald.observe.exposition import Format, wanted_format
from herald.observe.http import Context, Request, Response, Server, listen, serve

DEFAULT_PORT: Final = 9120
PATH: Final = "/metrics"
LONGEST_TOKEN: Final = 8 * 1024

_log: Final = logging.getLogger("herald.observe.metrics")


class Verdict(Enum):
    """What is known of a caller."""

    ALLOWED = auto()
    UNKNOWN = auto()
    FORBIDDEN = auto()


class CannotReviewError(Exception):
    """It cannot be found out now who the caller is; the text says why."""


Authorise: TypeAlias = Callable[[str], Awaitable[Verdict]]
"""Judges a bearer token. May raise `CannotReviewError`."""
Render: TypeAlias = Callable[[Format], Awaitable[bytes]]


async def serve_metrics(
    port: int, render: Render, *, context: Context | None, authorise: Authorise | None, host: str = ""
) -> Server:
    """Serve the page on every address, or on `host`. `authorise` None: whoever connects may read it.

    `context` None is plain HTTP, for a loopback address only. Raises OSError if the port is taken.
    """

    async def answer(request: Request) -> Response:
        if request.path != PATH:
            return Response.text(HTTPStatus.NOT_FOUND, f"there is {PATH}")
        refusal = None if authorise is None else await _refusal(request, authorise)
        if refusal is not None:
            return refusal
        form = wanted_format(request.headers.get("accept", ""))
        return Response(HTTPStatus.OK, await render(form), form.value)

    return serve(listen(host, port), answer, context)


async def _refusal(request: Request, authorise: Authorise) -> Response | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not 0 < len(token) <= LONGEST_TOKEN:
        return _unauthorized("a bearer token is needed")
    try:
        verdict = await authorise(token)
    except CannotReviewError as error:
        _log.warning("a scrape was refused: %s", error, extra={"event": "metricsReview", "error": str(error)})
        return Response.text(HTTPStatus.SERVICE_UNAVAILABLE, "the API server cannot be asked who you are; try again")
    match verdict:
        case Verdict.ALLOWED:
            return None
        case Verdict.UNKNOWN:
            return _unauthorized("the API server does not know this token")
        case Verdict.FORBIDDEN:
            words = f"get on the non-resource URL {PATH} is not allowed to you; a ClusterRole must grant it"
            return Response.text(HTTPStatus.FORBIDDEN, words)


def _unauthorized(words: str) -> Response:
    return Response.text(HTTPStatus.UNAUTHORIZED, words, (("www-authenticate", 'Bearer realm="metrics"'),))
