"""The shell of Layer 2 over pairs of datagram sockets in the place of packet sockets."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Interface

import pytest

from herald.layer2 import arp, ndp, solicited_node
from herald.layer2.driver import FRAMES_PER_WAKEUP, Layer2Driver
from herald.layer2.holding import Holding
from herald.layer2.link import Exclusion, Link, NdpLink, Verdict
from herald.net.interface import BROADCAST_MAC, Interface, LinkFlag, Mac

CLIENT = Mac(bytes.fromhex("02000000000a"))
STRANGER = Mac(bytes.fromhex("0200000000cc"))
VIP = IPv4Address("192.168.1.200")
UP = LinkFlag.UP | LinkFlag.BROADCAST
ETH0 = Interface(2, "eth0", UP, Mac(bytes.fromhex("0200000000b1")))
ETH1 = Interface(3, "eth1", UP, Mac(bytes.fromhex("0200000000b2")))
ASK = arp.encode(
    arp.Frame(BROADCAST_MAC, CLIENT, arp.Packet(1, CLIENT, IPv4Address("192.168.1.9"), Mac(bytes(6)), VIP))
)


VIP6 = IPv6Address("2001:db8::200")
LINK_LOCAL = IPv6Interface("fe80::b1/64")
SIX = replace(ETH0, addresses=(LINK_LOCAL,))
ASK6 = ndp.encode(
    ndp.Frame(
        solicited_node.multicast_mac(solicited_node.group(VIP6)),
        CLIENT,
        IPv6Address("fe80::a"),
        solicited_node.group(VIP6),
        ndp.NeighborSolicitation(VIP6, CLIENT),
    )
)


class NdpCable:
    """One end of a pair of sockets that can also be a member of groups, unless `cables` refuse."""

    def __init__(self, end: socket.socket, cables: "Cables") -> None:
        self._end = end
        self._cables = cables
        self.fileno, self.recv, self.send, self.close = end.fileno, end.recv, end.send, end.close

    def join(self, group: IPv6Address) -> None:
        if self._cables.joins_refused:
            raise OSError(19, "No such device")
        self._cables.groups.add(group)

    def leave(self, group: IPv6Address) -> None:
        self._cables.groups.discard(group)


class Cables:
    """Opens a socket for a link and keeps its other end; a link in `refused` cannot be opened."""

    def __init__(self) -> None:
        self.ends: dict[str, socket.socket] = {}
        self.refused: set[str] = set()
        self.opened: list[str] = []
        self.changes = 0
        self.troubles = 0
        self.groups: set[IPv6Address] = set()
        self.joins_refused = False
        self._all: list[socket.socket] = []

    def open(self, link: Link) -> socket.socket:
        return self._open(link.name)

    def open_ndp(self, link: NdpLink) -> NdpCable:
        self.groups.clear()
        return NdpCable(self._open(f"{link.name}/ndp"), self)

    def _open(self, name: str) -> socket.socket:
        if name in self.refused:
            raise PermissionError(1, "Operation not permitted")
        ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (ours, other):
            end.setblocking(False)
        self.ends[name] = other
        self.opened.append(name)
        self._all += [ours, other]
        return ours

    def changed(self) -> None:
        self.changes += 1

    def trouble(self) -> None:
        self.troubles += 1

    def driver(self) -> Layer2Driver:
        return Layer2Driver(
            self.open, self.open_ndp, exclusion=Exclusion(), on_change=self.changed, on_trouble=self.trouble
        )

    def close(self) -> None:
        for end in self._all:
            end.close()

    async def frames(self, name: str, count: int) -> list[arp.Frame]:
        """The next frames that leave on the link."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            return [arp.decode(await loop.sock_recv(self.ends[name], 2048)) for _ in range(count)]


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come true")


@pytest.fixture
def cables() -> Iterator[Cables]:
    made = Cables()
    yield made
    made.close()


async def test_a_new_address_is_announced_on_every_link_and_requests_are_answered(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0, ETH1])
    driver.apply((Holding(VIP),), ())
    for interface in (ETH0, ETH1):
        assert interface.mac is not None
        assert await cables.frames(interface.name, 2) == list(arp.gratuitous(VIP, interface.mac))
    cables.ends["eth1"].send(ASK)
    (answer,) = await cables.frames("eth1", 1)
    assert answer == arp.reply(arp.decode(ASK).packet, ETH1.mac or b"")
    driver.close()


async def test_telling_the_same_interfaces_and_the_same_address_again_changes_nothing(cables: Cables) -> None:
    driver = cables.driver()
    for _ in range(3):
        driver.set_interfaces([ETH0])
        driver.apply((Holding(VIP),), ())
    await cables.frames("eth0", 2)
    assert cables.opened == ["eth0"]
    with pytest.raises(BlockingIOError):
        cables.ends["eth0"].recv(100)
    driver.close()


