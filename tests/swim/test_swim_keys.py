"""The secret changes: whoever has a key that others accept is in one group with them, in whatever order they came."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swim_values import at

from herald.lab.swim_simulation.simulation import Simulation, Way
from herald.swim.event import Answer, Ask, JoinAt, Kind, PacketReceived, SendPacket, SetWrapping, StreamAsked
from herald.swim.gossip import Gossip
from herald.swim.keyring import ADOPT_AFTER, FORGET_AFTER, MOST_KEYS, Key, KeyChange, Keyring, derive_key
from herald.swim.keys_heard import MOST_KEPT, KeysHeard
from herald.swim.local import Identity
from herald.swim.member import METALLB_VERSIONS, Endpoint
from herald.swim.message import Ack, Alive, Ping, PushPull, encode
from herald.swim.packet import Wrapping, open_packet, seal
from herald.swim.paths import Transport
from herald.swim.profile import HERALD, LAN, Profile
from herald.swim.stream import Reading

OLD, NEW = derive_key(b"old"), derive_key(b"new")
RINGS = {
    "old": Keyring(OLD),
    "learns": Keyring(NEW, OLD, seals=1),
    "adopted": Keyring(NEW, OLD),
    "new": Keyring(NEW),
}
RNG = random.Random(1)


def ways(*members: int) -> set[Way]:
    """Every way to and from these, among five."""
    pairs = {(a, b) for a in range(5) for b in members if a != b}
    return {(*pair, by) for a, b in pairs for pair in ((a, b), (b, a)) for by in Transport}


@pytest.mark.parametrize("profile", [HERALD, LAN], ids=["herald", "lan"])
@pytest.mark.parametrize(
    "order",
    [*itertools.permutations(("old", "learns", "new")), *itertools.permutations(("old", "adopted", "new"))],
    ids="-".join,
)
def test_the_old_key_only_both_and_the_new_key_only_are_one_group_in_every_order(
    profile: Profile, order: tuple[str, ...]
) -> None:
    simulation = Simulation(len(order), profile, seed=2, joined=False)
    everywhere = JoinAt(tuple(at(number + 1) for number in range(len(order))))
    for number, kind in enumerate(order):
        simulation.tell(number, SetWrapping(Wrapping(RINGS[kind])))
    for number in range(len(order)):
        simulation.drop(ways(*range(number + 1, len(order))))
        simulation.tell(number, everywhere)
        simulation.run(3.0)
    simulation.run(30.0)
    together = set(range(len(order)))
    assert [simulation.sees(number) for number in together] == [together] * len(order)
    simulation.run(60.0)
    assert [simulation.sees(number) for number in together] == [together] * len(order)
    assert simulation.false_deaths() == []


@pytest.mark.parametrize(
    ("profile", "loss", "end"),
    [
        pytest.param(HERALD, 0.05, 10.0 + ADOPT_AFTER + 30.0, id="until the key is used, 5 % lost"),
        pytest.param(LAN, 0.0, 10.0 + FORGET_AFTER + 30.0, id="until the old one is forgotten"),
    ],
)
def test_a_group_goes_through_a_whole_change_and_loses_nobody(profile: Profile, loss: float, end: float) -> None:
    """Each learns of the key at another moment; one never does until the old one is about to be forgotten."""
    simulation = Simulation(5, profile, seed=3, loss=loss)
    changes = [KeyChange(b"old") for _ in range(5)]
    learns_at = [10.0, 20.0, 60.0, 95.0, 600.0]
    while simulation.now < end:
        for number, change in enumerate(changes):
            if simulation.now >= learns_at[number]:
                change.learn(b"new", simulation.now)
            simulation.tell(number, SetWrapping(Wrapping(change.ring(simulation.now))))
        simulation.run(5.0)
    assert simulation.verdicts == []
    assert [note for _, _, note in simulation.notes if note.kind is Kind.CLOSED] == []
    assert [simulation.sees(number) for number in range(5)] == [set(range(5))] * 5


def keys(ring: str = "learns") -> KeysHeard:
    return KeysHeard(Wrapping(RINGS[ring]), random.Random(3))


def sealing(wrappings: tuple[Wrapping, ...]) -> list[Key]:
    return [one.keyring.sealing for one in wrappings if one.keyring is not None]


@pytest.mark.parametrize("ring", ["learns", "adopted"])
def test_who_was_not_heard_is_told_with_every_key_who_was_with_the_newest_that_it_used(ring: str) -> None:
    heard = keys(ring)
    assert sealing(heard.for_packet(at(2))) == [Key(NEW), Key(OLD)]
    for used, expected in ((OLD, OLD), (NEW, NEW), (OLD, NEW)):
        heard.heard(at(2), Key(used))
        assert sealing(heard.for_packet(at(2))) == [Key(expected)]
        assert sealing((heard.for_stream(at(2)),)) == [Key(expected)]
    heard.silent(at(2))
    heard.silent(at(2))
    assert len(heard.for_packet(at(2))) == 2
    assert {heard.for_stream(at(2)).keyring for _ in range(40)} == {heard.sealed_with(Key(NEW)).keyring}
    heard.unread(at(2))
    assert {heard.for_stream(at(2)) for _ in range(40)} == set(heard.for_packet(at(2)))


@pytest.mark.parametrize("used", [OLD, NEW], ids=["old", "new"])
def test_who_does_not_answer_a_probe_is_pinged_by_tcp_with_the_key_that_it_used(used: bytes) -> None:
    asker, ring = Wrapping(Keyring(used)), Wrapping(RINGS["learns"])
    for chance in range(12):
        machine = Gossip(Identity("n1", at(1)), LAN, ring, random.Random(chance), 0.0)
        alive = Alive(1, "n2", at(2), b"", METALLB_VERSIONS)
        machine.handle(PacketReceived(at(2), seal([encode(alive)], asker, RNG, checksum=False)), 0.0)
        asked = list[Ask]()
        while not asked and (due := machine.deadline()) is not None:
            asked = [one for one in machine.wake(due) if isinstance(one, Ask) and one.to == at(2)]
        assert isinstance(Reading(asker).feed(asked[0].data), Ping)


def test_a_key_that_a_stream_remembers_is_forgotten_with_the_ring() -> None:
    heard = keys()
    heard.heard(at(2), Key(OLD))
    heard.silent(at(2))
    heard.set_wrapping(Wrapping(Keyring(NEW, derive_key(b"third"), seals=0)))
    assert sealing((heard.for_stream(at(3)),)) != [Key(OLD)]
    assert sealing((heard.for_stream(at(2)),)) != [Key(OLD)]


def test_with_one_key_there_is_one_packet_and_when_another_begins_to_seal_all_are_asked_with_both() -> None:
    heard = keys("old")
    heard.heard(at(2), Key(OLD))
    assert sealing(heard.for_packet(at(3))) == [Key(OLD)]
    heard.set_wrapping(Wrapping(RINGS["learns"]))
    assert sealing(heard.for_packet(at(2))) == [Key(OLD)], "it has only that, as far as is known"
    heard.set_wrapping(Wrapping(RINGS["adopted"]))
    assert sealing(heard.for_packet(at(2))) == [Key(NEW), Key(OLD)]
    heard.set_wrapping(Wrapping(RINGS["new"]))
    assert sealing(heard.for_packet(at(2))) == [Key(NEW)]


def test_what_is_not_sealed_or_with_a_key_of_nobody_is_not_kept() -> None:
    heard = keys()
    heard.heard(at(2), None)
    heard.heard(at(2), Key(derive_key(b"another")))
    assert len(heard.for_packet(at(2))) == 2


def test_of_many_endpoints_the_oldest_are_forgotten() -> None:
    heard = keys()
    for number in range(MOST_KEPT + 1):
        heard.heard(Endpoint(at(1).address, number), Key(OLD))
    known = [len(heard.for_packet(Endpoint(at(1).address, number))) for number in (0, 1, MOST_KEPT)]
    assert known == [2, 1, 1]


@pytest.mark.parametrize("used", [OLD, NEW], ids=["old", "new"])
def test_pings_and_streams_are_answered_with_the_key_that_asked(used: bytes) -> None:
    asker, ring = Wrapping(Keyring(used)), Wrapping(RINGS["learns"])
    machine = Gossip(Identity("n1", at(1)), HERALD, ring, random.Random(7), 0.0)
    ping = seal([encode(Ping(5, "n1"))], asker, RNG, checksum=False)
    (answer,) = machine.handle(PacketReceived(at(2), ping), 0.0)
    assert isinstance(answer, SendPacket)
    assert open_packet(answer.data, asker).messages == [Ack(5)]
    (said,) = [
        one for one in machine.handle(StreamAsked(1, PushPull(True, ()), Key(used)), 0.0) if isinstance(one, Answer)
    ]
    assert said.data is not None
    assert isinstance(Reading(asker).feed(said.data), PushPull)


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"]), st.floats(0, 400)), max_size=12))
def test_whatever_the_file_says_and_when_the_newest_is_accepted_and_few_are_kept(
    said: list[tuple[bytes, float]],
) -> None:
    change, now, newest = KeyChange(b"first"), 0.0, b"first"
    for secret, wait in said:
        now += wait
        change.learn(secret, now)
        newest = secret
        ring = change.ring(now)
        assert ring.keys[0] == Key(derive_key(newest))
        assert len(set(ring.keys)) == len(ring.keys) <= MOST_KEYS
    assert change.ring(now + ADOPT_AFTER + 1.0).sealing == Key(derive_key(newest))
    assert change.ring(now + FORGET_AFTER + 1.0).keys == (Key(derive_key(newest)),)
