"""A BFD profile. Accepted and checked here; BFD itself is not active in this version."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BFDProfile:
    """Intervals in milliseconds. The defaults are those of RFC 5880 practice: 300 ms each way, three losses."""

    name: str
    receive_interval_ms: int = 300
    transmit_interval_ms: int = 300
    detect_multiplier: int = 3
    echo_interval_ms: int = 50
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int = 254


DEFAULT = BFDProfile(name="default")
