"""/healthz and /readyz, plain HTTP: whether the process runs, and whether it does what it is for, or why not."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, TypeAlias

from herald.observe.http import Request, Response, Server, listen, serve

DEFAULT_PORT: Final = 17472

Check: TypeAlias = Callable[[], str | None]
"""None if all is well, otherwise what is not, in a few words."""


async def serve_health(host: str, port: int, checks: Mapping[str, Check]) -> Server:
    """Serve both paths; `host` empty for every address. /readyz is 200 if every check is good, otherwise 503.

    /healthz asks nothing but whether the loop runs: a process that waits for others must not be killed for it.
    Raises OSError if the port is taken.
    """

    async def answer(request: Request) -> Response:
        match request.path.rstrip("/"):
            case "/healthz":
                return Response.text(HTTPStatus.OK, "ok")
            case "/readyz":
                return readiness(checks)
            case _:
                return Response.text(HTTPStatus.NOT_FOUND, "there are /healthz and /readyz")

    return serve(listen(host, port), answer)


def readiness(checks: Mapping[str, Check]) -> Response:
    """One line for each check, and the outcome."""
    found = {name: check() for name, check in checks.items()}
    lines = [f"[+]{name} ok" if why is None else f"[-]{name} failed: {why}" for name, why in found.items()]
    is_ready = all(why is None for why in found.values())
    lines.append("readyz check passed" if is_ready else "readyz check failed")
    return Response.text(HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE, "\n".join(lines))
