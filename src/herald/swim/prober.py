"""Who still answers: one member after the other is asked, directly, through others, and by TCP.

    0                    ping, by UDP                                          an ack: it is well
    probe_timeout        ask up to `indirect_checks` others to ping it,        an ack by any way: it is well
                         and ping it by TCP
    probe_interval × h   nothing came: it is accused                           h: 1 + our own health

Herald's profile repeats the middle step, without TCP, every `probe_timeout` until the end: one lost packet is then no
accusation, and where much is lost (`h` grows with that) hardly any is left that is false.

A helper that is well sends a nack where it gets no answer either. Nacks that do not come are a sign that *we* are not
well; the worse we are, the longer we wait (Lifeguard's local health).

Second looks are Herald's own. Whoever learns of an accusation asks the accused directly every few hundredths of a
second, and tells it of the accusation in the same packet, so that it can contradict at once. No answer within the time
of a probe: we accuse it too, which is what the accusation waits for. So confirmation takes a probe's time instead of
as many as it takes until chance lets another member probe the same one. To a memberlist node these are pings.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from herald.swim.event import Kind, Reached
from herald.swim.local import DirectOver, ForProbe, Local, ProbeDue, ProbeOver, RelayLate, RelayOver, SecondLook
from herald.swim.member import Endpoint, Member, State
from herald.swim.message import Ack, IndirectPing, Nack, Ping, Suspect
from herald.swim.standing import Standing

TCP_PING_FROM: Final = 3
NACK_FROM: Final = 4
"""Protocol versions that a member must understand."""
MOST_RELAYS: Final = 1024
MOST_QUESTIONS: Final = 256
"""Questions of `AskNow`, to all members together, to which an answer is still taken."""
MOST_LOOKS: Final = 64
"""Direct questions to one suspect to which an answer is still taken."""
_RELAY_LASTS: Final = 5
"""Times `probe_timeout`: a slower member than us may still wait for the answer."""


@dataclass(slots=True)
class _Probe:
    member: Member
    ends: float
    nacks_expected: int = 0
    nacks: int = 0
    rounds: int = 0
    by_tcp: bool = False


@dataclass(frozen=True, slots=True)
class _Relay:
    requester: Endpoint
    target: Endpoint
    sequence: int
    nack: bool


@dataclass(slots=True)
class _Looks:
    """The direct questions to one suspect."""

    member: Member
    since: float
    sequences: deque[int]


class Prober:
    """Probes for us and for others."""

    def __init__(self, local: Local, standing: Standing) -> None:
        self._local = local
        self._standing = standing
        self._probes: dict[int, _Probe] = {}
        self._relays: dict[int, _Relay] = {}
        self._looks: dict[str, _Looks] = {}
        self._look_of: dict[int, str] = {}
        self._questions: dict[int, Member] = {}

    def shift(self, by: float) -> None:
        """This node was held up for so long."""
        for one in self._probes.values():
            one.ends += by

    def probe_next(self) -> list[Member]:
        """Probe whose turn it is. Gives those that were forgotten because a round ended."""
        local = self._local
        local.timers.set(ProbeDue(), local.now + local.profile.probe_interval)
        if self._probes:  # one at a time: who waits longer because it is not well also asks less
            return []
        member, forgotten = local.roster.next_to_probe(local.now - local.profile.gossip_to_the_dead)
        if member is not None:
            self._probe(member)
        return forgotten

    def _probe(self, member: Member) -> None:
        local, sequence = self._local, self._local.next_sequence()
        ends = local.now + local.profile.probe_interval * (local.health + 1)
        self._probes[sequence] = _Probe(member, ends)
        self._ping(member, sequence)
        local.timers.set(DirectOver(sequence), local.now + local.profile.probe_timeout)
        local.timers.set(ProbeOver(sequence), ends)

    def _ping(self, member: Member, sequence: int) -> None:
        local = self._local
        ping = Ping(sequence, member.name, local.me.endpoint, local.name)
        if member.state is State.ALIVE:
            local.send(member.endpoint, ping)
        else:
            accusation = Suspect(member.incarnation, member.name, local.name)
            local.send(member.endpoint, ping, accusation, member=member, is_heard=False)

    def ask_others(self, sequence: int) -> None:
        """There was no direct answer, or none to what was asked since."""
        local, probe = self._local, self._probes.get(sequence)
        if probe is None:
            return
        member, is_first = probe.member, not probe.rounds
        probe.rounds += 1
        local.keys.silent(member.endpoint)
        if local.profile.second_look is not None:
            self._ping(member, sequence)
            if (again := local.now + local.profile.probe_timeout) < probe.ends:
                local.timers.set(DirectOver(sequence), again)
        helpers = local.roster.pick(
            local.profile.indirect_checks, lambda one: one.state is State.ALIVE and one is not member
        )
        for helper in helpers:
            nack = is_first and helper.versions.pmax >= NACK_FROM
            probe.nacks_expected += nack
            request = IndirectPing(sequence, member.endpoint, member.name, nack, local.me.endpoint, local.name)
            local.send(helper.endpoint, request)
        left = probe.ends - local.now
        if is_first and local.profile.tcp_pings and member.versions.pmax >= TCP_PING_FROM and left > 0:
            ping = Ping(sequence, member.name, local.me.endpoint, local.name)
            local.ask(ForProbe(sequence), member.endpoint, ping, left)

    def give_up(self, sequence: int) -> None:
        """There was no answer at all."""
        local, probe = self._local, self._probes.pop(sequence, None)
        if probe is None:
            return
        if probe.by_tcp:
            local.note(Kind.ONLY_BY_TCP, probe.member.name, "answered this time by TCP only")
            return
        local.worse(probe.nacks_expected - probe.nacks if probe.nacks_expected else 1)
        if probe.member.state.present and local.roster.get(probe.member.name) is probe.member:
            self._standing.suspect(Suspect(probe.member.incarnation, probe.member.name, local.name))

    def acked(self, sequence: int) -> None:
        """An ack has come: for a probe, for a second look, or for somebody else."""
        local = self._local
        probe = self._probes.pop(sequence, None)
        if probe is not None:
            local.answered(probe.member)
            local.worse(-1)
            local.timers.cancel(DirectOver(sequence))
            local.timers.cancel(ProbeOver(sequence))
            return
        asked = self._questions.pop(sequence, None)
        if asked is not None:
            local.answered(asked)
            local.effects.append(Reached(asked.name))
            return
        name = self._look_of.pop(sequence, None)
        if name is not None:
            local.answered(self._looks[name].member)
            self._looks[name].sequences.remove(sequence)
            return
        relay = self._relays.pop(sequence, None)
        if relay is not None:
            local.timers.cancel(RelayLate(sequence))
            local.timers.cancel(RelayOver(sequence))
            local.send(relay.requester, Ack(relay.sequence))

    def ask_now(self, name: str) -> None:
        """Ask a member by all ways of UDP at once. Whoever is not there is not asked."""
        local, member = self._local, self._local.roster.get(name)
        if member is None or not member.state.present or name == local.name:
            return
        sequence = local.next_sequence()
        self._questions[sequence] = member
        if len(self._questions) > MOST_QUESTIONS:
            del self._questions[next(iter(self._questions))]
        self._ping(member, sequence)
        request = IndirectPing(sequence, member.endpoint, name, False, local.me.endpoint, local.name)
        for helper in local.roster.pick(
            local.profile.indirect_checks, lambda one: one.state is State.ALIVE and one is not member
        ):
            local.send(helper.endpoint, request)

    def accuse(self, name: str) -> None:
        """A member was found silent by other means than these."""
        member = self._local.roster.get(name)
        if member is not None and member.state.present and name != self._local.name:
            self._standing.suspect(Suspect(member.incarnation, name, self._local.name))

    def nacked(self, sequence: int) -> None:
        """A helper is well."""
        probe = self._probes.get(sequence)
        if probe is not None and probe.nacks < probe.nacks_expected:
            probe.nacks += 1

    def acked_by_tcp(self, sequence: int) -> None:
        """The probed one answers by TCP. UDP is still waited for: without it the member cannot take part."""
        probe = self._probes.get(sequence)
        if probe is not None:
            probe.by_tcp = True
            self._local.answered(probe.member)

    def help(self, request: IndirectPing, requester: Endpoint) -> None:
        """Ping a member for somebody else; only one that is known, so that nobody is pinged on a stranger's behalf."""
        local, member = self._local, self._local.roster.get(request.node)
        if member is None or len(self._relays) >= MOST_RELAYS:
            return
        sequence, timeout = local.next_sequence(), local.profile.probe_timeout
        self._relays[sequence] = _Relay(requester, member.endpoint, request.sequence, request.nack)
        ping = Ping(sequence, member.name, local.me.endpoint, local.name)
        local.send(member.endpoint, ping, is_heard=False)
        local.timers.set(RelayLate(sequence), local.now + timeout)
        local.timers.set(RelayOver(sequence), local.now + _RELAY_LASTS * timeout)

    def relay_late(self, sequence: int) -> None:
        """Whom we pinged for another has not answered yet."""
        relay = self._relays.get(sequence)
        if relay is None:
            return
        self._local.keys.silent(relay.target)
        if relay.nack:
            self._local.send(relay.requester, Nack(relay.sequence))

    def relay_over(self, sequence: int) -> None:
        """Nor will it."""
        self._relays.pop(sequence, None)

    def look_again(self, name: str) -> None:
        """Ask a suspect directly, and accuse it too if it has not answered us for the time of a probe."""
        local, standing, member = self._local, self._standing.suspicion(name), self._local.roster.get(name)
        if standing is None or member is None:
            self._forget_looks(name)
            return
        if name in self._looks and self._looks[name].member is not member:  # another one bears the name now
            self._forget_looks(name)
        looks = self._looks.setdefault(name, _Looks(member, local.now, deque()))
        answered = member.heard is not None and member.heard >= looks.since
        patience = local.profile.probe_interval * (local.health + 1)
        if not answered and local.now - looks.since >= patience and not standing.accused_by(local.name):
            self._standing.suspect(Suspect(member.incarnation, name, local.name))
        if not answered:
            local.keys.silent(member.endpoint)
        sequence = local.next_sequence()
        looks.sequences.append(sequence)
        self._look_of[sequence] = name
        if len(looks.sequences) > MOST_LOOKS:  # a suspect that answers now and then can stay one for long
            del self._look_of[looks.sequences.popleft()]
        self._ping(member, sequence)
        local.timers.set(SecondLook(name), local.now + self._standing.look_every())

    def _forget_looks(self, name: str) -> None:
        looks = self._looks.pop(name, None)
        for sequence in looks.sequences if looks else ():
            del self._look_of[sequence]
