"""The state of a session as a frozen value: for `herald show bgp`, metrics, the log and tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address

from herald.bgp.capability import GracefulRestart
from herald.bgp.diagnosis import Finding
from herald.bgp.event import Initiator
from herald.bgp.family import Address, Family
from herald.bgp.fsm import State
from herald.bgp.message import MessageType
from herald.bgp.role import Role


class Direction(Enum):
    """Who found the error."""

    WE_SENT = "we sent"
    THEY_SENT = "they sent"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class SessionError:
    """Why a session ended or an attempt failed. `at` is monotonic seconds; `finding` is what is behind it, if known."""

    direction: Direction
    reason: str
    at: float
    finding: Finding | None = None

    @property
    def symptom(self) -> str:
        """`they sent Cease/Administrative Shutdown`, or for an error of the connection the reason alone."""
        return self.reason if self.direction is Direction.LOCAL else f"{self.direction.value} {self.reason}"

    @property
    def text(self) -> str:
        """The symptom, and in brackets what it means and what to do."""
        return f"{self.symptom} ({self.finding.text})" if self.finding is not None else self.symptom


@dataclass(frozen=True, slots=True)
class FamilySnapshot:
    """Routes of one family.

    `wanted` are the prefixes wished for, `advertised` those the peer has been sent, `pending` those about to be. If
    `reason` is not None, some or all wanted routes are not sent for it. `received` and `received_withdrawn` count
    announcements and withdrawals since the session came up; received routes are not kept. `next_hop` is what the
    peer is told, nothing without a session or where there is none. An End-of-RIB says that the first table is complete.
    """

    family: Family
    negotiated: bool
    wanted: int
    advertised: int
    pending: int
    reason: str | None
    received: int
    received_withdrawn: int
    next_hop: tuple[Address, ...] = ()
    end_of_rib_sent: bool = False
    end_of_rib_received: bool = False


@dataclass(frozen=True, slots=True)
class RestartSnapshot:
    """Graceful restart on one connection: what either side has said, and the families that the peer would keep.

    `notification`: it keeps them also for a NOTIFICATION (RFC 8538).
    """

    offered: GracefulRestart | None
    received: GracefulRestart | None
    kept: tuple[Family, ...]
    notification: bool


@dataclass(frozen=True, slots=True)
class Neighbor:
    """Both ends as configured, and our address and router ID as they are, or last were, on a connection.

    Times in seconds; `keepalive_time` None: a third of the hold time. Of an unnumbered peer `interface` is the one
    behind which it is, and `address` None while nobody is found there.
    """

    address: Address | None
    port: int
    peer_asn: int | None
    families: tuple[Family, ...]
    internal: bool
    multihop: bool
    hold_time: int
    keepalive_time: int | None
    connect_time: int | None
    local_address: Address | None
    local_router_id: IPv4Address | None
    interface: str | None = None
    vrf: str | None = None
    ttl_security: bool = False
    passive: bool = False
    role: Role | None = None
    role_strict: bool = False


@dataclass(frozen=True, slots=True)
class SessionSnapshot:
    """One session. Instants are monotonic seconds; what is negotiated is None while there is no agreement.

    `pinned_error` is the error since the session was last Established that tells most: the first one, until a cause is
    found. `ups` and `flaps` count how often it came up and went down, `down_at` is when it last did.
    `pending_changes` are configured fields that take effect with the next session. `short_sessions` counts those in a
    row that fell soon after they had come up; from the second one on, the waits between attempts grow longer.
    `initiator` is who dialled the present connection; `waits_for` is what must come before there is one, other than
    time; `turned_away` counts connections of the peer that were not wanted when they came.
    """

    name: str
    endpoint: str
    state: State
    since: float
    established_at: float | None
    down_at: float | None
    local_asn: int
    remote_asn: int | None
    remote_router_id: IPv4Address | None
    hold_time: int | None
    keepalive_time: float | None
    capabilities_offered: tuple[str, ...]
    capabilities_received: tuple[str, ...]
    families: tuple[FamilySnapshot, ...]
    last_error: SessionError | None
    pinned_error: SessionError | None
    next_retry: float | None
    messages_in: Mapping[MessageType, int]
    messages_out: Mapping[MessageType, int]
    updates_with_errors: int
    flaps: int
    ups: int
    pending_changes: tuple[str, ...]
    neighbor: Neighbor
    short_sessions: int = 0
    graceful_restart: RestartSnapshot | None = None
    initiator: Initiator | None = None
    waits_for: str | None = None
    turned_away: int = 0

    @property
    def telling_error(self) -> SessionError | None:
        """The one to show where there is room for one."""
        return self.pinned_error or self.last_error

    @property
    def advertised(self) -> int:
        """Prefixes the peer has been sent, of all families."""
        return sum(family.advertised for family in self.families)
