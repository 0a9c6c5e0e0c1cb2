"""Letting go of an address that another node has from now on, in virtual time: not before that one is heard."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import arp, ndp
from herald.layer2.event import Effect, Event, FrameReceived, HoldingsChanged, LetGo, LinksChanged, Succeeded
from herald.layer2.handover import LONGEST, PARTING, RECENT, SETTLING, STANDING, STRANGERS, Handover
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.quarantine import probe
from herald.net.interface import Mac

MAC, MAC1, OTHER, ASKER = (Mac(bytes.fromhex(f"0200000000{last}")) for last in ("b1", "b2", "c0", "aa"))
VIP, VIP6 = IPv4Address("192.168.1.200"), IPv6Address("2001:db8::200")
VIPS = pytest.mark.parametrize("vip", [VIP, VIP6], ids=["ARP", "NDP"])
ETH0, ETH1 = Link(2, "eth0", MAC), Link(3, "eth1", MAC1)
SIX = NdpLink(2, "eth0", MAC), NdpLink(3, "eth1", MAC1)
OWN = frozenset({MAC, MAC1})
ONE = LinksChanged((ETH0,), OWN, SIX[:1])
BOTH = LinksChanged((ETH0, ETH1), OWN, SIX)
LONG_AGO = 100.0


def announcement(address: Address, mac: Mac = OTHER, index: int = 2) -> FrameReceived:
    if isinstance(address, IPv4Address):
        return FrameReceived(index, arp.encode(next(iter(arp.gratuitous(address, mac)))))
    return FrameReceived(index, ndp.encode(ndp.unsolicited(address, mac, IPv6Address("fe80::c0"))))


def question(address: Address) -> FrameReceived:
    if isinstance(address, IPv4Address):
        packet = arp.Packet(1, ASKER, IPv4Address("192.168.1.9"), Mac(bytes(6)), address)
        return FrameReceived(2, arp.encode(arp.Frame(Mac(b"\xff" * 6), ASKER, packet)))
    asked = ndp.decode(probe(address, ASKER))
    solicitation = ndp.NeighborSolicitation(address, ASKER)
    return FrameReceived(
        2, ndp.encode(ndp.Frame(asked.destination, ASKER, IPv6Address("fe80::aa"), asked.receiver, solicitation))
    )


def holding(*addresses: Address, links: LinksChanged = ONE) -> Handover:
    """A machine that has held these for long."""
    machine = Handover()
    machine.handle(links, 0.0)
    machine.handle(HoldingsChanged(tuple(map(Holding, addresses))), 0.0)
    return machine


def handed_over(*addresses: Address) -> HoldingsChanged:
    return HoldingsChanged(handed_over=addresses)


def nowhere(address: Address, mac: Mac | None = OTHER) -> list[Effect]:
    return [LetGo(Succeeded(address, None, mac))]


@VIPS
def test_it_is_answered_for_until_the_successor_announces_it(vip: Address) -> None:
    machine = holding(vip)
    assert machine.handle(handed_over(vip), LONG_AGO) == []
    assert machine.snapshot() == (vip,)
    assert machine.handle(question(vip), LONG_AGO + 0.01) == [], "whoever asks takes nothing"
    assert machine.handle(announcement(vip), LONG_AGO + 0.02) == nowhere(vip)
    assert (machine.snapshot(), machine.deadline()) == ((), None)


@VIPS
def test_where_nobody_is_heard_it_is_let_go_in_the_end(vip: Address) -> None:
    machine = holding(vip)
    machine.handle(handed_over(vip), LONG_AGO)
    assert machine.deadline() == LONG_AGO + LONGEST
    assert machine.wake(LONG_AGO + LONGEST - 0.01) == []
    assert machine.wake(LONG_AGO + LONGEST) == nowhere(vip, None)


@VIPS
@pytest.mark.parametrize(
    ("taken", "heard", "at_once"),
    [
        (0.0, LONG_AGO - 0.1, True),
        (0.0, LONG_AGO - RECENT - 0.1, False),
        (LONG_AGO - SETTLING, LONG_AGO - 0.1, False),
        (LONG_AGO - SETTLING - 0.1, LONG_AGO, True),
    ],
    ids=["just now", "long ago", "of the predecessor, perhaps", "a short time after it was taken"],
)
def test_a_successor_that_was_heard_before_takes_it_at_once(
    vip: Address, taken: float, heard: float, at_once: bool
) -> None:
    machine = Handover()
    machine.handle(ONE, 0.0)
    machine.handle(HoldingsChanged((Holding(vip),)), taken)
    assert machine.handle(announcement(vip), heard) == [], "it is not to go yet"
    assert machine.handle(handed_over(vip), LONG_AGO) == (nowhere(vip) if at_once else [])


@VIPS
def test_each_link_is_given_up_for_itself(vip: Address) -> None:
    machine = holding(vip, links=BOTH)
    machine.handle(handed_over(vip), LONG_AGO)
    left = Holding(vip, frozenset({"eth1"}))
    assert machine.handle(announcement(vip, index=2), LONG_AGO + 0.1) == [LetGo(Succeeded(vip, left, OTHER))]
    assert machine.handle(announcement(vip, index=2), LONG_AGO + 0.2) == []
    assert machine.handle(announcement(vip, index=3), LONG_AGO + 0.3) == nowhere(vip)


@VIPS
def test_a_link_that_goes_takes_along_what_was_answered_there(vip: Address) -> None:
    machine = holding(vip, links=BOTH)
    machine.handle(handed_over(vip), LONG_AGO)
    machine.handle(announcement(vip, index=2), LONG_AGO + 0.1)
    assert machine.handle(ONE, LONG_AGO + 0.2) == nowhere(vip)
    idle = holding(vip, links=LinksChanged((), OWN))
    assert idle.handle(handed_over(vip), LONG_AGO) == nowhere(vip, None), "answered nowhere before"


@VIPS
def test_a_successor_that_looks_before_it_announces_gets_no_answer_and_everybody_else_does(vip: Address) -> None:
    machine = holding(vip)
    looking, own_card = FrameReceived(2, probe(vip, OTHER)), FrameReceived(2, probe(vip, MAC1))
    assert machine.handle(looking, LONG_AGO - 0.1) == []
    assert not machine.is_probe(looking), "it is held: whoever wants it is told so"
    assert machine.handle(handed_over(vip), LONG_AGO) == [], "a probe is no announcement"
    assert [machine.is_probe(one) for one in (looking, own_card, question(vip))] == [True, False, False]
    assert machine.handle(looking, LONG_AGO + 0.7) == []
    assert machine.handle(looking, LONG_AGO + 0.9) == []
    assert machine.deadline() == LONG_AGO + 0.7 + LONGEST, "the first probe gives it the time that it needs, once"
    assert machine.handle(announcement(vip), LONG_AGO + 1.3) == nowhere(vip)
    assert not machine.is_probe(looking)


@VIPS
def test_on_a_link_that_was_given_up_already_a_probe_is_nobody_s(vip: Address) -> None:
    machine = holding(vip, links=BOTH)
    machine.handle(handed_over(vip), LONG_AGO)
    machine.handle(announcement(vip, index=2), LONG_AGO + 0.1)
    assert [machine.is_probe(FrameReceived(index, probe(vip, OTHER))) for index in (2, 3)] == [False, True]


@VIPS
def test_what_is_wanted_again_stays(vip: Address) -> None:
    machine = holding(vip)
    machine.handle(handed_over(vip), LONG_AGO)
    machine.handle(HoldingsChanged((Holding(vip),)), LONG_AGO + 0.1)
    assert machine.handle(announcement(vip), LONG_AGO + 0.2) == []
    assert (machine.snapshot(), machine.wanted(), machine.deadline()) == ((), (vip,), None)


@VIPS
def test_what_nobody_has_next_is_forgotten(vip: Address) -> None:
    machine = holding(vip)
    assert machine.handle(HoldingsChanged(released=(vip,)), LONG_AGO) == []
    assert machine.handle(handed_over(vip), LONG_AGO) == []
    assert (machine.wanted(), machine.deadline()) == ((), None)


STRANGER = Mac(bytes.fromhex("02000000c0de"))


@VIPS
def test_a_machine_that_has_claimed_it_for_long_is_no_successor(vip: Address) -> None:
    machine = holding(vip)
    for second in range(int(LONG_AGO) - int(STANDING) - 1, int(LONG_AGO)):
        machine.handle(announcement(vip, STRANGER), float(second))
    assert machine.handle(handed_over(vip), LONG_AGO) == [], "it was heard a moment ago"
    assert machine.handle(announcement(vip, STRANGER), LONG_AGO + 0.1) == []
    assert machine.handle(announcement(vip), LONG_AGO + 0.2) == nowhere(vip)


@VIPS
def test_one_that_was_heard_before_the_stranger_spoke_again_takes_it_at_once(vip: Address) -> None:
    machine = holding(vip)
    for second in range(int(LONG_AGO) - 40, int(LONG_AGO)):
        machine.handle(announcement(vip, STRANGER), float(second))
    machine.handle(announcement(vip), LONG_AGO - 0.2)
    machine.handle(announcement(vip, STRANGER), LONG_AGO - 0.1)
    assert machine.handle(handed_over(vip), LONG_AGO) == nowhere(vip)


@VIPS
def test_one_that_only_answers_the_defence_goes_on_and_is_no_successor(vip: Address) -> None:
    machine = holding(vip)
    for earlier in (40.0, 30.0, 20.0, 10.0):
        machine.handle(announcement(vip, STRANGER), LONG_AGO - earlier)
    machine.handle(handed_over(vip), LONG_AGO)
    assert machine.handle(announcement(vip, STRANGER), LONG_AGO + 0.1) == []


@VIPS
@pytest.mark.parametrize("pause", [STANDING + 1.0, 30.0, 59.0, 90.0])
def test_who_claimed_it_once_and_was_silent_since_is_a_successor_like_any_other(vip: Address, pause: float) -> None:
    machine = holding(vip)
    machine.handle(announcement(vip), LONG_AGO - pause)
    machine.handle(handed_over(vip), LONG_AGO)
    assert machine.handle(announcement(vip), LONG_AGO + 0.1) == nowhere(vip)


@VIPS
@pytest.mark.parametrize("until_taken", [False, True], ids=["planned", "lent"])
@pytest.mark.parametrize("moved_at", [STANDING - 2.0, STANDING, 30.0])
def test_a_former_owner_to_which_it_comes_back_is_a_successor(
    vip: Address, *, until_taken: bool, moved_at: float
) -> None:
    machine = holding(vip)
    for late in (0.6, 3.3, PARTING - 0.1):
        machine.handle(announcement(vip), late)
    machine.handle(HoldingsChanged(handed_over=(vip,), until_taken=until_taken), moved_at)
    assert machine.handle(announcement(vip), moved_at + 2.1) == nowhere(vip)


def test_invented_macs_take_neither_memory_nor_the_place_of_a_successor() -> None:
    machine = holding(VIP)
    for number in range(1000):
        machine.handle(announcement(VIP, Mac(number.to_bytes(6, "big"))), PARTING)
    assert [len(one.speakers) for one in machine._held.values()] == [STRANGERS]
    machine.handle(handed_over(VIP), LONG_AGO)
    assert machine.handle(announcement(VIP), LONG_AGO + 0.1) == nowhere(VIP)


addresses: list[Address] = [VIP, VIP6]
events = st.one_of(
    st.sampled_from(addresses).map(lambda vip: HoldingsChanged((Holding(vip),))),
    st.sampled_from(addresses).map(lambda vip: HoldingsChanged(released=(vip,))),
    st.sampled_from(addresses).map(handed_over),
    st.sampled_from([ONE, BOTH, LinksChanged((), OWN)]),
    st.builds(announcement, st.sampled_from(addresses), st.sampled_from([OTHER, MAC1]), st.sampled_from([2, 3])),
    st.sampled_from([question(VIP), question(VIP6)]),
    st.builds(
        lambda vip, index: FrameReceived(index, probe(vip, OTHER)), st.sampled_from(addresses), st.integers(2, 3)
    ),
    st.binary(max_size=120).map(lambda data: FrameReceived(2, data)),
    st.just(None),
)


@given(st.lists(st.tuples(events, st.floats(0.0, 1.5)), max_size=40))
def test_nothing_is_handed_over_for_longer_than_the_bound_and_nothing_that_is_held_goes(
    script: list[tuple[Event | None, float]],
) -> None:
    machine, now = Handover(), 0.0
    begun: dict[Address, float] = {}
    held: set[Address] = set()
    for event, later in script:
        due = machine.deadline()
        now = now + later if due is None else min(now + later, due)
        effects = machine.wake(now)
        if isinstance(event, HoldingsChanged):
            held |= {one.address for one in event.held}
            held -= {*event.released, *event.handed_over}
        effects += [] if event is None else machine.handle(event, now)
        for effect in effects:
            assert isinstance(effect, LetGo)
            assert effect.change.address not in held
        begun = {address: begun.get(address, now) for address in machine.snapshot()}
        assert all(now - at <= 2 * LONGEST + 1e-6 for at in begun.values())
        assert set(machine.wanted()) == held


def lent(*addresses: Address, links: LinksChanged = ONE) -> Handover:
    """A machine that has lent what it held for long."""
    machine = holding(*addresses, links=links)
    assert machine.handle(HoldingsChanged(handed_over=addresses, until_taken=True), LONG_AGO) == []
    return machine


@VIPS
def test_what_is_lent_is_answered_for_without_end_until_somebody_is_heard_to_take_it(vip: Address) -> None:
    machine = lent(vip)
    assert machine.deadline() is None
    assert machine.wake(1e9) == []
    assert machine.handle(FrameReceived(2, probe(vip, OTHER)), 1e9) == [], "a successor that looks first gets no answer"
    assert machine.deadline() is None
    assert machine.handle(announcement(vip), 1e9 + 1) == nowhere(vip)


@VIPS
def test_a_link_that_goes_and_comes_back_does_not_end_what_is_lent(vip: Address) -> None:
    machine = lent(vip)
    assert machine.handle(LinksChanged((), OWN, ()), LONG_AGO + 1) == []
    assert machine.lent() == (Holding(vip),)
    assert machine.handle(ONE, LONG_AGO + 2) == []
    assert machine.handle(announcement(vip), LONG_AGO + 3) == nowhere(vip)


@VIPS
def test_what_is_lent_and_not_taken_can_be_had_back(vip: Address) -> None:
    machine = lent(vip)
    machine.handle(HoldingsChanged(machine.lent()), LONG_AGO + 1)
    assert (machine.lent(), machine.snapshot(), machine.wanted()) == ((), (), (vip,))
    assert machine.handle(announcement(vip), LONG_AGO + 2) == []


@VIPS
def test_what_is_lent_and_then_another_s_for_certain_is_handed_over_as_always(vip: Address) -> None:
    machine = lent(vip)
    machine.handle(handed_over(vip), LONG_AGO + 10)
    assert machine.lent() == ()
    assert machine.deadline() == LONG_AGO + 10 + LONGEST
    assert machine.wake(LONG_AGO + 10 + LONGEST) == nowhere(vip, None)


@VIPS
def test_what_is_handed_over_beside_a_loan_ends_in_its_time(vip: Address) -> None:
    other: Address = IPv4Address("192.168.1.201")
    machine = holding(vip, other)
    machine.handle(HoldingsChanged(handed_over=(vip,), until_taken=True), LONG_AGO)
    machine.handle(handed_over(other), LONG_AGO + 10)
    assert machine.deadline() == LONG_AGO + 10 + LONGEST
    assert machine.wake(LONG_AGO + 10 + LONGEST) == nowhere(other, None)
    assert (machine.deadline(), machine.snapshot()) == (None, (vip,))


def test_of_two_loans_the_one_that_is_another_s_for_certain_ends_first() -> None:
    machine = lent(VIP, VIP6)
    machine.handle(handed_over(VIP6), LONG_AGO + 10)
    assert machine.deadline() == LONG_AGO + 10 + LONGEST
    assert machine.wake(LONG_AGO + 10 + LONGEST) == nowhere(VIP6, None)
    assert machine.lent() == (Holding(VIP),)