async def test_a_new_mac_is_used_without_opening_the_socket_anew(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0])
    driver.apply((Holding(VIP),), ())
    await cables.frames("eth0", 2)
    driver.set_interfaces([replace(ETH0, mac=STRANGER)])
    assert await cables.frames("eth0", 2) == list(arp.gratuitous(VIP, STRANGER))
    assert cables.opened == ["eth0"]
    driver.close()


async def test_a_flood_is_answered_completely_in_turns(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0])
    driver.apply((Holding(VIP),), ())
    await cables.frames("eth0", 2)
    sent = 0
    answered: list[arp.Frame] = []
    while len(answered) < FRAMES_PER_WAKEUP * 3:
        while sent < len(answered) + 8:
            cables.ends["eth0"].send(ASK)
            sent += 1
        answered += await cables.frames("eth0", 8)
    assert {frame.packet.operation for frame in answered} == {2}
    driver.close()


async def test_a_link_that_cannot_be_opened_spoils_no_other_and_is_tried_again(cables: Cables) -> None:
    cables.refused = {"eth0"}
    driver = cables.driver()
    driver.apply((Holding(VIP),), ())
    driver.set_interfaces([ETH0, ETH1])
    assert cables.opened == ["eth1"]
    assert [(one.interface.name, one.verdict, one.reading) for one in driver.interfaces()] == [
        ("eth0", Verdict.ELIGIBLE, False),
        ("eth1", Verdict.ELIGIBLE, True),
    ]
    cables.refused = set()
    await until(lambda: "eth0" in cables.opened)
    assert (await cables.frames("eth0", 1))[0].packet.sender_ip == VIP
    driver.close()


async def test_a_socket_that_fails_is_given_up_and_opened_anew(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0])
    driver.apply((Holding(VIP),), ())
    cables.ends["eth0"].close()  # what is sent now fails
    driver.set_interfaces([replace(ETH0, mac=STRANGER)])
    await until(lambda: cables.troubles > 0)
    assert driver.snapshot().send_failures > 0
    assert [one.reading for one in driver.interfaces()] == [False]
    driver.set_interfaces([replace(ETH0, mac=STRANGER)])
    assert cables.opened == ["eth0", "eth0"]
    driver.close()


async def test_a_link_that_is_no_longer_eligible_is_closed_and_the_address_told_as_not_answered(
    cables: Cables,
) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0])
    driver.apply((Holding(VIP),), ())
    assert driver.unanswered() == ()
    changes = cables.changes
    driver.set_interfaces([replace(ETH0, flags=LinkFlag.BROADCAST)])
    assert [address for address, _ in driver.unanswered()] == [VIP]
    assert cables.changes > changes
    driver.close()


async def test_a_foreign_claim_is_told(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0])
    driver.apply((Holding(VIP),), ())
    changes = cables.changes

    def is_told() -> bool:
        cables.ends["eth0"].send(arp.encode(arp.gratuitous(VIP, STRANGER)[1]))
        return driver.conflicts() != ()

    await until(is_told)
    assert [(one.address, one.interface, one.mac) for one in driver.conflicts()] == [(VIP, "eth0", STRANGER)]
    assert cables.changes == changes + 1
    driver.apply((), (VIP,))
    assert driver.conflicts() == ()
    driver.close()


async def next_ndp(cables: Cables) -> ndp.Frame:
    async with asyncio.timeout(5):
        return ndp.decode(await asyncio.get_running_loop().sock_recv(cables.ends["eth0/ndp"], 2048))


async def test_an_ipv6_address_is_asked_for_in_its_group_announced_and_answered_beside_arp(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([SIX])
    assert cables.opened == ["eth0", "eth0/ndp"]
    driver.apply((Holding(VIP6), Holding(VIP)), ())
    assert cables.groups == {solicited_node.group(VIP6)}
    assert await next_ndp(cables) == ndp.unsolicited(VIP6, ETH0.mac or b"", LINK_LOCAL.ip)
    assert await cables.frames("eth0", 2) == list(arp.gratuitous(VIP, ETH0.mac or b""))
    cables.ends["eth0/ndp"].send(ASK6)
    assert await next_ndp(cables) == ndp.reply(ndp.decode(ASK6), ETH0.mac or b"", LINK_LOCAL.ip)
    driver.apply((), (VIP6,))
    assert cables.groups == set()
    driver.close()


async def test_an_ipv6_address_waits_for_the_link_to_speak_ipv6(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0])
    driver.apply((Holding(VIP6),), ())
    assert [address for address, _ in driver.unanswered()] == [VIP6]
    (one,) = driver.interfaces()
    assert (one.verdict, one.reading, one.ndp_verdict, one.ndp_reading) == (
        Verdict.ELIGIBLE,
        True,
        Verdict.NO_IPV6,
        False,
    )
    driver.set_interfaces([SIX])
    assert driver.unanswered() == ()
    assert cables.groups == {solicited_node.group(VIP6)}
    assert (await next_ndp(cables)).message.target == VIP6
    driver.close()


