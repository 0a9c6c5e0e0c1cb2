"""The self-probe in virtual time: when it asks, when a link becomes mute, and when it speaks again."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import arp, ndp
from herald.layer2.event import (
    ClearMute,
    Effect,
    EndProbe,
    HoldingsChanged,
    LinksChanged,
    ProbeLeft,
    ProbeLink,
    ProbeNotWatched,
    ReportMute,
    SendFailed,
)
from herald.layer2.holding import Holding
from herald.layer2.link import Link, NdpLink
from herald.layer2.self_probe import FAILURES, KEPT, PATIENCE, SelfProbe, frame
from herald.net.interface import Mac

MAC = Mac(bytes.fromhex("0200000000b1"))
LINK, NDP_LINK = Link(2, "eth0", MAC), NdpLink(2, "eth0", MAC)
VIP, OTHER, VIP6 = IPv4Address("192.168.1.200"), IPv4Address("192.168.1.201"), IPv6Address("2001:db8::200")
ETH0 = LinksChanged((LINK,), frozenset({MAC}))
BOTH = LinksChanged((LINK,), frozenset({MAC}), (NDP_LINK,))
NO_LINK = LinksChanged((), frozenset())


def hold(*addresses: IPv4Address | IPv6Address) -> HoldingsChanged:
    return HoldingsChanged(tuple(map(Holding, addresses)))


def probes(effects: list[Effect]) -> list[bytes]:
    return [effect.data for effect in effects if isinstance(effect, ProbeLink)]


def started(*addresses: IPv4Address | IPv6Address, links: LinksChanged = ETH0) -> SelfProbe:
    machine = SelfProbe(interval=3.0)
    assert machine.handle(links, 0.0) == []
    assert machine.handle(hold(*addresses), 0.0) == []
    return machine


def fail(machine: SelfProbe, times: int, now: float = 0.0) -> tuple[list[Effect], float]:
    """What follows when that many probes are not seen to leave."""
    effects: list[Effect] = []
    while sum(isinstance(effect, EndProbe) for effect in effects) < times:
        now = max(now, machine.deadline() or now)
        effects += machine.wake(now)
    return effects, now


def test_an_address_that_is_taken_is_probed_at_once_and_then_at_intervals() -> None:
    machine = started(VIP)
    assert machine.deadline() == 0.0
    (data,) = probes(machine.wake(0.0))
    assert machine.handle(ProbeLeft(2, data), 0.1) == [EndProbe(2, data)]
    assert machine.deadline() == pytest.approx(3.1)
    assert probes(machine.wake(3.1)) == [data]


def test_the_frame_is_the_answer_that_people_would_get_and_goes_to_the_link_itself() -> None:
    sent = arp.decode(frame(VIP, LINK))
    assert (sent.destination, sent.source) == (MAC, MAC)
    assert (sent.packet.operation, sent.packet.sender_mac, sent.packet.sender_ip) == (2, MAC, VIP)
    six = ndp.decode(frame(VIP6, NDP_LINK))
    assert (six.destination, six.source) == (MAC, MAC)
    assert six.message == ndp.NeighborAdvertisement(VIP6, MAC, router=False, solicited=True, override=False)


def test_the_addresses_of_a_link_take_turns() -> None:
    machine, now, seen = started(VIP, OTHER, VIP6, links=BOTH), 0.0, set()
    for _ in range(4):
        for data in probes(machine.wake(now)):
            seen.add(data)
            machine.handle(ProbeLeft(2, data), now)
        now += 3.0
    assert seen == {frame(VIP, LINK), frame(OTHER, LINK), frame(VIP6, NDP_LINK)}


@pytest.mark.parametrize("links", [ETH0, BOTH], ids=["ARP", "ARP and NDP"])
def test_nothing_is_probed_while_nothing_is_held(links: LinksChanged) -> None:
    machine = SelfProbe()
    machine.handle(links, 0.0)
    assert machine.deadline() is None
    machine.handle(hold(VIP), 0.0)
    machine.handle(HoldingsChanged(released=(VIP,)), 0.0)
    assert machine.deadline() is None


def test_an_address_held_elsewhere_is_not_probed_here() -> None:
    machine = SelfProbe()
    machine.handle(ETH0, 0.0)
    machine.handle(HoldingsChanged((Holding(VIP, frozenset({"eth1"})),)), 0.0)
    assert probes(machine.wake(0.0)) == []


def test_three_probes_that_do_not_leave_make_the_link_mute_and_it_is_said_once() -> None:
    machine = started(VIP)
    effects, now = fail(machine, FAILURES - 1)
    assert not [effect for effect in effects if isinstance(effect, ReportMute)]
    assert machine.mute() == frozenset()
    more, now = fail(machine, 3, now)
    effects += more
    reports = [effect for effect in effects if isinstance(effect, ReportMute)]
    assert reports == [ReportMute(2, "eth0", "3 frames from 02:00:00:00:00:b1 in a row did not leave")]
    assert machine.mute() == {2}
    assert now <= 3.0 + 2 * FAILURES * PATIENCE


def test_one_probe_that_leaves_clears_failures_and_makes_a_mute_link_speak() -> None:
    machine = started(VIP)
    _, now = fail(machine, FAILURES)
    machine.handle(HoldingsChanged(released=(VIP,)), now)
    fail(machine, 1, now)  # the one that was under way
    now = machine.deadline() or now
    (data,) = probes(machine.wake(now))
    assert arp.decode(data).packet.sender_ip == IPv4Address(0), "no longer ours to name"
    assert machine.handle(ProbeLeft(2, data), now) == [EndProbe(2, data), ClearMute(2, "eth0")]
    assert machine.mute() == frozenset()
    assert machine.deadline() is None


def test_a_frame_that_the_kernel_refuses_is_a_failure() -> None:
    machine, now, effects = started(VIP), 0.0, []
    for _ in range(FAILURES):
        now = machine.deadline() or now
        (data,) = probes(machine.wake(now))
        effects += machine.handle(SendFailed(2, data), now)
    assert [effect for effect in effects if isinstance(effect, ReportMute)]


def test_a_socket_that_is_renewed_proves_nothing_and_one_that_stays_away_is_forgotten() -> None:
    machine = started(VIP)
    _, now = fail(machine, FAILURES)
    machine.handle(NO_LINK, now)
    machine.handle(ETH0, now + 0.05)
    assert machine.mute() == {2}
    machine.handle(NO_LINK, now + 1.0)
    assert machine.deadline() == pytest.approx(now + 1.0 + KEPT)
    assert machine.wake(now + 1.0 + KEPT) == [ClearMute(2, "eth0")]
    assert machine.mute() == frozenset()


def test_what_nobody_could_watch_says_nothing() -> None:
    machine = started(VIP)
    for turn in range(10):
        (data,) = probes(machine.wake(turn * 3.0))
        assert machine.handle(ProbeNotWatched(2, data), turn * 3.0) == []
    assert machine.mute() == frozenset()
    assert machine.snapshot() == ()


@given(
    st.lists(
        st.tuples(
            st.floats(0, 4),
            st.sampled_from(
                ["left", "refused", "unwatched", "nothing", "gone", "back", "both", "hold", "release", "noise"]
            ),
        ),
        max_size=40,
    )
)
def test_reports_and_clearances_alternate_and_agree_with_what_is_mute(script) -> None:
    machine, now, waiting, told = started(VIP, VIP6), 0.0, b"", frozenset[int]()
    for wait, what in script:
        now += wait
        effects = machine.wake(now)
        waiting = next(iter(probes(effects)), waiting)
        event = {
            "left": ProbeLeft(2, waiting),
            "refused": SendFailed(2, waiting),
            "unwatched": ProbeNotWatched(2, waiting),
            "gone": NO_LINK,
            "back": ETH0,
            "both": BOTH,
            "hold": hold(VIP),
            "release": HoldingsChanged(released=(VIP,)),
            "noise": ProbeLeft(7, b"?"),
        }.get(what)
        effects += machine.handle(event, now) if event is not None else []
        for effect in effects:
            if isinstance(effect, ReportMute):
                assert effect.index not in told
                told |= {effect.index}
            elif isinstance(effect, ClearMute):
                assert effect.index in told
                told -= {effect.index}
        assert machine.mute() == told
        due = machine.deadline()
        assert due is None or due >= now - 4.0
