"""One message over TCP, in each direction, and what is wrapped round it.

    label       f4 | length | label                        once, at the start of the connection
    encrypted   0a | length, 4 octets | version | nonce …   the five octets before and the label are authenticated too
    compressed  09 | map {Algo: 0, Buf: LZW}

A stream that is not encrypted says nowhere how long it is: a message ends where it is complete.
"""

import random
import struct
from typing import Final

from herald.swim.keyring import OVERHEAD, UnauthenticatedError
from herald.swim.message import COMPRESS, ENCRYPT, LABEL, DecodeError, IncompleteError, Message, decode
from herald.swim.packet import Wrapping, compressed, decompress, labelled

LARGEST_STREAM: Final = 4 * 1024 * 1024
LARGEST_UNPACKED: Final = 8 * 1024 * 1024
"""Octets: the states of twenty thousand members."""
_HEAD: Final = struct.Struct("!BI")


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
    """Collects the octets of one direction of a stream until they are a message."""

    def __init__(self, wrapping: Wrapping) -> None:
        self._wrapping = wrapping
        self._data = bytearray()

    @property
    def held(self) -> int:
        """Octets collected so far."""
        return len(self._data)

    def feed(self, data: bytes) -> Message | None:
        """The message, if it is complete with these. Raises `DecodeError` and `UnauthenticatedError`."""
        self._data += data
        if len(self._data) > LARGEST_STREAM + _HEAD.size + 257:
            raise DecodeError(f"a stream of more than {LARGEST_STREAM} octets")
        try:
            return self._read(self._unlabelled(bytes(self._data)))
        except IncompleteError:
            return None

    def _unlabelled(self, data: bytes) -> bytes:
        if not data:
            raise IncompleteError("nothing yet")
        label = self._wrapping.label
        if data[0] != LABEL:
            if label:
                raise UnauthenticatedError("without a label")
            return data
        if not label:
            raise UnauthenticatedError("with a label")
        whole = labelled(b"", label)
        if not whole.startswith(data[: len(whole)]):
            raise UnauthenticatedError("with another label")
        if len(data) <= len(whole):
            raise IncompleteError("the label only")
        return data[len(whole) :]

    def _read(self, data: bytes) -> Message:
        keyring = self._wrapping.keyring
        if data[0] == ENCRYPT:
            if keyring is None:
                raise UnauthenticatedError("encrypted, and this group is not")
            if len(data) < _HEAD.size:
                raise IncompleteError("the head only")
            _, length = _HEAD.unpack_from(data)
            if not OVERHEAD <= length <= LARGEST_STREAM:
                raise DecodeError(f"an encrypted message of {length} octets")
            if len(data) < _HEAD.size + length:
                raise IncompleteError("not yet all of it")
            associated = data[: _HEAD.size] + self._wrapping.label
            return self._plain(keyring.unseal(data[_HEAD.size : _HEAD.size + length], associated), whole=True)
        if keyring is not None and self._wrapping.verify_incoming:
            raise UnauthenticatedError("not encrypted")
        return self._plain(data, whole=False)

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
