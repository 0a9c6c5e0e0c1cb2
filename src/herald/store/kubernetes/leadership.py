"""Who leads, by a Lease (coordination.k8s.io/v1): a machine without I/O, for `lease.py`.

    candidate ──the Lease is free, ours, or unchanged for LEASE_S──▶ asks for it ──written──▶ leader
    leader ──every RETRY_S: renews── … ──not renewed for RENEW_S, or the Lease is not ours any more──▶ candidate
    leader ──leaving──▶ gives the Lease back, once what was asked for is answered ──▶ gone

Times that stand in the Lease are those of other clocks and are not believed: what counts is how long ago, by the own
monotonic clock, the Lease was last seen to change. A leader ceases to lead RENEW_S after it last *asked* for a renewal
that was granted, and others wait for LEASE_S after they saw that renewal, so nobody else leads meanwhile however wrong
the clocks are.

A Lease that somebody deletes says nothing of who leads: whoever has ever seen one waits for LEASE_S before it makes
another. Only the leader of that very moment makes it anew at once, for nobody else can have led since. A candidate that
has never seen a Lease takes the first it can make: it is the first candidate of all, unless the Lease was deleted just
before it came. In that case the leader before finds that out, and leads no longer, when it renews next.
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
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """The Lease was read; None: there is none."""

    lease: Lease | None


@dataclass(frozen=True, slots=True)
class Granted:
    """Our write was done, and this is the Lease now."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Lost:
    """Our write was refused because the Lease is not what it was: taken, changed, deleted or made by somebody else."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Our write was not done for another reason, or nobody knows; or the Lease could not be read."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The process is about to end."""


Event: TypeAlias = Observed | Granted | Lost | Refused | Leaving


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
        self._free_at = now
        self._asked_at = now
        self._granted_at = now
        self._due: float | None = now
        self._is_sure = False
        self._is_asking = False

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What to do because of `event`."""
        match event:
            case Observed(lease=lease):
                return self._observe(lease, now)
            case Granted(lease=lease):
                self._see(lease, now)
                return self._answered(event, now)
            case Lost() | Refused():
                return self._answered(event, now)
            case Leaving():
                is_ours = self.leads(now) and not self._is_asking
                self._role, self._due = Role.GONE, None
                return self._give_back() if is_ours else []

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

    def _answered(self, event: Granted | Lost | Refused, now: float) -> list[Effect]:
        was_asking, self._is_asking = self._is_asking, False
        if self._role is Role.GONE:
            # We were leaving while we asked for it, and had to wait for what becomes of that.
            return self._give_back() if was_asking and not isinstance(event, Lost) else []
        match event:
            case Granted():
                self._role, self._granted_at, self._due = Role.LEADER, self._asked_at, self._asked_at + RETRY_S
            case Lost():
                self._role, self._due = Role.CANDIDATE, now + STANDBY_S
            case Refused():
                self._due = now + STANDBY_S
        self._is_sure = isinstance(event, Granted)
        self._check(now)
        return []

    def _give_back(self) -> list[Effect]:
        return [GiveBack(self._lease)] if self._lease is not None and self._is_ours(self._lease) else []

    def _observe(self, lease: Lease | None, now: float) -> list[Effect]:
        self._see(lease, now)
        self._check(now)
        if self._role is Role.GONE:
            return []
        if lease is None or lease.holder != self._identity:
            self._role = Role.CANDIDATE
        if now >= self._free_at:
            return self._ask(now)
        self._due = now + STANDBY_S
        return []

    def _see(self, lease: Lease | None, now: float) -> None:
        if lease == self._lease:
            return
        if lease is None:
            is_free = self._is_ours(self._lease) and now < self._granted_at + RENEW_S
        else:
            is_free = not lease.holder or self._is_ours(lease)
        self._lease, self._free_at = lease, now if is_free else now + LEASE_S

    def _is_ours(self, lease: Lease | None) -> bool:
        return lease is not None and lease.holder == self._identity

    def _ask(self, now: float) -> list[Effect]:
        self._asked_at, self._is_asking = now, True
        return [Take(self._lease)]

    def _check(self, now: float) -> None:
        if self._role is Role.LEADER and now >= self._granted_at + RENEW_S:
            self._role = Role.CANDIDATE
            if self._due is None:
                self._due = now + STANDBY_S
