"""Where BGP connections are taken and who may come in: places as text, the filter, and the doors over loopback."""

import asyncio
import random
import socket
import struct
from dataclasses import replace
from ipaddress import ip_address

import pytest

from herald.bgp.driver import Peering
from herald.bgp.fsm import State
from herald.bgp.parameters import Password, PeerParameters
from herald.engine import door, listen_address
from herald.engine.door import Door
from herald.engine.listen_address import ListenAddress
from herald.engine.listener import OFF, Listener
from herald.engine.tcp import dial

LOOPBACK = ip_address("127.0.0.1")
LEFT = PeerParameters("right", LOOPBACK, 64501, 64502)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("10.0.0.2:179", ["10.0.0.2:179"]),
        ("[2001:db8::2]:1179", ["[2001:db8::2]:1179"]),
        (":179", ["0.0.0.0:179", "[::]:179"]),
        ("0.0.0.0:179", ["0.0.0.0:179"]),
    ],
)
def test_a_place_to_listen_at_is_an_address_and_a_port(text, places):
    assert [place.text for place in listen_address.parse(text)] == places


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("179", "not ADDRESS:PORT"),
        ("10.0.0.2", "not ADDRESS:PORT"),
        ("10.0.0.2:0", "not ADDRESS:PORT"),
        ("10.0.0.2:65536", "not ADDRESS:PORT"),
        ("node-1:179", "node-1 is not an IP address"),
        ("2001:db8::2:179", r"written in brackets, as in \[2001:db8::2\]:179"),
    ],
)
def test_what_is_no_place_is_refused_with_what_would_be_right(text, words):
    with pytest.raises(ValueError, match=words):
        listen_address.parse(text)


def run_filter(program, packet):
    """What a classic BPF program makes of a packet that begins with its network header."""
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("!I", packet, operand - 0xFFF00000)
            case 0x30:
                accumulator = packet[operand - 0xFFF00000]
            case 0x15:
                at += if_true if accumulator == operand else if_false
            case 0x06:
                return operand


def packet(source, ttl):
    address = ip_address(source)
    if address.version == 4:
        return bytes(8) + bytes((ttl, 6, 0, 0)) + address.packed + bytes(4)
    return bytes(6) + bytes((6, ttl)) + address.packed + bytes(16)


GUARDED = {
    4: ("10.0.0.1", "10.0.0.2", "192.168.255.1"),
    6: ("2001:db8::1", "2001:db8::2", "fe80::1", "2001:db8:1::1"),
}
OTHERS = {4: ("10.0.0.3", "10.0.0.0"), 6: ("2001:db8::3", "2001:db8:1::2", "fe80::2:1")}


@pytest.mark.parametrize("version", [4, 6])
def test_the_filter_drops_what_a_router_has_passed_on_and_only_from_those_with_ttl_security(version):
    program = door.filter_of(frozenset(map(ip_address, GUARDED[version])))
    for source in GUARDED[version]:
        assert run_filter(program, packet(source, 255)) == 0xFFFFFFFF
        for ttl in (0, 1, 64, 254):
            assert run_filter(program, packet(source, ttl)) == 0, (source, ttl)
    for source in OTHERS[version]:
        assert run_filter(program, packet(source, 64)) == 0xFFFFFFFF


def test_a_filter_for_many_peers_jumps_no_further_than_it_can():
    program = door.filter_of(frozenset(ip_address(0x20010DB8 << 96 | number) for number in range(300)))
    assert len(program) <= 4096, "what the kernel takes"
    assert all(0 <= jump < 256 for _, one, other, _ in program for jump in (one, other))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def test_two_peers_that_cannot_be_told_apart_are_not_both_let_in():
    made = Door((ListenAddress(LOOPBACK, free_port()), None), (LEFT, replace(LEFT, name="twin")))
    assert made.refusals == {"twin": "cannot take its connections: BGPPeer right has the same address"}
    made.close()


