"""The AF_PACKET socket of one link: whole Ethernet frames of ARP or of NDP only, what others sent only.

It is opened with protocol 0, which receives nothing; then the filter is attached and locked; then it is bound to the
link. In another order frames could slip in before the filter. It is never promiscuous. `PACKET_IGNORE_OUTGOING` hides
our own frames (Linux 4.20).

A filter lets pass what is ARP and a request or a reply, or what is a Neighbor Solicitation or Advertisement; and in
both cases is not of packet type "other host". The last matters: the kernel takes an 802.1Q tag off a frame before this
socket sees it, so a request of a VLAN that this machine takes no part in looks like one of the untagged segment, and
would be answered there. By then all that tells them apart is that type, which the kernel gives to such frames even if
they are broadcast. A tag with VLAN 0, a mere priority, does not count.
"""

import array
import errno
import socket
import struct
from typing import Final

from herald.layer2 import ndp
from herald.layer2.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV6
from herald.layer2.link import Link, NdpLink

_SO_ATTACH_FILTER: Final = 26
_SO_LOCK_FILTER: Final = 44
_SOL_PACKET: Final = 263
_PACKET_IGNORE_OUTGOING: Final = 23

_LOAD_HALF: Final = 0x28  # BPF_LD | BPF_H | BPF_ABS
_LOAD_BYTE: Final = 0x30  # BPF_LD | BPF_B | BPF_ABS
_LOAD_WORD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_PACKET_TYPE: Final = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE
_OTHER_HOST: Final = 3
_OUTGOING: Final = 4
_ALL_PROTOCOLS: Final = 3  # ETH_P_ALL
_JUMP_EQUAL_X: Final = 0x1D  # BPF_JMP | BPF_JEQ | BPF_X
_TO_X: Final = 0x07  # BPF_MISC | BPF_TAX
_WITNESS_OCTETS: Final = 128
_TAKE_OCTETS: Final = 64

Program = tuple[tuple[int, int, int, int], ...]
"""A classic BPF program, one instruction a row: code, jump if true, jump if false, operand."""

ARP_FILTER: Final[Program] = (
    (_LOAD_HALF, 0, 0, 12),  # EtherType
    (_JUMP_EQUAL, 0, 6, ETHERTYPE_ARP),
    (_LOAD_HALF, 0, 0, 20),  # operation
    (_JUMP_EQUAL, 1, 0, 1),
    (_JUMP_EQUAL, 0, 3, 2),
    (_LOAD_WORD, 0, 0, _PACKET_TYPE),
    (_JUMP_EQUAL, 1, 0, _OTHER_HOST),
    (_RETURN, 0, 0, _TAKE_OCTETS),
    (_RETURN, 0, 0, 0),
)

NDP_FILTER: Final[Program] = (
    (_LOAD_HALF, 0, 0, 12),  # EtherType
    (_JUMP_EQUAL, 0, 8, ETHERTYPE_IPV6),
    (_LOAD_BYTE, 0, 0, 20),  # next header
    (_JUMP_EQUAL, 0, 6, ndp.NEXT_HEADER_ICMPV6),
    (_LOAD_BYTE, 0, 0, 54),  # ICMPv6 type
    (_JUMP_EQUAL, 1, 0, ndp.MessageType.NEIGHBOR_SOLICITATION),
    (_JUMP_EQUAL, 0, 3, ndp.MessageType.NEIGHBOR_ADVERTISEMENT),
    (_LOAD_WORD, 0, 0, _PACKET_TYPE),
    (_JUMP_EQUAL, 1, 0, _OTHER_HOST),
    (_RETURN, 0, 0, ndp.LONGEST_OCTETS),
    (_RETURN, 0, 0, 0),
)


def _witness_filter(ethertype: int) -> Program:
    """Lets pass what this node itself sends, of that EtherType, from a MAC to the same MAC."""
    return (
        (_LOAD_WORD, 0, 0, _PACKET_TYPE),
        (_JUMP_EQUAL, 0, 10, _OUTGOING),
        (_LOAD_HALF, 0, 0, 12),
        (_JUMP_EQUAL, 0, 8, ethertype),
        (_LOAD_WORD, 0, 0, 0),  # destination MAC: four octets, then two
        (_TO_X, 0, 0, 0),
        (_LOAD_WORD, 0, 0, 6),  # source MAC
        (_JUMP_EQUAL_X, 0, 4, 0),
        (_LOAD_HALF, 0, 0, 4),
        (_TO_X, 0, 0, 0),
        (_LOAD_HALF, 0, 0, 10),
        (_JUMP_EQUAL_X, 1, 0, 0),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, _WITNESS_OCTETS),
    )


def open_witness(link: Link | NdpLink, ethertype: int) -> socket.socket:
    """A non-blocking socket that shows the frames which leave `link` for itself, as its driver is given them.

    Only sockets for all protocols are shown what is sent. Raises OSError, see `open_filtered`.
    """
    return open_filtered(link, _ALL_PROTOCOLS, _witness_filter(ethertype), see_outgoing=True)


def open_arp_socket(link: Link) -> socket.socket:
    """A non-blocking socket that reads and writes the ARP frames of `link`. Raises OSError, see `open_filtered`."""
    return open_filtered(link, ETHERTYPE_ARP, ARP_FILTER)


def open_filtered(
    link: Link | NdpLink, ethertype: int, program: Program, *, see_outgoing: bool = False
) -> socket.socket:
    """A non-blocking socket for the frames of `link` that have this EtherType and pass the filter.

    Raises OSError: EPERM without CAP_NET_RAW, ENODEV if the name no longer belongs to that interface.
    """
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    try:
        attach_filter(opened, program)
        if not see_outgoing:
            opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        opened.bind((link.name, ethertype))
        _check_identity(link)
    except OSError:
        opened.close()
        raise
    return opened


def _check_identity(link: Link | NdpLink) -> None:
    """Python binds by name; the interface may have been renamed, or made anew, since the kernel told of it."""
    if socket.if_nametoindex(link.name) != link.index:
        raise OSError(errno.ENODEV, f"{link.name} is another interface now")


def attach_filter(opened: socket.socket, program: Program) -> None:
    """Let pass only what `program` lets, for good."""
    octets = array.array("B", b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    address, _ = octets.buffer_info()
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), address))
    opened.setsockopt(socket.SOL_SOCKET, _SO_LOCK_FILTER, 1)
