"""Neighbor Discovery over Ethernet: the two messages of RFC 4861 that find and announce a neighbour.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------+---------------+---------------------------------------+
    |   6   | traffic class |              flow label               |    IPv6, 40 octets, after an Ethernet header
    +-------+-------+-------+-------+---------------+---------------+
    |        payload octets         |  58: ICMPv6   | hop limit 255 |
    +-------------------------------+---------------+---------------+
    |                    source address, 16 octets                  |
    |                 destination address, 16 octets                |
    +---------------+---------------+-------------------------------+
    | type 135, 136 |    code 0     |            checksum           |    ICMPv6
    +-+-+-+---------+---------------+-------------------------------+
    |R|S|O|   zero (all of it in a solicitation)                    |
    +-+-+-+---------------------------------------------------------+
    |                    target address, 16 octets                  |
    +---------------+---------------+-------------------------------+
    |  option type  | octets / 8    |  value …                      |    1: source MAC, 2: target MAC
    +---------------+---------------+-------------------------------+

`decode` applies every test of RFC 4861 §7.1.1 and §7.1.2, hop limit and checksum included: what it gives may be
believed to come from this very link. Options other than the two MACs (a nonce, for one) are stepped over. A packet
with extension headers is refused: no station sends one, and fragments are forbidden here (RFC 6980).
"""

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from herald.layer2 import ethernet
from herald.layer2.solicited_node import ALL_NODES, is_solicited_node, multicast_mac
from herald.net.interface import Mac

NEXT_HEADER_ICMPV6: Final = 58
HOP_LIMIT: Final = 255
UNSPECIFIED: Final = IPv6Address("::")

_IPV6: Final = struct.Struct("!IHBB16s16s")
_ICMPV6: Final = struct.Struct("!BBHI16s")
_OPTION: Final = struct.Struct("!BB6s")
_PSEUDO_HEADER: Final = struct.Struct("!16s16sII")
_IPV6_AT: Final = ethernet.HEADER.size
_ICMPV6_AT: Final = _IPV6_AT + _IPV6.size
_OPTIONS_AT: Final = _ICMPV6_AT + _ICMPV6.size
_CHECKSUM_AT: Final = 2

SHORTEST_OCTETS: Final = _OPTIONS_AT
"""A frame without options: 78 octets."""
LONGEST_OCTETS: Final = _IPV6_AT + 1500
"""What a reader takes in; a longer frame comes cut short and is refused. Real ones have 86 to 100 octets."""
SENDER: Final = slice(_IPV6_AT + 8, _IPV6_AT + 24)
RECEIVER: Final = slice(_IPV6_AT + 24, _IPV6_AT + 40)
TARGET: Final = slice(_ICMPV6_AT + 8, _ICMPV6_AT + 24)
"""Where the addresses stand in a frame, for who wants to look before decoding."""


class NdpError(ValueError):
    """A frame that is no valid Neighbor Solicitation or Advertisement; the text says in what."""


class MessageType(enum.IntEnum):
    """ICMPv6 types (RFC 4861 §4.3, §4.4)."""

    NEIGHBOR_SOLICITATION = 135
    NEIGHBOR_ADVERTISEMENT = 136


class OptionType(enum.IntEnum):
    """Options that are read (RFC 4861 §4.6.1)."""

    SOURCE_LINK_LAYER_ADDRESS = 1
    TARGET_LINK_LAYER_ADDRESS = 2


class _Flag(enum.IntFlag):
    ROUTER = 1 << 31
    SOLICITED = 1 << 30
    OVERRIDE = 1 << 29


@dataclass(frozen=True, slots=True)
class NeighborSolicitation:
    """Who has `target`? `source_mac` is that of the station that asks, if it says so."""

    target: IPv6Address
    source_mac: Mac | None = None


@dataclass(frozen=True, slots=True)
class NeighborAdvertisement:
    """`target` is at `target_mac` (None: nothing is said of the MAC). Flags of RFC 4861 §4.4."""

    target: IPv6Address
    target_mac: Mac | None
    router: bool
    solicited: bool
    override: bool


Message = NeighborSolicitation | NeighborAdvertisement


@dataclass(frozen=True, slots=True)
class Frame:
    """A message with the addresses of the packet and of the Ethernet frame that carry it."""

    destination: Mac
    source: Mac
    sender: IPv6Address
    receiver: IPv6Address
    message: Message


