"""`python -m herald.observe.self_signed NAME`: a new key and a certificate for it, in PEM on standard output.

A program of its own, because it is needed for a moment and what it imports is large; see `herald.observe.tls`.
"""

import sys
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = timedelta(days=3650)
"""It lives as long as its process does; nobody can check it anyway."""
EARLY = timedelta(hours=1)
"""For clients whose clock is behind."""


def make(name: str, now: datetime) -> bytes:
    """Key, then certificate, for the DNS name `name` (at most 64 characters count as common name)."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLY)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return written + signed.public_bytes(Encoding.PEM)


if __name__ == "__main__":
    sys.stdout.buffer.write(make(sys.argv[1], datetime.now(UTC)))
