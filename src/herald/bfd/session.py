"""One BFD session without I/O: RFC 5880 §6.8 in asynchronous mode.

`Session` has the shape of `herald.machine.Machine`. `TRANSITIONS` is the state machine of §6.8.6; `timing` knows the
intervals, `echo` the packets that a session sends to itself. Where the RFC leaves room:

* The first packet leaves at once, and whenever the state or an interval changes one leaves between the periodic ones.
* A packet counts from when it came, not from when it was read: who is late to read does not call the peer dead for it.
* A packet that is sent late does not delay those after it.
* Why the session went Down is told (`Cause`). `AdminDown` of the other end is no failure: RFC 5882 §3.2 wants the
  client to carry on. Nor need it be one where the other end begins anew: its packets come (`Cause.BEGAN_ANEW`).
* Demand mode of the other end is respected; our own is never asked for.
"""

import random
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final, TypeAlias, assert_never

from herald.bfd import control_packet
from herald.bfd.control_packet import ControlPacket, Diagnostic, State
from herald.bfd.echo import Echo
from herald.bfd.path import Hops, Path
from herald.bfd.profile import BFDProfile
from herald.bfd.snapshot import EchoSnapshot, Remote, SessionSnapshot
from herald.bfd.timing import SLOW_US, Timing


@dataclass(frozen=True, slots=True)
class Received:
    """A packet that belongs to this session came at `at`, which is not later than now."""

    packet: ControlPacket
    at: float


@dataclass(frozen=True, slots=True)
class EchoReceived:
    """An echo with our discriminator came at `at`."""

    data: bytes
    at: float


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """The session is to watch like this from now on. It stays as it is meanwhile."""

    profile: BFDProfile


@dataclass(frozen=True, slots=True)
class ForwardingKnown:
    """Whether this host forwards packets, and so loops the echoes of others. Until it is said, it is not so."""

    forwards: bool


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Tell the other end that this is no failure, and stay in AdminDown."""


Event: TypeAlias = Received | EchoReceived | ProfileChanged | ForwardingKnown | Shutdown


@dataclass(frozen=True, slots=True)
class Send:
    """A control packet to the peer."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendEcho:
    """An echo: to our own address by way of the peer."""

    data: bytes


class Cause(Enum):
    """What a change of state means to those who rely on the session."""

    NONE = auto()  # it is up, or on the way there
    FAILURE = auto()
    PEERS_WILL = auto()  # the other end was shut down by its operator
    BEGAN_ANEW = auto()
    """The other end has made its session anew, without having missed anything. Its packets come from another
    discriminator, with none of ours and no diagnostic; or it says Down because we had said so, which we have not. FRR
    does the latter while it replaces a session, as when BGP comes up and tells it the address that it uses. If all is
    well the session is up again within three packets."""
    OUR_WILL = auto()


@dataclass(frozen=True, slots=True)
class Changed:
    """The state is another one. `silent_for`: seconds without a packet, where the detection time has expired."""

    before: State
    after: State
    diagnostic: Diagnostic
    cause: Cause = Cause.NONE
    silent_for: float = field(default=0.0, compare=False)


Effect: TypeAlias = Send | SendEcho | Changed

_S: Final = State
_SIGNALED: Final = Diagnostic.NEIGHBOR_SIGNALED_DOWN
TRANSITIONS: Final[dict[tuple[State, State], tuple[State, Diagnostic]]] = {
    (_S.INIT, _S.ADMIN_DOWN): (_S.DOWN, _SIGNALED),
    (_S.UP, _S.ADMIN_DOWN): (_S.DOWN, _SIGNALED),
    (_S.DOWN, _S.DOWN): (_S.INIT, Diagnostic.NONE),
    (_S.DOWN, _S.INIT): (_S.UP, Diagnostic.NONE),
    (_S.INIT, _S.INIT): (_S.UP, Diagnostic.NONE),
    (_S.INIT, _S.UP): (_S.UP, Diagnostic.NONE),
    (_S.UP, _S.DOWN): (_S.DOWN, _SIGNALED),
}
"""(our state, the state in the packet) → what follows. Other pairs change nothing."""


