"""Signatures of TCP segments: which password a peer uses. The kernel signs the segments that count here."""

import socket
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import tcp_md5
from herald.bgp.diagnosis import PeerSyn
from herald.bgp.parameters import Password

TCP_MD5SIG = 14
HERE, THERE = ip_address("127.0.0.1"), ip_address("127.0.0.2")


def signed_syn(family: int, source: str, peer: str, key: bytes) -> bytes:
    """A SYN that the kernel has signed, as the loopback carries it."""
    version = socket.htons(0x0800 if family == socket.AF_INET else 0x86DD)
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, version)
    with sniffer, socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as dialling:
        sniffer.settimeout(5)
        before = 0 if family == socket.AF_INET else 4  # the flow
        place = struct.pack(f"=HH{before}x", family, 0) + ip_address(peer).packed
        dialling.setsockopt(6, TCP_MD5SIG, place.ljust(128, b"\0") + struct.pack("=BBHi80s", 0, 0, len(key), 0, key))
        dialling.bind((source, 0))
        port = dialling.getsockname()[1]
        dialling.connect_ex((peer, 1790))
        while True:
            packet = sniffer.recv(2048)
            segment = packet[(packet[0] & 15) * 4 :] if packet[0] >> 4 == 4 else packet[40:]
            if segment[:2] == port.to_bytes(2) and segment[13] == 2:
                return segment


PLACES = [
    pytest.param(socket.AF_INET, "127.0.0.1", "127.0.0.2", id="ipv4"),
    pytest.param(socket.AF_INET6, "::1", "::1", id="ipv6"),
]


@pytest.mark.netns
@pytest.mark.parametrize(("family", "source", "peer"), PLACES)
def test_what_the_kernel_signs_is_judged(family, source, peer):
    segment = signed_syn(family, source, peer, b"secret123")
    ends = ip_address(source), ip_address(peer)
    assert tcp_md5.judge(segment, *ends, Password("secret123")) is PeerSyn.SIGNED_ALIKE
    assert tcp_md5.judge(segment, *ends, Password("secret124")) is PeerSyn.SIGNED_OTHERWISE
    assert tcp_md5.judge(segment, *ends, None) is PeerSyn.SIGNED


def segment_with(options: bytes) -> bytes:
    header = struct.pack("!HHIIBBHHH", 40000, 179, 1, 0, (20 + len(options)) // 4 << 4, 2, 64240, 0, 0)
    return header + options


OPTIONS = {
    "none": b"",
    "others": b"\x02\x04\x05\xb4\x01\x03\x03\x07",
    "after the end": b"\x00\x13\x12" + bytes(17),
    "too short": b"\x13\x04\x00\x00",
    "cut off": b"\x13\x12\x00\x00",
    "length 0": b"\x05\x00\x13\x12" + bytes(16),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_without_a_whole_signature_a_segment_is_not_signed(options):
    assert tcp_md5.judge(segment_with(options), HERE, THERE, Password("x")) is PeerSyn.UNSIGNED


def test_a_signature_of_tcp_ao_is_told_from_none():
    segment = segment_with(b"\x01\x01\x1d\x10\x01\x02" + bytes(12) + b"\x01\x01")
    assert tcp_md5.judge(segment, HERE, THERE, Password("x")) is PeerSyn.SIGNED_BY_AO
    assert tcp_md5.judge(segment, HERE, THERE, None) is PeerSyn.SIGNED_BY_AO


@given(st.binary(max_size=128))
def test_fuzz_any_octets_are_judged(octets):
    assert tcp_md5.judge(octets.ljust(20, b"\0"), HERE, THERE, Password("x")) in PeerSyn
