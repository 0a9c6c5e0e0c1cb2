"""A BFD session as a frozen value: for `herald show bfd`, metrics, the log and tests."""

from dataclasses import dataclass

from herald.bfd.control_packet import State
from herald.bfd.path import Path
from herald.bfd.profile import BFDProfile


@dataclass(frozen=True, slots=True)
class Remote:
    """What the other end said last. Intervals in microseconds."""

    state: State
    discriminator: int
    diagnostic: int
    detect_multiplier: int
    desired_min_tx_us: int
    required_min_rx_us: int
    required_min_echo_rx_us: int
    demand: bool


@dataclass(frozen=True, slots=True)
class EchoSnapshot:
    """`looped`: the other end returns echoes, so that their absence counts. `round_trip` in seconds, the last one."""

    running: bool
    looped: bool
    sent: int
    received: int
    round_trip: float | None


@dataclass(frozen=True, slots=True)
class SessionSnapshot:
    """One session. Instants are monotonic seconds, intervals microseconds; `remote` is None while nobody is heard.

    `diagnostic` is why the state changed last; `down_diagnostic` why it was last down, which outlives the next Up.
    `since`: how long in this state; `down_at` None if it was never up and down again. `transmit_interval` is
    before jitter, None while nothing is sent.
    """

    path: Path
    profile: BFDProfile
    state: State
    discriminator: int
    diagnostic: int
    down_diagnostic: int
    since: float
    down_at: float | None
    remote: Remote | None
    desired_min_tx_us: int
    required_min_rx_us: int
    transmit_interval: float | None
    detection_time: float
    polling: bool
    polls: int
    echo: EchoSnapshot
    packets_in: int
    packets_out: int
    ups: int
    downs: int
