"""What a router of the lab is told, whichever daemon runs it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A BGP neighbour of a router. A `passive` session waits for the other side to connect, as Herald always does."""

    address: str
    asn: int
    password: str | None = None
    passive: bool = True


@dataclass(frozen=True, slots=True)
class Router:
    """A BGP router on the host of the same name."""

    name: str
    asn: int
    router_id: str
    neighbors: tuple[Neighbor, ...]
