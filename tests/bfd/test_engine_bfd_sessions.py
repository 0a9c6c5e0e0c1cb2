"""Parts of the engine that share BFD sessions: one session between two ends, and each part hears of its own."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest
from test_bfd_driver import Network

from herald.bfd.control_packet import State
from herald.bfd.path import Path
from herald.bfd.profile import BFDProfile
from herald.bfd.session import Changed
from herald.bgp.event import BfdPaused, BfdUp
from herald.bgp.parameters import PeerParameters
from herald.engine.bfd import News, PeerWatch
from herald.engine.bfd_sessions import BfdSessions, BfdUser

PATH, OTHER = Path(ip_address("10.0.0.1")), Path(ip_address("10.0.0.3"))
SLOW = BFDProfile("slow", 300, 300, 3)
FAST = replace(SLOW, name="fast", receive_interval_ms=50, transmit_interval_ms=50)


class Shared:
    """Two users, and what each hears."""

    def __init__(self) -> None:
        self.network = Network()
        self.sessions = BfdSessions(self.network, random.Random(1))
        self.heard: list[list[Path]] = [[], []]
        self.users: list[BfdUser] = [self._user(number) for number in (0, 1)]

    def _user(self, number: int) -> BfdUser:
        def heard(path: Path, change: Changed) -> None:
            if change.after is State.INIT:
                self.heard[number].append(path)

        return self.sessions.user(heard)

    def profile(self) -> str:
        (only,) = self.sessions.driver.snapshots().values()
        return only.session.profile.name


@pytest.fixture
async def shared() -> Shared:
    return Shared()


async def test_where_both_want_a_path_there_is_one_session_by_the_faster_profile(shared: Shared) -> None:
    peers, nodes = shared.users
    peers.watch(PATH, SLOW)
    assert shared.profile() == "slow"
    nodes.watch(PATH, FAST)
    assert shared.profile() == "fast"
    nodes.unwatch(PATH)
    assert shared.profile() == "slow"
    peers.unwatch(PATH)
    assert shared.sessions.driver.snapshots() == {}
    await nodes.stop()
    await peers.stop()


async def test_each_hears_of_its_own_paths_and_sees_no_others(shared: Shared) -> None:
    peers, nodes = shared.users
    peers.watch(PATH, SLOW)
    nodes.watch(PATH, SLOW)
    nodes.watch(OTHER, SLOW)
    assert (set(peers.snapshots()), set(nodes.snapshots())) == ({PATH}, {PATH, OTHER})
    shared.network.say(your_discriminator=0)
    shared.sessions.driver.drain()
    assert shared.heard == [[PATH], [PATH]]
    await peers.stop()
    assert set(nodes.snapshots()) == {PATH, OTHER}, "one part ends, the other goes on"
    await nodes.stop()
    assert all(listener.is_closed for listener in shared.network.listeners.values())


async def test_a_session_that_there_is_between_the_same_ends_is_used(shared: Shared) -> None:
    peers, nodes = shared.users
    like = replace(PATH, local=ip_address("10.0.0.2"))
    assert shared.sessions.path_to(like) == like
    peers.watch(PATH, SLOW)
    assert shared.sessions.path_to(like) == PATH
    assert shared.sessions.path_to(replace(OTHER, local=like.local)) == replace(OTHER, local=like.local)
    await nodes.stop()
    await peers.stop()


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110  # timers of the driver
            await asyncio.sleep(0.001)


async def test_a_peer_that_comes_to_a_session_that_is_up_is_told_so_in_strict_mode_and_before() -> None:
    """Strict mode may be switched on later, when nothing changes that would be told: BGP would wait for ever."""
    network, told = Network(), list[tuple[str, News]]()
    sessions = BfdSessions(network, random.Random(1))
    watch = PeerWatch(sessions, is_on_link=lambda _: True, on_change=lambda *news: told.append(news))
    first = PeerParameters("a", PATH.peer, 64500, 64501, bfd=FAST)
    watch.follow(first)
    watch.begin("a")
    assert told == [("a", BfdPaused())], "it is not up"
    await until(lambda: network.sent)
    for state in (State.DOWN, State.UP):
        network.say(state=state)
        sessions.driver.drain()
    assert watch.state("a") == "Up"
    told.clear()
    for name, strict in (("b", False), ("c", True)):
        watch.follow(replace(first, name=name, peer_port=1790, bfd_strict=strict))
        watch.begin(name)
    assert told == [("b", BfdUp()), ("c", BfdUp())]
    watch.follow(replace(first, name="b", peer_port=1790, bfd_strict=True))
    assert told == [("b", BfdUp()), ("c", BfdUp())], "once is enough"
    await watch.stop()
