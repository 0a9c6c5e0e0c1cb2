"""Between which ends a session watches, and what comes over the wire from there."""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

HIGHEST_TTL: Final = 255
"""What is sent with, and what a packet from the same link still has (RFC 5881 §5, RFC 5082)."""
SOURCE_PORTS: Final = range(49152, 65536)
"""RFC 5881 §4."""
ECHO_PORT: Final = 3785


class Hops(Enum):
    """Whether the peer is on the same link. The value is the UDP port of control packets."""

    SINGLE = 3784
    MULTI = 4784


@dataclass(frozen=True, slots=True)
class Path:
    """The two ends of a session. Sessions differ in their path, and no two have the same.

    `interface` is needed for link-local peers and binds the session to it; `vrf` is the device of a VRF. Without
    `local` the kernel chooses by its routes.
    """

    peer: Address
    hops: Hops = Hops.SINGLE
    local: Address | None = None
    interface: str | None = None
    vrf: str | None = None

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.peer.version


@dataclass(frozen=True, slots=True)
class Lane:
    """Where packets come in: one socket for all sessions of an IP version, port and VRF."""

    version: int
    hops: Hops
    vrf: str | None = None

    @classmethod
    def of(cls, path: Path) -> "Lane":
        """The lane on which a session's packets come in."""
        return cls(path.version, path.hops, path.vrf)


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram that came. `at`: when the kernel had it, monotonic seconds. `ttl` 0: the kernel did not say."""

    data: bytes
    source: Address
    destination: Address | None
    interface_index: int
    ttl: int
    at: float
