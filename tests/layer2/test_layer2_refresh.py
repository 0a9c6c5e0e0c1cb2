"""Announcing a held address again: at long intervals, spread out, and never at the cost of an address that moves."""

import random
from collections import Counter
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import arp, ethernet
from herald.layer2.announcer import Announcer
from herald.layer2.event import AnnounceAgain, Contested, Event, HoldingsChanged, LinksChanged, SendFrame
from herald.layer2.holding import Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.refresh_interval import parse_refresh
from herald.net.interface import Mac

MAC = Mac(bytes.fromhex("0200000000b1"))
ETH0 = LinksChanged((Link(2, "eth0", MAC),), frozenset({MAC}), (NdpLink(2, "eth0", MAC),))
VIP, VIP6 = IPv4Address("192.168.1.200"), IPv6Address("2001:db8::200")


def announcer(refresh: float | None = 100.0, rate: int = 200) -> Announcer:
    return Announcer(rate, refresh=refresh, rng=random.Random(7))


def play(machine: Announcer, script: list[tuple[float, Event]], until: float) -> list[tuple[float, bytes]]:
    """What was sent, and when; a machine that asks to be woken without end fails."""
    sent: list[tuple[float, bytes]] = []
    for at, event in [*script, (until, None)]:
        for _ in range(200_000):
            due = machine.deadline()
            if due is None or due > at:
                break
            sent += [(due, effect.data) for effect in machine.wake(due) if isinstance(effect, SendFrame)]
        else:
            raise AssertionError("the machine asks to be woken for ever")
        if event is not None:
            sent += [(at, effect.data) for effect in machine.handle(event, at) if isinstance(effect, SendFrame)]
    return sent


def hold(*addresses: IPv4Address | IPv6Address) -> HoldingsChanged:
    return HoldingsChanged(tuple(map(Holding, addresses)))


@pytest.mark.parametrize(("address", "frames"), [(VIP, 2), (VIP6, 1)], ids=["ARP", "NDP"])
def test_a_held_address_is_never_silent_for_longer_than_the_interval(address, frames: int) -> None:
    sent = play(announcer(), [(0.0, ETH0), (0.0, hold(address))], until=5000.0)
    times = sorted({at for at, _ in sent})
    assert all(later - earlier <= 100.0 for earlier, later in pairwise(times))
    refreshes = times[8:]
    assert all(later - earlier >= 90.0 for earlier, later in pairwise(refreshes))
    assert len(sent) == frames * len(times)
    assert times[-1] > 4900.0


def test_without_an_interval_nothing_follows_the_seven_rounds() -> None:
    machine = announcer(refresh=None)
    assert len(play(machine, [(0.0, ETH0), (0.0, hold(VIP, VIP6))], until=90000.0)) == 21
    assert machine.deadline() is None


def test_a_released_address_is_not_announced_again() -> None:
    sent = play(announcer(), [(0.0, ETH0), (0.0, hold(VIP)), (300.0, HoldingsChanged(released=(VIP,)))], until=1000.0)
    assert sent[-1][0] < 300.0


def test_a_thousand_addresses_taken_together_are_refreshed_evenly() -> None:
    many = [IPv4Address(0x0A000000 + number) for number in range(1000)]
    sent = play(announcer(refresh=300.0), [(0.0, ETH0), (0.0, hold(*many))], until=3000.0)
    by_second = Counter(int(at) for at, _ in sent if at >= 1000.0)
    assert sum(by_second.values()) / 2000 == pytest.approx(2000 / 285, rel=0.02)
    assert max(by_second.values()) <= 40, "7 in a second on average, and a fifth of the rate at most"


def test_an_address_that_moves_here_does_not_wait_for_refreshes() -> None:
    many = [IPv4Address(0x0A000000 + number) for number in range(1000)]
    script: list[tuple[float, Event]] = [(0.0, ETH0), (0.0, hold(*many))]
    machine = announcer(refresh=1.0)  # far more than the rate allows: refreshes are always waiting
    play(machine, script, until=100.0)
    for number in range(40):
        at = 100.0 + number / 7
        play(machine, [], until=at)
        moved = IPv4Address(0x0B000000 + number)
        frames = machine.handle(hold(moved), at)
        senders = [arp.decode(effect.data).packet.sender_ip for effect in frames if isinstance(effect, SendFrame)]
        assert senders[:2] == [moved, moved]


@given(
    st.integers(2, 12),
    st.floats(1.0, 30.0),
    st.lists(
        st.tuples(
            st.floats(0.0, 5.0),
            st.one_of(
                st.just(AnnounceAgain()),
                st.builds(AnnounceAgain, st.floats(0, 2), st.booleans()),
                st.just(Contested(VIP)),
                st.sampled_from([hold(VIP), hold(VIP6), HoldingsChanged(released=(VIP,)), ETH0]),
            ),
        ),
        max_size=12,
    ),
)
def test_no_second_carries_more_than_the_rate_and_first_rounds_with_refreshes_either(
    rate: int, refresh: float, waits
) -> None:
    script: list[tuple[float, Event]] = [(0.0, ETH0), (0.0, hold(VIP, VIP6))]
    at = 0.0
    for wait, event in waits:
        at += wait
        script.append((at, event))
    times = [at for at, _ in play(announcer(refresh, rate), script, until=at + 60.0)]
    for position, start in enumerate(times):
        # Three frames for both addresses at once; a delay is 2 s at most, and a second passes between two of them.
        begun = sum(3 for at, event in script if start - 1.0 < at < start + 1.0 and isinstance(event, HoldingsChanged))
        begun += 6 if any(isinstance(event, AnnounceAgain) for _, event in script) else 0
        assert sum(1 for later in times[position:] if later < start + 1.0 - 1e-6) <= rate + begun
    assert times == sorted(times)


