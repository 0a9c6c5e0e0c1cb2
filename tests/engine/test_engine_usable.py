"""Which interfaces count, and when: scripted links in virtual time."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.engine.usable import CALM, FIRST_WAIT, LONGEST_WAIT, Part, Steadiness, UsableInterfaces, told, usable
from herald.layer2.link import Verdict
from herald.layer2.snapshot import JudgedInterface
from herald.net.interface import Interface, LinkFlag

NOTHING: frozenset[Part] = frozenset()
ETH0, BOTH = frozenset({("eth0", 4)}), frozenset({("eth0", 4), ("eth1", 4)})


class Links:
    """Looks that happen whenever the links change, and when the steadiness asks for one."""

    def __init__(self, present: frozenset[Part]) -> None:
        self.now = 100.0
        self.steadiness = Steadiness()
        self.present = present
        self.counted = self.steadiness.look(present, self.now)
        self.moves = 0

    def become(self, present: frozenset[Part]) -> frozenset[Part]:
        self.present = present
        return self._look()

    def wait(self, seconds: float) -> frozenset[Part]:
        end = self.now + seconds
        while (due := self.steadiness.deadline(self.now)) is not None and due <= end:
            self.now = due
            self._look()
        self.now = end
        return self.counted

    def flap(self, down: float, up: float) -> None:
        self.become(ETH0)
        self.wait(down)
        self.become(BOTH)
        self.wait(up)

    def _look(self) -> frozenset[Part]:
        before, self.counted = self.counted, self.steadiness.look(self.present, self.now)
        self.moves += self.counted != before
        return self.counted


def test_what_is_there_at_the_first_look_counts_at_once() -> None:
    assert Links(BOTH).counted == BOTH


def test_what_is_lost_counts_no_more_at_once_and_what_comes_back_when_it_has_stood() -> None:
    links = Links(BOTH)
    assert links.become(ETH0) == ETH0
    links.wait(5.0)
    assert links.become(BOTH) == ETH0
    assert links.wait(FIRST_WAIT - 0.01) == ETH0
    assert links.wait(0.02) == BOTH


def test_a_new_interface_counts_when_it_has_stood() -> None:
    links = Links(ETH0)
    assert links.become(BOTH) == ETH0
    assert links.wait(FIRST_WAIT) == BOTH


@pytest.mark.parametrize("up", [0.1, 0.5, 1.0, 3.0, 10.0])
def test_a_link_that_comes_and_goes_for_ten_minutes_moves_its_addresses_a_few_times_only(up: float) -> None:
    links = Links(BOTH)
    while links.now < 700.0:
        links.flap(0.1, up)
    assert links.moves <= 14
    assert links.wait(LONGEST_WAIT) == BOTH, "it has settled and is taken back"


def test_a_link_that_was_calm_for_a_minute_is_trusted_again() -> None:
    links = Links(BOTH)
    for _ in range(20):
        links.flap(0.1, 0.1)
    links.wait(CALM + LONGEST_WAIT)
    links.flap(1.0, 0.0)
    assert links.counted == ETH0
    assert links.wait(FIRST_WAIT) == BOTH


def test_one_flapping_link_does_not_hold_back_another() -> None:
    links = Links(frozenset())
    for _ in range(20):
        links.become(ETH0)
        links.become(NOTHING)
    links.become(BOTH)
    assert links.wait(FIRST_WAIT) == {("eth1", 4)}


@given(st.lists(st.tuples(st.sampled_from([NOTHING, ETH0, BOTH]), st.floats(0, 30)), max_size=40))
def test_only_what_is_there_counts_and_all_of_it_in_the_end(script: list[tuple[frozenset[Part], float]]) -> None:
    links = Links(BOTH)
    for present, seconds in script:
        assert links.become(present) <= present
        assert links.wait(seconds) <= present
    assert links.wait(LONGEST_WAIT) == links.present
    assert links.steadiness.deadline(links.now) is None


def an_interface(index: int, name: str, flags: LinkFlag, *, arp: bool = True, ndp: bool = False) -> JudgedInterface:
    """An interface that may answer ARP, and NDP if it is to be read."""
    verdict = Verdict.ELIGIBLE_NDP if ndp else Verdict.NO_IPV6
    return JudgedInterface(Interface(index, name, flags), Verdict.ELIGIBLE, arp, verdict, ndp)


@pytest.mark.parametrize(
    ("flags", "arp", "ndp", "expected"),
    [
        (LinkFlag.UP | LinkFlag.LOWER_UP, True, True, {"eth0"}),
        (LinkFlag.UP | LinkFlag.LOWER_UP, True, False, {"eth0/4"}),
        (LinkFlag.UP | LinkFlag.LOWER_UP, False, True, {"eth0/6"}),
        (LinkFlag.UP, True, True, set()),
        (LinkFlag.UP | LinkFlag.LOWER_UP, False, False, set()),
    ],
    ids=["read, with carrier", "without IPv6", "without ARP", "no carrier", "not read"],
)
def test_usable_is_what_is_read_and_has_carrier(flags: LinkFlag, arp: bool, ndp: bool, expected: set[str]) -> None:
    assert told(usable([an_interface(2, "eth0", flags, arp=arp, ndp=ndp)])) == expected


def test_ipv6_that_comes_later_is_waited_for_by_itself() -> None:
    links = Links(ETH0)
    with_ipv6 = ETH0 | {("eth0", 6)}
    assert told(links.become(with_ipv6)) == {"eth0/4"}, "IPv4 stays all the while"
    assert told(links.wait(FIRST_WAIT)) == {"eth0"}
    assert told(links.become(ETH0)) == {"eth0/4"}


def judged(*names: str) -> tuple[JudgedInterface, ...]:
    flags = LinkFlag.UP | LinkFlag.LOWER_UP
    return tuple(an_interface(n, name, flags) for n, name in enumerate(names, 2))


async def test_nothing_is_offered_before_the_interfaces_are_read_and_then_each_that_has_stood() -> None:
    there: tuple[JudgedInterface, ...] = ()
    offers: asyncio.Queue[frozenset[str]] = asyncio.Queue()
    interfaces = UsableInterfaces(lambda: there, offers.put_nowait)
    interfaces.changed()
    await asyncio.sleep(0.05)
    assert offers.empty()
    one, two = frozenset({"eth0/4"}), frozenset({"eth0/4", "eth1/4"})
    story = ((("eth0",), [one]), (("eth0", "eth1"), [one, two]), (("eth0",), [one]))
    for names, expected in story:
        there = judged(*names)
        for _ in range(3):
            interfaces.changed()
        assert [await asyncio.wait_for(offers.get(), 10) for _ in expected] == expected
    there = judged("eth0", "eth1")
    interfaces.changed()
    interfaces.close()
    await asyncio.sleep(0.05)
    assert offers.empty()