class Session:
    """The machine of one session. `discriminator` is not 0 and nobody else's on this host."""

    def __init__(self, path: Path, profile: BFDProfile, discriminator: int, rng: random.Random, now: float) -> None:
        self._path = path
        self._profile = profile
        self._discriminator = discriminator
        self._rng = rng
        self._state = State.DOWN
        self._diagnostic = self._down_diagnostic = Diagnostic.NONE
        self._since = now
        self._down_at: float | None = None
        self._remote: ControlPacket | None = None
        self._timing = Timing(*self._wanted())
        self._echo = Echo(discriminator, rng)
        self._forwards = False
        self._next_tx = now
        self._heard_at: float | None = None
        self._packets_in = self._packets_out = self._echoes_in = self._echoes_out = 0
        self._ups = self._downs = 0

    @property
    def path(self) -> Path:
        return self._path

    @property
    def profile(self) -> BFDProfile:
        return self._profile

    @property
    def state(self) -> State:
        return self._state

    @property
    def discriminator(self) -> int:
        return self._discriminator

    def handle(self, event: Event, now: float) -> list[Effect]:
        """What follows from `event`."""
        match event:
            case Received(packet, at):
                return self._received(packet, at, now)
            case EchoReceived(data, at):
                return self._echo_received(data, at, now)
            case ProfileChanged(profile):
                return self._profile_changed(profile, now)
            case ForwardingKnown(forwards):
                self._forwards = forwards
                return []
            case Shutdown():
                return self._shutdown(now)
            case _ as never:
                assert_never(never)

    def wake(self, now: float) -> list[Effect]:
        """Serve the timers that are due: first who is missing, then what is to be sent."""
        effects: list[Effect] = []
        detect_at = self._detect_at
        if detect_at is not None and now >= detect_at:
            effects += self._expired(now)
        if self._echo.failed(now):
            effects += self._enter(State.DOWN, Diagnostic.ECHO_FAILED, Cause.FAILURE, now)
        if self._may_transmit and now >= self._next_tx:
            effects.append(self._periodic(now))
        echo = self._echo.due(now)
        if echo is not None:
            self._echoes_out += 1
            effects.append(SendEcho(echo))
        return effects

    def deadline(self) -> float | None:
        candidates = (self._detect_at, self._echo.deadline(), self._next_tx if self._may_transmit else None)
        return min((at for at in candidates if at is not None), default=None)

    def snapshot(self) -> SessionSnapshot:
        timing = self._timing
        return SessionSnapshot(
            path=self._path,
            profile=self._profile,
            state=self._state,
            discriminator=self._discriminator,
            diagnostic=self._diagnostic,
            down_diagnostic=self._down_diagnostic,
            since=self._since,
            down_at=self._down_at,
            remote=_remote(self._remote),
            desired_min_tx_us=timing.desired_min_tx_us,
            required_min_rx_us=timing.required_min_rx_us,
            transmit_interval=timing.transmit_interval if self._may_transmit else None,
            detection_time=timing.detection_time,
            polling=timing.polling,
            polls=timing.polls,
            echo=EchoSnapshot(
                self._echo.running, self._echo.looped, self._echoes_out, self._echoes_in, self._echo.round_trip
            ),
            packets_in=self._packets_in,
            packets_out=self._packets_out,
            ups=self._ups,
            downs=self._downs,
        )

    # Receiving

    @property
    def _detect_at(self) -> float | None:
        """When silence will have lasted too long; None while nobody is heard."""
        return None if self._heard_at is None else self._heard_at + self._timing.detection_time

    def _received(self, packet: ControlPacket, at: float, now: float) -> list[Effect]:
        """§6.8.6, from where the session is known."""
        self._packets_in += 1
        known, interval_before = self._remote, self._timing.transmit_interval
        self._remote = packet
        self._timing.hear(packet)
        if self._state is State.ADMIN_DOWN:
            return []
        effects: list[Effect] = []
        following = TRANSITIONS.get((self._state, packet.state))
        if following is not None:
            state, diagnostic = following
            cause = _cause(packet, known) if state is State.DOWN else Cause.NONE
            effects += self._enter(state, diagnostic, cause, now, tell=not packet.poll)
        effects += self._follow_echo(now)
        self._heard_at = at
        interval = self._timing.transmit_interval
        if known is None:  # a passive end begins to talk
            self._next_tx = min(self._next_tx, now)
        elif interval is not None and interval != interval_before:
            self._next_tx = min(self._next_tx, now + self._spacing(interval))
        if packet.poll:
            effects.append(self._send(poll=False, final=True))
        return effects

    def _echo_received(self, data: bytes, at: float, now: float) -> list[Effect]:
        was_looped = self._echo.looped
        if not self._echo.returned(data, at, now):
            return []
        self._echoes_in += 1
        return [] if was_looped else self._retime(now)

    def _expired(self, now: float) -> list[Effect]:
        """Nothing came for the detection time (§6.8.4): the other end and what it said are forgotten (§6.8.1)."""
        silent_for = now - (self._heard_at or now)
        self._heard_at = self._remote = None
        self._timing.forget()
        if self._state not in (State.INIT, State.UP):
            return []
        effects = self._enter(State.DOWN, Diagnostic.DETECTION_TIME_EXPIRED, Cause.FAILURE, now)
        return [replace(one, silent_for=silent_for) if isinstance(one, Changed) else one for one in effects]

    # Changing

    def _enter(
        self, state: State, diagnostic: Diagnostic, cause: Cause, now: float, *, tell: bool = True
    ) -> list[Effect]:
        """Be in `state`; `tell`: the other end learns of it now and not with the next packet."""
        before, self._state = self._state, state
        self._diagnostic, self._since = diagnostic, now
        if state is State.UP:
            self._ups += 1
        if diagnostic is not Diagnostic.NONE:
            self._down_diagnostic = diagnostic
        if before is State.UP:
            self._downs += 1
            self._down_at = now
            self._echo.stop()
        self._timing.want(*self._wanted(), up=state is State.UP, known=self._remote is not None)
        effects: list[Effect] = [Changed(before, state, diagnostic, cause)]
        if tell and self._may_transmit:
            effects.append(self._between(now))
        return effects

    def _profile_changed(self, profile: BFDProfile, now: float) -> list[Effect]:
        if profile == self._profile:
            return []
        self._profile = profile
        return [*self._follow_echo(now), *self._retime(now, anyhow=True)]

    def _follow_echo(self, now: float) -> list[Effect]:
        """Run or stop echoes as the profile and the other end have it."""
        accepted_us = self._timing.remote_min_echo_rx_us
        is_wanted = self._profile.echo_mode and self._path.hops is Hops.SINGLE and self._state is State.UP
        if is_wanted and accepted_us:
            interval_us = max(self._profile.echo_interval_ms * 1000, accepted_us)
            self._echo.run(interval_us / 1_000_000, self._profile.detect_multiplier, now)
        elif self._echo.running:
            self._echo.stop()
            return self._retime(now)
        return []

    def _retime(self, now: float, *, anyhow: bool = False) -> list[Effect]:
        """Say the intervals that are right now; `anyhow`, say so even if they are the same."""
        known = self._remote is not None
        changed = self._timing.want(*self._wanted(), up=self._state is State.UP, known=known)
        if (changed or anyhow) and known and self._may_transmit:
            return [self._between(now)]
        return []

    def _wanted(self) -> tuple[int, int]:
        """Our DesiredMinTxInterval and RequiredMinRxInterval."""
        transmit_us, receive_us = self._profile.transmit_interval_ms * 1000, self._profile.receive_interval_ms * 1000
        if self._state is not State.UP:
            return max(SLOW_US, transmit_us), receive_us
        return transmit_us, max(SLOW_US, receive_us) if self._echo.looped else receive_us

    def _shutdown(self, now: float) -> list[Effect]:
        if self._state is State.ADMIN_DOWN:
            return [self._between(now)] if self._may_transmit else []
        self._heard_at = None
        return self._enter(State.ADMIN_DOWN, Diagnostic.ADMINISTRATIVELY_DOWN, Cause.OUR_WILL, now)

    # Sending

    @property
    def _may_transmit(self) -> bool:
        """§6.8.7: whether there are periodic packets at all."""
        if self._remote is None:
            return not self._profile.passive_mode
        if self._timing.transmit_interval is None:
            return False
        is_asleep = self._remote.demand and self._state is State.UP and self._remote.state is State.UP
        return self._timing.polling or not is_asleep

    def _periodic(self, now: float) -> Send:
        spacing = self._spacing(self._timing.transmit_interval or 0.0)
        self._next_tx = max(self._next_tx + spacing, now + spacing / 2)
        packet = self._send(poll=self._timing.polling)
        if not self._timing.polling:
            self._timing.sent_without_poll()
        return packet

    def _between(self, now: float) -> Send:
        """One at once, because what it says is news."""
        self._next_tx = min(self._next_tx, now + self._spacing(self._timing.transmit_interval or 0.0))
        return self._send(poll=self._timing.polling)

    def _spacing(self, interval: float) -> float:
        """§6.8.7: shortened by up to a quarter; where one packet missing is enough, by a tenth at least."""
        return interval * self._rng.uniform(0.75, 0.9 if self._profile.detect_multiplier == 1 else 1.0)

    def _send(self, *, poll: bool, final: bool = False) -> Send:
        self._packets_out += 1
        echo_us = self._profile.echo_interval_ms * 1000
        loops = self._profile.echo_mode and self._path.hops is Hops.SINGLE and self._forwards
        packet = ControlPacket(
            state=self._state,
            detect_multiplier=self._profile.detect_multiplier,
            my_discriminator=self._discriminator,
            your_discriminator=self._remote.my_discriminator if self._remote else 0,
            desired_min_tx_us=self._timing.desired_min_tx_us,
            required_min_rx_us=self._timing.required_min_rx_us,
            required_min_echo_rx_us=echo_us if loops else 0,
            diagnostic=self._diagnostic,
            poll=poll,
            final=final,
        )
        return Send(control_packet.encode(packet))


def _cause(packet: ControlPacket, known: ControlPacket | None) -> Cause:
    """Why the other end is not up, by a packet that says so after `known`."""
    if packet.state is State.ADMIN_DOWN:
        return Cause.PEERS_WILL
    is_another = known is not None and known.my_discriminator != packet.my_discriminator
    begins = is_another and packet.your_discriminator == 0 and packet.diagnostic == Diagnostic.NONE
    return Cause.BEGAN_ANEW if begins or packet.diagnostic == _SIGNALED else Cause.FAILURE


def _remote(packet: ControlPacket | None) -> Remote | None:
    if packet is None:
        return None
    return Remote(
        packet.state,
        packet.my_discriminator,
        packet.diagnostic,
        packet.detect_multiplier,
        packet.desired_min_tx_us,
        packet.required_min_rx_us,
        packet.required_min_echo_rx_us,
        packet.demand,
    )
