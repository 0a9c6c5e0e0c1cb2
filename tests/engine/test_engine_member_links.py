"""VLANs, and members of bonds, bridges and VRFs: who answers is the device with the addresses, never its members."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_dumps import (
    LOWER_UP,
    MASTER,
    NO_ARP,
    PLAIN,
    RTM_DELLINK,
    RUNNING,
    SLAVE,
    UP,
    WORKING,
    Device,
    dump,
    link,
)

from herald.engine.rtnetlink import AddressMessage, InterfaceTable, LinkMessage, NetlinkError, decode
from herald.engine.usable import usable
from herald.layer2.link import Exclusion, Verdict, judge, judge_ndp, links, ndp_links
from herald.layer2.snapshot import JudgedInterface
from herald.net.interface import Interface

LINK_LOCAL = "fe80::ff:fe00:1/64"
BOND_FLAGS, SLAVE_FLAGS = PLAIN | WORKING | MASTER, PLAIN | WORKING | SLAVE
NO_CARRIER = ~(RUNNING | LOWER_UP)

ETH0, ETH1 = Device(2, "eth0"), Device(3, "eth1", mac=b"\x02\0\0\0\0\2")
BOND0 = Device(10, "bond0", "bond", BOND_FLAGS)
ETH0_IN_BOND = replace(ETH0, flags=SLAVE_FLAGS, master=10, slave_of="bond")
ETH1_IN_BOND = replace(ETH1, flags=SLAVE_FLAGS, master=10, slave_of="bond", mac=BOND0.mac)
VLAN = Device(20, "eth0.10", "vlan", below=2)
VLAN_ON_BOND = Device(21, "bond0.10", "vlan", below=10)
BR0 = Device(30, "br0", "bridge")
VRF_RED = Device(40, "red", "vrf", UP | RUNNING | LOWER_UP | MASTER | NO_ARP)
ETH1_IN_VRF = replace(ETH1, master=40, slave_of="vrf")

# id: (devices, addresses, who answers ARP, who answers NDP, verdict of the others)
HOSTS: dict[str, tuple[list[Device], list[tuple[int, str]], set[str], set[str], dict[str, Verdict]]] = {
    "a bond": (
        [ETH0_IN_BOND, ETH1_IN_BOND, BOND0],
        [(10, "192.0.2.1/24"), (10, LINK_LOCAL)],
        {"bond0"},
        {"bond0"},
        {"eth0": Verdict.HAS_MASTER, "eth1": Verdict.HAS_MASTER},
    ),
    "a bond of which one member has no carrier": (
        [replace(ETH0_IN_BOND, flags=SLAVE_FLAGS & NO_CARRIER), ETH1_IN_BOND, BOND0],
        [(10, LINK_LOCAL)],
        {"bond0"},
        {"bond0"},
        {"eth0": Verdict.HAS_MASTER, "eth1": Verdict.HAS_MASTER},
    ),
    "a VLAN beside the untagged link": (
        [ETH0, VLAN],
        [(2, "192.0.2.1/24"), (20, "198.51.100.1/24"), (20, LINK_LOCAL)],
        {"eth0", "eth0.10"},
        {"eth0.10"},
        {},
    ),
    "a VLAN on a bond": (
        [ETH0_IN_BOND, ETH1_IN_BOND, BOND0, VLAN_ON_BOND],
        [(21, "192.0.2.1/24"), (21, LINK_LOCAL)],
        {"bond0", "bond0.10"},
        {"bond0.10"},
        {"eth0": Verdict.HAS_MASTER},
    ),
    "a VLAN in a bridge": (
        [ETH0, replace(VLAN, master=30, slave_of="bridge"), BR0],
        [(30, "192.0.2.1/24"), (30, LINK_LOCAL)],
        {"eth0", "br0"},
        {"br0"},
        {"eth0.10": Verdict.HAS_MASTER},
    ),
    "a bond in a bridge": (
        [ETH0_IN_BOND, ETH1_IN_BOND, replace(BOND0, master=30, slave_of="bridge"), BR0],
        [(30, "192.0.2.1/24"), (30, LINK_LOCAL)],
        {"br0"},
        {"br0"},
        {"eth0": Verdict.HAS_MASTER, "bond0": Verdict.HAS_MASTER},
    ),
    "a VRF, which speaks no ARP": (
        [ETH0, ETH1_IN_VRF, VRF_RED],
        [(2, "192.0.2.1/24"), (2, LINK_LOCAL), (3, "198.51.100.1/24")],
        {"eth0"},
        {"eth0"},
        {"eth1": Verdict.HAS_MASTER, "red": Verdict.NO_ARP},
    ),
}


def taken(*datagrams: bytes) -> dict[str, Interface]:
    table = InterfaceTable()
    for datagram in datagrams:
        for message in decode(datagram):
            if isinstance(message.content, LinkMessage | AddressMessage):
                table.take(message.content)
    return {one.name: one for one in table.interfaces()}


@pytest.mark.parametrize("host", HOSTS)
def test_of_a_master_and_its_members_the_master_answers(host: str) -> None:
    devices, addresses, arp, ndp, others = HOSTS[host]
    found = taken(dump(devices, addresses))
    assert set(found) == {device.name for device in devices}
    assert {one.name for one in links(found.values(), Exclusion())} == arp
    assert {one.name for one in ndp_links(found.values(), Exclusion())} == ndp
    for name, verdict in others.items():
        assert (judge(found[name], Exclusion()), judge_ndp(found[name], Exclusion())) == (verdict, verdict)


def counted(found: dict[str, Interface]) -> frozenset[str]:
    """Those that count in an election if a socket stands on all that are eligible."""
    exclusion = Exclusion()
    reading = {one.name for one in links(found.values(), exclusion)}
    judged = (
        JudgedInterface(one, judge(one, exclusion), one.name in reading, judge_ndp(one, exclusion), False)
        for one in found.values()
    )
    return frozenset(name for name, _ in usable(judged))


def test_an_election_counts_the_bond_as_long_as_one_member_carries_it() -> None:
    both = dump([ETH0_IN_BOND, ETH1_IN_BOND, BOND0])
    one_lost = link(replace(ETH0_IN_BOND, flags=SLAVE_FLAGS & NO_CARRIER))
    all_lost = link(replace(ETH1_IN_BOND, flags=SLAVE_FLAGS & NO_CARRIER)) + link(
        replace(BOND0, flags=BOND_FLAGS & NO_CARRIER)
    )
    assert counted(taken(both)) == {"bond0"}
    assert counted(taken(both, one_lost)) == {"bond0"}
    assert counted(taken(both, one_lost, all_lost)) == frozenset()


@pytest.mark.parametrize(
    ("master", "member"),
    [(BOND0, ETH1_IN_BOND), (BR0, replace(ETH1, master=30, slave_of="bridge")), (VRF_RED, ETH1_IN_VRF)],
    ids=["bond", "bridge", "VRF"],
)
def test_a_link_that_joins_a_master_answers_no_more_and_answers_again_when_it_leaves(
    master: Device, member: Device
) -> None:
    alone, joins, leaves = dump([ETH1, master]), link(member), link(ETH1)
    assert judge(taken(alone)["eth1"], Exclusion()) is Verdict.ELIGIBLE
    assert judge(taken(alone, joins)["eth1"], Exclusion()) is Verdict.HAS_MASTER
    assert judge(taken(alone, joins, leaves)["eth1"], Exclusion()) is Verdict.ELIGIBLE


def test_a_master_that_goes_frees_its_members() -> None:
    gone = link(replace(ETH0_IN_BOND, master=0, slave_of="")) + link(BOND0, RTM_DELLINK)
    found = taken(dump([ETH0_IN_BOND, BOND0]), gone)
    assert set(found) == {"eth0"}
    assert counted(found) == {"eth0"}


def test_the_other_names_of_a_link_are_not_taken_for_its_name() -> None:
    assert set(taken(dump([VLAN]))) == {"eth0.10"}


@given(
    st.sampled_from(sorted(HOSTS)),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_fuzz_a_damaged_dump_is_interfaces_or_a_netlink_error(host: str, changes: list[tuple[int, int]]) -> None:
    devices, addresses, *_ = HOSTS[host]
    octets = bytearray(dump(devices, addresses))
    for place, octet in changes:
        octets[place % len(octets)] = octet
    try:
        found = taken(bytes(octets))
    except NetlinkError:
        return
    for one in found.values():
        assert judge(one, Exclusion()) in Verdict
