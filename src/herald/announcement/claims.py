"""Claims: which addresses a node holds and is to keep, small enough to travel with its name.

Who returns must know what the others hold, and a third node must know the same, so every speaker tells it to all. A
member of the gossip has 512 octets of metadata for it; hence marks instead of addresses.

    digest   the first 32 bits of the SHA-256 of `claim#address`
    mark     its first `bits` bits: all 32 for a hundred addresses, fewer for more

    +-----------+-----------+-----------------------+------------------------------------------------+
    | bits, 1   | k, 1      | count, 2 octets,      | the marks, ascending, each as its distance     |
    | octet     | octet     | most significant 1st  | from the one before less one, Rice-coded       |
    +-----------+-----------+-----------------------+------------------------------------------------+

A Rice code: the distance shifted right by k, in as many ones and a zero; then its k low bits. The last octet is filled
up with ones.

What a shorter mark covers by mistake counts as claimed: all nodes read the same marks and come to the same owner. With
350 addresses on a node one in a hundred others is covered by mistake, above 1,000 most are, and with that a claim no
longer tells one node from another: addresses then go back as if there were no `failback`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from math import ceil, log2
from typing import Final

from herald.net.ip_family import IPAddress

WIDTH: Final = 32
HEAD: Final = 4
_MOST: Final = 2**16 - 1


class ClaimsError(ValueError):
    """Octets that are no claims."""


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
        if len(marks) <= _MOST and HEAD + _octets(_distances(marks), _best_k(bits, len(marks))) <= room:
            return Claims(marks, bits, yields)
    return Claims()


def _first_guess(count: int, room: int) -> int:
    """No more bits than this can fit: a mark takes at least its bits less log2(count). `count` is at least 1."""
    return max(0, min(WIDTH, ceil(8 * max(0, room - HEAD) / count + log2(count))))


def encode(claims: Claims) -> bytes:
    """The octets, without `yields`; nothing for no claims."""
    if not claims.marks:
        return b""
    k = _best_k(claims.bits, len(claims.marks))
    text = "".join(
        "1" * (distance >> k) + "0" + (f"{distance & ((1 << k) - 1):0{k}b}" if k else "")
        for distance in _distances(claims.marks)
    )
    length = -(-len(text) // 8)
    body = int(text.ljust(8 * length, "1"), 2).to_bytes(length)
    return bytes((claims.bits, k)) + len(claims.marks).to_bytes(2) + body


@lru_cache(maxsize=1024)
def decode(octets: bytes) -> Claims:
    """The claims that `encode` wrote. Raises ClaimsError for what it did not."""
    if not octets:
        return Claims()
    if len(octets) < HEAD:
        raise ClaimsError(f"{len(octets)} octets; the head alone has {HEAD}")
    bits, k, count = octets[0], octets[1], int.from_bytes(octets[2:HEAD])
    if bits > WIDTH or k > WIDTH:
        raise ClaimsError(f"marks of {bits} bits, k {k}; neither is above {WIDTH}")
    text = "".join(f"{octet:08b}" for octet in octets[HEAD:])
    marks, at, mark = set[int](), 0, -1
    for _ in range(count):
        end = text.find("0", at)
        if end < 0 or end + 1 + k > len(text):
            raise ClaimsError(f"{count} marks are told and only {len(marks)} are there")
        low = text[end + 1 : end + 1 + k]
        mark += ((end - at) << k) + (int(low, 2) if low else 0) + 1
        at = end + 1 + k
        marks.add(mark)
    if mark >= 1 << bits:
        raise ClaimsError(f"a mark above what {bits} bits hold")
    return Claims(frozenset(marks), bits)


def _distances(marks: frozenset[int]) -> list[int]:
    ordered = sorted(marks)
    return [mark - before - 1 for before, mark in zip([-1, *ordered], ordered, strict=False)]


def _best_k(bits: int, count: int) -> int:
    """Close to the best: the distances are spread like those of a random draw."""
    return max(0, bits - count.bit_length()) if count else 0


def _octets(distances: list[int], k: int) -> int:
    return -(-sum((distance >> k) + 1 + k for distance in distances) // 8)
