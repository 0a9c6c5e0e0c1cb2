"""Metrics and health of one process, from its command line to both servers: the same for controller and speaker.

With an API server metrics are HTTPS on every address, for callers whom it lets read them. Without one (a folder of
manifests) there is nobody to ask: nothing is served unless a port is named, and then plain HTTP on loopback, or HTTPS
for everybody on the address that is named.

A port that somebody else has is no reason to stop announcing: it is said and tried again.
"""

import argparse
import asyncio
import logging
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from herald.observe import health, metrics_server
from herald.observe.health import Check, serve_health
from herald.observe.http import Server
from herald.observe.metrics_server import Authorise, Render, serve_metrics
from herald.observe.tls import TlsOptions, certificate

LOOPBACK: Final = "127.0.0.1"
RETRY_S: Final = 5.0

_log: Final = logging.getLogger("herald.observe")


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """Ports are None for the default, which is off without an API server, and 0 for off."""

    port: int | None = None
    health_port: int | None = None
    metrics_address: str | None = None
    certificate_directory: Path | None = None
    tls: TlsOptions = field(default_factory=TlsOptions)


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """MetalLB's flags, and --metrics-address."""
    add = arguments.add_argument
    add("--port", type=int, help="HTTPS port of metrics; 0: none")
    add("--health-probe-port", type=int, help="HTTP port of /healthz and /readyz; 0: none")
    add("--metrics-address", help="address of the metrics port without an API server, instead of loopback")
    add("--metrics-cert-dir", type=Path, help="directory of tls.crt and tls.key; without it, a certificate of our own")
    add("--tls-min-version", default="", help="VersionTLS12 or VersionTLS13")
    add("--tls-cipher-suites", default="", help="IANA names, for TLS 1.2")
    add("--tls-curve-preferences", default="", help="number of a curve, as 29 for X25519")


def options(given: argparse.Namespace) -> ServingOptions:
    """From what `add_arguments` added. Raises `herald.observe.tls.TlsOptionsError`."""
    return ServingOptions(
        given.port,
        given.health_probe_port,
        given.metrics_address,
        given.metrics_cert_dir,
        TlsOptions.parse(given.tls_min_version, given.tls_cipher_suites, given.tls_curve_preferences),
    )


@asynccontextmanager
async def serving(
    wanted: ServingOptions,
    *,
    name: str,
    render: Render,
    checks: Mapping[str, Check],
    health_host: str,
    authorise: Authorise | None = None,
) -> AsyncIterator[None]:
    """Serve for as long as this is entered. `authorise` None: there is no API server.

    `name` stands in the certificate; `health_host` is empty for every address.
    """
    in_cluster = authorise is not None
    port = metrics_server.DEFAULT_PORT if wanted.port is None and in_cluster else wanted.port
    health_port = health.DEFAULT_PORT if wanted.health_port is None and in_cluster else wanted.health_port
    async with asyncio.TaskGroup() as tasks:
        running: list[asyncio.Task[None]] = []
        if port:
            running.append(tasks.create_task(_kept("metrics", lambda: _metrics(port, wanted, name, render, authorise))))
        if health_port:
            running.append(tasks.create_task(_kept("health", lambda: serve_health(health_host, health_port, checks))))
        try:
            yield
        finally:
            for task in running:
                task.cancel()


async def _metrics(port: int, wanted: ServingOptions, name: str, render: Render, authorise: Authorise | None) -> Server:
    if authorise is None and wanted.metrics_address is None:
        return await serve_metrics(port, render, context=None, authorise=None, host=LOOPBACK)
    context = await asyncio.to_thread(certificate, wanted.certificate_directory, name, wanted.tls)
    return await serve_metrics(port, render, context=context, authorise=authorise, host=wanted.metrics_address or "")


async def _kept(what: str, start: Callable[[], Awaitable[Server]]) -> None:
    """Serve until cancelled, waiting for the port if need be."""
    told = False
    while True:
        try:
            server = await start()
        except (OSError, subprocess.SubprocessError) as error:  # also: the program that signs a certificate failed
            if not told:
                told = True
                extra = {"event": "serving", "what": what, "error": str(error)}
                _log.error("%s cannot be served, trying again: %s", what, error, extra=extra)
            await asyncio.sleep(RETRY_S)
            continue
        try:
            _log.info("serving %s on port %d", what, server.port, extra={"event": "serving", "port": server.port})
            await asyncio.Event().wait()
        finally:
            await server.close()
