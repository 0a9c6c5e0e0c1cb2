"""rtnetlink: recorded dumps and events of a real kernel, and octets that no kernel would send."""

import os
import struct
from ipaddress import ip_interface
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.engine.rtnetlink import (
    RTM_GETADDR,
    RTM_GETLINK,
    AddressMessage,
    Change,
    DumpEnd,
    InterfaceTable,
    LinkMessage,
    NetlinkError,
    decode,
    request,
)
from herald.net.interface import Interface, LinkFlag, mac_text

WIRES = Path(__file__).parent / "wires"


def recorded(name: str) -> list[bytes]:
    lines = (WIRES / f"{name}.hex").read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def table_of(*names: str) -> dict[str, Interface]:
    table = InterfaceTable()
    for name in names:
        for datagram in recorded(name):
            for message in decode(datagram):
                if isinstance(message.content, LinkMessage | AddressMessage):
                    table.take(message.content)
    return {interface.name: interface for interface in table.interfaces()}


def test_a_dump_adds_up_to_the_interfaces_there_were() -> None:
    found = table_of("dump")
    assert set(found) == {"lo", "eth0", "eth1", "br0"}
    eth0, eth1, br0 = found["eth0"], found["eth1"], found["br0"]
    assert (mac_text(eth0.mac or b""), eth0.master, eth0.up, eth0.carrier) == ("02:00:00:00:00:01", None, True, True)
    assert {ip_interface("192.0.2.1/24"), ip_interface("2001:db8::1/64")} <= set(eth0.addresses)
    assert eth1.master == br0.index
    assert LinkFlag.NO_ARP in br0.flags
    assert not br0.up
    assert ip_interface("198.51.100.1/32") in br0.addresses, "the own address, not that of the other end"
    assert LinkFlag.LOOPBACK in found["lo"].flags


def test_events_applied_to_the_dump_give_the_interfaces_afterwards() -> None:
    found = table_of("dump", "events")
    assert set(found) == {"lo", "lan0", "eth1"}
    assert found["eth1"].master is None, "leaving a bridge is not being deleted, though the bridge calls it so"
    lan0 = found["lan0"]
    assert (lan0.index, lan0.up) == (table_of("dump")["eth0"].index, False)
    assert ip_interface("192.0.2.9/24") in lan0.addresses
    assert ip_interface("192.0.2.1/24") not in lan0.addresses


def test_each_dump_ends_with_a_message_of_the_sequence_it_was_asked_with() -> None:
    ends = [
        (m.sequence, m.content) for data in recorded("dump") for m in decode(data) if isinstance(m.content, DumpEnd)
    ]
    assert ends == [(7, DumpEnd(0)), (8, DumpEnd(0))]


def test_events_carry_the_port_of_who_changed_the_thing_so_that_the_sequence_alone_proves_nothing() -> None:
    assert any(message.sequence != 0 for data in recorded("events") for message in decode(data))


def test_an_interface_made_anew_has_no_addresses_of_the_one_before() -> None:
    table = InterfaceTable()
    eth0 = Interface(4, "eth0", LinkFlag.UP)
    table.take(LinkMessage(Change.PRESENT, eth0))
    table.take(AddressMessage(Change.PRESENT, 4, bytes((192, 0, 2, 1)), 24))
    assert table.interfaces()[0].addresses == (ip_interface("192.0.2.1/24"),)
    table.take(LinkMessage(Change.GONE, eth0))
    table.take(LinkMessage(Change.PRESENT, eth0))
    assert table.interfaces() == (eth0,)


