"""Listens on 9443 with TLS, and runs everything that the webhooks need.

The listener opens with the first certificate; later ones are for later handshakes, so that no connection is lost.
HTTP/1.1 only.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from herald.controller.webhook.app import application
from herald.controller.webhook.certificate_files import follow_files
from herald.controller.webhook.options import WebhookOptions
from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.rotation import keep_certificates
from herald.controller.webhook.tls import ServedCertificate
from herald.controller.webhook.world import World
from herald.store.kubernetes.client import ApiClient

MOST_CONNECTIONS = 200
IDLE_S = 10.0
"""So long a connection may send no request, or not all of its head."""
LAST_WORDS_S = 3
"""So long requests that are being answered may take when the process ends."""


_log = logging.getLogger("herald.controller.webhook")


async def run_webhooks(
    options: WebhookOptions, client: ApiClient, world: Callable[[], World], readiness: Readiness | None = None
) -> None:
    """Serve admission and conversion for ever, and keep the certificate. `world` is asked at every request.

    Raises OSError at once if the port is taken.
    """
    served = ServedCertificate(options.tls)
    listening = bound(options.host, options.port)
    first = asyncio.Event()

    async def put(certificate: bytes, key: bytes) -> None:
        served.install(certificate, key)
        first.set()

    told = readiness or Readiness()
    action = "setting up cert rotation" if options.rotate else "reading the certificate from files"
    _log.info("webhooks: %s", action, extra={"op": "startup", "action": action})
    with listening:
        async with asyncio.TaskGroup() as tasks:
            if options.rotate:
                tasks.create_task(keep_certificates(client, options, put, told))
            else:
                tasks.create_task(follow_files(options.cert_dir, put, told))
            await first.wait()
            _log.info("webhooks enabled", extra={"op": "startup", "action": "webhooks enabled", "port": options.port})
            await serve(application(world, client), listening, served.context)


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; without a `host` on all addresses of both families. Raises OSError."""
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


async def serve(app: Starlette, listening: socket.socket, context: SSLContext, idle_s: float = IDLE_S) -> None:
    """Serve `app` until cancelled; requests under way are still answered then.

    A connection is closed on which for `idle_s` to twice that nothing was asked.
    """
    config = uvicorn.Config(
        app,
        ssl_context_factory=lambda _config, _default: context,
        http=type("Bounded", (_Bounded,), {"idle_s": idle_s}),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=LAST_WORDS_S,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(running)
    finally:
        server.should_exit = True
        await running


class _Bounded(H11Protocol):
    """Closes connections on which no request is being worked on for a while: who only holds them keeps others out."""

    idle_s = IDLE_S

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._look_again(None)

    def _look_again(self, before: object) -> None:
        self.loop.call_later(self.idle_s, self._look, before)

    def _look(self, before: object) -> None:
        """`before` is what was worked on at the last look."""
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and self.cycle is before:
            self.transport.close()
        if not self.transport.is_closing():
            self._look_again(self.cycle)


class _Server(uvicorn.Server):
    """Leaves signals to the process: they are not for one of its servers alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
