"""The machine that keeps a node in its group: a `herald.machine.Machine` over the parts in this package.

    PacketReceived ─ packet ─┬─ ping, indirect ping, ack, nack ── Prober ──┐
                             └─ alive, suspect, dead ──────────── Standing ┼─▶ Local: roster, news, timers, effects
    StreamAsked, Answered ───────────────────────────────────── Exchange ──┘

Time in which this node itself did not run (the process was stopped, the machine had no time for it) is not held against
the others: whatever they were given time for, they get that much more of it.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from herald.swim.event import (
    Accuse,
    Answered,
    AskNow,
    Changed,
    Departed,
    Effect,
    Event,
    JoinAt,
    Kind,
    Leave,
    PacketReceived,
    SetMeta,
    SetWrapping,
    StreamAsked,
    StreamRefused,
    Unanswered,
)
from herald.swim.exchange import Exchange
from herald.swim.keyring import Key
from herald.swim.keys_heard import KeysHeard
from herald.swim.local import (
    DirectOver,
    Due,
    FarewellDue,
    ForCheck,
    ForJoin,
    ForProbe,
    ForSync,
    GossipDue,
    Identity,
    JoinDue,
    Local,
    NewcomersDue,
    PathsDue,
    ProbeDue,
    ProbeOver,
    ReconnectDue,
    RelayLate,
    RelayOver,
    SecondLook,
    SuspicionOver,
    SyncDue,
)
from herald.swim.member import LARGEST_META, Address, Endpoint, Member, MemberSnapshot, State
from herald.swim.message import (
    Ack,
    Alive,
    Dead,
    ErrorReply,
    IndirectPing,
    Message,
    Nack,
    Ping,
    PushPull,
    Suspect,
    User,
)
from herald.swim.newcomer import Newcomers
from herald.swim.packet import Drop, Wrapping, open_packet
from herald.swim.paths import Closed, Paths
from herald.swim.prober import Prober
from herald.swim.profile import Profile
from herald.swim.roster import Roster
from herald.swim.standing import Standing

HELD_UP: Final = 0.1
"""Seconds by which a timer may be late without meaning anything."""
FAREWELL_SPACING: Final = 0.05
MOST_FAREWELLS: Final = 64
"""Members that are told directly that we leave; in a larger group these tell the others."""


@dataclass(frozen=True, slots=True)
class GossipSnapshot:
    """Members sorted by name, this node and those that died or left a while ago among them."""

    members: tuple[MemberSnapshot, ...]
    health: int
    news: int
    dropped: Mapping[Drop, int]


class Gossip:
    """See the head of the module."""

    def __init__(
        self,
        me: Identity,
        profile: Profile,
        wrapping: Wrapping,
        rng: random.Random,
        now: float,
        known: Iterable[Member] = (),
        *,
        incarnation: int = 1,
        sequence: int = 0,
    ) -> None:
        """`rng` also makes the nonces of encrypted packets: it must not repeat itself. `known`: of others already.

        `incarnation`: above those of earlier lives, so that what was recorded of these is outdated. `sequence`: the
        number of the last ping, 32 bits; nobody should know it before, lest he has recorded the answer.
        """
        roster = Roster(me.name, rng)
        roster.add_all((Member(me.name, me.endpoint, me.versions, b"", incarnation, State.ALIVE, now), *known))
        self._local = local = Local(me, profile, rng, KeysHeard(wrapping, rng), roster, now)
        local.incarnation, local.sequence = incarnation, sequence
        self._newcomers = newcomers = Newcomers(local)
        self._standing = Standing(local, newcomers)
        self._prober = Prober(local, self._standing)
        self._paths = Paths(local)
        self._exchange = Exchange(local, self._standing, self._paths)
        local.timers.set(ProbeDue(), now + rng.random() * profile.probe_interval)
        local.timers.set(SyncDue(), now + rng.random() * profile.push_pull_every(len(roster)))

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`. Never raises, whatever came over the network."""
        self._enter(now)
        match event:
            case PacketReceived(source, data):
                opened = open_packet(data, self._local.keys.wrapping)
                self._local.keys.heard(source, opened.key)
                self._local.dropped.update(opened.dropped)
                if opened.messages:
                    self._paths.heard(source)
                elif Drop.UNAUTHENTICATED in opened.dropped:
                    self._paths.heard_unauthenticated(source)
                for message in opened.messages:
                    self._receive(message, source)
            case StreamAsked(number, message, key, source):
                self._exchange.asked(number, message, key, source)
            case StreamRefused(why):
                self._local.dropped[why] += 1
            case Answered(ask, message, key):
                self._answered(ask, message, key)
            case Unanswered(ask, reason):
                self._unanswered(ask, reason)
            case SetMeta(meta):
                self._set_meta(meta)
            case JoinAt(endpoints):
                self._exchange.set_places(tuple(one for one in endpoints if one != self._local.me.endpoint))
            case SetWrapping(wrapping):
                self._local.keys.set_wrapping(wrapping)
            case Leave():
                self._leave()
            case AskNow(member):
                self._prober.ask_now(member)
            case Accuse(member):
                self._prober.accuse(member)
            case _:
                assert_never(event)
        return self._exit()

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`."""
        self._enter(now)
        while (due := self._local.timers.due(now)) is not None:
            self._do(due)
        return self._exit()

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`."""
        return self._local.timers.deadline()

    def snapshot(self) -> GossipSnapshot:
        """See `herald.machine.Machine.snapshot`; ages are those of the last event."""
        local, now = self._local, self._local.now
        members = tuple(
            MemberSnapshot(
                one.name,
                one.endpoint,
                one.state,
                one.incarnation,
                one.meta,
                now - one.since,
                None if one.heard is None else now - one.heard,
            )
            for one in sorted(local.roster, key=lambda one: one.name)
        )
        return GossipSnapshot(members, local.health, len(local.queue), dict(local.dropped))

    def present(self) -> dict[str, bytes]:
        """The metadata of those that count as there, by name; this node always among them."""
        local = self._local
        others = {one.name: one.meta for one in local.roster if one.counts}
        return others | {local.name: local.meta}

    def addresses(self) -> frozenset[Address]:
        """Those at which members are, or should be; not this node's own."""
        others = (one.endpoint.address for one in self._local.roster if one.name != self._local.name)
        return frozenset((*others, *(one.address for one in self._exchange.places)))

    def closed(self) -> tuple[Closed, ...]:
        """The ways between this node and others on which nothing arrives."""
        return self._paths.closed()

    def _enter(self, now: float) -> None:
        local, due = self._local, self._local.timers.deadline()
        local.now = now
        late = 0.0 if due is None else now - due
        if late > HELD_UP:
            local.timers.postpone(late)
            self._standing.shift(late)
            self._prober.shift(late)
            self._paths.shift(late)
            local.worse(1)
            local.note(Kind.HELD_UP, local.name, f"this node did not run for {late:.2f} s")

    def _exit(self) -> list[Effect]:
        local = self._local
        if local.is_changed:
            local.effects.append(Changed())
            local.is_changed, self._paths.is_outdated = False, True
        effects, local.effects = local.effects, []
        return effects

    def _receive(self, message: Message, source: Endpoint) -> None:
        match message:
            case Ping():
                self._pinged(message, source)
            case IndirectPing():
                self._prober.help(message, source)
            case Ack(sequence):
                self._paths.acked(source)
                self._prober.acked(sequence)
                self._newcomers.acked(sequence)
                self._exchange.acked(sequence)
            case Nack(sequence):
                self._prober.nacked(sequence)
            case Alive():
                self._standing.alive(message)
            case Suspect():
                self._standing.suspect(message)
            case Dead():
                self._standing.dead(message)
            case User():
                return
            case PushPull() | ErrorReply():
                self._local.dropped[Drop.UNEXPECTED] += 1
            case _:
                assert_never(message)

    def _pinged(self, ping: Ping, source: Endpoint) -> None:
        """Answer where the ping came from. memberlist answers where the ping *says*, which lets anybody be aimed at."""
        local = self._local
        if ping.node not in ("", local.name):
            return
        asker = local.roster.get(ping.source_name)
        if asker is None or asker.state is State.LEFT:
            local.send(source, Ack(ping.sequence))
            if ping.source_name and not local.leaving:
                self._exchange.greet(source)
        elif asker.state in (State.SUSPECT, State.DEAD) and asker.endpoint == source:  # it can contradict at once
            news = Suspect if asker.state is State.SUSPECT else Dead
            local.send(source, Ack(ping.sequence), news(asker.incarnation, asker.name, local.name))
        else:
            local.send(source, Ack(ping.sequence))

    def _answered(self, ask: int, message: Message, key: Key | None) -> None:
        asked = self._local.asked.pop(ask, None)
        if asked is None:
            return
        self._local.keys.heard(asked.to, key)
        self._paths.answered(asked.to, message)
        match asked.purpose, message:
            case ForJoin(place), _:
                self._exchange.joined(place, message)
            case ForSync(), PushPull():
                self._exchange.merge(message, asked.to)
            case ForProbe(sequence), Ack(acked) if sequence == acked:
                self._prober.acked_by_tcp(sequence)
            case ForCheck(), Ack():
                return
            case _:
                self._local.dropped[Drop.UNEXPECTED] += 1

    def _unanswered(self, ask: int, reason: str) -> None:
        asked = self._local.asked.pop(ask, None)
        if asked is None:
            return
        self._local.keys.unread(asked.to)
        self._paths.unanswered(asked.to, reason)
        if isinstance(asked.purpose, ForJoin):
            self._exchange.not_joined(asked.purpose.at, reason)

    def _set_meta(self, meta: bytes) -> None:
        if len(meta) > LARGEST_META:
            raise ValueError(f"metadata of {len(meta)} octets; the largest is {LARGEST_META}")
        if meta != self._local.meta and not self._local.leaving:
            self._local.meta = meta
            self._standing.announce()

    def _leave(self) -> None:
        local = self._local
        if not local.leaving:
            self._standing.leave()
            local.timers.cancel(ProbeDue())
            local.timers.cancel(SyncDue())
            local.timers.cancel(JoinDue())
            local.timers.cancel(ReconnectDue())
            local.timers.cancel(PathsDue())
            local.timers.cancel(NewcomersDue())
            alone = not any(one.state.present for one in local.roster)
            self._say_farewell(0 if alone else local.profile.farewells)

    def _say_farewell(self, left: int) -> None:
        local = self._local
        if left == 0:
            local.effects.append(Departed())
            return
        farewell = Dead(local.incarnation, local.name, local.name)
        for member in local.roster.pick(MOST_FAREWELLS, lambda one: one.state.present):
            local.send(member.endpoint, farewell)
        local.timers.set(FarewellDue(left - 1), local.now + FAREWELL_SPACING)

    def _do(self, due: Due) -> None:
        match due:
            case ProbeDue():
                self._exchange.remember(self._prober.probe_next())
            case DirectOver(sequence):
                self._prober.ask_others(sequence)
            case ProbeOver(sequence):
                self._prober.give_up(sequence)
            case RelayLate(sequence):
                self._prober.relay_late(sequence)
            case RelayOver(sequence):
                self._prober.relay_over(sequence)
            case SecondLook(name):
                self._prober.look_again(name)
            case SuspicionOver(name):
                self._standing.time_is_up(name)
            case GossipDue():
                self._gossip()
            case SyncDue():
                self._exchange.sync()
            case JoinDue():
                self._exchange.join_missing()
            case ReconnectDue():
                self._exchange.look_for_lost()
            case FarewellDue(left):
                self._say_farewell(left)
            case PathsDue():
                self._paths.look()
            case NewcomersDue():
                self._newcomers.ask_again()
            case _:
                assert_never(due)

    def _gossip(self) -> None:
        """Pass on news to a few at random: who is present, and who died lately, so that it can contradict."""
        local = self._local
        since = local.now - local.profile.gossip_to_the_dead
        targets = local.roster.pick(
            local.profile.gossip_nodes,
            lambda one: one.state.present or (one.state is State.DEAD and one.since >= since),
        )
        well = any(one.state is State.ALIVE for one in targets)
        for member in targets:
            is_heard = member.state is State.ALIVE or not well
            local.send(member.endpoint, member=member, is_heard=is_heard)
        if len(local.queue) and targets:
            local.timers.set(GossipDue(), local.now + local.profile.gossip_interval)
