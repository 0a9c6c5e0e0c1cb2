"""One group of Herald's engines and HashiCorp's memberlist: who comes, goes, dies and contradicts is seen by all."""

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from memberlist_member import MemberlistPeer, build
from segment import EngineProcess, Network, engine, eventually, inside, ip

from herald.engine.link import Apply, Facts, Join
from herald.swim import message, packet
from herald.swim.driver import open_sockets
from herald.swim.keyring import Keyring, derive_key
from herald.swim.member import Endpoint, Versions
from herald.swim.message import Ack, Alive, Dead, Message, Ping

pytestmark = [pytest.mark.netns, pytest.mark.interop, pytest.mark.timeout(240)]

SECRET = "c2VjcmV0IG9mIG9uZSBncm91cA"
LATE = 0xF000_0000
"""An incarnation above that of an engine that started today."""
SETTLED = 6.0
"""Seconds in which MetalLB's timing would find several members dead that are not."""


@pytest.fixture(scope="session")
def program() -> Path:
    return build()


class Group:
    """Hosts on one bridge, each with one member; removed with the test."""

    def __init__(self, directory: Path, program: Path, secret: str, stack: AsyncExitStack) -> None:
        self._network = Network()
        self._directory = directory
        self._program = program
        self._secret = secret
        self._stack = stack
        self.switch = self._network.bridge("sw")
        stack.callback(self._network.close)
        if secret:
            (directory / "secret").mkdir()
            (directory / "secret" / "secretkey").write_text(secret)

    def host(self, name: str, address: str) -> str:
        host = self._network.host(name)
        self._network.plug(host, self.switch)
        ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
        return host

    async def herald(self, number: int, *more: str) -> EngineProcess:
        name, address = f"n{number}", f"192.168.1.{number}"
        words = ["--ml-bindaddr", address, *more]
        if self._secret:
            words += ["--ml-secret-key-path", str(self._directory / "secret")]
        host = self.host(name, address)
        return await self._stack.enter_async_context(engine(host, self._directory, name, *words))

    async def memberlist(self, number: int, *more: str) -> MemberlistPeer:
        name, address = f"m{number}", f"192.168.1.{number}"
        words = ["-secret", self._secret] if self._secret else []
        host = self.host(name, address)
        peer = MemberlistPeer(self._program, host, self._directory, name, address, *words, *more)
        self._stack.push_async_callback(peer.kill)
        await peer.start()
        return peer

    def log(self, name: str) -> list[dict[str, Any]]:
        lines = (self._directory / f"{name}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(params=[SECRET, ""], ids=["encrypted", "in clear"])
async def group(request: pytest.FixtureRequest, tmp_path: Path, program: Path) -> AsyncIterator[Group]:
    async with AsyncExitStack() as stack:
        yield Group(tmp_path, program, request.param, stack)


@pytest.fixture
async def encrypted(tmp_path: Path, program: Path) -> AsyncIterator[Group]:
    async with AsyncExitStack() as stack:
        yield Group(tmp_path, program, SECRET, stack)


def names(facts: Facts) -> set[str]:
    return {one.node for one in facts.members}


def are(*wanted: str) -> Callable[[Facts], bool]:
    return lambda facts: names(facts) == set(wanted)


def knows(peer: MemberlistPeer, *wanted: str) -> Callable[[], bool]:
    return lambda: all(peer.heard("join", name) for name in wanted)


async def join(process: EngineProcess, *addresses: str) -> None:
    assert process.channel is not None
    await process.channel.send(Join(addresses))


def interfaces_of(process: EngineProcess) -> dict[str, frozenset[str] | None]:
    """What each member tells of its interfaces."""
    return {one.node: one.interfaces for one in process.facts.members}


async def test_engines_and_memberlist_are_one_group_and_see_each_other_die_and_leave(group: Group) -> None:
    m11, m12 = await group.memberlist(11), await group.memberlist(12)
    n1, n2 = await group.herald(1), await group.herald(2)
    await m12.join("192.168.1.11")
    await join(n1, "192.168.1.2", "192.168.1.11", "192.168.1.12")
    everybody = ("m11", "m12", "n1", "n2")
    for one in (n1, n2):
        await one.until(are(*everybody), "everybody is there")
    for peer in (m11, m12):
        await eventually(knows(peer, *everybody), "memberlist knows everybody")

    for one in (n1, n2):
        await one.apply(Apply(reset=True))
    told = {"m11": None, "m12": None, "n1": frozenset({"eth0"}), "n2": frozenset({"eth0"})}
    await n1.until(lambda _: interfaces_of(n1) == told, "who has what is known")

    await asyncio.sleep(SETTLED)
    assert await m11.members() == dict.fromkeys(everybody, 0)
    assert [peer.heard("leave", name) for peer in (m11, m12) for name in everybody] == [0] * 8
    assert not [line for name in ("n1", "n2") for line in group.log(name) if line.get("event") == "memberDied"]

    await m12.kill()
    for one in (n1, n2):
        await one.until(are("m11", "n1", "n2"), "the engines see that a killed memberlist is dead")
    await eventually(lambda: m11.heard("leave", "m12") == 1, "memberlist sees that memberlist is dead")

    n2.process.kill()
    await n1.until(are("m11", "n1"), "an engine sees that a killed engine is dead")
    await eventually(lambda: m11.heard("leave", "n2") == 1, "memberlist sees that a killed engine is dead")

    assert await n1.end(signal.SIGTERM) == 0
    await eventually(lambda: m11.heard("leave", "n1") == 1, "memberlist hears that an engine leaves")


async def test_a_memberlist_that_leaves_is_gone_and_welcome_again(group: Group) -> None:
    m11 = await group.memberlist(11)
    n1, n2 = await group.herald(1), await group.herald(2)
    await join(n1, "192.168.1.2", "192.168.1.11")
    await n2.until(are("m11", "n1", "n2"), "the group is complete")
    await m11.leave()
    for one in (n1, n2):
        await one.until(are("n1", "n2"), "it has left")
    assert [line["member"] for line in group.log("n2") if line.get("event") == "memberLeft"] == ["m11"]
    m11.lines.clear()
    await m11.start()
    await m11.join("192.168.1.1")
    for one in (n1, n2):
        await one.until(are("m11", "n1", "n2"), "it is back")


def slander(host: str, group_secret: str, to: str, *said: Message) -> None:
    """One packet from a host that is no member, sealed with the key of the group."""
    udp, tcp = inside(host, lambda: open_sockets(Endpoint(ip_address("192.168.1.99"), 7946)))
    wrapping = packet.Wrapping(Keyring(derive_key(group_secret.encode())) if group_secret else None)
    octets = packet.seal([message.encode(one) for one in said], wrapping, random.SystemRandom(), checksum=False)
    udp.sendto(octets, (to, 7946))
    udp.close()
    tcp.close()


async def test_who_is_called_dead_and_is_not_contradicts_whoever_it_is(group: Group) -> None:
    m11, n1 = await group.memberlist(11), await group.herald(1)
    await join(n1, "192.168.1.11")
    await n1.until(are("m11", "n1"), "the group is complete")
    rogue = group.host("x", "192.168.1.99")
    secret = SECRET if any(one.get("encrypted") for one in group.log("n1")) else ""

    def of_n1() -> list[str]:
        return [line["event"] for line in group.log("n1") if line.get("member") in ("n1", "m11")]

    slander(rogue, secret, "192.168.1.1", Dead(100, "m11", "rogue"))
    await eventually(lambda: of_n1().count("memberDied") == 1, "the engine believes it")
    await eventually(lambda: of_n1().count("memberJoined") == 2, "memberlist contradicts, the engine believes that")
    slander(rogue, secret, "192.168.1.11", Dead(LATE, "n1", "rogue"))
    await eventually(lambda: m11.heard("leave", "n1") == 1, "memberlist believes it")
    await eventually(lambda: m11.heard("join", "n1") == 2, "the engine contradicts, memberlist believes that")
    slander(rogue, secret, "192.168.1.1", Dead(LATE + 100, "n1", "rogue"))
    await eventually(lambda: "accusedFalsely" in of_n1(), "the engine contradicts what it is told of itself")
    assert names(n1.facts) == {"m11", "n1"}


async def test_who_has_not_the_key_is_not_heard_and_is_counted(encrypted: Group) -> None:
    m11, n1 = await encrypted.memberlist(11), await encrypted.herald(1)
    await join(n1, "192.168.1.11")
    await n1.until(are("m11", "n1"), "the group is complete")
    rogue = encrypted.host("x", "192.168.1.99")
    for secret in ("", "another secret"):
        slander(rogue, secret, "192.168.1.1", Dead(100, "m11", "rogue"))

    async def dropped() -> int:
        return int(json.loads(await n1.show("gossip"))["data"]["dropped"].get("not sealed with a key of this group", 0))

    for _ in range(500):
        if await dropped() >= 2:
            break
        await asyncio.sleep(0.02)
    assert await dropped() == 2
    assert not [line for line in encrypted.log("n1") if line.get("event") == "memberDied"]
    assert m11.heard("leave", "n1") == 0


async def test_a_member_that_tells_what_cannot_be_written_is_a_member_and_no_more(encrypted: Group) -> None:
    n1, rogue = await encrypted.herald(1), encrypted.host("x", "192.168.1.99")
    at = Endpoint(ip_address("192.168.1.99"), 7946)
    evil = Alive(1, "evil", at, b"herald/1 \xff", Versions(1, 5, 5))
    slander(rogue, SECRET, "192.168.1.1", evil)
    await eventually(lambda: "memberDied" in [line["event"] for line in encrypted.log("n1")], "nobody is there")
    assert names(n1.facts) == {"n1"}, "who does not answer does not count"
    wrapping = packet.Wrapping(Keyring(derive_key(SECRET.encode())))
    udp, tcp = inside(rogue, lambda: open_sockets(at))
    loop = asyncio.get_running_loop()

    def answer() -> None:
        data, source = udp.recvfrom(65536)
        for ping in packet.open_packet(data, wrapping).messages:
            if isinstance(ping, Ping):
                octets = message.encode(Ack(ping.sequence))
                udp.sendto(packet.seal([octets], wrapping, random.SystemRandom(), checksum=False), source)

    loop.add_reader(udp, answer)
    again = replace(evil, incarnation=100)
    udp.sendto(
        packet.seal([message.encode(again)], wrapping, random.SystemRandom(), checksum=False), ("192.168.1.1", 7946)
    )
    await n1.until(are("n1", "evil"), "it answers, so it is there")
    assert {one.node: one.interfaces for one in n1.facts.members}["evil"] is None
    loop.remove_reader(udp)
    udp.close()
    tcp.close()
    await n1.until(are("n1"), "nobody is there, and the engine goes on to find that out")


async def test_three_engines_know_who_was_killed_and_find_each_other_again(encrypted: Group, tmp_path: Path) -> None:
    engines = [await encrypted.herald(number) for number in (1, 2, 3)]
    n1, n2, n3 = engines
    await join(n1, "192.168.1.2", "192.168.1.3")
    for one in engines:
        await one.until(are("n1", "n2", "n3"), "the group is complete")
    host = encrypted.switch
    ip("-n", host, "link", "set", "pn3", "down")
    await n1.until(are("n1", "n2"), "n3 is cut off")
    await n3.until(are("n3"), "and sees nobody any more")
    ip("-n", host, "link", "set", "pn3", "up")
    for one in engines:
        await one.until(are("n1", "n2", "n3"), "all are together again without being told")
    os.kill(n3.process.pid, signal.SIGSTOP)
    await n2.until(are("n1", "n2"), "a stopped process is as good as dead")
    os.kill(n3.process.pid, signal.SIGCONT)
    for one in engines:
        await one.until(are("n1", "n2", "n3"), "it contradicts when it goes on")
    n3.process.kill()
    for one in (n1, n2):
        await one.until(are("n1", "n2"), "n3 is dead")
    shown = {row["name"]: row for row in json.loads(await n1.show("members"))["data"]}
    assert {name: row["state"] for name, row in shown.items()} == {"n1": "alive", "n2": "alive", "n3": "dead"}
    assert shown["n2"]["address"] == "192.168.1.2:7946"
    assert shown["n2"]["lastSeen"] is not None


async def test_an_engine_without_its_port_or_key_answers_for_nothing_until_it_has_them(
    encrypted: Group, tmp_path: Path
) -> None:
    (tmp_path / "secret" / "secretkey").unlink()
    n1, n2 = await encrypted.herald(1), await encrypted.herald(2)
    await join(n1, "192.168.1.2")
    await n1.until(lambda facts: [one.interfaces for one in facts.members] == [frozenset()], "it claims nothing")
    (failed,) = [line for line in encrypted.log("n1") if line.get("event") == "gossipFailed"]
    assert "secretkey" in failed["error"]
    (tmp_path / "secret" / "secretkey").write_text(SECRET)
    for one in (n1, n2):
        await one.until(are("n1", "n2"), "it takes part as soon as it can")
    assert SECRET not in (tmp_path / "n1.log").read_text() + (tmp_path / "n2.log").read_text()


async def test_an_engine_that_was_started_again_is_found_without_being_told(encrypted: Group) -> None:
    n1, n2 = await encrypted.herald(1), await encrypted.herald(2)
    await join(n1, "192.168.1.2")
    await n1.until(are("n1", "n2"), "the group is complete")
    assert await n2.end(signal.SIGTERM) == 0
    await n1.until(are("n1"), "it has left")
    await n2.restart()
    await join(n2, "192.168.1.1")
    await n1.until(are("n1", "n2"), "it is back")
    n2.process.kill()
    await asyncio.to_thread(n2.process.wait)
    await n2.restart()
    await n2.until(are("n1", "n2"), "who pings it is joined")


async def test_the_secret_changes_and_memberlist_that_has_the_old_one_and_who_starts_with_the_new_one_are_members(
    encrypted: Group, tmp_path: Path
) -> None:
    m11, n1, n2 = await encrypted.memberlist(11), await encrypted.herald(1), await encrypted.herald(2)
    everybody = ("m11", "n1", "n2")
    await join(n1, "192.168.1.2", "192.168.1.11")
    for one in (n1, n2):
        await one.until(are(*everybody), "the group is complete")
    (tmp_path / "secret" / "secretkey").write_text("another secret")

    def changed(name: str) -> bool:
        return any(line.get("event") == "gossipKeyChanged" for line in encrypted.log(name))

    await eventually(lambda: changed("n1") and changed("n2"), "the new secret is seen")
    assert await n2.end(signal.SIGTERM) == 0
    await n1.until(are("m11", "n1"), "it has left")
    await n2.restart()
    await join(n2, "192.168.1.1", "192.168.1.11")
    for one in (n1, n2):
        await one.until(are(*everybody), "it knows the new secret only, and is back")
    await eventually(lambda: m11.heard("join", "n2") == 2, "memberlist knows the old one only, and knows it")
    await asyncio.sleep(SETTLED)
    assert names(n1.facts) == names(n2.facts) == set(everybody)
    assert not [line for line in encrypted.log("n1") if line.get("event") == "memberDied"]
    assert m11.heard("leave", "n1") == 0
    assert m11.heard("leave", "n2") == 1, "when it was told to end"


async def test_a_group_may_speak_over_ipv6(encrypted: Group, tmp_path: Path, program: Path) -> None:
    one, other = encrypted.host("n1", "192.168.1.1"), encrypted.host("m2", "192.168.1.2")
    for host, address in ((one, "fc00::1"), (other, "fc00::2")):
        ip("-n", host, "addr", "add", f"{address}/64", "dev", "eth0", "nodad")
    peer = MemberlistPeer(program, other, tmp_path, "m2", "fc00::2", "-secret", SECRET)
    words = ("--ml-bindaddr", "fc00::1", "--ml-secret-key-path", str(tmp_path / "secret"))
    try:
        await peer.start()
        async with engine(one, tmp_path, "n1", *words) as n1:
            await join(n1, "fc00::2")
            await n1.until(are("m2", "n1"), "memberlist is found")
            await eventually(lambda: peer.heard("join", "n1") == 1, "and finds the engine")
            await asyncio.sleep(SETTLED / 2)
            assert await peer.members() == {"m2": 0, "n1": 0}
    finally:
        await peer.kill()


async def test_metallbs_own_timing_can_be_chosen(encrypted: Group) -> None:
    m11, n1 = await encrypted.memberlist(11), await encrypted.herald(1, "--ml-profile", "lan")
    n2 = await encrypted.herald(2, "--ml-profile", "lan")
    await join(n1, "192.168.1.2", "192.168.1.11")
    await n2.until(are("m11", "n1", "n2"), "the group is complete")
    await eventually(lambda: m11.heard("join", "n2") == 1, "memberlist knows too")
    n2.process.kill()
    await eventually(lambda: names(n1.facts) == {"m11", "n1"}, "dead after MetalLB's time, several seconds", 40.0)
    await eventually(lambda: m11.heard("leave", "n2") == 1, "memberlist agrees")
