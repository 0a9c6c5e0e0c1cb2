"""Closed ways between two members of a group: which are found, how soon, and that nobody is lost for it."""

from ipaddress import IPv4Address

import pytest

from herald.lab.swim_simulation.simulation import Simulation, Way
from herald.swim.event import Kind, PacketReceived, SetWrapping
from herald.swim.keyring import Keyring
from herald.swim.member import Endpoint
from herald.swim.packet import Wrapping
from herald.swim.paths import OTHER_KEY, PATIENCE, Transport
from herald.swim.profile import HERALD, LAN, Profile

UDP, TCP = Transport.UDP, Transport.TCP
SOON = 60.0
"""Seconds in which an operator is to see it."""


def told(simulation: Simulation, member: int) -> set[str]:
    return {one.text(f"n{member}").partition(":")[0] for one in simulation.machine(member).closed()}


UDP_0_1, UDP_1_0, TCP_0_1, TCP_1_0 = (f"n{a} → n{b} {way}/7946" for way in ("udp", "tcp") for a, b in ((0, 1), (1, 0)))


@pytest.mark.parametrize("profile", [HERALD, LAN], ids=["herald", "lan"])
@pytest.mark.parametrize(
    ("dropped", "by_0", "by_1"),
    [
        pytest.param({(0, 1, UDP)}, {UDP_0_1}, {UDP_0_1}, id="UDP one way"),
        pytest.param({(0, 1, UDP), (1, 0, UDP)}, {UDP_0_1, UDP_1_0}, {UDP_0_1, UDP_1_0}, id="UDP both ways"),
        pytest.param({(0, 1, TCP)}, {TCP_0_1}, set(), id="TCP one way"),
        pytest.param({(0, 1, TCP), (1, 0, TCP)}, {TCP_0_1}, {TCP_1_0}, id="TCP both ways"),
        pytest.param({(0, 1, UDP), (0, 1, TCP)}, {UDP_0_1, TCP_0_1}, {UDP_0_1}, id="both, one way"),
        pytest.param({(0, 1, UDP), (1, 0, TCP)}, {UDP_0_1}, {UDP_0_1, UDP_1_0, TCP_1_0}, id="UDP there, TCP back"),
        pytest.param(
            {(a, b, way) for a, b in ((0, 1), (1, 0)) for way in Transport},
            {UDP_0_1, UDP_1_0, TCP_0_1},
            {UDP_0_1, UDP_1_0, TCP_1_0},
            id="everything",
        ),
    ],
)
def test_closed_ways_are_named_and_forgotten_when_they_open(
    profile: Profile, dropped: set[Way], by_0: set[str], by_1: set[str]
) -> None:
    simulation = Simulation(3, profile, seed=3)
    simulation.run(30.0)
    simulation.drop(dropped)
    simulation.run(SOON)
    assert [told(simulation, member) for member in range(3)] == [by_0, by_1, set()]
    assert [simulation.sees(member) for member in range(3)] == [{0, 1, 2}] * 3
    simulation.drop(())
    simulation.run(15.0)
    assert [told(simulation, member) for member in range(3)] == [set(), set(), set()]
    notes = [(member, note.kind) for _, member, note in simulation.notes if note.kind in (Kind.CLOSED, Kind.OPENED)]
    assert {kind for member, kind in notes if member == 0} == {Kind.CLOSED, Kind.OPENED}
    opened = [note.text for _, _, note in simulation.notes if note.kind is Kind.OPENED]
    assert all(": open again; before, " in one for text in opened for one in text.split("; n")), opened


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.3], ids=["nothing lost", "5 % lost", "30 % lost"])
def test_lost_packets_close_no_way(loss: float) -> None:
    simulation = Simulation(5, HERALD, seed=4, loss=loss)
    simulation.run(120.0)
    assert [note for _, _, note in simulation.notes if note.kind is Kind.CLOSED] == []


def test_another_secret_is_the_reason_that_is_named_once_and_forgotten_when_it_is_the_same() -> None:
    simulation = Simulation(2, HERALD, seed=6, joined=False)
    for member, key in enumerate((b"a" * 32, b"b" * 32)):
        simulation.tell(member, SetWrapping(Wrapping(Keyring(key))))
    simulation.join(0, 1)
    simulation.join(1, 0)
    simulation.run(SOON)
    for member in range(2):
        assert {one.reason for one in simulation.machine(member).closed()} == {OTHER_KEY}
        said = [note for _, number, note in simulation.notes if number == member and note.kind is Kind.OTHER_KEY]
        assert [(note.member, note.text.startswith(OTHER_KEY)) for note in said] == [
            (f"10.0.0.{2 - member}:7946", True)
        ]
    simulation.tell(1, SetWrapping(Wrapping(Keyring(b"a" * 32))))
    simulation.run(SOON)
    assert [told(simulation, member) for member in range(2)] == [set(), set()]
    assert [simulation.sees(member) for member in range(2)] == [{0, 1}] * 2


def test_packets_of_another_key_from_strangers_are_not_told_and_close_nothing_of_a_member() -> None:
    simulation = Simulation(2, HERALD, seed=7)
    for member in range(2):
        simulation.tell(member, SetWrapping(Wrapping(Keyring(b"a" * 32))))
    simulation.run(30.0)
    for number in range(1, 200):
        simulation.tell(0, PacketReceived(Endpoint(IPv4Address(0x0A000000 + number), 7946), b"nonsense"))
    simulation.run(SOON)
    assert [note for _, _, note in simulation.notes if note.kind is Kind.OTHER_KEY] == []
    assert simulation.machine(0).closed() == ()


def test_a_place_where_nobody_answers_is_named_by_its_address() -> None:
    simulation = Simulation(3, HERALD, seed=5)
    simulation.join(0, 2)
    simulation.run(5.0)
    simulation.crash(2)
    simulation.run(SOON + 120.0)
    assert told(simulation, 0) == {"n0 → 10.0.0.3 udp/7946", "n0 → 10.0.0.3 tcp/7946"}
    assert told(simulation, 1) == set(), "nobody said to it that somebody should be there"


def test_a_node_that_was_held_up_takes_no_way_for_closed() -> None:
    simulation = Simulation(3, HERALD, seed=6)
    simulation.run(30.0)
    simulation.stop(0, 3 * PATIENCE)
    simulation.run(3 * PATIENCE + 30.0)
    assert [note for _, member, note in simulation.notes if note.kind is Kind.CLOSED and member == 0] == []


def test_in_a_larger_group_every_closed_way_is_found_in_time() -> None:
    simulation = Simulation(40, LAN, seed=7)
    simulation.run(40.0)
    simulation.drop({(0, 1, UDP), (0, 1, TCP)})
    simulation.run(SOON)
    assert told(simulation, 0) == {UDP_0_1, TCP_0_1}
    assert [told(simulation, member) for member in range(2, 40)] == [set()] * 38
