"""A path, profiles and packets for tests, and a network of two machines with a clock of their own."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from heapq import heappop, heappush
from ipaddress import ip_address
from itertools import count

from herald.bfd import control_packet
from herald.bfd.control_packet import ControlPacket, State
from herald.bfd.path import Path
from herald.bfd.profile import BFDProfile
from herald.bfd.session import Changed, EchoReceived, Effect, Event, ForwardingKnown, Received, Send, SendEcho, Session

PATH = Path(ip_address("10.0.0.1"))
PROFILE = BFDProfile("p", receive_interval_ms=50, transmit_interval_ms=50, detect_multiplier=3)
OURS, THEIRS = 0x11111111, 0x22222222
PACKET = ControlPacket(State.DOWN, 3, THEIRS, OURS, 50_000, 50_000)


def session(profile: BFDProfile = PROFILE, path: Path = PATH, seed: int = 1, now: float = 0.0) -> Session:
    return Session(path, profile, OURS, random.Random(seed), now)


def sent(effects: list[Effect]) -> list[ControlPacket]:
    """The packets among the effects, decoded."""
    return [control_packet.decode(effect.data) for effect in effects if isinstance(effect, Send)]


def changes(effects: list[Effect]) -> list[Changed]:
    return [effect for effect in effects if isinstance(effect, Changed)]


def hear(machine: Session, now: float, packet: ControlPacket = PACKET, **fields: object) -> list[Effect]:
    """A packet comes now."""
    return machine.handle(Received(replace(packet, **fields), now), now)  # type: ignore[arg-type]  # names of fields


def brought_up(profile: BFDProfile = PROFILE, **fields: object) -> Session:
    """A session that is up at 0.0, and has had its poll answered."""
    machine = session(profile)
    machine.wake(0.0)
    hear(machine, 0.0, state=State.DOWN, **fields)
    hear(machine, 0.0, state=State.UP, **fields)
    hear(machine, 0.0, state=State.UP, final=True, **fields)
    assert machine.state is State.UP
    return machine


class Pair:
    """Two machines and a wire, which may lose and delay, and keeps the order. Time goes on only in `run`."""

    def __init__(
        self, left: BFDProfile = PROFILE, right: BFDProfile = PROFILE, *, seed: int = 1, loops: bool = True
    ) -> None:
        self.now = 0.0
        self.rng = random.Random(seed)
        self.ends = [
            Session(PATH, profile, discriminator, random.Random(f"{seed} {discriminator}"), 0.0)
            for profile, discriminator in ((left, 1), (right, 2))
        ]
        for one in self.ends:
            one.handle(ForwardingKnown(forwards=True), 0.0)
        self.loss = 0.0
        self.delay: Callable[[], float] = lambda: 0.0005
        self.is_cut = False
        self.loops = loops
        self.changes: list[tuple[float, int, Changed]] = []
        self.packets: list[tuple[float, int, ControlPacket]] = []
        self._on_the_way: list[tuple[float, int, int, bytes, bool]] = []
        self._order = count()
        self._arrival = [0.0, 0.0]

    def run(self, seconds: float) -> "Pair":
        end = self.now + seconds
        while (at := self._next()) is not None and at <= end:
            self.now = max(self.now, at)
            self._step()
        self.now = end
        return self

    def tell(self, side: int, event: Event) -> None:
        self._perform(side, self.ends[side].handle(event, self.now))

    @property
    def states(self) -> tuple[State, State]:
        return self.ends[0].state, self.ends[1].state

    def downs(self) -> list[tuple[float, int, Changed]]:
        return [entry for entry in self.changes if entry[2].before is State.UP]

    def _next(self) -> float | None:
        waiting = [self._on_the_way[0][0]] if self._on_the_way else []
        return min([*waiting, *self._deadlines()], default=None)

    def _deadlines(self) -> Iterator[float]:
        return (at for one in self.ends if (at := one.deadline()) is not None)

    def _step(self) -> None:
        while self._on_the_way and self._on_the_way[0][0] <= self.now:
            _, _, side, data, is_echo = heappop(self._on_the_way)
            event = EchoReceived(data, self.now) if is_echo else Received(control_packet.decode(data), self.now)
            self.tell(side, event)
        for side, one in enumerate(self.ends):
            if (at := one.deadline()) is not None and at <= self.now:
                self._perform(side, one.wake(self.now))
                following = one.deadline()
                assert following is None or following > self.now, "a machine that is woken has done what was due"

    def _perform(self, side: int, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(data):
                    self.packets.append((self.now, side, control_packet.decode(data)))
                    self._carry(1 - side, data, is_echo=False)
                case SendEcho(data):
                    if self.loops:
                        self._carry(side, data, is_echo=True)
                case Changed():
                    self.changes.append((self.now, side, effect))

    def _carry(self, side: int, data: bytes, *, is_echo: bool) -> None:
        if not self.is_cut and self.rng.random() >= self.loss:
            self._arrival[side] = max(self._arrival[side], self.now + self.delay())
            heappush(self._on_the_way, (self._arrival[side], next(self._order), side, data, is_echo))
