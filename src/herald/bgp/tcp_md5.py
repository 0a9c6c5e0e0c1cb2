"""The signature of a TCP segment (RFC 2385): which password a peer uses, told from a segment that was seen.

The kernel signs and checks what belongs to our sockets. A peer's own attempt to connect belongs to none, for we do not
listen; but it shows whether the peer has a password, and whether it is ours.

    TCP header   source 2 | destination 2 | sequence 4 | acknowledgement 4 | offset 4 bits, flags | window 2
                 | checksum 2 | urgent 2 | options: kind 1, length 1, value; 0 ends, 1 is padding, and 19,
                 of length 18, is the signature; 29 is one of TCP-AO (RFC 5925), which is told and not checked

The digest is MD5 over the pseudo-header (addresses, protocol, length), the header without its options and with a
checksum of 0, the data, and the password.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterator

from herald.bgp.diagnosis import PeerSyn
from herald.bgp.family import Address
from herald.bgp.parameters import Password

_TCP = 6
_HEADER_OCTETS = 20
_END, _PADDING, _SIGNATURE, _AO = 0, 1, 19, 29
_SIGNATURE_OCTETS = 16


def signature(segment: bytes) -> bytes | None:
    """The 16 octets of the option, or None for a segment without, or one that is malformed."""
    found = (value for kind, value in _options(segment) if kind == _SIGNATURE and len(value) == _SIGNATURE_OCTETS)
    return next(found, None)


def digest(segment: bytes, source: Address, destination: Address, password: Password) -> bytes:
    """The signature that a segment of at least 20 octets has with this password."""
    size = struct.pack("!I", len(segment)) + bytes((0, 0, 0, _TCP))
    short = bytes((0, _TCP)) + struct.pack("!H", len(segment))
    pseudo = source.packed + destination.packed + (short if source.version == 4 else size)
    header = segment[:16] + b"\0\0" + segment[18:_HEADER_OCTETS]
    data = segment[(segment[12] >> 4) * 4 :]
    return hashlib.md5(pseudo + header + data + password.reveal().encode(), usedforsecurity=False).digest()


def judge(segment: bytes, source: Address, destination: Address, password: Password | None) -> PeerSyn:
    """How `source`, whose segment this is, has signed it, as far as we can tell by our password."""
    signed = signature(segment)
    if signed is None:
        return PeerSyn.SIGNED_BY_AO if any(kind == _AO for kind, _ in _options(segment)) else PeerSyn.UNSIGNED
    if password is None:
        return PeerSyn.SIGNED
    alike = hmac.compare_digest(signed, digest(segment, source, destination, password))
    return PeerSyn.SIGNED_ALIKE if alike else PeerSyn.SIGNED_OTHERWISE


def _options(segment: bytes) -> Iterator[tuple[int, bytes]]:
    if len(segment) < _HEADER_OCTETS:
        return
    options = segment[_HEADER_OCTETS : (segment[12] >> 4) * 4]
    at = 0
    while at < len(options) and options[at] != _END:
        if options[at] == _PADDING:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2:
            return
        yield options[at], options[at + 2 : at + length]
        at += length
