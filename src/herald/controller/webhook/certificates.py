"""The certificates of the webhooks: a CA of our own and a server certificate, in one Secret.

    ca.crt    PEM: our CA, and behind it, for a day after it was renewed, the one before
    ca.key    PEM: the key of the first certificate in ca.crt
    tls.crt   PEM: the server certificate, signed by it
    tls.key   PEM: its key

`examine` is the one place that decides what is to be done; it is a function of the Secret's content, the wanted names
and the time. `issue` does it. A content that MetalLB has left is good as long as it is valid; new keys are P-256.

While a CA is renewed both are trusted: the bundle is handed out before anybody serves the new certificate, so whichever
of the two a replica still serves, the API server can check it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_CERT, CA_KEY, CERT, KEY = "ca.crt", "ca.key", "tls.crt", "tls.key"
CA_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=365)
BACKDATED = timedelta(hours=1)
"""For API servers whose clock is behind ours."""
RENEWED_BEFORE = timedelta(days=90)
OVERLAP = timedelta(days=1)
"""So long the CA before stays trusted."""
CA_NAME = "metallb-webhook-ca"
_LONGEST_COMMON_NAME = 64

Keys = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Step(Enum):
    """What is to be done about a Secret."""

    KEEP = "keep"
    DROP_OLD_CA = "drop the CA before"
    RENEW_SERVING = "renew the server certificate"
    RENEW_ALL = "renew CA and server certificate"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The step, and why. `by_clock`: a certificate has not begun or is about to end, and nothing else is wrong."""

    step: Step
    why: str = ""
    by_clock: bool = False


class _UnusableError(ValueError):
    """Something in the Secret cannot be used. The message says what."""


class _OutOfTimeError(_UnusableError):
    """By this clock."""


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: Keys


def examine(data: Mapping[str, bytes], names: Sequence[str], now: datetime) -> Verdict:
    """What is to be done about a Secret with `data` so that the server goes by `names`. `now` has a time zone."""
    try:
        authority = _authority(data)
        _check_lasts(authority.certificate, now, "the CA")
    except _UnusableError as error:
        return Verdict(Step.RENEW_ALL, str(error), isinstance(error, _OutOfTimeError))
    try:
        _check_serving(data, authority, names, now)
    except _UnusableError as error:
        return Verdict(Step.RENEW_SERVING, str(error), isinstance(error, _OutOfTimeError))
    older = _certificates(data.get(CA_CERT, b""), CA_CERT)[1:]
    if older and now - authority.certificate.not_valid_before_utc > OVERLAP + BACKDATED:
        return Verdict(Step.DROP_OLD_CA, f"the CA has been renewed more than {OVERLAP.days} day ago")
    return Verdict(Step.KEEP)


def issue(step: Step, data: Mapping[str, bytes], names: Sequence[str], now: datetime) -> dict[str, bytes]:
    """The content after `step`, which `examine` asked for. Draws keys."""
    match step:
        case Step.KEEP:
            return dict(data)
        case Step.DROP_OLD_CA:
            return {**data, CA_CERT: _pem(_authority(data).certificate)}
        case Step.RENEW_SERVING:
            return {**data, **_serving(_authority(data), names, now)}
        case Step.RENEW_ALL:
            authority = _new_authority(now)
            bundle = _pem(authority.certificate) + b"".join(map(_pem, _still_trusted(data, now)))
            key = authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return {**data, CA_CERT: bundle, CA_KEY: key, **_serving(authority, names, now)}


def united(*bundles: bytes) -> bytes:
    """All certificates of all bundles, each once, in their order. What cannot be read is left out."""
    found: dict[bytes, None] = {}
    for bundle in bundles:
        try:
            found.update(dict.fromkeys(map(_pem, _certificates(bundle, CA_CERT))))
        except _UnusableError:
            continue  # `examine` speaks of it.
    return b"".join(found)


def _authority(data: Mapping[str, bytes]) -> _Authority:
    certificate = _certificates(data.get(CA_CERT, b""), CA_CERT)[0]
    key = _key(data.get(CA_KEY, b""), CA_KEY)
    if _public(key) != _public_of(certificate):
        raise _UnusableError(f"{CA_KEY} is not the key of {CA_CERT}")
    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        is_ca = False
    if not is_ca:
        raise _UnusableError(f"{CA_CERT} is not the certificate of a CA")
    return _Authority(certificate, key)


def _check_serving(data: Mapping[str, bytes], authority: _Authority, names: Sequence[str], now: datetime) -> None:
    certificate = _certificates(data.get(CERT, b""), CERT)[0]
    if _public(_key(data.get(KEY, b""), KEY)) != _public_of(certificate):
        raise _UnusableError(f"{KEY} is not the key of {CERT}")
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise _UnusableError(f"{CERT} is not signed by {CA_CERT}") from error
    missing = sorted(set(names) - _names_of(certificate))
    if missing:
        raise _UnusableError(f"{CERT} is not for {', '.join(missing)}")
    _check_lasts(certificate, now, "the server certificate")


def _check_lasts(certificate: x509.Certificate, now: datetime, what: str) -> None:
    if certificate.not_valid_before_utc > now:
        raise _OutOfTimeError(f"{what} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M}")
    if certificate.not_valid_after_utc - RENEWED_BEFORE <= now:
        raise _OutOfTimeError(f"{what} ends on {certificate.not_valid_after_utc:%Y-%m-%d}")


def _names_of(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return set()
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}


def _still_trusted(data: Mapping[str, bytes], now: datetime) -> list[x509.Certificate]:
    """The CA before, if what it signed may still be served somewhere."""
    try:
        newest = _certificates(data.get(CA_CERT, b""), CA_CERT)[0]
    except _UnusableError:
        return []
    return [newest] if newest.not_valid_after_utc > now else []


def _certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    """At least one. Raises _UnusableError."""
    if not pem:
        raise _UnusableError(f"{what} is missing")
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise _UnusableError(f"{what} cannot be read") from error


def _key(pem: bytes, what: str) -> Keys:
    if not pem:
        raise _UnusableError(f"{what} is missing")
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _UnusableError(f"{what} cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _UnusableError(f"{what} is neither an RSA nor an EC key")
    return key


def _public(key: Keys) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public_of(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _UnusableError("a certificate has a key of an unknown kind") from error


def _new_authority(now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    # Chains are found by name: two CAs of one name would be tried one for the other.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "metallb"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{CA_NAME} {now:%Y-%m-%dT%H:%M:%S}"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key, now, CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return _Authority(certificate, key)


def _serving(authority: _Authority, names: Sequence[str], now: datetime) -> dict[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_LONGEST_COMMON_NAME])])
    certificate = (
        _builder(subject, authority.certificate.subject, key, now, LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_authority_identifier(authority), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return {CERT: _pem(certificate), KEY: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())}


def _authority_identifier(authority: _Authority) -> x509.AuthorityKeyIdentifier:
    """As the CA's certificate says it: whoever issued a CA that was taken over may have computed it in another way."""
    try:
        stated = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except (x509.ExtensionNotFound, ValueError):
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(stated)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Keys, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