def test_announcing_again_is_three_rounds_after_the_delay_and_leaves_fresh_ones_alone() -> None:
    machine = announcer(refresh=None)
    play(machine, [(0.0, ETH0), (0.0, hold(VIP))], until=100.0)
    script: list[tuple[float, Event]] = [(100.0, hold(VIP6)), (100.0, AnnounceAgain(delay=0.5))]
    sent = play(machine, script, until=200.0)
    again = [at for at, data in sent if ethernet.ethertype(data) == ethernet.ETHERTYPE_ARP][::2]
    assert again == [pytest.approx(at) for at in (100.5, 101.6, 102.7)]
    assert len([data for _, data in sent if ethernet.ethertype(data) == ethernet.ETHERTYPE_IPV6]) == 7


def test_what_is_contested_is_announced_once_and_nothing_else() -> None:
    machine = announcer(refresh=None)
    play(machine, [(0.0, ETH0), (0.0, hold(VIP, VIP6))], until=100.0)
    script: list[tuple[float, Event]] = [(100.0, Contested(VIP6)), (100.0, Contested(IPv4Address("10.9.9.9")))]
    sent = play(machine, script, until=200.0)
    assert [(at, ethernet.ethertype(data)) for at, data in sent] == [(100.0, ethernet.ETHERTYPE_IPV6)]


MANY = [IPv4Address(0x0A000000 + number) for number in range(1000)]


@pytest.mark.parametrize("taken", [0.0, 96.0, 99.9], ids=["long ago", "repetitions wait for the rate", "just now"])
def test_after_a_heal_a_thousand_addresses_are_all_announced_within_half_a_second_of_the_delay(taken: float) -> None:
    machine = announcer(refresh=None)
    play(machine, [(taken, ETH0), (taken, hold(*MANY))], until=100.0)
    sent = play(machine, [(100.0, AnnounceAgain(delay=0.3))], until=300.0)
    soon = {arp.decode(data).packet.sender_ip for at, data in sent if 100.3 <= at <= 100.8}
    assert soon == set(MANY)
    times = [at for at, _ in sent]
    assert max(sum(1 for later in times[n : n + 100] if later < at + 0.005 - 1e-6) for n, at in enumerate(times)) <= 40
    assert min(Counter(data for _, data in sent).values()) >= 3
    assert machine.deadline() is None


def test_a_newcomer_that_answered_for_nothing_costs_no_burst() -> None:
    machine = announcer(refresh=None)
    play(machine, [(0.0, ETH0), (0.0, hold(*MANY))], until=200.0)
    sent = play(machine, [(200.0, AnnounceAgain(delay=0.3, is_urgent=False))], until=400.0)
    assert max(Counter(int(at) for at, _ in sent).values()) <= 100
    assert len(sent) == 6000


@given(st.lists(st.tuples(st.floats(0.0, 0.7), st.floats(0.0, 1.0)), min_size=1, max_size=30))
def test_however_often_it_is_said_all_is_announced_in_haste_once_a_second_and_after_the_last_time(said) -> None:
    machine = announcer(refresh=None)
    play(machine, [(0.0, ETH0), (0.0, hold(VIP))], until=100.0)
    script: list[tuple[float, Event]] = []
    at = 100.0
    for wait, delay in said:
        at += wait
        script.append((at, AnnounceAgain(delay)))
    times = sorted({at for at, _ in play(machine, script, until=at + 60.0)})
    last = max(at + event.delay for at, event in script if isinstance(event, AnnounceAgain))
    assert any(last - 1e-6 <= at <= last + 1.0 + 1e-6 for at in times), "after the last time that was asked for"
    assert len(times) <= 2 * (times[-1] - times[0]) + 3
    assert machine.deadline() is None


def test_the_first_frame_since_an_address_was_taken_is_remembered() -> None:
    machine = announcer()
    play(machine, [(3.0, ETH0), (3.0, hold(VIP))], until=500.0)
    assert machine.first_sent(VIP) == 3.0
    play(machine, [(600.0, HoldingsChanged(released=(VIP,)))], until=600.0)
    assert machine.first_sent(VIP) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", None),
        ("0s", None),
        ("1", 1.0),
        ("60", 60.0),
        ("90s", 90.0),
        ("1h30m", 5400.0),
        ("1.5m", 90.0),
        ("24h", 86400.0),
    ],
)
def test_an_interval_is_seconds_or_a_duration(text: str, seconds: float | None) -> None:
    assert parse_refresh(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "500ms", "25h", "1 min", "nan", "inf", "5d", "60x", "9" * 400, "\u0661"])
def test_what_is_no_interval_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match="or 0 for never"):
        parse_refresh(text)


@pytest.mark.parametrize("refresh", [0.5, 86401.0, -1.0])
def test_an_announcer_refuses_an_interval_that_cannot_be(refresh: float) -> None:
    with pytest.raises(ValueError, match="1 s to 86400 s"):
        announcer(refresh)
