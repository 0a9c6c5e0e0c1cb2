"""Listens on 9443 with TLS, and runs everything that the webhooks need.

The listener opens with the first certificate; later ones are put into the same TLS context, so that no connection is
lost. HTTP/1.1 only.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ssl import SSLContext

import uvicorn
from starlette.applications import Starlette

from herald.controller.webhook.app import application
from herald.controller.webhook.certificate_files import follow_files
from herald.controller.webhook.options import WebhookOptions
from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.rotation import keep_certificates
from herald.controller.webhook.tls import install, server_context
from herald.controller.webhook.world import World
from herald.store.kubernetes.client import ApiClient

MOST_CONNECTIONS = 200
LAST_WORDS_S = 3
"""So long requests that are being answered may take when the process ends."""


async def run_webhooks(
    options: WebhookOptions, client: ApiClient, world: Callable[[], World], readiness: Readiness | None = None
) -> None:
    """Serve admission and conversion for ever, and keep the certificate. `world` is asked at every request.

    Raises TlsOptionError at once for options that cannot be followed, and OSError if the port is taken.
    """
    context = server_context(options.tls)
    listening = bound(options.host, options.port)
    first = asyncio.Event()

    async def put(certificate: bytes, key: bytes) -> None:
        install(context, certificate, key)
        first.set()

    told = readiness or Readiness()
    with listening:
        async with asyncio.TaskGroup() as tasks:
            if options.rotate:
                tasks.create_task(keep_certificates(client, options, put, told))
            else:
                tasks.create_task(follow_files(options.cert_dir, put, told))
            await first.wait()
            await serve(application(world, client), listening, context)


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; without a `host` on all addresses of both families. Raises OSError."""
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


async def serve(app: Starlette, listening: socket.socket, context: SSLContext) -> None:
    """Serve `app` until cancelled; requests under way are still answered then."""
    config = uvicorn.Config(
        app,
        ssl_context_factory=lambda _config, _default: context,
        http="h11",
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


class _Server(uvicorn.Server):
    """Leaves signals to the process: they are not for one of its servers alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
