"""Usable interfaces as metadata of a gossip member: they travel with its name, see `herald.engine.membership`.

    herald/1 eth0 eth1            the usable interfaces; only `herald/1` if there are none
    (nothing)                     they are not known: a speaker of MetalLB, or more names than memberlist carries

The number is the version. What another node sent may be anything; what cannot be believed counts as not known.
"""

from typing import Final

from herald.engine.membership import UsableNames
from herald.swim.member import LARGEST_META

LONGEST_NAME: Final = 15
"""Octets of an interface's name in the kernel."""
_KEYWORD: Final = b"herald/1"


def encode(interfaces: UsableNames) -> bytes:
    """The metadata that says so. More names than fit are told as not known: a part would be a lie."""
    if interfaces is None:
        return b""
    whole = b" ".join([_KEYWORD, *sorted(name.encode("utf-8", "surrogateescape") for name in interfaces)])
    return whole if len(whole) <= LARGEST_META else b""


def decode(meta: bytes) -> UsableNames:
    """The usable interfaces that a member tells, or None."""
    keyword, *names = meta.split(b" ")
    if keyword != _KEYWORD or not all(map(_is_a_name, names)):
        return None
    return frozenset(name.decode("utf-8", "surrogateescape") for name in names)


def _is_a_name(octets: bytes) -> bool:
    return 0 < len(octets) <= LONGEST_NAME and octets not in (b".", b"..") and not set(octets) & set(b"/\t\n\r\v\f\0")
