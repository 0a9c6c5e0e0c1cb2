"""TLS of our servers: the options of the command line, and where the certificate comes from.

A certificate in files is looked at again when a connection comes, at most once a second, and used as soon as both
files fit together; until then the one before stays in use. Without files, one is signed by nobody but itself, in a
child process: the library for it would cost a speaker twelve megabytes for ever.
"""

import logging
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_log: Final = logging.getLogger("herald.observe.tls")

_MIN_VERSIONS: Final = {
    "": ssl.TLSVersion.TLSv1_3,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}
_CIPHERS: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
"""IANA's names of suites of TLS 1.2 (those of 1.3 cannot be chosen), and OpenSSL's."""
_CURVES: Final = {23: "prime256v1", 24: "secp384r1", 25: "secp521r1", 29: "X25519"}
"""IANA's numbers of groups, and OpenSSL's names."""
_LARGEST_CURVE: Final = 0xFFFF
LOOK_AGAIN_S: Final = 1.0
SIGNING_S: Final = 20.0


class TlsOptionsError(ValueError):
    """An option of the command line is not what it should be; the text names option and value."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """What connections must offer. `ciphers` are OpenSSL's names, none meaning OpenSSL's choice; so with `curve`."""

    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] = ()
    curve: str | None = None

    @classmethod
    def parse(cls, min_version: str = "", cipher_suites: str = "", curve_preferences: str = "") -> "TlsOptions":
        """From MetalLB's --tls-min-version, --tls-cipher-suites and --tls-curve-preferences.

        Raises TlsOptionsError.
        """
        if min_version not in _MIN_VERSIONS:
            raise TlsOptionsError(f'--tls-min-version "{min_version}": VersionTLS12 or VersionTLS13 is needed')
        version = _MIN_VERSIONS[min_version]
        ciphers = tuple(_cipher(name) for name in _items(cipher_suites))
        if ciphers and version is ssl.TLSVersion.TLSv1_3:
            raise TlsOptionsError(
                "--tls-cipher-suites: TLS 1.3 has no choice of them; add --tls-min-version=VersionTLS12"
            )
        return cls(version, ciphers, _curve(_items(curve_preferences)))

    def context(self) -> ssl.SSLContext:
        """A server's context that keeps to this, without a certificate yet."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self.min_version
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        if self.ciphers:
            context.set_ciphers(":".join(self.ciphers))
        if self.curve is not None:
            context.set_ecdh_curve(self.curve)
        return context


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")] if text.strip() else []


def _cipher(name: str) -> str:
    if name not in _CIPHERS:
        raise TlsOptionsError(f'--tls-cipher-suites "{name}": not among {", ".join(_CIPHERS)}')
    return _CIPHERS[name]


def _curve(texts: list[str]) -> str | None:
    numbers = [int(text) if text.isascii() and text.isdigit() else 0 for text in texts]
    for text, number in zip(texts, numbers, strict=True):
        if not 0 < number <= _LARGEST_CURVE:
            raise TlsOptionsError(f'--tls-curve-preferences "{text}": a number from 1 to {_LARGEST_CURVE} is needed')
        if number not in _CURVES:
            known = ", ".join(f"{each} ({name})" for each, name in _CURVES.items())
            raise TlsOptionsError(f"--tls-curve-preferences {number}: there are {known}")
    if len(set(numbers)) < len(numbers):
        raise TlsOptionsError(f"--tls-curve-preferences {','.join(texts)}: each only once")
    if set(numbers) == _CURVES.keys():
        return None
    if len(numbers) > 1:  # to offer less than was asked for would lock clients out, more would not be what was asked
        raise TlsOptionsError(
            f"--tls-curve-preferences {','.join(texts)}: the ssl module of Python can hold to one curve or to all; "
            "name one, or leave it out"
        )
    return _CURVES[numbers[0]] if numbers else None


@dataclass(slots=True)
class FileCertificate:
    """`tls.crt` and `tls.key` in a directory. Call it for the context of the next connection."""

    directory: Path
    options: TlsOptions
    clock: Callable[[], float] = time.monotonic
    _context: ssl.SSLContext | None = None
    _seen: tuple[tuple[int, int, int], ...] = ()
    _look_at: float = float("-inf")

    def __call__(self) -> ssl.SSLContext:
        """Raises OSError or ssl.SSLError as long as there has never been a certificate that can be used."""
        now = self.clock()
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN_S
            self._look()
        if self._context is None:
            return self._load()
        return self._context

    def _look(self) -> None:
        try:
            seen = tuple(_identity(path) for path in self._paths)
            if self._context is None or seen != self._seen:
                self._context, self._seen = self._load(), seen
                _log.info("certificate read from %s", self.directory, extra={"event": "certificateLoaded"})
        except (OSError, ssl.SSLError) as error:
            extra = {"event": "certificateRefused", "error": str(error)}
            _log.warning("the certificate in %s cannot be used: %s", self.directory, error, extra=extra)

    def _load(self) -> ssl.SSLContext:
        context = self.options.context()
        certificate, key = self._paths
        context.load_cert_chain(certificate, key)
        return context

    @property
    def _paths(self) -> tuple[Path, Path]:
        return self.directory / "tls.crt", self.directory / "tls.key"


def _identity(path: Path) -> tuple[int, int, int]:
    """Kubelet replaces a link, others the file or its content: one of these is different then."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def served_by(options: TlsOptions, certificate: bytes, key: bytes) -> ssl.SSLContext:
    """A context that serves this chain (PEM). Raises ssl.SSLError or ValueError.

    `ssl` reads files only; these two are in memory, so that a read-only file system is no hindrance and no key is on a
    disk. A context of its own for every certificate: OpenSSL keeps one for each kind of key, so that in a context that
    is used again an old RSA certificate may go on being served beside the new one; and of a pair that does not fit it
    would keep the certificate and drop the key.
    """
    context = options.context()
    with _Memory(certificate) as chain, _Memory(key) as private:
        # A password keeps OpenSSL from asking a terminal for one.
        context.load_cert_chain(chain.path, private.path, password="")
    return context


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


def self_signed(name: str, options: TlsOptions) -> Callable[[], ssl.SSLContext]:
    """A certificate for `name` that nobody else vouches for; key and certificate are on no disk.

    Takes a fraction of a second in a child process. Raises OSError and subprocess.SubprocessError.
    """
    made = subprocess.run(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-m", "herald.observe.self_signed", name], check=True, capture_output=True, timeout=SIGNING_S
    )
    context = served_by(options, made.stdout, made.stdout)
    return lambda: context


def certificate(directory: Path | None, name: str, options: TlsOptions) -> Callable[[], ssl.SSLContext]:
    """What --metrics-cert-dir says, or one that is signed by itself for `name`."""
    return self_signed(name, options) if directory is None else FileCertificate(directory, options)
