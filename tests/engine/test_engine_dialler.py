"""What is found out about a peer that does not answer: ICMP, other programs' sessions, the peer's own SYNs."""

import asyncio
import socket
import struct
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from herald.bgp.diagnosis import Cause, DiagnosedError, Obstacle
from herald.bgp.parameters import PeerParameters
from herald.engine import icmp, rival
from herald.engine.dialler import Dialler

LOOPBACK, OTHER = ip_address("127.0.0.1"), ip_address("127.0.0.9")
V4, V6 = ip_address("10.0.0.1"), ip_address("2001:db8::1")


def queued(origin, kind, code, reporter=V4):
    place = struct.pack("=HH4s", socket.AF_INET, 0, reporter.packed)
    if reporter.version == 6:
        place = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, reporter.packed, 0)
    return struct.pack("=IBBBxII", 113, origin, kind, code, 0, 0) + place


MESSAGES = {
    "TTL": (queued(2, 11, 0), Obstacle.TTL_EXPIRED, "TTL expired at 10.0.0.1"),
    "hop limit": (queued(3, 3, 0, V6), Obstacle.TTL_EXPIRED, "TTL expired at 2001:db8::1"),
    "port": (queued(2, 3, 3), Obstacle.REJECTED, "rejected by 10.0.0.1"),
    "prohibited": (queued(2, 3, 13), Obstacle.REJECTED, "rejected by 10.0.0.1"),
    "prohibited, IPv6": (queued(3, 1, 1, V6), Obstacle.REJECTED, "rejected by 2001:db8::1"),
    "host": (queued(2, 3, 1), Obstacle.NO_HOST, "no host found by 10.0.0.1"),
    "address, IPv6": (queued(3, 1, 3, V6), Obstacle.NO_HOST, "no host found by 2001:db8::1"),
    "parameter problem": (queued(2, 12, 1), None, "ICMP type 12 code 1 from 10.0.0.1"),
}


@pytest.mark.parametrize(("data", "obstacle", "words"), MESSAGES.values(), ids=MESSAGES)
def test_an_icmp_message_is_read(data, obstacle, words):
    told = icmp.decode(data)
    assert (told.obstacle, told.words) == (obstacle, words)


@pytest.mark.parametrize("data", [b"", queued(2, 11, 0)[:15], queued(2, 11, 0)[:18], queued(1, 0, 0)])
def test_what_is_cut_off_or_not_of_icmp_is_nothing(data):
    assert icmp.decode(data) is None


def test_the_checksum_of_an_echo_request_is_right():
    request = icmp.echo(8, b"\xff\xfe\x12\x34")
    total = sum(struct.unpack("!4H", request))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


@pytest.mark.netns
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
async def test_this_host_answers_ping(peer):
    assert await icmp.answers_ping(ip_address(peer), None, 0, 3.0) is True


@pytest.mark.netns
async def test_an_address_without_a_way_to_it_does_not_answer():
    assert await icmp.answers_ping(LOOPBACK, ip_address("192.0.2.1"), 0, 0.1) is False


CHILD = """
import socket, sys
near, far = sys.argv[1] + "127.0.0.9", sys.argv[1] + "127.0.0.1"
with socket.create_connection((far, int(sys.argv[2])), source_address=(near, 0)):
    print("connected", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(params=["", "::ffff:"], ids=["ipv4", "both families"])
def taken(request):
    """A port on which another process has a connection from 127.0.0.9."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        words = [sys.executable, "-c", CHILD, request.param, str(port)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout.readline() == b"connected\n"
            yield port, child.pid
            child.stdin.close()


def test_the_program_that_has_a_connection_is_named(taken):
    port, pid = taken
    found = rival.find(LOOPBACK, port, OTHER)
    assert found.name.endswith(f"(pid {pid})")
    assert rival.find(LOOPBACK, port, ip_address("127.0.0.8")) is None
    assert rival.find(LOOPBACK, port + 1, OTHER) is None


async def test_a_peer_that_another_program_has_is_not_dialled(taken):
    port, pid = taken
    peer = PeerParameters("r1", LOOPBACK, 64500, 64501, peer_port=port, source_address=OTHER)
    words = rf"^not dialling 127\.0\.0\.1:{port}: .* \(pid {pid}\) of this node"
    with pytest.raises(DiagnosedError, match=words) as failed:
        await Dialler(lambda _: True).dial(peer)
    assert failed.value.finding.cause is Cause.COLLISION
    with await Dialler(lambda _: True).dial(replace(peer, source_address=ip_address("127.0.0.8"))) as connected:
        assert connected.getsockname()[0] == "127.0.0.8"


def test_a_connection_of_our_own_is_no_rival():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.9", 0)):
            assert rival.find(LOOPBACK, port, OTHER) is None


async def test_a_refusal_is_explained():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    peer = PeerParameters("r1", LOOPBACK, 64500, 64501, peer_port=port)
    with pytest.raises(DiagnosedError, match=rf"^connection refused by 127\.0\.0\.1:{port}$") as failed:
        await Dialler(lambda _: True).dial(peer)
    assert failed.value.finding.cause is Cause.REFUSED


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_an_attempt_that_is_given_up_leaves_no_socket_and_no_task():
    before, tasks = open_files(), asyncio.all_tasks()
    peer = PeerParameters("r1", ip_address("192.0.2.1"), 64500, 64501, source_address=LOOPBACK)
    dialler = Dialler(lambda _: True)
    attempt = asyncio.create_task(dialler.dial(peer))
    await asyncio.wait([attempt], timeout=0.05)
    attempt.cancel()
    await asyncio.wait([attempt])
    dialler.close()
    for _ in range(500):  # on a busy machine the search for a rival, in a thread, may still be at its first file
        if (open_files(), asyncio.all_tasks()) == (before, tasks):
            break
        await asyncio.sleep(0.02)
    assert asyncio.all_tasks() == tasks
    assert open_files() == before
