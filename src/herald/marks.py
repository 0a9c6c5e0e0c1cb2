"""A set of numbers below 2**bits in few octets: what speakers tell each other of names and addresses by their hashes.

    +-----------+-----------+-----------------------+------------------------------------------------+
    | bits, 1   | k, 1      | count, 2 octets,      | the numbers, ascending, each as its distance   |
    | octet     | octet     | most significant 1st  | from the one before less one, Rice-coded       |
    +-----------+-----------+-----------------------+------------------------------------------------+

A Rice code: the distance shifted right by k, in as many ones and a zero; then its k low bits. The last octet is filled
up with ones.
"""

from typing import Final

WIDTH: Final = 32
"""The most bits that a number may have."""
HEAD: Final = 4
MOST: Final = 2**16 - 1
"""Numbers that one set may have."""


class MarksError(ValueError):
    """Octets that are no set."""


def length(marks: frozenset[int], bits: int) -> int:
    """How many octets `encode` makes."""
    k = _best_k(bits, len(marks))
    return HEAD - (-sum((distance >> k) + 1 + k for distance in _distances(marks)) // 8)


def encode(marks: frozenset[int], bits: int) -> bytes:
    """The octets, of `MOST` numbers at most."""
    k = _best_k(bits, len(marks))
    text = "".join(
        "1" * (distance >> k) + "0" + (f"{distance & ((1 << k) - 1):0{k}b}" if k else "")
        for distance in _distances(marks)
    )
    octets = -(-len(text) // 8)
    body = int(text.ljust(8 * octets, "1"), 2).to_bytes(octets) if octets else b""
    return bytes((bits, k)) + len(marks).to_bytes(2) + body


def decode(octets: bytes) -> tuple[frozenset[int], int]:
    """The set that `encode` wrote, and its bits. Raises MarksError for what it did not."""
    if len(octets) < HEAD:
        raise MarksError(f"{len(octets)} octets; the head alone has {HEAD}")
    bits, k, count = octets[0], octets[1], int.from_bytes(octets[2:HEAD])
    if bits > WIDTH or k > WIDTH:
        raise MarksError(f"marks of {bits} bits, k {k}; neither is above {WIDTH}")
    text = "".join(f"{octet:08b}" for octet in octets[HEAD:])
    marks, at, mark = set[int](), 0, -1
    for _ in range(count):
        end = text.find("0", at)
        if end < 0 or end + 1 + k > len(text):
            raise MarksError(f"{count} marks are told and only {len(marks)} are there")
        low = text[end + 1 : end + 1 + k]
        mark += ((end - at) << k) + (int(low, 2) if low else 0) + 1
        at = end + 1 + k
        marks.add(mark)
    if mark >= 1 << bits:
        raise MarksError(f"a mark above what {bits} bits hold")
    return frozenset(marks), bits


def _distances(marks: frozenset[int]) -> list[int]:
    ordered = sorted(marks)
    return [mark - before - 1 for before, mark in zip([-1, *ordered], ordered, strict=False)]


def _best_k(bits: int, count: int) -> int:
    """Close to the best: the distances are spread like those of a random draw."""
    return max(0, bits - count.bit_length()) if count else 0
