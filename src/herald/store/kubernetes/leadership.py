"""Who leads, by a Lease (coordination.k8s.io/v1): a machine without I/O, for `lease.py`.

    candidate ──the Lease is free, ours, or unchanged for LEASE_S──▶ asks for it ──written──▶ leader
    leader ──every RETRY_S: renews── … ──not renewed for RENEW_S──▶ candidate
    leader ──leaving──▶ gives the Lease back ──▶ gone

Times that stand in the Lease are those of other clocks and are not believed: what counts is how long ago, by the own
monotonic clock, the Lease was last seen to change. A leader ceases to lead RENEW_S after it last *asked* for a renewal
that was granted, and others wait for LEASE_S after they saw that renewal, so nobody else leads meanwhile however wrong
the clocks are.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

LEASE_S: Final = 15.0
RENEW_S: Final = 10.0
RETRY_S: Final = 2.0
STANDBY_S: Final = 1.0
"""How often a candidate looks: it takes over this soon when the leader has left in good order."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What stands in the Lease. `holder` empty: it was given back. `renewed` is told apart, never compared."""

    holder: str
    version: str
    renewed: str = ""
    acquired: str = ""
    transitions: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """The Lease was read; None: there is none."""

    lease: Lease | None


@dataclass(frozen=True, slots=True)
class Granted:
    """Our write was done, and this is the Lease now."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Refused:
    """Our write was not done, or nobody knows; or the Lease could not be read."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The process is about to end."""


Event: TypeAlias = Observed | Granted | Refused | Leaving


@dataclass(frozen=True, slots=True)
class Read:
    """Read the Lease."""


@dataclass(frozen=True, slots=True)
class Take:
    """Write ourselves in, if the Lease is still like this; None: make it."""

    lease: Lease | None


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Write that nobody has the Lease."""

    lease: Lease


Effect: TypeAlias = Read | Take | GiveBack


class Role(Enum):
    """What we are."""

    CANDIDATE = auto()
    LEADER = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The present state; `holder` is the last that was seen."""

    role: Role
    holder: str


class Leadership:
    """See `herald.machine`. `identity` must be that of no other process that lives."""

    def __init__(self, identity: str, now: float) -> None:
        self._identity = identity
        self._role = Role.CANDIDATE
        self._lease: Lease | None = None
        self._changed_at = now
        self._asked_at = now
        self._granted_at = now
        self._due: float | None = now
        self._is_sure = False

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What to do because of `event`."""
        match event:
            case Observed(lease=lease):
                return self._observe(lease, now)
            case Granted(lease=lease):
                self._see(lease, now)
                if self._role is not Role.GONE:
                    self._role, self._is_sure = Role.LEADER, True
                    self._granted_at = self._asked_at
                    self._due = self._asked_at + RETRY_S
                self._check(now)
                return []
            case Refused():
                self._is_sure = False
                self._due = None if self._role is Role.GONE else now + STANDBY_S
                self._check(now)
                return []
            case Leaving():
                was_leader = self.leads(now)
                self._role, self._due = Role.GONE, None
                return [GiveBack(self._lease)] if was_leader and self._lease is not None else []

    def wake(self, now: float) -> list[Effect]:
        """Look again, or renew."""
        self._check(now)
        if self._due is None or now < self._due:
            return []
        self._due = None
        if self._role is Role.LEADER and self._is_sure:
            return self._ask(now)
        return [Read()]

    def deadline(self) -> float | None:
        """When to look again or renew, and when leading ends by itself."""
        instants = [self._due, self._granted_at + RENEW_S if self._role is Role.LEADER else None]
        return min((instant for instant in instants if instant is not None), default=None)

    def leads(self, now: float) -> bool:
        """Whether we lead at this very moment."""
        return self._role is Role.LEADER and now < self._granted_at + RENEW_S

    def snapshot(self) -> Snapshot:
        """For `show`, metrics and tests."""
        return Snapshot(self._role, self._lease.holder if self._lease else "")

    def _observe(self, lease: Lease | None, now: float) -> list[Effect]:
        self._see(lease, now)
        self._check(now)
        if self._role is Role.GONE:
            return []
        if lease is None or lease.holder in ("", self._identity) or now >= self._changed_at + LEASE_S:
            return self._ask(now)
        self._role = Role.CANDIDATE
        self._due = now + STANDBY_S
        return []

    def _see(self, lease: Lease | None, now: float) -> None:
        if lease != self._lease:
            self._lease, self._changed_at = lease, now

    def _ask(self, now: float) -> list[Effect]:
        self._asked_at = now
        return [Take(self._lease)]

    def _check(self, now: float) -> None:
        if self._role is Role.LEADER and now >= self._granted_at + RENEW_S:
            self._role = Role.CANDIDATE
            if self._due is None:
                self._due = now + STANDBY_S
