"""The certificate of a server that is changed while it listens."""

import ssl

from herald.observe.tls import TlsOptions, served_by


class CertificateError(ValueError):
    """A certificate and a key that cannot be served. The message says why, and never holds the key."""


class ServedCertificate:
    """What each handshake is given: the certificate that was installed last."""

    def __init__(self, options: TlsOptions) -> None:
        self._options = options
        self._present: ssl.SSLContext | None = None
        self.context = options.context()
        """For the listening socket. It has no certificate itself: it hands every handshake on."""
        self.context.sni_callback = self._hand_on

    def install(self, certificate: bytes, key: bytes) -> None:
        """Serve this chain (PEM) from the next handshake on. Raises CertificateError; what is served then stays."""
        try:
            self._present = served_by(self._options, certificate, key)
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise CertificateError(f"tls.crt and tls.key cannot be served: {reason}") from None

    def _hand_on(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called for every handshake, also of clients that name no server."""
        if self._present is not None:
            connection.context = self._present
