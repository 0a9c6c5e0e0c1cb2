"""Members that lie: without the key nothing comes of it, with the key the machine stays up, lawful and small."""

import random
import tracemalloc
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from swim_values import at, messages, packet_messages, push_pulls

from herald.swim import packet
from herald.swim.event import Answer, Ask, Effect, Leave, PacketReceived, SendPacket, StreamAsked
from herald.swim.gossip import Gossip
from herald.swim.keyring import OVERHEAD, Keyring, UnauthenticatedError, derive_key
from herald.swim.local import Identity
from herald.swim.member import HIGHEST_INCARNATION, METALLB_VERSIONS, Endpoint, State
from herald.swim.message import Ack, Alive, Dead, DecodeError, Entry, Message, PushPull, Suspect, encode
from herald.swim.packet import Drop, Wrapping
from herald.swim.profile import HERALD
from herald.swim.roster import MOST_MEMBERS
from herald.swim.stream import LARGEST_STREAM, Reading

SEALED = Wrapping(Keyring(derive_key(b"the secret")), compression=False)
STRANGER = Wrapping(Keyring(derive_key(b"another")), compression=False)
FROM = at(66)


class Victim:
    """A machine named `n1` that has one honest member, `n2`."""

    def __init__(self, sequence: int = 0) -> None:
        self.now = 50.0
        self.rng = random.Random(3)
        me = Identity("n1", at(1))
        self.machine = Gossip(me, HERALD, SEALED, random.Random(7), self.now, sequence=sequence)
        self.hear([encode(Alive(1, "n2", at(2), b"", METALLB_VERSIONS))])

    def hear(self, octets: Iterable[bytes], wrapping: Wrapping = SEALED) -> list[Effect]:
        sealed = packet.seal(list(octets), wrapping, self.rng, checksum=False)
        return self.machine.handle(PacketReceived(FROM, sealed), self.now)

    def sleep(self, seconds: float) -> list[Effect]:
        end, effects = self.now + seconds, list[Effect]()
        while (deadline := self.machine.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            effects += self.machine.wake(self.now)
        self.now = end
        return effects

    def is_lawful(self) -> bool:
        snapshot = self.machine.snapshot()
        own = next(one for one in snapshot.members if one.name == "n1")
        return (
            own.endpoint == at(1)
            and own.state is State.ALIVE
            and 1 <= own.incarnation <= HIGHEST_INCARNATION
            and "n1" in self.machine.present()
            and len(snapshot.members) <= MOST_MEMBERS
            and self.machine.deadline() is not None
        )


@given(said=st.lists(packet_messages, min_size=1, max_size=4), noise=st.binary(max_size=200))
def test_fuzz_without_the_key_nothing_is_changed_and_nothing_is_answered(said: list[Message], noise: bytes) -> None:
    victim = Victim()
    before = victim.machine.snapshot().members
    effects = victim.hear(map(encode, said), STRANGER) + victim.hear(map(encode, said), Wrapping())
    effects += victim.machine.handle(PacketReceived(FROM, noise), victim.now)
    assert effects == []
    after = victim.machine.snapshot()
    assert after.members == before
    assert set(after.dropped) == {Drop.UNAUTHENTICATED} or noise[:1] == b"\xf4"
    for octets in (noise, b"\x06" + noise, *map(encode, said)):
        assert not reads(octets)


def reads(octets: bytes) -> bool:
    """Whether a stream of them is taken for a message."""
    try:
        return Reading(SEALED).feed(octets) is not None
    except (UnauthenticatedError, DecodeError):
        return False


mutations = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6)


@given(said=st.lists(packet_messages, min_size=1, max_size=3), changes=mutations, cut=st.integers(0, 60))
def test_fuzz_with_the_key_mutated_messages_are_read_or_dropped(
    said: list[Message], changes: list[tuple[int, int]], cut: int
) -> None:
    victim = Victim()
    octets = [bytearray(encode(one)) for one in said]
    for place, value in changes:
        one = octets[place % len(octets)]
        one[place % len(one)] = value
    octets[-1] = octets[-1][: len(octets[-1]) - cut] or octets[-1]
    victim.hear(map(bytes, octets))
    victim.sleep(2.0)
    assert victim.is_lawful()


@given(st.lists(st.tuples(messages, st.floats(0.0, 3.0)), max_size=12))
def test_fuzz_with_the_key_streams_of_anything_leave_the_machine_lawful(said: list[tuple[Message, float]]) -> None:
    victim = Victim()
    for number, (message, wait) in enumerate(said):
        victim.machine.handle(StreamAsked(number, message), victim.now)
        victim.sleep(wait)
    assert victim.is_lawful()


recorded = st.lists(packet_messages.filter(lambda one: not isinstance(one, Ack)) | push_pulls, max_size=12)


@given(recorded, st.floats(0.0, 1.0))
def test_fuzz_what_may_have_been_recorded_makes_nobody_count_who_does_not_answer(
    said: list[Message], wait: float
) -> None:
    victim = Victim()
    for number, message in enumerate(said):
        if isinstance(message, PushPull):
            victim.machine.handle(StreamAsked(number, message, None, FROM.address), victim.now)
        else:
            victim.hear([encode(message)])
        victim.sleep(wait)
        assert victim.machine.present().keys() == {"n1"}


@given(recorded, st.integers(0, 2**32 - 1))
def test_fuzz_nor_do_all_answers_that_were_ever_recorded(said: list[Message], sequence: int) -> None:
    victim = Victim(sequence)
    for message in said:
        if not isinstance(message, PushPull):
            victim.hear([encode(message)])
    for number in range(100):
        victim.hear([encode(Ack((sequence + 1000 + number) % 2**32))])
    assert victim.machine.present().keys() == {"n1"}


