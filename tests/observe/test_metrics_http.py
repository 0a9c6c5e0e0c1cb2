"""Health and metrics over real sockets and real TLS on loopback."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from herald.observe import http, self_signed
from herald.observe.exposition import Format
from herald.observe.health import serve_health
from herald.observe.http import Server
from herald.observe.metrics_server import Authorise, CannotReviewError, Verdict, serve_metrics
from herald.observe.tls import FileCertificate, TlsOptions, TlsOptionsError, certificate

Answered = tuple[int, dict[str, str], str]
LOOPBACK = "127.0.0.1"


def trusting(maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> ssl.SSLContext:
    """A client that checks nothing, as scrapers of MetalLB do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = maximum
    return context


async def ask(
    server: Server, path: str, *headers: str, tls: ssl.SSLContext | None = None, method: str = "GET"
) -> Answered:
    """Status, headers, body."""
    reader, writer = await asyncio.open_connection(LOOPBACK, server.port, ssl=tls)
    head = "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "host: x", "connection: close", *headers))
    writer.write(f"{head}\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 20)).decode()
    writer.close()
    first, _, body = answer.partition("\r\n\r\n")
    lines = first.split("\r\n")
    pairs = (line.partition(": ") for line in lines[1:])
    return int(lines[0].split(" ")[1]), {name.lower(): value for name, _, value in pairs}, body


async def page(form: Format) -> bytes:
    return f"page {form.name}\n".encode()


async def judge(token: str) -> Verdict:
    """Tokens that say what they are."""
    if token == "broken":
        raise CannotReviewError("the API server does not answer")
    return Verdict[token.upper()]


@asynccontextmanager
async def metrics(
    *,
    context: Callable[[], ssl.SSLContext] | None = None,
    authorise: Authorise | None = None,
    render: Callable[[Format], "asyncio.Future[bytes]"] | None = None,
) -> AsyncIterator[Server]:
    server = await serve_metrics(0, render or page, context=context, authorise=authorise, host=LOOPBACK)  # type: ignore[arg-type]  # a coroutine function is one
    try:
        yield server
    finally:
        await server.close()


def write_certificate(directory: Path, name: str) -> None:
    """As kubelet lays it down: key and certificate apart."""
    pem = self_signed.make(name, datetime.now(UTC))
    key, _, rest = pem.partition(b"-----BEGIN CERTIFICATE-----")
    (directory / "tls.key").write_bytes(key)
    (directory / "tls.crt").write_bytes(b"-----BEGIN CERTIFICATE-----" + rest)


async def served_name(server: Server) -> str:
    """Whom the server's certificate names."""
    _, writer = await asyncio.open_connection(LOOPBACK, server.port, ssl=trusting())
    encoded = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    (attribute,) = x509.load_der_x509_certificate(encoded).subject
    return str(attribute.value)


async def test_readiness_names_what_is_not_ready_and_liveness_does_not_depend_on_it() -> None:
    why: dict[str, str | None] = {"store": "not listed yet", "engine": None}
    server = await serve_health(LOOPBACK, 0, {name: lambda name=name: why[name] for name in why})
    status, _, body = await ask(server, "/readyz")
    assert (status, body) == (503, "[-]store failed: not listed yet\n[+]engine ok\nreadyz check failed\n")
    assert (await ask(server, "/healthz"))[::2] == (200, "ok\n")
    why["store"] = None
    assert (await ask(server, "/readyz?verbose"))[::2] == (200, "[+]store ok\n[+]engine ok\nreadyz check passed\n")
    assert (await ask(server, "/else"))[0] == 404
    assert (await ask(server, "/healthz", method="POST"))[0] == 405
    assert (await ask(server, "/healthz", method="HEAD"))[2] == ""
    await server.close()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("authorization: Bearer allowed", 200),
        ("authorization: bearer  allowed ", 200),
        ("authorization: Bearer forbidden", 403),
        ("authorization: Bearer unknown", 401),
        ("authorization: Bearer broken", 503),
        ("authorization: Bearer ", 401),
        ("authorization: Basic allowed", 401),
        ("x-nothing: x", 401),
        (f"authorization: Bearer {'x' * 9000}", 401),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_only_who_may_read_the_metrics_gets_them(header: str, status: int) -> None:
    async with metrics(context=certificate(None, "speaker", TlsOptions()), authorise=judge) as server:
        answered, headers, body = await ask(server, "/metrics", header, tls=trusting())
        assert answered == status
        assert ("www-authenticate" in headers) == (status == 401)
        assert (body == "page TEXT\n") == (status == 200)


async def test_the_format_is_the_one_that_is_asked_for() -> None:
    async with metrics() as server:
        status, headers, body = await ask(server, "/metrics", "accept: application/openmetrics-text")
        assert (status, headers["content-type"], body) == (200, Format.OPENMETRICS.value, "page OPENMETRICS\n")
        assert (await ask(server, "/metrics"))[1]["content-type"] == Format.TEXT.value


async def test_a_certificate_that_is_renewed_is_served_without_a_restart_and_a_broken_one_never(tmp_path: Path) -> None:
    now = [0.0]
    write_certificate(tmp_path, "first")
    async with metrics(context=FileCertificate(tmp_path, TlsOptions(), lambda: now[0])) as server:
        assert await served_name(server) == "first"
        (tmp_path / "tls.crt").write_bytes(b"half written")
        now[0] = 10.0
        assert await served_name(server) == "first"
        write_certificate(tmp_path, "second")
        now[0] = 20.0
        assert await served_name(server) == "second"


async def test_before_there_is_a_certificate_nobody_is_served_and_the_server_lives_on(tmp_path: Path) -> None:
    now = [0.0]
    async with metrics(context=FileCertificate(tmp_path, TlsOptions(), lambda: now[0])) as server:
        with pytest.raises((OSError, ssl.SSLError)):
            await served_name(server)
        write_certificate(tmp_path, "late")
        now[0] = 10.0
        assert await served_name(server) == "late"


async def test_tls_1_2_needs_to_be_asked_for() -> None:
    old = trusting(ssl.TLSVersion.TLSv1_2)
    async with metrics(context=certificate(None, "x", TlsOptions.parse())) as server:
        with pytest.raises(OSError):  # cut off, or told why
            await ask(server, "/metrics", tls=old)
    suites = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    async with metrics(context=certificate(None, "x", TlsOptions.parse("VersionTLS12", suites, "23"))) as server:
        assert (await ask(server, "/metrics", tls=old))[0] == 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("VersionTLS11", "", ""), "VersionTLS12 or VersionTLS13"),
        (("", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", ""), "--tls-min-version=VersionTLS12"),
        (("VersionTLS12", "RC4", ""), '"RC4"'),
        (("", "", "X25519"), '"X25519": a number'),
        (("", "", "0"), "a number from 1"),
        (("", "", "65536"), "a number from 1"),
        (("", "", "4588"), "there are"),
        (("", "", "29,29"), "only once"),
        (("", "", "29, 23"), "one curve or to all"),
    ],
)
def test_a_tls_option_that_cannot_be_kept_is_refused(options: tuple[str, str, str], words: str) -> None:
    with pytest.raises(TlsOptionsError) as refused:
        TlsOptions.parse(*options)
    assert words in str(refused.value)
    assert "--tls-" in str(refused.value)