async def test_a_group_that_cannot_be_joined_is_tried_again_while_everything_else_goes_on(cables: Cables) -> None:
    cables.joins_refused = True
    driver = cables.driver()
    driver.set_interfaces([SIX])
    driver.apply((Holding(VIP6),), ())
    assert (await next_ndp(cables)).message.target == VIP6
    assert cables.groups == set()
    cables.joins_refused = False
    await until(lambda: cables.groups == {solicited_node.group(VIP6)})
    driver.close()


async def test_a_failed_ndp_socket_is_opened_anew_and_joins_all_groups_again(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([SIX])
    driver.apply((Holding(VIP6),), ())
    await next_ndp(cables)
    cables.ends["eth0/ndp"].close()
    driver.apply((Holding(IPv6Address("2001:db8::201")),), ())  # announcing it fails
    await until(lambda: cables.opened.count("eth0/ndp") == 2)
    assert cables.opened.count("eth0") == 1, "ARP is not touched"
    assert cables.groups == {solicited_node.group(VIP6), solicited_node.group(IPv6Address("2001:db8::201"))}
    driver.close()


class Blind:
    """A watch over frames under which none ever leaves, until it is told that it does."""

    def __init__(self) -> None:
        self.leaves = False
        self.watched: list[bytes] = []

    def begin(self, link: Link | NdpLink, data: bytes, on_left: Callable[[int, bytes], None]) -> bool:
        self.watched.append(data)
        if self.leaves:
            asyncio.get_running_loop().call_soon(on_left, link.index, data)
        return True

    def end(self, index: int, data: bytes) -> None: ...

    def close(self) -> None: ...


async def test_a_link_whose_probes_do_not_leave_is_not_usable_until_one_does(
    cables: Cables, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Blind()
    driver = Layer2Driver(
        cables.open,
        cables.open_ndp,
        exclusion=Exclusion(()),
        on_change=cables.changed,
        on_trouble=cables.trouble,
        watch=watch,
        probe_interval=0.05,
    )
    carrier = replace(ETH0, flags=ETH0.flags | LinkFlag.LOWER_UP)
    driver.set_interfaces((carrier,))
    driver.apply((Holding(VIP),), ())
    assert driver.unanswered() == ()
    await until(lambda: driver.mute_links == 1)
    assert [(one.reading, one.verdict) for one in driver.interfaces()] == [(False, Verdict.MUTE)]
    assert [(address, why.split(":")[0]) for address, why in driver.unanswered()] == [(VIP, "not answered")]
    assert driver.snapshot().responder.holdings[0].links == ()
    assert [record.event for record in caplog.records if record.levelname == "ERROR"] == ["linkMute"]
    watch.leaves = True
    await until(lambda: driver.mute_links == 0)
    assert driver.unanswered() == ()
    assert [(one.reading, one.verdict) for one in driver.interfaces()] == [(True, Verdict.ELIGIBLE)]
    driver.close()


GARP = arp.encode(next(iter(arp.gratuitous(VIP, STRANGER))))


async def test_what_is_handed_over_is_answered_until_the_successor_is_heard(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0])
    driver.apply((Holding(VIP),), ())
    await cables.frames("eth0", 2)
    driver.apply((), (), (VIP,))
    cables.ends["eth0"].send(ASK)
    (answer,) = await cables.frames("eth0", 1)
    assert answer == arp.reply(arp.decode(ASK).packet, ETH0.mac or b"")
    for frame in (GARP, ASK):
        cables.ends["eth0"].send(frame)
    await until(lambda: sum(driver.dropped().values()) == 2)
    with pytest.raises(BlockingIOError):
        cables.ends["eth0"].recv(2048)
    assert driver.conflicts() == ()
    driver.close()


async def test_all_is_handed_over_once_each_address_is_heard_from_somebody_else(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([SIX])
    driver.apply((Holding(VIP), Holding(VIP6)), ())
    await cables.frames("eth0", 2)
    handing_over = asyncio.ensure_future(driver.hand_over())
    cables.ends["eth0"].send(GARP)
    await until(lambda: [one.holding.address for one in driver.snapshot().responder.holdings] == [VIP6])
    assert not handing_over.done()
    cables.ends["eth0/ndp"].send(ndp.encode(ndp.unsolicited(VIP6, STRANGER, IPv6Address("fe80::c"))))
    async with asyncio.timeout(5):
        await handing_over
    assert driver.snapshot().responder.holdings == ()
    assert driver.snapshot().groups == {"eth0": ()}
    driver.close()


async def test_who_holds_nothing_hands_over_nothing(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0])
    async with asyncio.timeout(5):
        await driver.hand_over()
    driver.close()


class Looking:
    """A driver that looks before it announces, and what leaves it."""

    def __init__(self, cables: Cables, watch: Blind | None = None) -> None:
        self.may_answer = True
        self.cables = cables
        self.driver = Layer2Driver(
            cables.open,
            cables.open_ndp,
            exclusion=Exclusion(()),
            on_change=cables.changed,
            on_trouble=cables.trouble,
            watch=watch,
            probe_interval=0.05,
            probe_first=True,
            may_answer=lambda: self.may_answer,
        )
        self.driver.set_interfaces((replace(ETH0, flags=ETH0.flags | LinkFlag.LOWER_UP),))

    def left(self) -> list[arp.Packet]:
        found: list[arp.Packet] = []
        while True:
            try:
                found.append(arp.decode(self.cables.ends["eth0"].recv(2048)).packet)
            except BlockingIOError:
                return found

    def held(self) -> set[object]:
        return {one.holding.address for one in self.driver.snapshot().responder.holdings}


async def until_passed(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await until(lambda: loop.time() >= end)


async def test_while_nothing_may_leave_no_probe_does_and_nothing_is_admitted(cables: Cables) -> None:
    looking = Looking(cables)
    looking.may_answer = False
    looking.driver.apply((Holding(VIP),), ())
    await until_passed(0.8)
    assert (looking.left(), looking.held()) == ([], set())
    looking.may_answer = True
    await until(lambda: looking.held() == {VIP})
    senders = [packet.sender_ip for packet in looking.left()]
    assert senders.count(IPv4Address(0)) == 3
    looking.driver.close()


async def test_what_was_heard_while_nothing_may_leave_counts(cables: Cables) -> None:
    looking = Looking(cables)
    looking.driver.apply((Holding(VIP),), ())
    await until(lambda: len(looking.left()) > 0)
    looking.may_answer = False
    cables.ends["eth0"].send(GARP)
    await until_passed(0.7)
    assert looking.held() == set()
    looking.driver.close()


async def test_probes_that_the_socket_refuses_admit_nothing_and_the_link_becomes_mute(cables: Cables) -> None:
    looking = Looking(cables, Blind())
    looking.driver.apply((Holding(IPv4Address("10.0.0.1")),), ())
    await until(lambda: len(looking.left()) > 0)
    many = tuple(Holding(IPv4Address(0x0A000100 + number)) for number in range(300))
    looking.driver.apply(many, ())
    await until(lambda: looking.driver.send_failures > 300)
    await until(lambda: looking.driver.mute_links == 1)
    await until_passed(0.7)
    assert len(looking.held()) <= 20, "as many as the queue took probes for"
    looking.driver.close()


async def test_a_node_that_leaves_takes_nothing_any_more(cables: Cables) -> None:
    looking = Looking(cables)
    looking.driver.apply((Holding(VIP),), ())
    await until(lambda: looking.held() == {VIP})
    new = IPv4Address("192.168.1.201")
    looking.driver.apply((Holding(new),), ())
    await until(lambda: any(packet.target_ip == new for packet in looking.left()))
    leaving = asyncio.ensure_future(looking.driver.hand_over())
    await asyncio.sleep(0)
    looking.left()
    await until_passed(0.7)
    assert [packet for packet in looking.left() if packet.target_ip == new] == []
    assert new not in looking.held()
    async with asyncio.timeout(5):
        await leaving
    looking.driver.close()


async def test_what_was_lent_and_taken_is_announced_and_answered_when_it_is_held_again(cables: Cables) -> None:
    driver = cables.driver()
    driver.set_interfaces([ETH0])
    driver.apply((Holding(VIP),), ())
    await cables.frames("eth0", 2)
    driver.lend()
    for frame in (GARP, ASK):
        cables.ends["eth0"].send(frame)
    await until(lambda: sum(driver.dropped().values()) == 2)
    driver.take_back()
    with pytest.raises(BlockingIOError):
        cables.ends["eth0"].recv(100)
    driver.apply((Holding(VIP),), ())
    assert await cables.frames("eth0", 2) == list(arp.gratuitous(VIP, ETH0.mac or b""))
    cables.ends["eth0"].send(ASK)
    assert await cables.frames("eth0", 1) == [arp.reply(arp.decode(ASK).packet, ETH0.mac or b"")]
    driver.close()