def decode(data: bytes) -> Frame:
    """The message in `data`. Raises `NdpError` if it is none, or one that RFC 4861 §7.1 forbids to believe."""
    if len(data) < SHORTEST_OCTETS:
        raise NdpError(f"{len(data)} octets; a frame with a neighbour message has at least {SHORTEST_OCTETS}")
    destination, source, ethertype = ethernet.HEADER.unpack_from(data)
    if ethertype != ethernet.ETHERTYPE_IPV6:
        raise NdpError(f"EtherType 0x{ethertype:04x}; IPv6 is 0x{ethernet.ETHERTYPE_IPV6:04x}")
    if source[0] & 1:
        raise NdpError(f"it comes from the group {source.hex(':')}, which is nobody")
    sender, receiver, payload = _packet(data)
    message = _message(payload)
    _check_addresses(sender, receiver, message)
    return Frame(Mac(destination), Mac(source), sender, receiver, message)


def _packet(data: bytes) -> tuple[IPv6Address, IPv6Address, bytes]:
    """Source, destination and payload of the IPv6 packet; the checksum is right and the padding is gone."""
    first_word, octets, next_header, hop_limit, source, destination = _IPV6.unpack_from(data, _IPV6_AT)
    if first_word >> 28 != 6:
        raise NdpError(f"IP version {first_word >> 28}")
    if next_header != NEXT_HEADER_ICMPV6:
        raise NdpError(f"next header {next_header}; ICMPv6 is {NEXT_HEADER_ICMPV6}")
    if hop_limit != HOP_LIMIT:
        raise NdpError(f"hop limit {hop_limit}; what was not sent on this link has less than {HOP_LIMIT}")
    if not _ICMPV6.size <= octets <= len(data) - _ICMPV6_AT:
        raise NdpError(f"payload of {octets} octets, {len(data) - _ICMPV6_AT} are there, {_ICMPV6.size} are needed")
    payload = data[_ICMPV6_AT : _ICMPV6_AT + octets]
    if checksum(source, destination, payload) != 0:
        raise NdpError("the checksum is wrong")
    return IPv6Address(source), IPv6Address(destination), payload


def _message(payload: bytes) -> Message:
    kind, code, _, flags, octets = _ICMPV6.unpack_from(payload)
    if code != 0:
        raise NdpError(f"code {code}; it must be 0")
    target = IPv6Address(octets)
    if target.is_multicast:
        raise NdpError(f"the target {target} is a group")
    options = _options(payload)
    if kind == MessageType.NEIGHBOR_SOLICITATION:
        return NeighborSolicitation(target, options.get(OptionType.SOURCE_LINK_LAYER_ADDRESS))
    if kind == MessageType.NEIGHBOR_ADVERTISEMENT:
        set_flags = [bool(flags & flag) for flag in (_Flag.ROUTER, _Flag.SOLICITED, _Flag.OVERRIDE)]
        return NeighborAdvertisement(target, options.get(OptionType.TARGET_LINK_LAYER_ADDRESS), *set_flags)
    raise NdpError(f"ICMPv6 type {kind}; 135 asks for a neighbour and 136 tells of one")


def _options(payload: bytes) -> dict[int, Mac]:
    """The MACs by option; of two of a kind the first counts."""
    found: dict[int, Mac] = {}
    for kind, value in _each_option(payload):
        if kind not in (OptionType.SOURCE_LINK_LAYER_ADDRESS, OptionType.TARGET_LINK_LAYER_ADDRESS):
            continue
        if len(value) != 6:
            raise NdpError(f"option {kind} of {len(value) + 2} octets; with a 6-octet MAC it has 8")
        if value[0] & 1:
            raise NdpError(f"option {kind} names the group {value.hex(':')}, which is no station")
        found.setdefault(kind, Mac(value))
    return found


def _each_option(payload: bytes) -> Iterator[tuple[int, bytes]]:
    at = _ICMPV6.size
    while at < len(payload):
        if len(payload) - at < 2:
            raise NdpError(f"{len(payload) - at} octets after the options; one has at least 8")
        kind, eights = payload[at], payload[at + 1]
        if eights == 0:
            raise NdpError(f"option {kind} of length 0")
        if len(payload) - at < eights * 8:
            raise NdpError(f"option {kind} says {eights * 8} octets, {len(payload) - at} are there")
        yield kind, payload[at + 2 : at + eights * 8]
        at += eights * 8


