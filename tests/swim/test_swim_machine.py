"""The machine alone: the rules of states row by row, hostile input, and what it does for others."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swim_values import at, endpoints, messages, names, packet_messages

from herald.swim import packet, stream
from herald.swim.event import (
    Answer,
    Answered,
    Ask,
    Changed,
    Departed,
    Effect,
    Event,
    JoinAt,
    Kind,
    Leave,
    Note,
    PacketReceived,
    SendPacket,
    SetMeta,
    StreamAsked,
    ThoughtDead,
    Unanswered,
)
from herald.swim.gossip import Gossip
from herald.swim.keyring import Keyring, derive_key
from herald.swim.local import Identity
from herald.swim.member import HIGHEST_INCARNATION, METALLB_VERSIONS, Endpoint, MemberSnapshot, State, Versions
from herald.swim.message import (
    Ack,
    Alive,
    Dead,
    Entry,
    IndirectPing,
    Message,
    Nack,
    Ping,
    PushPull,
    Suspect,
    encode,
)
from herald.swim.packet import Drop, Wrapping, open_packet
from herald.swim.profile import HERALD, LAN, Profile
from herald.swim.roster import MOST_MEMBERS

PLAIN = Wrapping()


class Node:
    """A machine named `n1`, and what it did."""

    def __init__(self, profile: Profile = LAN, wrapping: Wrapping = PLAIN) -> None:
        self.now = 100.0
        self.wrapping = wrapping
        self.machine = Gossip(Identity("n1", at(1)), profile, wrapping, random.Random(7), self.now)

    def event(self, event: Event) -> list[Effect]:
        return self.machine.handle(event, self.now)

    def hear(self, *said: Message, source: Endpoint | None = None) -> list[Effect]:
        octets = packet.seal([encode(one) for one in said], self.wrapping, random.Random(1), checksum=False)
        return self.event(PacketReceived(source or at(2), octets))

    def answer(self, effects: list[Effect]) -> None:
        """Whoever was pinged is there."""
        for to, message in self.sent(effects):
            if isinstance(message, Ping):
                self.hear(Ack(message.sequence), source=to)

    def sleep(self, seconds: float) -> list[Effect]:
        """Everything that it does by itself in that time."""
        end, effects = self.now + seconds, list[Effect]()
        while (deadline := self.machine.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            effects += self.machine.wake(self.now)
        self.now = end
        return effects

    def member(self, name: str) -> MemberSnapshot | None:
        return next((one for one in self.machine.snapshot().members if one.name == name), None)

    def state(self, name: str) -> tuple[State, int] | None:
        member = self.member(name)
        return None if member is None else (member.state, member.incarnation)

    def sent(self, effects: list[Effect]) -> list[tuple[Endpoint, Message]]:
        return [
            (one.to, message)
            for one in effects
            if isinstance(one, SendPacket)
            for message in open_packet(one.data, self.wrapping).messages
        ]


def alive(name: str, incarnation: int = 1, where: int = 2, versions: Versions = METALLB_VERSIONS) -> Alive:
    return Alive(incarnation, name, at(where), b"", versions)


def joins(ask: Ask) -> bool:
    said = stream.Reading(PLAIN).feed(ask.data)
    return isinstance(said, PushPull) and said.join


def kinds(effects: list[Effect]) -> list[Kind]:
    return [one.kind for one in effects if isinstance(one, Note)]


SUSPECTED: list[Message] = [alive("n2", 5), Suspect(5, "n2", "n9")]
DIED: list[Message] = [alive("n2", 5), Dead(5, "n2", "n9")]
LEFT: list[Message] = [alive("n2", 5), Dead(5, "n2", "n2")]
ALIVE_5 = (State.ALIVE, 5)


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        pytest.param([], alive("n2", 5), ALIVE_5, id="unknown, alive"),
        pytest.param([], Suspect(5, "n2", "n9"), None, id="unknown, suspect"),
        pytest.param([], Dead(5, "n2", "n9"), None, id="unknown, dead"),
        pytest.param([], alive("n2", 5, versions=Versions(0, 5, 2)), None, id="unknown, speaks nothing"),
        pytest.param([], alive("n2", 5, versions=Versions(3, 2, 2)), None, id="unknown, nonsensical versions"),
        pytest.param([alive("n2", 5)], alive("n2", 6), (State.ALIVE, 6), id="alive, newer"),
        pytest.param([alive("n2", 5)], alive("n2", 4), ALIVE_5, id="alive, older"),
        pytest.param([alive("n2", 5)], alive("n2", 6, where=3), ALIVE_5, id="alive, elsewhere"),
        pytest.param([alive("n2", 5)], Suspect(5, "n2", "n9"), (State.SUSPECT, 5), id="alive, suspected"),
        pytest.param([alive("n2", 5)], Suspect(7, "n2", "n9"), (State.SUSPECT, 7), id="alive, suspected later"),
        pytest.param([alive("n2", 5)], Suspect(4, "n2", "n9"), ALIVE_5, id="alive, suspected once"),
        pytest.param([alive("n2", 5)], Dead(5, "n2", "n9"), (State.DEAD, 5), id="alive, dead"),
        pytest.param([alive("n2", 5)], Dead(4, "n2", "n9"), ALIVE_5, id="alive, was dead once"),
        pytest.param([alive("n2", 5)], Dead(5, "n2", "n2"), (State.LEFT, 5), id="alive, leaves"),
        pytest.param(SUSPECTED, alive("n2", 5), (State.SUSPECT, 5), id="suspect, not newer"),
        pytest.param(SUSPECTED, alive("n2", 6), (State.ALIVE, 6), id="suspect, contradicts"),
        pytest.param(SUSPECTED, Dead(5, "n2", "n9"), (State.DEAD, 5), id="suspect, dead"),
        pytest.param(DIED, alive("n2", 5), (State.DEAD, 5), id="dead, not newer"),
        pytest.param(DIED, alive("n2", 6), (State.ALIVE, 6), id="dead, contradicts"),
        pytest.param(DIED, alive("n2", 6, where=3), (State.DEAD, 5), id="dead, elsewhere"),
        pytest.param(DIED, Suspect(6, "n2", "n9"), (State.DEAD, 5), id="dead, suspected"),
        pytest.param(LEFT, alive("n2", 6), (State.ALIVE, 6), id="left, comes back"),
        pytest.param(LEFT, alive("n2", 1, where=3), (State.ALIVE, 1), id="left, comes back elsewhere"),
    ],
)
def test_the_state_of_a_member(before: list[Message], said: Message, after: tuple[State, int] | None) -> None:
    node = Node()
    for one in before:
        node.answer(node.hear(one))
    node.hear(said)
    assert node.state("n2") == after


def test_with_heralds_profile_the_name_of_a_dead_member_may_be_at_another_address() -> None:
    node = Node(HERALD)
    node.answer(node.hear(*DIED))
    effects = node.hear(alive("n2", 1, where=3))
    assert node.state("n2") == (State.ALIVE, 1)
    assert kinds(effects) == [Kind.JOINED]


@pytest.mark.parametrize(
    "said",
    [Suspect(9, "n1", "n2"), Dead(9, "n1", "n2"), Suspect(0, "n1", "n2"), Dead(0, "n1", "n2")],
    ids=repr,
)
def test_what_is_said_against_us_is_contradicted_above_it(said: Suspect | Dead) -> None:
    node = Node()
    node.hear(alive("n2"))
    before = node.member("n1")
    assert before is not None
    effects = node.hear(said)
    after = node.member("n1")
    assert after is not None
    heard = [message for _, message in node.sent(node.sleep(1.0)) if isinstance(message, Alive)]
    if said.incarnation < before.incarnation:
        assert after == before
        assert Alive(1, "n1", at(1), b"", METALLB_VERSIONS) in heard, "the accuser missed it, so it is said once more"
    else:
        assert after.incarnation == 10
        assert (ThoughtDead() in effects) is isinstance(said, Dead)
        assert Alive(10, "n1", at(1), b"", METALLB_VERSIONS) in heard
    assert after.state is State.ALIVE


def test_an_earlier_life_of_ours_is_contradicted() -> None:
    node = Node()
    node.event(SetMeta(b"now"))
    node.hear(Alive(7, "n1", at(1), b"then", METALLB_VERSIONS))
    assert node.state("n1") == (State.ALIVE, 8)
    (own,) = [one for one in node.machine.snapshot().members if one.name == "n1"]
    assert own.meta == b"now"


def test_two_with_one_name_are_said_once_a_minute() -> None:
    node = Node()
    first = node.hear(alive("n1", 50, where=9))
    assert kinds(first) == [Kind.CONFLICT]
    assert kinds(node.hear(alive("n1", 51, where=9))) == []
    assert node.machine.snapshot().dropped[Drop.CONFLICT] == 2
    assert node.state("n1") == (State.ALIVE, 1)


def test_no_incarnation_is_too_high_to_go_on() -> None:
    node = Node()
    node.hear(alive("n2"), Dead(HIGHEST_INCARNATION, "n1", "n2"))
    node.hear(Dead(HIGHEST_INCARNATION, "n1", "n2"))
    assert node.state("n1") == (State.ALIVE, HIGHEST_INCARNATION)
    node.sleep(2.0)


def test_a_ping_is_answered_where_it_came_from_and_only_if_it_is_for_us() -> None:
    node = Node()
    (answer,) = node.sent(node.hear(Ping(9, "n1", at(77), "n2"), source=at(2)))
    assert answer == (at(2), Ack(9))
    assert node.sent(node.hear(Ping(9, "n3", at(2), "n2"))) == []


def test_who_pings_and_is_not_known_is_joined_and_who_counts_as_dead_is_told() -> None:
    node = Node()
    asks = [one for one in node.hear(Ping(1, "n1", at(2), "n2")) if isinstance(one, Ask)]
    assert [one.to for one in asks] == [at(2)]
    assert not [one for one in node.hear(Ping(2, "n1", at(3), "n3"), source=at(3)) if isinstance(one, Ask)]
    node.hear(*DIED)
    sent = [message for _, message in node.sent(node.hear(Ping(3, "n1", at(2), "n2")))]
    assert sent[:2] == [Ack(3), Dead(5, "n2", "n1")]


def test_we_ping_for_others_and_say_if_there_is_no_answer() -> None:
    node = Node()
    node.hear(alive("n2"), alive("n3", where=3))
    node.sleep(0.1)
    effects = node.sent(node.hear(IndirectPing(55, at(3), "n3", True, at(2), "n2")))
    (ping,) = [message for to, message in effects if to == at(3) and isinstance(message, Ping)]
    assert (at(2), Ack(55)) in node.sent(node.hear(Ack(ping.sequence), source=at(3)))
    node.hear(IndirectPing(56, at(3), "n3", True, at(2), "n2"))
    assert (at(2), Nack(56)) in node.sent(node.sleep(0.6))
    stranger = node.sent(node.hear(IndirectPing(57, at(99), "n99", True, at(2), "n2")))
    assert at(99) not in [to for to, _ in stranger]


def test_a_member_that_does_not_answer_is_asked_through_others_and_by_tcp_then_suspected_then_dead() -> None:
    node = Node()
    node.hear(alive("n2"), alive("n3", where=3))
    effects, deadline = list[Effect](), node.now + 20
    while node.now < deadline:
        for one in node.sleep(0.05):
            effects.append(one)
            for to, message in node.sent([one]):
                if isinstance(message, Ping) and to == at(3):
                    node.hear(Ack(message.sequence), source=at(3))
    helped = {to for to, message in node.sent(effects) if isinstance(message, IndirectPing) and message.node == "n2"}
    assert helped == {at(3)}
    assert at(2) in {one.to for one in effects if isinstance(one, Ask)}
    about_n2 = [one.kind for one in effects if isinstance(one, Note) and one.member == "n2"]
    assert about_n2[:2] == [Kind.SUSPECTED, Kind.DIED]
    state = node.state("n3")
    assert state is not None
    assert state[0] is State.ALIVE


def test_a_member_that_answers_by_tcp_only_stays_and_the_log_says_so() -> None:
    node, notes = Node(), list[Note]()
    node.hear(alive("n2"))
    end = node.now + 10
    while node.now < end:
        for one in node.sleep(0.05):
            if isinstance(one, Note):
                notes.append(one)
            if isinstance(one, Ask):
                said = stream.Reading(PLAIN).feed(one.data)
                if isinstance(said, Ping):
                    node.event(Answered(one.ask, Ack(said.sequence)))
    assert {one.kind for one in notes} == {Kind.ONLY_BY_TCP}
    state = node.state("n2")
    assert state is not None
    assert state[0] is State.ALIVE


def test_time_in_which_this_node_did_not_run_is_not_held_against_others() -> None:
    node = Node()
    node.hear(alive("n2", 5), Suspect(5, "n2", "n9"))
    node.now += 1000.0
    effects = node.machine.wake(node.now)
    assert Kind.HELD_UP in kinds(effects)
    assert node.state("n2") == (State.SUSPECT, 5)
    node.hear(alive("n2", 6))
    assert node.state("n2") == (State.ALIVE, 6)


@pytest.mark.parametrize(("profile", "after"), [(LAN, State.DEAD), (HERALD, State.SUSPECT)], ids=["lan", "herald"])
def test_a_suspect_that_answers_us_now_and_then_is_not_declared_dead(profile: Profile, after: State) -> None:
    node = Node(profile)
    node.hear(alive("n2", 5))
    node.sleep(0.01)
    node.hear(Suspect(5, "n2", "n9"))
    end, pings = node.now + 30.0, 0
    while node.now < end:
        for to, message in node.sent(node.sleep(0.01)):
            if isinstance(message, Ping) and to == at(2):
                pings += 1
                if pings % 3 == 0:
                    node.hear(Ack(message.sequence))
    state = node.state("n2")
    assert state is not None
    assert state[0] is after


def test_who_is_alone_leaves_at_once() -> None:
    assert Departed() in Node().event(Leave())


def test_leaving_tells_everybody_several_times_and_is_soon_done() -> None:
    node = Node(HERALD)
    node.hear(alive("n2"), alive("n3", where=3))
    began = node.now
    effects = node.event(Leave())
    while Departed() not in effects:
        deadline = node.machine.deadline()
        assert deadline is not None
        node.now = deadline
        effects += node.machine.wake(node.now)
    assert node.now - began < 0.3
    told = [to for to, message in node.sent(effects) if message == Dead(1, "n1", "n1")]
    assert told.count(at(2)) >= 3
    assert told.count(at(3)) >= 3
    node.hear(Dead(5, "n1", "n2"), alive("n1", 9))
    assert [one for one in node.sent(node.sleep(1.0)) if isinstance(one[1], Alive) and one[1].node == "n1"] == []
    assert (at(2), Ack(4)) in node.sent(node.hear(Ping(4, "n1", at(2), "n2")))


def test_whole_states_are_answered_and_merged_and_who_is_said_dead_may_contradict() -> None:
    node = Node()
    node.answer(node.hear(alive("n3", 5, where=3), alive("n4", 5, where=4)))
    entries = (
        Entry("n2", at(2), b"meta", 3, State.ALIVE, METALLB_VERSIONS),
        Entry("n3", at(3), b"", 5, State.DEAD, METALLB_VERSIONS),
        Entry("n4", at(4), b"", 5, State.LEFT, METALLB_VERSIONS),
    )
    effects = node.event(StreamAsked(1, PushPull(True, entries)))
    (answer,) = [one for one in effects if isinstance(one, Answer)]
    assert answer.data is not None
    said = stream.Reading(PLAIN).feed(answer.data)
    assert isinstance(said, PushPull)
    assert {one.node for one in said.entries} == {"n1", "n3", "n4"}
    assert node.state("n2") == (State.ALIVE, 3)
    assert node.state("n3") == (State.SUSPECT, 5)
    assert node.state("n4") == (State.LEFT, 5)
    assert Changed() in effects
    node.answer(effects)
    assert node.machine.present() == {"n1": b"", "n2": b"meta", "n3": b""}


@pytest.mark.parametrize("versions", [None, Versions(0, 0, 0), Versions(3, 5, 4), Versions(1, 5, 2, 2, 5, 4)], ids=repr)
def test_a_state_with_one_who_speaks_no_version_in_common_is_refused_whole(versions: Versions | None) -> None:
    node = Node()
    entries = (
        Entry("n2", at(2), b"", 3, State.ALIVE, METALLB_VERSIONS),
        Entry("n3", at(3), b"", 3, State.ALIVE, versions),
    )
    node.event(StreamAsked(1, PushPull(True, entries)))
    assert node.state("n2") is None
    assert node.machine.snapshot().dropped == {Drop.VERSIONS: 1}


def test_places_are_joined_at_once_then_again_until_somebody_is_there() -> None:
    node = Node()

    def asked(effects: list[Effect]) -> list[Endpoint]:
        asks = [one for one in effects if isinstance(one, Ask) and joins(one)]
        for one in asks:
            failed = node.event(Unanswered(one.ask, "refused"))
            effects_after.extend(failed)
        return [one.to for one in asks]

    effects_after: list[Effect] = []
    assert asked(node.event(JoinAt((at(1), at(2), at(3))))) == [at(2), at(3)]
    assert kinds(effects_after) == [Kind.JOIN_FAILED, Kind.JOIN_FAILED]
    said = [one.text for one in effects_after if isinstance(one, Note)]
    assert all(text.startswith("gossip cannot join there: refused; it is tried again. Does") for text in said)
    assert asked(node.event(JoinAt((at(1), at(2), at(3))))) == []
    assert sorted(map(str, asked(node.sleep(1.5)))) == ["10.0.0.2:7946", "10.0.0.3:7946"]
    node.hear(alive("n2"))
    again = [one for _ in range(130) for one in asked(node.sleep(0.5)) if one == at(3)]
    assert len(again) == 5, "after 4, 8, 16 and 32 s and then every 60 s; the first came after 2 s"
    assert kinds(effects_after).count(Kind.JOIN_FAILED) == 2


def test_there_is_a_limit_to_how_many_members_are_kept() -> None:
    node = Node()
    entries = tuple(
        Entry(f"m{number}", Endpoint(at(2).address, 1 + number % 60000), b"", 1, State.ALIVE, METALLB_VERSIONS)
        for number in range(MOST_MEMBERS + 10)
    )
    node.event(StreamAsked(1, PushPull(True, entries)))
    assert len(node.machine.snapshot().members) == MOST_MEMBERS
    assert node.machine.snapshot().dropped == {Drop.TOO_MANY: 11}


def test_with_a_key_what_is_not_sealed_is_counted_and_has_no_effect() -> None:
    node = Node(wrapping=Wrapping(Keyring(derive_key(b"secret"))))
    octets = packet.seal([encode(alive("n2"))], PLAIN, random.Random(1), checksum=False)
    assert node.event(PacketReceived(at(2), octets)) == []
    assert node.machine.snapshot().dropped == {Drop.UNAUTHENTICATED: 1}
    node.hear(alive("n2"))
    assert node.state("n2") == (State.ALIVE, 1)


events = (
    st.tuples(endpoints, st.lists(packet_messages, min_size=1, max_size=4)).map(
        lambda pair: PacketReceived(
            pair[0], packet.seal([encode(one) for one in pair[1]], PLAIN, random.Random(1), checksum=False)
        )
    )
    | st.builds(PacketReceived, endpoints, st.binary(max_size=60))
    | st.builds(StreamAsked, st.integers(0, 3), messages)
    | st.builds(Answered, st.integers(0, 20), messages)
    | st.builds(Unanswered, st.integers(0, 20), st.just("refused"))
    | st.builds(SetMeta, st.binary(max_size=20))
    | st.builds(JoinAt, st.lists(endpoints, max_size=3).map(tuple))
)
steps = st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.3, 2.0, 40.0]), st.none() | events), max_size=25)


@pytest.mark.parametrize("profile", [LAN, HERALD], ids=["lan", "herald"])
@given(happened=steps, leaves=st.booleans())
def test_whatever_happens_the_machine_stays_lawful(
    profile: Profile, happened: list[tuple[float, Event | None]], leaves: bool
) -> None:
    node = Node(profile)
    for wait, event in happened:
        _lawful(node, node.sleep(wait))
        if event is not None:
            _lawful(node, node.event(event))
    if leaves:
        effects = node.event(Leave())
        _lawful(node, effects)
        assert Departed() in effects + node.sleep(1.0)


def _lawful(node: Node, effects: list[Effect]) -> None:
    checks: dict[type, Callable[[Effect], bool]] = {
        SendPacket: lambda one: isinstance(one, SendPacket) and not open_packet(one.data, PLAIN).dropped,
        Ask: lambda one: isinstance(one, Ask) and stream.Reading(PLAIN).feed(one.data) is not None,
    }
    assert all(checks[type(one)](one) for one in effects if type(one) in checks)
    own = node.member("n1")
    assert own is not None
    assert own.endpoint == at(1)
    assert 1 <= own.incarnation <= HIGHEST_INCARNATION
    assert "n1" in node.machine.present()
    assert node.machine.deadline() is not None


@given(st.lists(names, min_size=1, max_size=5))
def test_the_same_seed_and_events_give_the_same_effects(who: list[str]) -> None:
    first, second = Node(HERALD), Node(HERALD)
    said = [alive(name) for name in who]
    assert first.hear(*said) + first.sleep(3.0) == second.hear(*said) + second.sleep(3.0)
