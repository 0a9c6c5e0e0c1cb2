"""Encryption of gossip: AES-GCM with the shared key, and how the key is changed under way.

    +---------+-----------+----------------------+--------+
    | version | nonce, 12 | ciphertext           | tag 16 |      version 1; in version 0 the text is padded (PKCS #7)
    +---------+-----------+----------------------+--------+      to 16 octets, by one at least, before it is sealed

The key is *not* a hash of the secret: it is the secret followed by the SHA-256 of nothing, cut at 32 octets. That is
how MetalLB makes it, and one group needs one key.

Where the secret changes, the nodes see it at different moments, and one that starts meanwhile knows only what the file
says then. So a new key is accepted at once, and used at once towards whoever uses it (`herald.swim.keys_heard`);
towards the others once everybody had the time to read it (`ADOPT_AFTER`). The old one is accepted, and used towards
whoever uses no other, for long after (`FORGET_AFTER`).
"""

import hashlib
import random
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_OCTETS: Final = 32
NONCE: Final = 12
TAG: Final = 16
OVERHEAD: Final = 1 + NONCE + TAG
ADOPT_AFTER: Final = 180.0
"""Seconds; a kubelet brings a changed Secret to its pods within about 90."""
FORGET_AFTER: Final = 900.0
MOST_KEYS: Final = 4
"""Where the secret changes over and over, those before are forgotten earlier."""
_BLOCK: Final = 16


class UnauthenticatedError(ValueError):
    """Octets that nobody with one of our keys has sealed, or that were changed."""


def derive_key(secret: bytes) -> bytes:
    """MetalLB's key for the octets of the file `secretkey`, whitespace and all."""
    return (secret + hashlib.sha256(b"").digest())[:KEY_OCTETS]


class Key:
    """One key; equal to another of the same octets. Never shows them."""

    def __init__(self, octets: bytes) -> None:
        """Of 16, 24 or 32 octets. Raises ValueError."""
        self._octets = octets
        self.cipher = AESGCM(octets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._octets == other._octets

    def __hash__(self) -> int:
        return hash(self._octets)


class Keyring:
    """The keys that are accepted. Never shows them."""

    def __init__(self, *keys: bytes | Key, seals: int = 0) -> None:
        """The newest first, each of 16, 24 or 32 octets; `seals`: the number of that which seals. Raises ValueError."""
        if not keys:
            raise ValueError("a key ring needs a key")
        self.keys = tuple(one if isinstance(one, Key) else Key(one) for one in keys)
        self._seals = seals

    @property
    def sealing(self) -> Key:
        """The key that seals."""
        return self.keys[self._seals]

    def sealed_with(self, key: Key) -> "Keyring":
        """The same keys, of which this one seals; it must be among them."""
        return self if key == self.sealing else Keyring(*self.keys, seals=self.keys.index(key))

    def seal(self, text: bytes, associated: bytes, rng: random.Random) -> bytes:
        """`text`, readable to members only. `rng` must never repeat itself: take `random.SystemRandom`."""
        nonce = rng.randbytes(NONCE)
        return b"\x01" + nonce + self.sealing.cipher.encrypt(nonce, text, associated)

    def unseal(self, sealed: bytes | memoryview, associated: bytes) -> tuple[bytes, Key]:
        """The text in `sealed`, and with which key it was sealed. Raises `UnauthenticatedError`."""
        if len(sealed) < OVERHEAD or sealed[0] > 1:
            raise UnauthenticatedError("not sealed")
        nonce, rest = sealed[1 : 1 + NONCE], sealed[1 + NONCE :]
        for key in self.keys:
            try:
                text = key.cipher.decrypt(nonce, rest, associated)
            except InvalidTag:
                continue
            return text if sealed[0] == 1 else _unpadded(text), key
        raise UnauthenticatedError("sealed with another key")


def _unpadded(text: bytes) -> bytes:
    padding = text[-1] if text else 0
    if not 0 < padding <= _BLOCK or padding > len(text):
        raise UnauthenticatedError("sealed, but not padded as version 0 must be")
    return text[:-padding]


@dataclass(slots=True)
class _Known:
    key: bytes
    since: float


class KeyChange:
    """Which keys are on the ring while the secret changes. No clock: `now` is given in, in seconds."""

    def __init__(self, secret: bytes) -> None:
        self._keys = [_Known(derive_key(secret), float("-inf"))]

    def learn(self, secret: bytes, now: float) -> bool:
        """The file says this now. Whether that is news."""
        key = derive_key(secret)
        if self._keys[-1].key == key:
            return False
        self._keys = [*[one for one in self._keys if one.key != key], _Known(key, now)][-MOST_KEYS:]
        return True

    def ring(self, now: float) -> Keyring:
        """The keys that count at `now`."""
        newest = self._keys[-1]
        if now - newest.since >= FORGET_AFTER:
            self._keys = [newest]
        keys = [one.key for one in reversed(self._keys)]
        return Keyring(*keys, seals=0 if len(keys) == 1 or now - newest.since >= ADOPT_AFTER else 1)
