"""Keys of TCP-AO: the octets that Linux takes, and what the kernel at hand does with them."""

import asyncio
import errno
import platform
import socket
import sys
from dataclasses import replace
from ipaddress import ip_address

import pytest

from herald.bgp.diagnosis import Cause
from herald.bgp.parameters import Algorithm, MasterKey, Password, PeerParameters
from herald.engine import tcp_ao
from herald.engine.tcp import DialError, dial, set_ao_key

HERE = ip_address("127.0.0.1")
KEY = MasterKey(1, 2, Algorithm.HMAC_SHA_1_96, Password("a secret"))
MIRRORED = replace(KEY, send_id=2, receive_id=1)


def host_order(value: int, octets: int) -> bytes:
    return value.to_bytes(octets, sys.byteorder)


def kernel_has_ao() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, tcp_ao.ADD_KEY, tcp_ao.add_key(HERE, KEY))
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
            return False
        return True


needs_ao = pytest.mark.skipif(not kernel_has_ao(), reason="this kernel has no TCP-AO")
needs_no_ao = pytest.mark.skipif(kernel_has_ao(), reason="this kernel has TCP-AO")


@pytest.fixture
def listener():
    with socket.create_server((str(HERE), 0)) as sock:
        sock.setblocking(False)
        yield sock


def parameters(port, key=KEY):
    return PeerParameters("r1", HERE, 64500, 64501, peer_port=port, tcp_ao=key)


IPV4 = host_order(socket.AF_INET, 2) + bytes((0, 0, 10, 0, 0, 1))
IPV6 = host_order(socket.AF_INET6, 2) + bytes(6) + ip_address("fd00::1").packed
ADDRESSES = {"ipv4": ("10.0.0.1", IPV4, 32), "ipv6": ("fd00::1", IPV6, 128)}
ALGORITHMS = {Algorithm.HMAC_SHA_1_96: b"hmac(sha1)", Algorithm.AES_128_CMAC_96: b"cmac(aes128)"}


@pytest.mark.parametrize(("algorithm", "name"), ALGORITHMS.items(), ids=lambda one: str(one))
@pytest.mark.parametrize(("address", "place", "prefix"), ADDRESSES.values(), ids=ADDRESSES)
def test_a_key_has_the_layout_of_struct_tcp_ao_add(address, place, prefix, algorithm, name):
    option = tcp_ao.add_key(ip_address(address), replace(KEY, send_id=200, receive_id=7, algorithm=algorithm))
    fields = {
        "addr": place.ljust(128, b"\0"),
        "alg_name": name.ljust(64, b"\0"),
        "ifindex": bytes(4),
        "set_current, set_rnext, reserved": bytes(4),
        "reserved2": bytes(2),
        "prefix": bytes((prefix,)),
        "sndid": bytes((200,)),
        "rcvid": bytes((7,)),
        "maclen": bytes((12,)),
        "keyflags": bytes(1),
        "keylen": bytes((8,)),
        "key": b"a secret".ljust(80, b"\0"),
    }
    assert option == b"".join(fields.values())
    assert len(option) == 288


def test_what_is_required_has_the_layout_of_struct_tcp_ao_info_opt():
    flags = 0b100 if sys.byteorder == "little" else 1 << 29  # the third bit field
    assert tcp_ao.required() == host_order(flags, 4) + bytes(4) + bytes(5 * 8)


def test_the_longest_key_fills_its_place():
    assert tcp_ao.add_key(HERE, replace(KEY, secret=Password("x" * 80)))[207:] == bytes((80,)) + b"x" * 80


@pytest.mark.parametrize("secret", ["", "x" * 81], ids=["empty", "too long"])
async def test_a_key_that_linux_cannot_take_prevents_the_connection_and_is_not_told(listener, secret):
    with pytest.raises(DialError, match="TCP-AO takes 1 to 80") as caught:
        await dial(parameters(listener.getsockname()[1], replace(KEY, secret=Password(secret))))
    assert not secret or secret not in str(caught.value)
    with pytest.raises(BlockingIOError):
        listener.accept()


@needs_no_ao
async def test_without_tcp_ao_in_the_kernel_no_connection_is_made_and_it_is_said(listener):
    with pytest.raises(DialError) as caught:
        await dial(parameters(listener.getsockname()[1]))
    assert str(caught.value) == f"this kernel ({platform.release()}) has no TCP-AO; not connecting without it"
    assert caught.value.finding is not None
    assert caught.value.finding.cause is Cause.AO_UNKNOWN_HERE
    with pytest.raises(BlockingIOError):
        listener.accept()


@needs_ao
@pytest.mark.parametrize("algorithm", Algorithm, ids=lambda one: one.value)
async def test_two_sides_with_the_same_key_connect(listener, algorithm):
    set_ao_key(listener, HERE, replace(MIRRORED, algorithm=algorithm))
    async with asyncio.timeout(5):
        with await dial(parameters(listener.getsockname()[1], replace(KEY, algorithm=algorithm))) as sock:
            assert sock.getpeername() == listener.getsockname()


@needs_ao
@pytest.mark.parametrize(
    "other",
    [replace(MIRRORED, secret=Password("another")), KEY, replace(MIRRORED, algorithm=Algorithm.AES_128_CMAC_96), None],
    ids=["secret", "numbers", "algorithm", "none"],
)
async def test_with_another_key_or_none_there_is_no_connection(listener, other):
    if other is not None:
        set_ao_key(listener, HERE, other)
    with pytest.raises((TimeoutError, DialError)):
        async with asyncio.timeout(0.5):
            await dial(parameters(listener.getsockname()[1]))