def _check_addresses(sender: IPv6Address, receiver: IPv6Address, message: Message) -> None:
    if sender.is_multicast:
        raise NdpError(f"it comes from {sender}, which is a group")
    match message:
        case NeighborSolicitation(_, source_mac) if sender == UNSPECIFIED:
            if not is_solicited_node(receiver):
                raise NdpError(f"a probe sent to {receiver}; it goes to a solicited-node group")
            if source_mac is not None:
                raise NdpError("a probe that names a source MAC")
        case NeighborAdvertisement(solicited=True) if receiver.is_multicast:
            raise NdpError(f"called solicited, but sent to the group {receiver}")
        case _:
            pass


def encode(frame: Frame) -> bytes:
    """The frame: 86 octets with the MAC option, 78 without; hop limit 255."""
    source, destination = frame.sender.packed, frame.receiver.packed
    payload = bytearray(_payload(frame.message))
    struct.pack_into("!H", payload, _CHECKSUM_AT, checksum(source, destination, payload))
    header = _IPV6.pack(6 << 28, len(payload), NEXT_HEADER_ICMPV6, HOP_LIMIT, source, destination)
    return ethernet.encode(frame.destination, frame.source, ethernet.ETHERTYPE_IPV6, header + payload)


def _payload(message: Message) -> bytes:
    match message:
        case NeighborSolicitation(target, mac):
            kind, flags, option = MessageType.NEIGHBOR_SOLICITATION, 0, OptionType.SOURCE_LINK_LAYER_ADDRESS
        case NeighborAdvertisement(target, mac, router, solicited, override):
            kind, option = MessageType.NEIGHBOR_ADVERTISEMENT, OptionType.TARGET_LINK_LAYER_ADDRESS
            flags = _Flag.ROUTER * router | _Flag.SOLICITED * solicited | _Flag.OVERRIDE * override
    return _ICMPV6.pack(kind, 0, 0, flags, target.packed) + (b"" if mac is None else _OPTION.pack(option, 1, mac))


def checksum(source: bytes, destination: bytes, payload: bytes | bytearray) -> int:
    """The ICMPv6 checksum (RFC 4443 §2.3, RFC 8200 §8.1); 0 over a payload that carries the right one.

    A one's complement sum is a remainder of division by 0xFFFF, and Python divides long numbers at once.
    """
    whole = _PSEUDO_HEADER.pack(source, destination, len(payload), NEXT_HEADER_ICMPV6) + payload
    if len(whole) % 2:
        whole += b"\0"
    return 0xFFFF - (int.from_bytes(whole, "big") % 0xFFFF or 0xFFFF)


def reply(request: Frame, mac: Mac, source: IPv6Address | None) -> Frame:
    """The answer "the target is at `mac`" to the solicitation `request`.

    It comes from the target itself, as from a host that has the address configured: ndisc6, with which people look
    after us, ignores an answer for a global address that comes from a link-local one. It goes to the MAC that the
    solicitation names, or else to the source of its Ethernet frame. Solicited, not overriding: a neighbour that knows
    another MAC finds out by itself whether that one is still there.

    Who asked from no address, which is how duplicates are looked for, is answered before all nodes, not solicited
    (RFC 4861 §7.2.4), overriding, from `source`: see `unsolicited`.
    """
    assert isinstance(request.message, NeighborSolicitation)
    target = request.message.target
    if request.sender == UNSPECIFIED:
        return unsolicited(target, mac, source)
    answer = NeighborAdvertisement(target, mac, router=False, solicited=True, override=False)
    return Frame(request.message.source_mac or request.source, mac, target, request.sender, answer)


def unsolicited(target: IPv6Address, mac: Mac, source: IPv6Address | None) -> Frame:
    """All nodes are told "`target` is at `mac`", whatever they believed before (RFC 4861 §7.2.6).

    It comes from `source`, or from the target itself where that is None.
    """
    news = NeighborAdvertisement(target, mac, router=False, solicited=False, override=True)
    return Frame(multicast_mac(ALL_NODES), mac, source or target, ALL_NODES, news)
