"""The TLS side of the server, by the options that MetalLB has for it, and a certificate that can be changed live.

`--tls-min-version` (VersionTLS12, VersionTLS13), `--tls-cipher-suites` (IANA names, for 1.2 only) and
`--tls-curve-preferences` (numbers of RFC 8446 §4.2.7). Python's `ssl` can be held to one curve and not to a list of
them: more than one is an error that says so.
"""

import os
import ssl
from dataclasses import dataclass
from typing import Final

VERSIONS: Final = {"VersionTLS12": ssl.TLSVersion.TLSv1_2, "VersionTLS13": ssl.TLSVersion.TLSv1_3}
DEFAULT_VERSION: Final = "VersionTLS13"
CURVES: Final = {23: "prime256v1", 24: "secp384r1", 25: "secp521r1", 29: "X25519"}
CIPHER_SUITES: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}


class TlsOptionError(ValueError):
    """An option that cannot be followed. The message names it and says what would be right."""


class CertificateError(ValueError):
    """A certificate and a key that cannot be served. The message says why, and never holds the key."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """The three options as they are written; empty means not given."""

    min_version: str = ""
    cipher_suites: str = ""
    curve_preferences: str = ""


def server_context(options: TlsOptions) -> ssl.SSLContext:
    """A context without a certificate. Raises TlsOptionError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    version = options.min_version or DEFAULT_VERSION
    if version not in VERSIONS:
        raise TlsOptionError(f'--tls-min-version "{version}": one of {", ".join(VERSIONS)} is needed')
    context.minimum_version = VERSIONS[version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    suites = _suites(options.cipher_suites, version)
    if suites:
        context.set_ciphers(":".join(suites))
    curve = _curve(options.curve_preferences)
    if curve is not None:
        context.set_ecdh_curve(curve)
    context.set_alpn_protocols(["http/1.1"])
    return context


def install(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Serve this chain (PEM) from the next handshake on. Raises CertificateError.

    `ssl` reads files only; these two are in memory, so that a read-only file system is no hindrance and no key is on a
    disk.
    """
    with _Memory(certificate) as chain, _Memory(key) as private:
        try:
            context.load_cert_chain(chain.path, private.path, password="")
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise CertificateError(f"tls.crt and tls.key cannot be served: {reason}") from None


def _suites(written: str, version: str) -> list[str]:
    names = [name.strip() for name in written.split(",") if name.strip()]
    if names and version == "VersionTLS13":
        raise TlsOptionError(
            "--tls-cipher-suites: TLS 1.3 has its own; take it out, or set --tls-min-version=VersionTLS12"
        )
    unknown = [name for name in names if name not in CIPHER_SUITES]
    if unknown:
        raise TlsOptionError(f'--tls-cipher-suites "{unknown[0]}": one of {", ".join(CIPHER_SUITES)} is needed')
    return [CIPHER_SUITES[name] for name in names]


def _curve(written: str) -> str | None:
    numbers = [text.strip() for text in written.split(",") if text.strip()]
    for text in numbers:
        if not (text.isascii() and text.isdigit() and int(text[:6]) in CURVES):
            known = ", ".join(f"{number} ({name})" for number, name in CURVES.items())
            raise TlsOptionError(f'--tls-curve-preferences "{text}": one of {known} is needed')
    if len(numbers) > 1:
        raise TlsOptionError(
            f'--tls-curve-preferences "{written}": Python\'s TLS can be held to one curve only; name one, or none'
        )
    return CURVES[int(numbers[0])] if numbers else None


class _Memory:
    """A file without a file system."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._descriptor = -1

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self._descriptor}"

    def __enter__(self) -> "_Memory":
        self._descriptor = os.memfd_create("herald-tls", os.MFD_CLOEXEC)
        with os.fdopen(os.dup(self._descriptor), "wb") as file:
            file.write(self._content)
        return self

    def __exit__(self, *raised: object) -> None:
        os.close(self._descriptor)
