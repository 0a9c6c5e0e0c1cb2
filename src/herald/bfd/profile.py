"""How a BFD session is to watch over its peer: a BFDProfile of MetalLB, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BFDProfile:
    """Intervals in milliseconds, 10 to 60000. The defaults are FRR's: 300 ms each way, three losses.

    `receive_interval_ms` is how often packets may come at most, `transmit_interval_ms` how often they are sent at most;
    what happens is the larger of one's own and what the other end says. `detect_multiplier` (2 to 255) packets may be
    missing. `minimum_ttl` (1 to 254) counts on multihop sessions only; single hop demands 255 (RFC 5881 §5).
    """

    name: str
    receive_interval_ms: int = 300
    transmit_interval_ms: int = 300
    detect_multiplier: int = 3
    echo_interval_ms: int = 50
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int = 254


DEFAULT = BFDProfile(name="default")
"""The profile that is there without being configured."""
