"""What is done about a Secret with certificates, and when; and that TLS accepts what comes out of it."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from herald.controller.webhook.certificates import (
    CA_CERT,
    CA_KEY,
    CA_LIFETIME,
    CERT,
    KEY,
    LIFETIME,
    RENEWED_BEFORE,
    Step,
    examine,
    issue,
    united,
)
from herald.controller.webhook.tls import CertificateError, ServedCertificate
from herald.observe.tls import TlsOptions

NAMES = ("metallb-webhook-service.metallb-system.svc", "127.0.0.1")
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FRESH = issue(Step.RENEW_ALL, {}, NAMES, START)
OTHER = issue(Step.RENEW_ALL, {}, NAMES, START + DAY)


def metallbs() -> dict[str, bytes]:
    """A Secret as MetalLB's rotator leaves it: RSA, PKCS#1, a CA called `cert`."""

    def certificate(
        subject: str, key: rsa.RSAPrivateKey, issuer: str, signer: rsa.RSAPrivateKey, days: int, ca: bool
    ) -> bytes:
        built = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START - timedelta(hours=1))
            .not_valid_after(START + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        return built.public_bytes(Encoding.PEM)

    def pem(key: rsa.RSAPrivateKey) -> bytes:
        return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    ca, server = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    return {
        CA_CERT: certificate("cert", ca, "cert", ca, 3650, ca=True),
        CA_KEY: pem(ca),
        CERT: certificate(NAMES[0], server, "cert", ca, 365, ca=False),
        KEY: pem(server),
    }


METALLBS = metallbs()

ROWS: list[tuple[str, Mapping[str, bytes], datetime, Step, str]] = [
    ("just issued", FRESH, START, Step.KEEP, ""),
    ("shipped empty", {}, START, Step.RENEW_ALL, "ca.crt is missing"),
    ("a clock two minutes behind", FRESH, START - timedelta(minutes=2), Step.KEEP, ""),
    ("a clock a day behind", FRESH, START - DAY, Step.RENEW_ALL, "is not valid before"),
    ("long before the end", FRESH, START + LIFETIME - RENEWED_BEFORE - DAY, Step.KEEP, ""),
    ("90 days before the end", FRESH, START + LIFETIME - RENEWED_BEFORE, Step.RENEW_SERVING, "ends on 2027-11-21"),
    ("90 days before the CA's end", FRESH, START + CA_LIFETIME - RENEWED_BEFORE, Step.RENEW_ALL, "the CA ends on"),
    ("no CA key", {**FRESH, CA_KEY: b""}, START, Step.RENEW_ALL, "ca.key is missing"),
    ("another CA's key", {**FRESH, CA_KEY: OTHER[CA_KEY]}, START, Step.RENEW_ALL, "is not the key of ca.crt"),
    ("rubbish", {**FRESH, CA_CERT: b"-----BEGIN"}, START, Step.RENEW_ALL, "ca.crt cannot be read"),
    ("rubbish key", {**FRESH, CA_KEY: b"\x00"}, START, Step.RENEW_ALL, "ca.key cannot be read"),
    (
        "a server as CA",
        {**FRESH, CA_CERT: FRESH[CERT], CA_KEY: FRESH[KEY]},
        START,
        Step.RENEW_ALL,
        "not the certificate of a CA",
    ),
    ("no server certificate", {**FRESH, CERT: b""}, START, Step.RENEW_SERVING, "tls.crt is missing"),
    ("another server's key", {**FRESH, KEY: OTHER[KEY]}, START, Step.RENEW_SERVING, "tls.key is not the key"),
    (
        "signed by another CA",
        {**FRESH, CERT: OTHER[CERT], KEY: OTHER[KEY]},
        START + DAY,
        Step.RENEW_SERVING,
        "tls.crt is not signed by ca.crt",
    ),
    ("other names", issue(Step.RENEW_ALL, {}, ["x.y.svc"], START), START, Step.RENEW_SERVING, "is not for 127.0.0.1"),
]


@pytest.mark.parametrize(("data", "now", "step", "why"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_is_to_be_done_and_why(data: Mapping[str, bytes], now: datetime, step: Step, why: str) -> None:
    verdict = examine(data, NAMES, now)
    assert verdict.step is step
    assert why in verdict.why


@pytest.mark.parametrize(("data", "now"), [row[1:3] for row in ROWS], ids=[row[0] for row in ROWS])
def test_once_it_is_done_nothing_is_left_to_do(data: Mapping[str, bytes], now: datetime) -> None:
    done = issue(examine(data, NAMES, now).step, data, NAMES, now)
    assert examine(done, NAMES, now).step is Step.KEEP


def test_what_metallb_left_is_taken_over_until_it_must_be_renewed() -> None:
    assert examine(METALLBS, NAMES[:1], START).step is Step.KEEP
    later = START + LIFETIME
    assert examine(METALLBS, NAMES[:1], later).step is Step.RENEW_SERVING
    renewed = issue(Step.RENEW_SERVING, METALLBS, NAMES[:1], later)
    assert renewed[CA_CERT] == METALLBS[CA_CERT]
    assert handshake(renewed, METALLBS[CA_CERT], NAMES[0], later)


def test_a_renewed_ca_leaves_the_old_one_trusted_for_a_day() -> None:
    due = START + CA_LIFETIME - RENEWED_BEFORE
    old = issue(Step.RENEW_SERVING, FRESH, NAMES, due - DAY)
    both = issue(Step.RENEW_ALL, old, NAMES, due)
    for served in (old, both):
        assert handshake(served, both[CA_CERT], NAMES[0], due)
    assert not handshake(both, old[CA_CERT], NAMES[0], due)
    assert examine(both, NAMES, due + DAY).step is Step.KEEP
    assert examine(both, NAMES, due + 2 * DAY).step is Step.DROP_OLD_CA
    alone = issue(Step.DROP_OLD_CA, both, NAMES, due + 2 * DAY)
    assert handshake(both, alone[CA_CERT], NAMES[0], due)
    assert not handshake(old, alone[CA_CERT], NAMES[0], due)


def test_bundles_are_united_without_repetition() -> None:
    both = united(FRESH[CA_CERT], OTHER[CA_CERT], FRESH[CA_CERT], b"", b"rubbish")
    assert both == FRESH[CA_CERT] + OTHER[CA_CERT]


def test_other_keys_of_the_secret_stay() -> None:
    assert issue(Step.RENEW_ALL, {"note": b"mine"}, NAMES, START)["note"] == b"mine"


def handshake(served: Mapping[str, bytes], trusted: bytes, name: str, now: datetime) -> bool:
    """Whether a client that trusts `trusted` accepts what is served, at whatever time it is."""
    one = ServedCertificate(TlsOptions())
    one.install(served[CERT], served[KEY])
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=trusted.decode())
    # Only chains are judged here: the certificates' times are not today's.
    client.verify_flags |= _NO_CHECK_TIME
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = one.context.wrap_bio(to_server, to_client, server_side=True)
    try:
        for _ in range(4):
            for side in (ours, theirs):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLError:
        return False
    return ours.version() == "TLSv1.3" and ours.getpeercert() is not None


_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME


@pytest.mark.parametrize("name", NAMES)
def test_a_client_finds_every_name(name: str) -> None:
    assert handshake(FRESH, FRESH[CA_CERT], name, START)
    assert not handshake(FRESH, FRESH[CA_CERT], "example.com", START)
    assert not handshake(FRESH, OTHER[CA_CERT], name, START)


def test_what_cannot_be_served_is_an_error_without_the_key() -> None:
    one = ServedCertificate(TlsOptions())
    for certificate, key in ((b"", b""), (FRESH[CERT], OTHER[KEY]), (b"x", FRESH[KEY]), (FRESH[CERT], b"x")):
        with pytest.raises(CertificateError, match=r"tls\.crt and tls\.key cannot be served") as caught:
            one.install(certificate, key)
        assert "PRIVATE" not in str(caught.value)


def test_no_key_is_left_in_a_file() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    ServedCertificate(TlsOptions()).install(FRESH[CERT], FRESH[KEY])
    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)