@pytest.mark.parametrize(
    ("flags", "ready"),
    [
        pytest.param(0x80, True, id="permanent"),
        pytest.param(0xC0, False, id="tentative"),
        pytest.param(0xC8, False, id="tentative and duplicate"),
        pytest.param(0x88, False, id="duplicate"),
    ],
)
def test_an_ipv6_address_is_ready_when_nobody_else_turned_out_to_have_it(flags: int, ready: bool) -> None:
    octets = bytes.fromhex("fe80000000000000") + bytes(7) + b"\1"
    table = InterfaceTable()
    table.take(LinkMessage(Change.PRESENT, Interface(4, "eth0", LinkFlag.UP)))

    def told(some_flags: int, kind: int = 20) -> frozenset[object]:
        attribute = struct.pack("=HH", 20, 1) + octets
        (one,) = decode(message(kind, struct.pack("=BBBBI", 10, 64, some_flags, 253, 4) + attribute))
        assert isinstance(one.content, AddressMessage)
        table.take(one.content)
        return frozenset(table.interfaces()[0].unready)

    address = ip_interface("fe80::1/64").ip
    assert told(flags) == (frozenset() if ready else {address})
    assert told(0x80) == frozenset(), "the search is over"
    told(flags)
    assert told(flags, kind=21) == frozenset(), "gone"


@pytest.mark.parametrize(
    ("kind", "octets"), [pytest.param(RTM_GETLINK, 40, id="links"), pytest.param(RTM_GETADDR, 24, id="addresses")]
)
def test_a_request_says_its_own_length(kind: int, octets: int) -> None:
    data = request(kind, 5)
    assert struct.unpack_from("=IHHI", data) == (octets, kind, 0x301, 5)
    assert len(data) == octets


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"\x10\0\0", "a header has 16", id="no room for a header"),
        pytest.param(struct.pack("=IHHII", 400, 16, 0, 0, 0), "says 400 octets, 16 are there", id="longer than it is"),
        pytest.param(struct.pack("=IHHII", 3, 16, 0, 0, 0), "says 3 octets", id="shorter than its header"),
        pytest.param(message(16, b"\0" * 8), "link message of 8 octets", id="link cut short"),
        pytest.param(message(16, struct.pack("=BxHiII", 0, 0, 0, 0, 0)), "index 0", id="link without index"),
        pytest.param(
            message(16, struct.pack("=BxHiII", 0, 0, 3, 0, 0) + struct.pack("=HH", 90, 3)),
            "attribute at 0 says 90 octets",
            id="attribute longer than the message",
        ),
        pytest.param(message(20, b"\x02"), "address message of 1 octets", id="address cut short"),
        pytest.param(
            message(20, struct.pack("=BBBBI", 2, 24, 0, 0, 3) + struct.pack("=HH", 20, 2) + bytes(16)),
            "address of 16 octets",
            id="an IPv4 address of 16 octets",
        ),
        pytest.param(
            message(20, struct.pack("=BBBBI", 2, 99, 0, 0, 3) + struct.pack("=HH", 8, 2) + bytes(4)),
            "prefix length 99",
            id="an impossible prefix length",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_place(data: bytes, says: str) -> None:
    with pytest.raises(NetlinkError, match=says):
        list(decode(data))


def test_a_refused_dump_tells_the_error_of_the_kernel() -> None:
    (refused,) = decode(message(2, struct.pack("=i", -1)))
    assert isinstance(refused.content, DumpEnd)
    assert os.strerror(refused.content.errno) == "Operation not permitted"


DATAGRAMS = recorded("dump") + recorded("events")
damaged = st.tuples(
    st.sampled_from(DATAGRAMS), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=4)
)


@given(st.binary(max_size=200) | damaged)
def test_fuzz_any_octets_give_messages_or_a_netlink_error(case: bytes | tuple[bytes, list[tuple[int, int]]]) -> None:
    data = bytearray(case if isinstance(case, bytes) else case[0])
    for place, octet in () if isinstance(case, bytes) else case[1]:
        data[place % len(data)] = octet
    table = InterfaceTable()
    try:
        for one in decode(bytes(data)):
            if isinstance(one.content, LinkMessage | AddressMessage):
                table.take(one.content)
    except NetlinkError:
        pass
    table.interfaces()
