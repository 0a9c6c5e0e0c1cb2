"""Both servers of a process, as its command line asks for them."""

import argparse
import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import closing

import pytest

from herald.observe import serving
from herald.observe.exposition import Format
from herald.observe.metrics_server import Verdict
from herald.observe.serving import ServingOptions
from herald.observe.tls import TlsOptionsError


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


async def page(form: Format) -> bytes:
    return b"herald_up 1\n"


async def allow(token: str) -> Verdict:
    return Verdict.ALLOWED


async def status(port: int, path: str, tls: ssl.SSLContext | None = None) -> int:
    """Asked until somebody listens."""
    for _ in range(500):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
            continue
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer x\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return int(answer.split(b" ")[1])
    raise AssertionError(f"nobody listens on {port}")


def parsed(*words: str) -> ServingOptions:
    arguments = argparse.ArgumentParser()
    serving.add_arguments(arguments)
    return serving.options(arguments.parse_args(words))


async def test_without_an_api_server_metrics_are_plain_and_on_loopback_only() -> None:
    port, health = free_port(), free_port()
    wanted = parsed(f"--port={port}", f"--health-probe-port={health}")
    async with serving.serving(wanted, name="x", render=page, checks={}, health_host="127.0.0.1"):
        assert await status(port, "/metrics") == 200
        assert await status(health, "/readyz") == 200
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.2", port)


async def test_with_an_api_server_metrics_are_https_on_every_address() -> None:
    port = free_port()
    wanted = parsed(f"--port={port}", "--health-probe-port=0")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with serving.serving(wanted, name="x", render=page, checks={}, health_host="", authorise=allow):
        assert await status(port, "/metrics", context) == 200
        _, writer = await asyncio.open_connection("127.0.0.2", port)
        writer.close()


async def test_a_port_that_is_taken_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    async with serving.serving(parsed(f"--port={port}"), name="x", render=page, checks={}, health_host=""):
        for _ in range(500):
            if "trying again" in caplog.text:
                break
            await asyncio.sleep(0.01)
        assert "trying again" in caplog.text
        taken.close()
        assert await status(port, "/metrics") == 200


@pytest.mark.parametrize("make", [lambda: parsed("--tls-min-version=1.3"), lambda: parsed("--tls-curve-preferences=x")])
def test_an_option_that_cannot_be_kept_is_refused_at_the_start(make: Callable[[], ServingOptions]) -> None:
    with pytest.raises(TlsOptionsError):
        make()