async def test_two_of_ours_that_dial_each_other_come_up_over_one_connection():
    """Both dial at the same moment, over and over."""
    for number in range(5):
        ports = free_port(), free_port()
        ours = [
            PeerParameters(
                name,
                LOOPBACK,
                64500 + side,
                64501 - side,
                peer_port=ports[1 - side],
                router_id=ip_address(f"10.0.0.{1 + (side + number) % 2}"),
            )
            for side, name in enumerate(("left", "right"))
        ]
        changed = asyncio.Event()
        peerings = [
            Peering(one, dial=dial, rng=random.Random(number), on_change=lambda *_: changed.set())  # noqa: B023
            for one in ours
        ]
        doors = [
            Listener((ListenAddress(LOOPBACK, port),), peering.accept)
            for port, peering in zip(ports, peerings, strict=True)
        ]
        for one, listening in zip(ours, doors, strict=True):
            listening.follow(one)
        for peering in peerings:
            peering.start()
        async with asyncio.timeout(10):
            while not all(peering.snapshot().state is State.ESTABLISHED for peering in peerings):
                await changed.wait()
                changed.clear()
        shown = [peering.snapshot() for peering in peerings]
        assert [(one.ups, one.flaps) for one in shown] == [(1, 0), (1, 0)]
        assert {one.initiator for one in shown} == set(type(shown[0].initiator)), "one has dialled, the other has not"
        for peering, listening in zip(peerings, doors, strict=True):
            listening.close()
            await peering.stop("the test is over")


async def test_without_a_place_to_listen_at_it_says_so():
    listening = Listener((), lambda *_: True)
    listening.follow(LEFT)
    assert listening.refusal("right") == OFF
    assert listening.document() is None


async def test_the_doors_follow_the_peers():
    port = free_port()
    listening = Listener((ListenAddress(LOOPBACK, port),), lambda *_: True)
    assert listening.document()["at"] == []
    listening.follow(LEFT)
    assert (listening.document()["at"], listening.refusal("right")) == ([f"127.0.0.1:{port}"], None)
    listening.follow(replace(LEFT, source_address=ip_address("127.0.0.2")))
    assert f"no address of --bgp-listen is one that it could dial: 127.0.0.1:{port}" == listening.refusal("right")
    listening.follow(LEFT)
    listening.drop("right")
    assert listening.document()["at"] == []


async def test_whoever_came_before_a_password_is_not_let_in_with_it():
    """They wait in the queue of the kernel, which has checked no signature of theirs."""
    port, taken = free_port(), []
    listening = Listener((ListenAddress(LOOPBACK, port),), lambda sock, peer: taken.append((sock, peer)) or True)
    listening.follow(LEFT)
    callers = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    listening.follow(replace(LEFT, password=Password("secret")))
    for _ in range(10):
        await asyncio.sleep(0)
    assert [peer for _, peer in taken if peer.password is not None] == []
    assert listening.refusal("right") is None, "the key is set"
    for sock in (*callers, *(sock for sock, _ in taken)):
        sock.close()
    listening.close()


async def test_a_peer_without_a_key_comes_and_goes_by_the_same_door():
    """Nobody's handshake is disturbed by another peer's coming."""
    port, taken = free_port(), asyncio.Queue()
    listening = Listener(
        (ListenAddress(LOOPBACK, port),), lambda sock, peer: taken.put_nowait((sock, peer.name)) is None
    )
    listening.follow(LEFT)
    caller = socket.create_connection(("127.0.0.1", port))
    listening.follow(replace(LEFT, name="other", peer_address=ip_address("127.0.0.9")))
    listening.drop("other")
    async with asyncio.timeout(5):
        sock, name = await taken.get()
    assert name == "right"
    sock.close()
    caller.close()
    listening.close()


async def test_one_without_and_one_with_a_password_behind_one_link_local_address_are_not_mixed_up():
    """The key belongs to the address: the first one by name has its way, and of the other it is said."""
    ours = ip_address("fe80::1")
    plain = replace(LEFT, name="a", peer_address=ours, interface="eth0")
    signed = replace(plain, name="b", interface="eth1", password=Password("secret"))
    for peers in ((plain, signed), (replace(signed, name="a"), replace(plain, name="b"))):
        made = Door((ListenAddress(ip_address("::1"), free_port()), None), peers)
        assert list(made.refusals) == ["b"]
        assert "has another password" in made.refusals["b"]
        assert [peer.name for peer in made.expects.values()] == ["a"]
        made.close()
