"""What is known of a member: its name, where it is, what it speaks, and how it is."""

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

LONGEST_NAME: Final = 253
"""Octets; the name of a Kubernetes node is no longer."""
LARGEST_META: Final = 512
"""Octets of metadata that memberlist carries."""
HIGHEST_INCARNATION: Final = 0xFFFF_0000
"""No honest member gets there; above, an accusation could not be answered with a higher one for long."""


class State(enum.IntEnum):
    """How a member is, with memberlist's numbers."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3

    @property
    def present(self) -> bool:
        """Whether the member counts: a suspected one does until it is dead."""
        return self in (State.ALIVE, State.SUSPECT)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a member listens, by UDP and TCP. An IPv4 address is never written as a mapped IPv6 one."""

    address: Address
    port: int

    def __hash__(self) -> int:  # looked up for each packet; an address hashes itself by way of text
        return hash((int(self.address), self.port))

    def __str__(self) -> str:
        return f"{self.address}:{self.port}" if self.address.version == 4 else f"[{self.address}]:{self.port}"

    @classmethod
    def parse(cls, text: str, port: int) -> "Endpoint":
        """From `10.0.0.1`, `10.0.0.1:7000`, `fc00::1` or `[fc00::1]:7000`; else `port`. Raises ValueError."""
        host, said = text, str(port)
        if text.startswith("["):
            host, _, rest = text[1:].partition("]")
            said = rest.removeprefix(":") or said
        elif text.count(":") == 1:
            host, _, said = text.partition(":")
        if not said.isdecimal() or not 0 < int(said) < 65536:
            raise ValueError(f'"{text}": the port must be 1 to 65535')
        return cls(plain_address(ip_address(host)), int(said))


def plain_address(address: Address) -> Address:
    """The IPv4 address where an IPv6 one only maps it."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


@dataclass(frozen=True, slots=True)
class Versions:
    """The protocol (p) and delegate (d) versions that a member understands from, up to, and speaks."""

    pmin: int
    pmax: int
    pcur: int
    dmin: int = 0
    dmax: int = 0
    dcur: int = 0

    def __bytes__(self) -> bytes:
        return bytes((self.pmin, self.pmax, self.pcur, self.dmin, self.dmax, self.dcur))


METALLB_VERSIONS: Final = Versions(1, 5, 2)
"""What MetalLB's speakers say; ours say the same."""


@dataclass(slots=True)
class Member:
    """`since`: when the state began. `heard`: when it last answered us; both in monotonic seconds, None for never.

    `is_proven`: it is more than something that anybody could have recorded, see `herald.swim.newcomer`.
    """

    name: str
    endpoint: Endpoint
    versions: Versions
    meta: bytes
    incarnation: int
    state: State
    since: float
    heard: float | None = None
    is_proven: bool = True

    @property
    def counts(self) -> bool:
        """Whether it is there."""
        return self.state.present and self.is_proven


@dataclass(frozen=True, slots=True)
class MemberSnapshot:
    """A member as it is now; `age` seconds in this state, `heard` seconds ago it answered us."""

    name: str
    endpoint: Endpoint
    state: State
    incarnation: int
    meta: bytes
    age: float
    heard: float | None
