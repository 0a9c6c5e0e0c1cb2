"""Who is a member of which group: counted per link, joined anew where a link appears."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.layer2 import solicited_node
from herald.layer2.event import Event, HoldingsChanged, JoinGroup, LeaveGroup, LinksChanged, Succeeded
from herald.layer2.group_member import GroupMember
from herald.layer2.holding import Holding
from herald.layer2.link import NdpLink
from herald.net.interface import Mac

ETH0 = NdpLink(2, "eth0", Mac(bytes(6)))
ETH1 = NdpLink(3, "eth1", Mac(bytes(6)))
VIP = IPv6Address("2001:db8::200")
TWIN = IPv6Address("2001:db8:1::200")
GROUP = IPv6Address("ff02::1:ff00:200")


def links(*present: NdpLink) -> LinksChanged:
    return LinksChanged((), frozenset(), present)


START: list[Event] = [links(ETH0, ETH1), HoldingsChanged((Holding(VIP, frozenset({"eth0"})),))]


@pytest.mark.parametrize(
    ("event", "effects"),
    [
        pytest.param(HoldingsChanged((Holding(VIP, frozenset({"eth0"})),)), [], id="the same wish"),
        pytest.param(links(ETH0, ETH1), [], id="the same links"),
        pytest.param(links(ETH0), [], id="a link without members goes"),
        pytest.param(HoldingsChanged((Holding(VIP),)), [JoinGroup(3, GROUP)], id="one link more"),
        pytest.param(
            HoldingsChanged((Holding(VIP, frozenset({"eth1"})),)),
            [LeaveGroup(2, GROUP), JoinGroup(3, GROUP)],
            id="another link",
        ),
        pytest.param(HoldingsChanged(released=(VIP,)), [LeaveGroup(2, GROUP)], id="released"),
        pytest.param(HoldingsChanged(handed_over=(VIP,)), [], id="handed over: still answered for"),
        pytest.param(Succeeded(VIP, None, None), [LeaveGroup(2, GROUP)], id="another node has it"),
        pytest.param(HoldingsChanged((Holding(TWIN, frozenset({"eth0"})),)), [], id="another address of the group"),
        pytest.param(HoldingsChanged((Holding(TWIN),)), [JoinGroup(3, GROUP)], id="one of the group, on another link"),
        pytest.param(HoldingsChanged((Holding(IPv4Address("10.0.0.1")),)), [], id="an IPv4 address"),
        pytest.param(
            links(NdpLink(2, "eth9", ETH0.mac), ETH1), [LeaveGroup(2, GROUP)], id="a new name, not that of the holding"
        ),
        pytest.param(
            links(NdpLink(2, "eth0", Mac(b"\2" * 6), VIP), ETH1), [], id="a new MAC or source matters to nobody"
        ),
    ],
)
def test_what_changes_is_joined_and_left_and_nothing_else(event: Event, effects: list[object]) -> None:
    member = GroupMember()
    for before in START:
        member.handle(before, 0.0)
    assert member.handle(event, 1.0) == effects


def test_a_shared_group_is_left_with_the_last_address_in_it() -> None:
    member = GroupMember()
    member.handle(links(ETH0), 0.0)
    assert member.handle(HoldingsChanged((Holding(VIP), Holding(TWIN))), 0.0) == [JoinGroup(2, GROUP)]
    assert member.handle(HoldingsChanged(released=(VIP,)), 0.0) == []
    assert member.handle(HoldingsChanged(released=(TWIN,)), 0.0) == [LeaveGroup(2, GROUP)]


def test_a_link_that_comes_back_joins_everything_anew() -> None:
    member = GroupMember()
    for event in START:
        member.handle(event, 0.0)
    assert member.handle(links(ETH1), 1.0) == []
    assert member.handle(links(ETH0, ETH1), 2.0) == [JoinGroup(2, GROUP)]


addresses = st.sampled_from([VIP, TWIN, IPv6Address("2001:db8::201"), IPv4Address("10.0.0.1")])
holdings = st.builds(Holding, addresses, st.sampled_from([None, frozenset({"eth0"}), frozenset({"eth1"})]))
events = st.one_of(
    st.builds(HoldingsChanged, st.lists(holdings, max_size=4).map(tuple), st.lists(addresses, max_size=3).map(tuple)),
    st.sampled_from([links(), links(ETH0), links(ETH1), links(ETH0, ETH1)]),
)


@given(st.lists(events, max_size=15))
def test_the_memberships_are_always_a_function_of_holdings_and_links(script: list[Event]) -> None:
    member, held, present = GroupMember(), {}, ()
    joined: set[tuple[int, IPv6Address]] = set()
    for event in script:
        effects = member.handle(event, 0.0)
        if isinstance(event, LinksChanged):
            present = event.ndp_links
            joined = {one for one in joined if one[0] in {link.index for link in present}}
        elif isinstance(event, HoldingsChanged):
            for address in event.released:
                held.pop(address, None)
            held.update((holding.address, holding) for holding in event.held)
        for effect in effects:
            assert isinstance(effect, JoinGroup | LeaveGroup)
            assert ((effect.index, effect.group) in joined) is isinstance(effect, LeaveGroup)
            joined ^= {(effect.index, effect.group)}
        assert joined == {
            (link.index, solicited_node.group(address))
            for link in present
            for address, holding in held.items()
            if isinstance(address, IPv6Address) and holding.covers(link.name)
        }
        assert member.snapshot() == {
            link.index: frozenset(group for index, group in joined if index == link.index) for link in present
        }
