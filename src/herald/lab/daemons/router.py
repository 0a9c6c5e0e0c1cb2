"""What a router of the lab is told, whichever daemon runs it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bfd:
    """How a router watches over a neighbour: both intervals in milliseconds, and how many packets may be missing."""

    interval_ms: int = 300
    multiplier: int = 3

    @property
    def name(self) -> str:
        """Of the profile that says so."""
        return f"every-{self.interval_ms}-{self.multiplier}"


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A BGP neighbour of a router. A `passive` session waits for the other side to connect, as Herald always does.

    `source`: the router's own address towards it, where it has several.
    """

    address: str
    asn: int
    password: str | None = None
    passive: bool = True
    bfd: Bfd | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Router:
    """A BGP router on the host of the same name.

    With `graceful_restart` it forwards on while its BGP daemon is replaced (RFC 4724, the restarting speaker; every
    router here is a helper by itself).
    """

    name: str
    asn: int
    router_id: str
    neighbors: tuple[Neighbor, ...]
    graceful_restart: bool = False
