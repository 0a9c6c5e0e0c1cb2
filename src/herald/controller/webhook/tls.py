"""Puts a certificate into a TLS context that is in use, without touching a file."""

import os
import ssl


class CertificateError(ValueError):
    """A certificate and a key that cannot be served. The message says why, and never holds the key."""


def install(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Serve this chain (PEM) from the next handshake on. Raises CertificateError.

    `ssl` reads files only; these two are in memory, so that a read-only file system is no hindrance and no key is on a
    disk.
    """
    with _Memory(certificate) as chain, _Memory(key) as private:
        try:
            # A password keeps OpenSSL from asking a terminal for one.
            context.load_cert_chain(chain.path, private.path, password="")
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise CertificateError(f"tls.crt and tls.key cannot be served: {reason}") from None


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
