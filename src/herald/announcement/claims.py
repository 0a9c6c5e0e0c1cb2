"""Claims: which addresses a node holds and is to keep, small enough to travel with its name.

Who returns must know what the others hold, and a third node must know the same, so every speaker tells it to all. A
member of the gossip has 512 octets of metadata for it; hence marks instead of addresses.

    digest   the first 32 bits of the SHA-256 of `claim#address`
    mark     its first `bits` bits: all 32 for a hundred addresses, fewer for more

They are written as `herald.marks` has it.

What a shorter mark covers by mistake counts as claimed: all nodes read the same marks and come to the same owner. With
350 addresses on a node one in a hundred others is covered by mistake, above 1,000 most are, and with that a claim no
longer tells one node from another: addresses then go back as if there were no `failback`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from math import ceil, log2

from herald import marks as codec
from herald.marks import HEAD, MOST, WIDTH
from herald.net.ip_family import IPAddress


@lru_cache(maxsize=65536)
def digest(address: IPAddress) -> int:
    """The 32 bits of which marks are made."""
    return int.from_bytes(sha256(f"claim#{address}".encode()).digest()[:4])


@dataclass(frozen=True, slots=True)
class Claims:
    """`marks` of `bits` bits each. Those of a node that `yields` count less than those of one that does not."""

    marks: frozenset[int] = frozenset()
    bits: int = WIDTH
    yields: bool = False

    def cover(self, address: IPAddress) -> bool:
        """Whether the address is claimed."""
        return digest(address) >> (WIDTH - self.bits) in self.marks

    @property
    def mistaken(self) -> float:
        """The part of all other addresses that is covered by mistake, 0 to 1."""
        return len(self.marks) / (1 << self.bits)

    def __bool__(self) -> bool:
        return bool(self.marks)


def claims_of(addresses: Iterable[IPAddress], room: int, *, yields: bool = False) -> Claims:
    """Claims for all of `addresses` that `encode` puts into `room` octets, with the longest marks that allow it."""
    digests = frozenset(map(digest, addresses))
    if not digests:
        return Claims()  # who claims nothing has nothing that yields
    for bits in range(_first_guess(len(digests), room), -1, -1):
        marks = frozenset(each >> (WIDTH - bits) for each in digests)
        if len(marks) <= MOST and codec.length(marks, bits) <= room:
            return Claims(marks, bits, yields)
    return Claims()


def _first_guess(count: int, room: int) -> int:
    """No more bits than this can fit: a mark takes at least its bits less log2(count). `count` is at least 1."""
    return max(0, min(WIDTH, ceil(8 * max(0, room - HEAD) / count + log2(count))))


def encode(claims: Claims) -> bytes:
    """The octets, without `yields`; nothing for no claims."""
    return codec.encode(claims.marks, claims.bits) if claims.marks else b""


@lru_cache(maxsize=1024)
def decode(octets: bytes) -> Claims:
    """The claims that `encode` wrote. Raises MarksError for what it did not."""
    return Claims(*codec.decode(octets)) if octets else Claims()