async def test_several_requests_travel_on_one_connection() -> None:
    async with metrics() as server:
        reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
        for _ in range(3):
            writer.write(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.readuntil(b"page TEXT\n")).startswith(b"HTTP/1.1 200 OK")
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\n\n", id="TLS to plain HTTP"),
        pytest.param(b"no http at all\r\n\r\n", id="nonsense"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a" * 40_000, id="an endless head"),
        pytest.param(b"GET /metrics HTTP/1.1\r\n\r\n", id="no host"),
    ],
)
async def test_what_is_not_a_request_is_refused_and_the_connection_ends(sent: bytes) -> None:
    async with metrics() as server:
        reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer[:10] in (b"HTTP/1.1 4", b"")
        writer.close()
        assert (await ask(server, "/metrics"))[0] == 200


async def test_callers_that_say_nothing_do_not_keep_others_out() -> None:
    async with metrics(context=certificate(None, "x", TlsOptions())) as server:
        silent = [await asyncio.open_connection(LOOPBACK, server.port) for _ in range(2 * http.MOST_CONNECTIONS)]
        assert (await ask(server, "/metrics", tls=trusting()))[0] == 200
        assert await asyncio.wait_for(silent[0][0].read(), 20) == b""
        for _, writer in silent:
            writer.close()


async def test_a_page_that_fails_is_an_error_in_the_log_and_not_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(form: Format) -> bytes:
        raise LookupError("this page")

    async with metrics(render=broken) as server:  # type: ignore[arg-type]  # as above
        assert (await ask(server, "/metrics"))[0] == 500
        assert (await ask(server, "/else"))[0] == 404
    assert "this page" in json.dumps(caplog.text)
