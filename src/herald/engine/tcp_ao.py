"""Keys of TCP-AO (RFC 5925) as Linux takes them: the octets of two socket options of `<linux/tcp.h>`, since 6.7.

    TCP_AO_ADD_KEY, 288 octets                                TCP_AO_INFO, 48 octets
      0  address of the peer, a sockaddr_storage     128        0  flags: 1 set_current, 2 set_rnext,         4
    128  algorithm, padded with zeros                 64             4 ao_required, 8 set_counters,
    192  interface, for VRFs                           4            16 accept_icmps
    196  flags: 1 set_current, 2 set_rnext             4        4  reserved                                   2
    200  reserved                                      2        6  current key, its SendID                    1
    202  prefix length of the address                  1        7  next key, its RecvID                       1
    203  SendID                                        1        8  counters                               5 × 8
    204  RecvID                                        1
    205  octets of the signature                       1
    206  flags of the key: 1 interface, 2 options      1
    207  octets of the key                             1
    208  the key, padded with zeros                   80

Integers are in the order of the host; flags are bit fields, which count from the other end where the host is
big-endian. The kernel takes the first key that fits the peer as current and next one, so neither is set. A key without
an interface holds in every VRF. TCP options other than TCP-AO are signed too. With `ao_required` nothing unsigned is
taken.
"""

import socket
import struct
import sys
from typing import Final

from herald.bgp.family import Address
from herald.bgp.parameters import Algorithm, MasterKey

ADD_KEY: Final = 38
INFO: Final = 40
LONGEST_KEY: Final = 80

_ADD: Final = struct.Struct("=128s64siIHBBBBBB80s")
_INFO: Final = struct.Struct("=IHBB5Q")
_SIGNATURE_OCTETS: Final = 12
_AO_REQUIRED: Final = 1 << (2 if sys.byteorder == "little" else 29)
# The names of the kernel. "aes128" makes it derive the key from a secret of any length (RFC 5926 §3.1.1.2).
_ALGORITHMS: Final = {Algorithm.HMAC_SHA_1_96: b"hmac(sha1)", Algorithm.AES_128_CMAC_96: b"cmac(aes128)"}


def socket_address(peer: Address) -> bytes:
    """The 128 octets of a `sockaddr_storage` with the address of the peer, and neither port nor scope."""
    if peer.version == 4:
        return struct.pack("=HH4s", socket.AF_INET, 0, peer.packed).ljust(128, b"\0")
    return struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, peer.packed, 0).ljust(128, b"\0")


def add_key(peer: Address, key: MasterKey) -> bytes:
    """The value of `TCP_AO_ADD_KEY`: the key signs what goes to `peer`, and what comes from there.

    Raises ValueError for a secret that is not 1 to 80 octets.
    """
    secret = key.secret.reveal().encode()
    if not 0 < len(secret) <= LONGEST_KEY:
        raise ValueError(f"the key has {len(secret)} octets; TCP-AO takes 1 to {LONGEST_KEY}")
    return _ADD.pack(
        socket_address(peer),
        _ALGORITHMS[key.algorithm],
        0,
        0,
        0,
        peer.max_prefixlen,
        key.send_id,
        key.receive_id,
        _SIGNATURE_OCTETS,
        0,
        len(secret),
        secret,
    )


def required() -> bytes:
    """The value of `TCP_AO_INFO`: no segment is taken without a signature."""
    return _INFO.pack(_AO_REQUIRED, 0, 0, 0, 0, 0, 0, 0, 0)
