"""A UDP packet: some messages, and what is wrapped round them.

    label       f4 | length | label | …                    only where a group has one
    encrypted   version | nonce | …                        see `herald.swim.keyring`; the label is authenticated with it
    CRC         0c | CRC-32, 4 octets | …                  towards members that speak version 5
    compressed  09 | map {Algo: 0, Buf: LZW}               see `herald.swim.lzw`
    compound    07 | count | count × length, 2 octets | …  where there is more than one message

A sender wraps from the last line to the first. A reader takes compressed and compound as they come, one in the other
too, but only `DEEPEST` times, and reads no more than `MOST_UNPACKED` octets in all: a small packet must not become a
large one.
"""

import enum
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from herald.swim import lzw
from herald.swim.keyring import OVERHEAD, Key, Keyring, UnauthenticatedError
from herald.swim.message import COMPOUND, COMPRESS, CRC, LABEL, DecodeError, Maps, Message, decode, pack

DEEPEST: Final = 4
MOST_UNPACKED: Final = 128 * 1024
MOST_IN_COMPOUND: Final = 255
_WORTH_COMPRESSING: Final = 256
"""Octets. Below, LZW saves nothing worth the time."""


class Drop(enum.Enum):
    """Why something that arrived was of no use; the value is for people."""

    UNAUTHENTICATED = "not sealed with a key of this group"
    LABEL = "of a group with another label"
    CHECKSUM = "checksum is wrong"
    MALFORMED = "no message of this protocol"
    TOO_MUCH = "wrapped too deep, or unpacks to too much"
    VERSIONS = "speaks no version in common with us"
    CONFLICT = "claims a name that another address has"
    TOO_MANY = "more members than are kept"
    UNEXPECTED = "a message that does not belong there"


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What the packets and streams of a group are wrapped in. With a `keyring` but not `verify_incoming`, what is not
    sealed is read too; not `verify_outgoing`: nothing is sealed."""

    keyring: Keyring | None = None
    label: bytes = b""
    compression: bool = True
    verify_incoming: bool = True
    verify_outgoing: bool = True

    @property
    def overhead(self) -> int:
        """Octets that go round a compound's lengths and bodies at most."""
        return 2 + (2 + len(self.label) if self.label else 0) + (OVERHEAD if self.keyring else 0)


@dataclass(slots=True)
class Opened:
    """What was in a packet, what of it could not be used, and with which key it was sealed."""

    messages: list[Message] = field(default_factory=list)
    dropped: list[Drop] = field(default_factory=list)
    key: Key | None = None


def seal(messages: Sequence[bytes], wrapping: Wrapping, rng: random.Random, *, checksum: bool) -> bytes:
    """The packet with these messages, up to 255. `checksum`: the receiver is known to understand CRC."""
    data = messages[0] if len(messages) == 1 else compound(messages)
    if wrapping.compression and len(data) >= _WORTH_COMPRESSING:
        packed = compressed(data)
        data = packed if len(packed) < len(data) else data
    if checksum:
        data = struct.pack("!BI", CRC, zlib.crc32(data)) + data
    if wrapping.keyring is not None and wrapping.verify_outgoing:
        data = wrapping.keyring.seal(data, wrapping.label, rng)
    return labelled(data, wrapping.label)


def compound(messages: Sequence[bytes]) -> bytes:
    """Several messages as one."""
    lengths = struct.pack(f"!BB{len(messages)}H", COMPOUND, len(messages), *map(len, messages))
    return lengths + b"".join(messages)


def compressed(data: bytes) -> bytes:
    """A message in its compressed form, which may be longer."""
    return bytes((COMPRESS,)) + pack({"Algo": 0, "Buf": lzw.compress(data)})


def labelled(data: bytes, label: bytes) -> bytes:
    """`data` with the label of its group in front, if it has one."""
    return bytes((LABEL, len(label))) + label + data if label else data


def open_packet(data: bytes, wrapping: Wrapping) -> Opened:
    """Everything in a packet that can be used. Never raises."""
    opened = Opened()
    unlabelled = _without_label(data, wrapping.label)
    if unlabelled is None:
        opened.dropped.append(Drop.LABEL)
        return opened
    plain, opened.key = _unsealed(unlabelled, wrapping)
    if plain is None:
        opened.dropped.append(Drop.UNAUTHENTICATED)
    elif plain[:1] != bytes((CRC,)):
        _Unwrapping(opened).unwrap(plain, 0)
    elif len(plain) > 5 and zlib.crc32(plain[5:]) == int.from_bytes(plain[1:5]):
        _Unwrapping(opened).unwrap(plain[5:], 0)
    else:
        opened.dropped.append(Drop.CHECKSUM)
    return opened


def _without_label(data: bytes, label: bytes) -> bytes | None:
    if data[:1] != bytes((LABEL,)):
        return None if label else data
    end = 2 + (data[1] if len(data) > 1 else 0)
    return data[end:] if label and data[2:end] == label else None


def _unsealed(data: bytes, wrapping: Wrapping) -> tuple[bytes | None, Key | None]:
    if wrapping.keyring is None:
        return data, None
    try:
        return wrapping.keyring.unseal(data, wrapping.label)
    except UnauthenticatedError:
        return None if wrapping.verify_incoming else data, None


def decompress(data: bytes, most: int) -> bytes:
    """What a compressed message holds, from its type octet on. Raises `DecodeError`, also for more than `most`."""
    fields = next(Maps(data))
    packed = fields.get(b"Buf")
    if fields.get(b"Algo", 0) != 0 or not isinstance(packed, bytes):
        raise DecodeError("compressed in a way that nobody uses")
    try:
        return lzw.decompress(packed, most)
    except lzw.LzwError as error:
        raise DecodeError(f"LZW: {error}") from error


@dataclass(slots=True)
class _Unwrapping:
    """Takes apart what is in a packet; `left` are the octets that may still be unpacked."""

    opened: Opened
    left: int = MOST_UNPACKED

    def unwrap(self, data: bytes, depth: int) -> None:
        self.left -= len(data)
        if depth > DEEPEST or self.left < 0:
            self.opened.dropped.append(Drop.TOO_MUCH)
            return
        try:
            match data[:1]:
                case b"\x07":
                    self._take_apart(data, depth)
                case b"\x09":
                    self.unwrap(decompress(data, self.left), depth + 1)
                case _:
                    self.opened.messages.append(decode(data))
        except DecodeError:
            self.opened.dropped.append(Drop.MALFORMED)

    def _take_apart(self, data: bytes, depth: int) -> None:
        count = data[1] if len(data) > 1 else 0
        start = 2 + 2 * count
        if len(data) < start:
            raise DecodeError("a compound without its lengths")
        for length in struct.unpack_from(f"!{count}H", data, 2):
            if start + length > len(data):
                raise DecodeError("a compound that was cut short")
            self.unwrap(data[start : start + length], depth + 1)
            start += length
