"""The TLS server on loopback: certificates changed live, connections that only hold, the end of the process."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from webhook_requests import l2, pool, world

from herald.controller.webhook import server
from herald.controller.webhook.app import application
from herald.controller.webhook.certificate_files import follow_files
from herald.controller.webhook.certificates import CA_CERT, CERT, KEY, Step, issue
from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.tls import CertificateError, ServedCertificate
from herald.observe.tls import TlsOptions

NOW = datetime.now(UTC)


def rsa_pair() -> dict[str, bytes]:
    """What another one leaves, MetalLB for example: its keys are RSA."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {CA_CERT: pem, CERT: pem, KEY: private}


FIRST = issue(Step.RENEW_ALL, {}, ["127.0.0.1"], NOW)
SECOND = issue(Step.RENEW_ALL, FIRST, ["127.0.0.1"], NOW)
RSA = rsa_pair()
PATH = "/validate-metallb-io-v1beta1-ipaddresspool"


@dataclass
class Running:
    """A server on loopback."""

    port: int
    served: ServedCertificate
    task: asyncio.Task[None]

    async def ask(self, ca: bytes) -> httpx2.Response:
        """Whether a pool that overlaps may be stored."""
        trust = ssl.create_default_context(cadata=ca.decode())
        new = pool("new", "10.0.0.0/25")
        request = {
            "uid": "u",
            "kind": {"group": "metallb.io", "version": "v1beta1", "kind": "IPAddressPool"},
            "operation": "CREATE",
            "namespace": "metallb-system",
            "name": "new",
            "object": new,
        }
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
        async with httpx2.AsyncClient(verify=trust) as client:
            url = f"https://127.0.0.1:{self.port}{PATH}"
            return await client.post(url, content=body, headers={"Content-Type": "application/json"})


@asynccontextmanager
async def running(idle_s: float = 10.0) -> AsyncIterator[Running]:
    served = ServedCertificate(TlsOptions())
    served.install(FIRST[CERT], FIRST[KEY])
    listening = server.bound("127.0.0.1", 0)
    app = application(lambda: world(pool("old", "10.0.0.0/24"), l2("all")))
    task = asyncio.create_task(server.serve(app, listening, served.context, idle_s))
    try:
        yield Running(listening.getsockname()[1], served, task)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_the_next_handshake_after_a_change_sees_the_new_certificate() -> None:
    async with running() as one:
        assert (await one.ask(FIRST[CA_CERT])).json()["response"]["allowed"] is False
        for data in (SECOND, RSA, FIRST, RSA):
            one.served.install(data[CERT], data[KEY])
            assert (await one.ask(data[CA_CERT])).status_code == 200
        with pytest.raises(httpx2.ConnectError, match="certificate verify failed"):
            await one.ask(FIRST[CA_CERT])


async def test_a_pair_that_does_not_fit_leaves_the_one_before_in_use() -> None:
    async with running() as one:
        for certificate, key in ((SECOND[CERT], FIRST[KEY]), (RSA[CERT], FIRST[KEY]), (b"", SECOND[KEY])):
            with pytest.raises(CertificateError):
                one.served.install(certificate, key)
            assert (await one.ask(FIRST[CA_CERT])).status_code == 200


async def test_whoever_sends_rubbish_hinders_nobody() -> None:
    async with running() as served:
        for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff", b""):
            _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(rubbish)
            await writer.drain()
            writer.close()
        assert (await served.ask(FIRST[CA_CERT])).status_code == 200


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHost: x\r\n"], ids=["silent", "half a head"])
async def test_a_connection_without_a_request_is_closed(sent: bytes) -> None:
    trust = ssl.create_default_context(cadata=FIRST[CA_CERT].decode())
    async with running(idle_s=0.2) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=trust)
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_cancelling_closes_the_port() -> None:
    async with running() as served:
        await served.ask(FIRST[CA_CERT])
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", served.port)


async def test_files_are_followed_and_rubbish_in_them_changes_nothing(tmp_path: Path) -> None:
    readiness = Readiness()
    served: list[bytes] = []

    async def put(certificate: bytes, key: bytes) -> None:
        ServedCertificate(TlsOptions()).install(certificate, key)
        served.append(certificate)

    def write(content: dict[str, bytes]) -> None:
        for name in (CERT, KEY):
            (tmp_path / name).write_bytes(content[name])

    async def until(count: int) -> None:
        async with asyncio.timeout(10):
            while len(served) < count:  # noqa: ASYNC110  # the file is what changes
                await asyncio.sleep(0.01)

    following = asyncio.create_task(follow_files(tmp_path, put, readiness, look_s=0.01))
    await asyncio.sleep(0.1)
    assert "No such file" in str(readiness.ready())
    write(FIRST)
    await until(1)
    assert readiness.ready() is None
    (tmp_path / CERT).write_bytes(b"rubbish")
    await asyncio.sleep(0.1)
    assert readiness.ready() is None
    write(SECOND)
    await until(2)
    following.cancel()
    assert served == [FIRST[CERT], SECOND[CERT]]
