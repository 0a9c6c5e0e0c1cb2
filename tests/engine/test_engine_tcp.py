import asyncio
import socket
import struct
from dataclasses import replace
from ipaddress import ip_address

import pytest

from herald.bgp.parameters import Password, PeerParameters
from herald.engine.tcp import DialError, dial

TCP_MD5SIG = 14
IP_MINTTL, IPV6_MINHOPCOUNT = 21, 73


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)  # as a router with GTSM does
        yield sock


def parameters(port, **changes):
    values = {"name": "r1", "peer_address": ip_address("127.0.0.1"), "peer_port": port, "local_asn": 64500}
    return PeerParameters(**values | {"peer_asn": 64501} | changes)


@pytest.mark.parametrize(
    ("changes", "ttl"),
    [
        ({}, 1),
        ({"multihop": True}, 255),
        ({"ttl_security": True}, 255),
        ({"peer_asn": 64500}, 255),
        ({"peer_asn": None, "dynamic_asn": "internal"}, 255),
    ],
    ids=["external", "multihop", "gtsm", "internal", "dynamic-internal"],
)
async def test_packets_to_an_external_peer_live_for_one_hop(listener, changes, ttl):
    with await dial(parameters(listener.getsockname()[1], **changes)) as sock:
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == ttl


@pytest.mark.parametrize(("wanted", "least"), [(False, 0), (True, 255)], ids=["as it comes", "gtsm"])
async def test_with_gtsm_only_what_no_router_has_passed_on_is_taken(listener, wanted, least):
    with await dial(parameters(listener.getsockname()[1], multihop=False, ttl_security=wanted)) as sock:
        assert sock.getsockopt(socket.IPPROTO_IP, IP_MINTTL) == least


async def test_with_gtsm_a_peer_that_sends_with_a_smaller_ttl_is_never_heard(listener):
    """Linux answers with TTL 64: not even the answer to the SYN is taken."""
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await dial(parameters(listener.getsockname()[1], ttl_security=True))
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    with await dial(parameters(listener.getsockname()[1], ttl_security=True)) as sock:
        assert sock.getpeername() == listener.getsockname()


@pytest.mark.parametrize(
    ("hold_time", "milliseconds"), [(90, 7000), (3, 3000), (0, 7000)], ids=["usual", "short", "none"]
)
async def test_the_socket_has_the_options_of_its_peer(listener, hold_time, milliseconds):
    port = listener.getsockname()[1]
    with await dial(parameters(port, hold_time=hold_time, source_address=ip_address("127.0.0.9"))) as sock:
        assert sock.getblocking() is False
        assert sock.getsockname()[0] == "127.0.0.9"
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == milliseconds
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_ipv6_peers_are_dialled():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as six:
        peer = parameters(six.getsockname()[1], peer_address=ip_address("::1"))
        with await dial(peer) as sock:
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 1
            assert sock.getsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT) == 0
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        with await dial(replace(peer, ttl_security=True)) as sock:
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 255
            assert sock.getsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT) == 255


async def test_a_refused_connection_names_the_peer(listener):
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(DialError, match=f"^connection refused by 127.0.0.1:{port}$"):
        await dial(parameters(port))


async def test_a_source_address_of_somebody_else_is_named(listener):
    with pytest.raises(DialError, match=r"^source address 192\.0\.2\.77 is not an address of this host$"):
        await dial(parameters(listener.getsockname()[1], source_address=ip_address("192.0.2.77")))


async def test_a_link_local_peer_on_an_interface_that_does_not_exist_is_named():
    there = parameters(179, peer_address=ip_address("fe80::1"), interface="eth77")
    with pytest.raises(DialError, match=r"^interface eth77: this node has no such interface$"):
        await dial(there)


async def test_a_vrf_that_does_not_exist_is_named(listener):
    with pytest.raises(DialError, match=r"^VRF red: this node has no device of that name$"):
        await dial(parameters(listener.getsockname()[1], vrf="red"))


@pytest.mark.parametrize("secret", ["", "x" * 81], ids=["empty", "too-long"])
async def test_a_password_that_tcp_md5_cannot_take_prevents_the_connection(listener, secret):
    with pytest.raises(DialError, match="TCP MD5 takes 1 to 80"):
        await dial(parameters(listener.getsockname()[1], password=Password(secret)))
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


async def test_two_sides_with_the_same_key_connect(listener):
    key = b"secret123"
    address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton("127.0.0.1")).ljust(128, b"\0")
    listener.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, address + struct.pack("=BBHi80s", 0, 0, len(key), 0, key))
    peer = parameters(listener.getsockname()[1], password=Password("secret123"))
    async with asyncio.timeout(5):
        with await dial(peer) as sock:
            assert sock.getpeername() == listener.getsockname()


async def test_a_given_up_attempt_leaves_no_socket_open(listener):
    # A listener with a key drops what is not signed, so the attempt hangs.
    address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton("127.0.0.1")).ljust(128, b"\0")
    listener.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, address + struct.pack("=BBHi80s", 0, 0, 3, 0, b"abc"))
    attempt = asyncio.create_task(dial(parameters(listener.getsockname()[1])))
    done, _ = await asyncio.wait([attempt], timeout=0.05)
    assert not done
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
