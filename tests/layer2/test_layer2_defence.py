"""Speaking up for an address that somebody else speaks for too, in virtual time."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import arp, ndp
from herald.layer2.announcer import Announcer
from herald.layer2.defence import DEFEND_AFTER, DEFEND_INTERVAL, EARLY, EARLY_FOR, FORGET, QUIET, Defence
from herald.layer2.event import (
    AnnounceAgain,
    Contested,
    Defend,
    FrameReceived,
    HoldingsChanged,
    LinksChanged,
    ReportConflict,
    SendFrame,
)
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.responder import Responder
from herald.net.interface import Mac

ME, OTHER = Mac(bytes.fromhex("0200000000b1")), Mac(bytes.fromhex("02000000c0de"))
VIP, VIP6 = IPv4Address("192.168.1.200"), IPv6Address("2001:db8::200")
ETH0 = LinksChanged((Link(2, "eth0", ME),), frozenset({ME}), (NdpLink(2, "eth0", ME),))


def claim(address: Address, mac: Mac = OTHER) -> FrameReceived:
    if isinstance(address, IPv4Address):
        return FrameReceived(2, arp.encode(arp.gratuitous(address, mac)[1]))
    return FrameReceived(2, ndp.encode(ndp.unsolicited(address, mac, IPv6Address("fe80::c0"))))


def defended(claims: list[float], until: float = 1000.0) -> list[float]:
    """When the address is spoken for, of which these claims are heard."""
    machine, spoken = Defence(), []
    for at in [*claims, until]:
        for _ in range(1000):
            due = machine.deadline()
            if due is None or due > at:
                break
            spoken += [round(due, 3) for _ in machine.due(due)]
        else:
            raise AssertionError("it asks to be woken for ever")
        if at != until:
            machine.hear(VIP, at)
    assert machine.deadline() is None, "nothing is kept of what is over"
    return spoken


@pytest.mark.parametrize(
    ("claims", "spoken"),
    [
        pytest.param([0.0], [0.5, 2.5], id="one"),
        pytest.param([0.0, 0.1, 0.4, 1.1], [0.5, 2.5, 4.5], id="those of one that lets go soon"),
        pytest.param([n / 2 for n in range(13)], [0.5, 2.5, 4.5, 6.5, 8.5], id="for six seconds"),
        pytest.param([0.0, 30.0], [0.5, 2.5, 30.5, 40.5], id="two far apart"),
        pytest.param(
            [n / 2 for n in range(81)], [0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 20.5, 30.5, 40.5, 50.5], id="on and on"
        ),
    ],
)
def test_it_is_spoken_for_as_long_as_claims_go_on_and_once_when_they_have_ended(
    claims: list[float], spoken: list[float]
) -> None:
    assert defended(claims) == spoken


def test_what_is_released_is_not_spoken_for_and_begins_anew_when_it_is_taken_again() -> None:
    machine = Defence()
    machine.hear(VIP, 0.0)
    machine.hear(VIP6, 0.1)
    machine.release([VIP])
    assert (machine.due(10.0), machine.deadline()) == ([VIP6], 0.1 + FORGET)
    machine.hear(VIP, 10.1)
    assert machine.deadline() == pytest.approx(10.1 + DEFEND_AFTER)


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=60))
def test_the_last_word_is_ours_and_never_comes_more_often_than_its_distance(waits: list[float]) -> None:
    claims, at = [], 0.0
    for wait in waits:
        at += wait
        claims.append(at)
    spoken = defended(claims, until=at + 10 * FORGET)
    assert spoken[-1] >= claims[-1] + QUIET - 1e-3
    assert spoken[-1] <= claims[-1] + DEFEND_INTERVAL + EARLY + 1e-3
    for earlier, later in pairwise(spoken):
        assert later - earlier >= EARLY - 2e-3
    for position, start in enumerate(spoken):
        within = sum(1 for later in spoken[position:] if later < start + DEFEND_INTERVAL - 2e-3)
        assert within <= 1 + EARLY_FOR / EARLY


def test_a_loser_that_lets_go_six_seconds_after_the_heal_is_spoken_against_until_it_is_silent_and_after() -> None:
    announcer, responder = Announcer(), Responder()
    sent: list[float] = []
    reports = 0

    def run(until: float) -> None:
        for _ in range(1000):
            due = min((at for one in (announcer, responder) if (at := one.deadline()) is not None), default=until + 1)
            if due > until:
                return
            told = [one.change for one in responder.wake(due) if isinstance(one, Defend)]
            effects = [effect for change in told for effect in announcer.handle(change, due)] + announcer.wake(due)
            sent.extend({round(due, 2) for one in effects if isinstance(one, SendFrame)})
        raise AssertionError("it asks to be woken for ever")

    for machine in (announcer, responder):
        machine.handle(ETH0, 0.0)
        machine.handle(HoldingsChanged((Holding(VIP),)), 0.0)
    run(100.0)
    sent.clear()
    announcer.handle(AnnounceAgain(delay=0.3), 100.0)
    for number in range(12):
        at = 100.2 + number / 2
        run(at)
        reports += sum(isinstance(one, ReportConflict) for one in responder.handle(claim(VIP), at))
    run(600.0)
    assert reports == 1
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert max(gaps) <= EARLY + 0.1
    assert sent[-1] >= 105.7 + QUIET
    assert len(sent) <= 12


@pytest.mark.parametrize("address", [VIP, VIP6], ids=["ARP", "NDP"])
def test_a_machine_that_claims_all_the_time_is_answered_every_ten_seconds_and_no_more(address: Address) -> None:
    responder = Responder()
    responder.handle(ETH0, 0.0)
    responder.handle(HoldingsChanged((Holding(address),)), 0.0)
    told: list[float] = []
    for tenth in range(20, 3000):
        now = tenth / 10
        told += [now for one in responder.wake(now) if one == Defend(Contested(address))]
        responder.handle(claim(address), now)
    late = [at for at in told if at > 15.0]
    assert all(later - earlier >= DEFEND_INTERVAL - 0.01 for earlier, later in pairwise(late))
    assert len(late) >= 27


def test_what_is_turned_away_from_the_ledger_is_defended_all_the_same() -> None:
    responder = Responder()
    responder.handle(ETH0, 0.0)
    many = [ip_address(0x0A000000 + number) for number in range(40)]
    responder.handle(HoldingsChanged(tuple(map(Holding, many))), 0.0)
    for address in many:
        for number in range(20):
            responder.handle(claim(address, Mac(b"\x02\x00\x00\x00\x01" + bytes([number]))), 5.0)
    defended_now = {one.change.address for one in responder.wake(5.5) if isinstance(one, Defend)}
    assert defended_now == set(many)
