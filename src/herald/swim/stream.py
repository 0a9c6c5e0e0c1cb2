"""One message over TCP, in each direction, and what is wrapped round it.

    label       f4 | length | label                        once, at the start of the connection
    encrypted   0a | length, 4 octets | version | nonce …   the five octets before and the label are authenticated too
    compressed  09 | map {Algo: 0, Buf: LZW}

A stream that is not encrypted says nowhere how long it is: a message ends where it is complete.
"""

import random
import struct
from typing import Final

from herald.swim.keyring import OVERHEAD, Key, UnauthenticatedError
from herald.swim.message import COMPRESS, ENCRYPT, LABEL, DecodeError, IncompleteError, Message, decode
from herald.swim.packet import Wrapping, compressed, decompress, labelled

LARGEST_STREAM: Final = 4 * 1024 * 1024
LARGEST_UNPACKED: Final = 8 * 1024 * 1024
"""Octets: the states of twenty thousand members."""
_HEAD: Final = struct.Struct("!BI")
_BEGINNING: Final = _HEAD.size + 257
"""Octets of the head and the longest label."""
_LARGEST: Final = LARGEST_STREAM + _BEGINNING


def seal(message: bytes, wrapping: Wrapping, rng: random.Random) -> bytes:
    """All that goes over the wire for one message, compressed if that helps."""
    if wrapping.compression:
        packed = compressed(message)
        message = packed if len(packed) < len(message) else message
    if wrapping.keyring is not None and wrapping.verify_outgoing:
        head = _HEAD.pack(ENCRYPT, OVERHEAD + len(message))
        message = head + wrapping.keyring.seal(message, head + wrapping.label, rng)
    return labelled(message, wrapping.label)


class Reading:
    """Collects the octets of one direction of a stream until they are a message.

    What says how long it is, is looked at once, when it is complete; until then nothing is copied.
    """

    def __init__(self, wrapping: Wrapping) -> None:
        self._wrapping = wrapping
        self._data = bytearray()
        self._least = 1
        self.key: Key | None = None
        """With which the message was sealed."""

    @property
    def held(self) -> int:
        """Octets collected so far."""
        return len(self._data)

    def feed(self, data: bytes) -> Message | None:
        """The message, if it is complete with these. Raises `DecodeError` and `UnauthenticatedError`."""
        return self.read() if self.add(data) else None

    def add(self, data: bytes) -> bool:
        """Keep these too. Whether it may be the whole message now. Raises as `feed`, for what its beginning tells."""
        self._data += data
        if len(self._data) > _LARGEST:
            raise DecodeError(f"a stream of more than {LARGEST_STREAM} octets")
        if len(self._data) >= self._least:
            self._least = self._needed(bytes(self._data[:_BEGINNING]))
        return len(self._data) >= self._least

    def read(self) -> Message | None:
        """The message, if it is complete. Raises as `feed`."""
        try:
            with memoryview(self._data) as data:
                return self._read(data)
        except IncompleteError:
            return None

    def _needed(self, beginning: bytes) -> int:
        """Octets that the whole has at least."""
        start = self._start(beginning)
        if start is None:
            return len(beginning) + 1
        keyring = self._wrapping.keyring
        if beginning[start] != ENCRYPT:
            if keyring is not None and self._wrapping.verify_incoming:
                raise UnauthenticatedError("not encrypted")
            return len(self._data)
        if keyring is None:
            raise UnauthenticatedError("encrypted, and this group is not")
        if len(beginning) < start + _HEAD.size:
            return start + _HEAD.size
        _, length = _HEAD.unpack_from(beginning, start)
        if not OVERHEAD <= length <= LARGEST_STREAM:
            raise DecodeError(f"an encrypted message of {length} octets")
        return start + _HEAD.size + int(length)

    def _start(self, beginning: bytes) -> int | None:
        """Where what follows the label begins; None: not here yet."""
        label = self._wrapping.label
        if beginning[0] != LABEL:
            if label:
                raise UnauthenticatedError("without a label")
            return 0
        if not label:
            raise UnauthenticatedError("with a label")
        whole = labelled(b"", label)
        if not whole.startswith(beginning[: len(whole)]):
            raise UnauthenticatedError("with another label")
        return len(whole) if len(beginning) > len(whole) else None

    def _read(self, data: memoryview) -> Message:
        start, keyring = len(labelled(b"", self._wrapping.label)), self._wrapping.keyring
        if data[start] != ENCRYPT or keyring is None:
            return self._plain(bytes(data[start:]), whole=False)
        head = bytes(data[start : start + _HEAD.size])
        text, self.key = keyring.unseal(data[start + _HEAD.size : self._least], head + self._wrapping.label)
        return self._plain(text, whole=True)

    def _plain(self, data: bytes, *, whole: bool) -> Message:
        """The message in what is now in clear; `whole`: nothing more can come."""
        try:
            if data[:1] != bytes((COMPRESS,)):
                return decode(data)
            data, whole = decompress(data, LARGEST_UNPACKED), True
            return decode(data)
        except IncompleteError as error:
            if whole:
                raise DecodeError(f"cut short: {error}") from error
            raise
