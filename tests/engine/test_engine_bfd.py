"""Which peers are watched over, on which paths; and the octets of echoes and of questions about neighbours."""

import contextlib
import errno
import socket
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

from herald.bfd.path import Hops, Path
from herald.bfd.profile import DEFAULT
from herald.bgp.parameters import PeerParameters
from herald.engine import neighbor
from herald.engine.bfd import path_to
from herald.engine.bfd_echo_link import echo_packet

PEER, LINK_LOCAL, OURS = ip_address("10.0.0.1"), ip_address("fe80::1"), ip_address("10.0.0.9")


def peer(address=PEER, **more) -> PeerParameters:
    return PeerParameters("r", address, **({"local_asn": 64500, "peer_asn": 64501, "bfd": DEFAULT} | more))


@pytest.mark.parametrize(
    ("parameters", "on_link", "expected"),
    [
        pytest.param(peer(), False, Path(PEER), id="external, always on its link"),
        pytest.param(peer(multihop=True), True, Path(PEER, Hops.MULTI), id="ebgpMultiHop"),
        pytest.param(peer(peer_asn=64500), True, Path(PEER), id="internal, on a link"),
        pytest.param(peer(peer_asn=64500), False, Path(PEER, Hops.MULTI), id="internal, far"),
        pytest.param(
            peer(peer_asn=None, dynamic_asn="internal"), False, Path(PEER, Hops.MULTI), id="dynamic internal, far"
        ),
        pytest.param(peer(source_address=OURS), True, Path(PEER, local=OURS), id="source address"),
        pytest.param(peer(vrf="red"), True, Path(PEER, vrf="red"), id="VRF"),
        pytest.param(
            peer(LINK_LOCAL, interface="eth0", peer_asn=64500),
            False,
            Path(LINK_LOCAL, interface="eth0"),
            id="unnumbered",
        ),
        pytest.param(peer(None, interface="eth0"), True, None, id="unnumbered, nobody found yet"),
    ],
)
def test_the_path_follows_from_the_peer(parameters: PeerParameters, on_link: bool, expected: Path | None) -> None:
    assert path_to(parameters, lambda _: on_link) == expected


def test_an_echo_goes_from_ourselves_to_ourselves() -> None:
    read = IP(echo_packet(OURS, b"0123456789abcdef"))
    assert (read.src, read.dst, read.ttl, read[UDP].dport) == ("10.0.0.9", "10.0.0.9", 255, 3785)
    assert bytes(read[UDP].payload) == b"0123456789abcdef"
    sums = read.chksum, read[UDP].chksum
    del read.chksum, read[UDP].chksum
    again = IP(bytes(read))
    assert (again.chksum, again[UDP].chksum) == sums


def test_an_ipv6_echo_too() -> None:
    own = ip_address("2001:db8::9")
    read = IPv6(echo_packet(own, b"0123456789abcdef"))
    assert (read.src, read.dst, read.hlim, read.plen) == (str(own), str(own), 255, 24)
    checksum = read[UDP].chksum
    del read[UDP].chksum
    assert IPv6(bytes(read))[UDP].chksum == checksum


def answered(kind: int, *attributes: tuple[int, bytes]) -> bytes:
    body = struct.pack("=B3xiHBB", socket.AF_INET, 2, 0, 0, 0)
    for number, value in attributes:
        body += struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def test_the_address_of_a_neighbour_is_read_from_the_answer() -> None:
    assert neighbor.answer(answered(28, (1, PEER.packed), (2, b"\x02\0\0\0\0\x01"))) == b"\x02\0\0\0\0\x01"


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (answered(28, (1, PEER.packed)), errno.ENOENT),
        (struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -errno.ENOENT), errno.ENOENT),
        (answered(28, (1, PEER.packed))[:22], errno.ENOENT),
        (b"", errno.EPROTO),
        (struct.pack("=IHHII", 40, 28, 0, 1, 0) + bytes(12) + struct.pack("=HH", 0, 2), errno.ENOENT),
    ],
    ids=["no address", "unknown", "cut off", "nothing", "an attribute without length"],
)
def test_a_neighbour_that_is_not_known_is_an_error(data: bytes, number: int) -> None:
    with pytest.raises(OSError) as caught:
        neighbor.answer(data)
    assert caught.value.errno == number


WHOLE_ANSWER = answered(28, (1, PEER.packed), (2, b"\x02\0\0\0\0\x01"))


@given(
    st.binary(max_size=80),
    st.lists(st.tuples(st.integers(0, len(WHOLE_ANSWER) - 1), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_fuzz_any_answer_about_a_neighbour_is_octets_or_an_os_error(
    noise: bytes, changes: list[tuple[int, int]]
) -> None:
    octets = bytearray(WHOLE_ANSWER)
    for place, octet in changes:
        octets[place] = octet
    for data in (noise, bytes(octets)):
        with contextlib.suppress(OSError):
            assert neighbor.answer(data)


def test_the_question_names_interface_and_address() -> None:
    asked = neighbor.question(7, PEER)
    assert struct.unpack_from("=IHHII", asked)[:3] == (36, 30, 1)
    assert struct.unpack_from("=B3xi", asked, 16) == (socket.AF_INET, 7)
    assert asked[-8:] == struct.pack("=HH", 8, 1) + PEER.packed