@given(st.lists(messages, max_size=6))
def test_fuzz_who_has_left_takes_whatever_is_still_said_to_it(said: list[Message]) -> None:
    victim = Victim()
    victim.machine.handle(Leave(), victim.now)
    for number, message in enumerate(said):
        victim.machine.handle(StreamAsked(number, message), victim.now)
        victim.sleep(0.1)


def test_who_has_left_takes_a_state_in_which_nobody_lives() -> None:
    victim = Victim()
    victim.hear([encode(Dead(1, "n2", "n3"))])
    victim.machine.handle(Leave(), victim.now)
    gone = Entry("n2", at(2), b"", 1, State.LEFT, METALLB_VERSIONS)
    effects = victim.machine.handle(StreamAsked(1, PushPull(False, (gone,))), victim.now)
    assert [one.stream for one in effects if isinstance(one, Answer)] == [1]


@given(st.integers(0, 2**32 - 1) | st.integers(29, LARGEST_STREAM), st.lists(st.binary(max_size=40), max_size=12))
def test_fuzz_a_stream_that_states_any_length_is_refused_at_once_or_looked_at_when_it_is_there(
    length: int, pieces: list[bytes]
) -> None:
    reading, said = Reading(SEALED), 5
    try:
        assert not reading.add(b"\x0a" + length.to_bytes(4)) or length == 0
        for piece in pieces:
            said += len(piece)
            assert reading.add(piece) is (said >= 5 + length)
            assert reading.held == said
            if said >= 5 + length:
                reading.read()
                raise AssertionError("nobody has sealed that")
    except DecodeError:
        assert not OVERHEAD <= length <= LARGEST_STREAM
        assert said == 5
    except UnauthenticatedError:
        assert said >= 5 + length


absurd = st.sampled_from([0, 1, 2, 2**31, HIGHEST_INCARNATION - 1, HIGHEST_INCARNATION])
about_us = st.builds(
    lambda make, number, by: make(number, by), st.sampled_from(["alive", "suspect", "dead"]).map(
        lambda kind: {
            "alive": lambda number, by: Alive(number, "n1", at(1), by.encode(), METALLB_VERSIONS),
            "suspect": lambda number, by: Suspect(number, "n1", by),
            "dead": lambda number, by: Dead(number, "n1", by),
        }[kind]
    ), absurd, st.sampled_from(["n1", "n2", "mallory"]),
)  # fmt: skip


@given(st.lists(about_us, min_size=1, max_size=30))
def test_fuzz_contradictions_about_ourselves_at_absurd_incarnations_neither_kill_nor_silence_us(
    said: list[Message],
) -> None:
    victim = Victim()
    for one in said:
        effects = victim.hear([encode(one)])
        assert len(effects) <= 3
        assert victim.is_lawful()
    assert victim.sleep(1.0), "it still probes"


def members(first: int, count: int) -> tuple[Entry, ...]:
    return tuple(
        Entry(f"m{number}", Endpoint(at(9).address, 1 + number % 65535), b"x" * 100, 1, State.ALIVE, METALLB_VERSIONS)
        for number in range(first, first + count)
    )


def test_more_members_than_any_group_has_are_kept_up_to_a_limit() -> None:
    victim = Victim()
    for start in range(0, 3 * MOST_MEMBERS, MOST_MEMBERS):
        victim.machine.handle(StreamAsked(1, PushPull(False, members(start, MOST_MEMBERS))), victim.now)
    victim.sleep(0.3)
    assert victim.is_lawful()
    snapshot = victim.machine.snapshot()
    assert len(snapshot.members) == MOST_MEMBERS
    assert snapshot.news <= MOST_MEMBERS
    assert snapshot.dropped[Drop.TOO_MANY] == 2 * MOST_MEMBERS + 2


def test_a_flood_of_members_takes_bounded_memory() -> None:
    victim = Victim()
    for number in range(MOST_MEMBERS):
        victim.hear([encode(Alive(1, f"m{number}", at(9), b"", METALLB_VERSIONS))])
    tracemalloc.start()
    try:
        for number in range(MOST_MEMBERS, 2 * MOST_MEMBERS):
            victim.hear([encode(Alive(1, f"m{number}", at(9), b"", METALLB_VERSIONS))])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 100_000
    assert victim.is_lawful()


def test_a_member_that_changes_all_the_time_takes_no_more_memory_than_one_that_does_not() -> None:
    victim = Victim()
    tracemalloc.start()
    try:
        for number in range(2, 5_000):
            victim.hear(
                [
                    encode(Alive(number, "n2", at(2), b"y" * (number % 400), METALLB_VERSIONS)),
                    encode(Suspect(number, "n2", f"accuser-{number % 50}")),
                ]
            )
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * 1024 * 1024
    assert victim.is_lawful()


def test_one_packet_makes_few_and_no_larger_ones() -> None:
    """Nobody is hit harder through us than directly; what is sent to strangers is an ack and one join a second."""
    victim = Victim()
    effects = [one for _ in range(200) for one in victim.hear([bytes.fromhex("0081a55365714e6f01")])]
    assert all(isinstance(one, SendPacket) and one.to == FROM for one in effects)
    assert len(effects) == 200
    named = bytes.fromhex("0082a55365714e6f01aa536f757263654e6f6465a36d616c")
    asks = [one for _ in range(200) for one in victim.hear([named]) if isinstance(one, Ask)]
    assert len(asks) <= 1
