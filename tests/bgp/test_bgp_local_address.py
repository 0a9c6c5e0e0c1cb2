import struct
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import local_address
from herald.bgp.local_address import HostAddress, LocalAddresses, choose, router_id

TEMPORARY, DEPRECATED, TENTATIVE, LINK = 0x01, 0x20, 0x40, 253


def host(text, index=2, scope=0, flags=0, subnet=None):
    return HostAddress(ip_address(text), index, scope, flags, subnet)


HOST = [
    host("127.0.0.1", 1, 254),
    host("10.0.0.2"),
    host("10.0.0.3"),
    host("fe80::1", scope=LINK),
    host("2001:db8::dead", flags=DEPRECATED),
    host("2001:db8::beef", flags=TENTATIVE),
    host("2001:db8::99", flags=TEMPORARY),
    host("2001:db8::2"),
    host("10.9.0.1", 3),
    host("2001:db8:9::1", 4),
]


@pytest.mark.parametrize(
    ("local", "ipv4", "ipv6"),
    [
        ("10.0.0.2", "10.0.0.2", "2001:db8::2"),
        ("10.0.0.3", "10.0.0.3", "2001:db8::2"),
        ("2001:db8::99", "10.0.0.2", "2001:db8::99"),
        ("fe80::1", "10.0.0.2", "2001:db8::2"),
        ("10.9.0.1", "10.9.0.1", None),
        ("2001:db8:9::1", None, "2001:db8:9::1"),
        ("192.0.2.1", "192.0.2.1", None),
    ],
    ids=["first", "secondary", "ipv6", "link-local", "no-ipv6", "no-ipv4", "unknown"],
)
def test_the_other_family_comes_from_the_same_interface(local, ipv4, ipv6):
    found = choose(ip_address(local), HOST)
    assert (str(found.ipv4) if found.ipv4 else None, str(found.ipv6) if found.ipv6 else None) == (ipv4, ipv6)


@pytest.mark.parametrize(
    ("configured", "local", "expected"),
    [
        ("1.1.1.1", "10.0.0.2", "1.1.1.1"),
        (None, "10.0.0.2", "10.0.0.2"),
        (None, None, "160.112.56.60"),
    ],
    ids=["configured", "of-the-interface", "of-the-name"],
)
def test_the_router_id_is_found(configured, local, expected):
    addresses = LocalAddresses(IPv4Address(local) if local else None, IPv6Address("2001:db8::2"))
    found = router_id(IPv4Address(configured) if configured else None, addresses, "worker-1")
    assert str(found) == expected


def netlink(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value.ljust(len(value) + 3 & ~3, b"\0")


def test_the_kernels_answer_is_read():
    four = (
        struct.pack("=BBBBI", 2, 24, 0x80, 0, 2)
        + attribute(1, bytes((10, 0, 0, 9)))
        + attribute(2, bytes((10, 0, 0, 2)))
    )
    six = struct.pack("=BBBBI", 10, 64, 0, 0, 3) + attribute(1, ip_address("2001:db8::1").packed)
    six += attribute(3, b"eth0\0") + attribute(8, struct.pack("=I", 0x120))
    told = local_address.Listing()
    told.take(netlink(20, four) + netlink(20, six))
    assert not told.complete
    told.take(netlink(3, b"\0\0\0\0"))
    assert told.complete
    assert told.beside(ip_address("10.0.0.2")) == [host("10.0.0.2", 2, flags=0x80, subnet=ip_network("10.0.0.0/24"))]
    assert told.beside(ip_address("2001:db8::1")) == [
        host("2001:db8::1", 3, flags=0x120, subnet=ip_network("2001:db8::/64"))
    ]
    assert told.beside(ip_address("10.0.0.9")) == [], "the other end of a point-to-point link is not ours"


def address(packed: str, index: int, length: int) -> bytes:
    octets = ip_address(packed).packed
    return netlink(20, struct.pack("=BBBBI", 2 if len(octets) == 4 else 10, length, 0, 0, index) + attribute(1, octets))


def link(index: int, master: int | None) -> bytes:
    body = struct.pack("=BxHiII", 0, 1, index, 0, 0) + attribute(3, b"eth\0")
    return netlink(16, body + (attribute(10, struct.pack("=I", master)) if master is not None else b""))


@pytest.mark.parametrize(
    ("among", "beside"),
    [(None, ["fe80::1", "10.0.0.1"]), ({4}, ["fe80::1", "10.0.4.1"]), (frozenset(), [])],
    ids=["anywhere", "there", "nowhere"],
)
def test_one_address_on_two_interfaces_is_looked_for_where_it_is_meant(among, beside):
    told = local_address.Listing()
    told.take(b"".join(address(text, 3, 24) for text in ("fe80::1", "10.0.0.1")))
    told.take(b"".join(address(text, 4, 24) for text in ("fe80::1", "10.0.4.1")))
    assert [str(one.address) for one in told.beside(ip_address("fe80::1"), among)] == beside


def test_the_links_of_a_vrf_are_those_that_have_it_as_master():
    told = local_address.Listing()
    told.take(link(2, None) + link(3, 9) + link(4, 8) + link(5, 9))
    assert told.members(9) == {3, 5}


@pytest.mark.parametrize(
    ("peer", "expected"),
    [("10.0.0.77", True), ("10.0.1.1", False), ("2001:db8::77", True), ("2001:db8:1::1", False), ("fe80::77", True)],
)
def test_a_peer_is_on_the_link_if_a_subnet_of_the_interface_has_it(peer, expected):
    subnets = (ip_network("10.0.0.0/24"), ip_network("2001:db8::/64"))
    assert LocalAddresses(None, None, None, subnets).on_link(ip_address(peer)) is expected


def test_what_is_beside_is_link_local_too_and_the_subnets_are_named():
    with_subnets = [
        host("10.0.0.2", subnet=ip_network("10.0.0.0/24")),
        host("fe80::bad", scope=LINK, flags=TENTATIVE),
        host("fe80::1", scope=LINK, subnet=ip_network("fe80::/64")),
        host("10.9.0.1", 3, subnet=ip_network("10.9.0.0/24")),
    ]
    found = choose(ip_address("10.0.0.2"), with_subnets)
    assert found.link_local == IPv6Address("fe80::1")
    assert found.subnets == (ip_network("10.0.0.0/24"), ip_network("fe80::/64"))


def test_a_refusal_of_the_kernel_is_an_error():
    with pytest.raises(PermissionError):
        local_address.Listing().take(netlink(2, struct.pack("=i", -1)))


WHOLE = address("10.0.0.2", 2, 24) + address("2001:db8::1", 2, 64) + link(2, 7) + netlink(3, b"\0\0\0\0")


@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=5))
def test_fuzz_any_answer_is_addresses_or_an_os_error(noise, changes):
    octets = bytearray(WHOLE)
    for place, octet in changes:
        octets[place] = octet
    for data in (noise, bytes(octets), bytes(octets)[: len(noise)]):
        told = local_address.Listing()
        try:
            told.take(data)
            for end in ("10.0.0.2", "2001:db8::1"):
                local_address.choose(ip_address(end), told.beside(ip_address(end)))
            told.members(7)
        except OSError:
            pass
