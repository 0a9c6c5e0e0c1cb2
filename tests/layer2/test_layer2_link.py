"""Who may answer ARP and NDP: the table of `herald.layer2.link`, row by row."""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface

import pytest

from herald.layer2.link import DEFAULT_EXCLUSIONS, Exclusion, Link, NdpLink, Verdict, judge, judge_ndp, links, ndp_links
from herald.net.interface import Interface, LinkFlag, Mac

MAC = Mac(bytes.fromhex("020000000001"))
ETH0 = Interface(2, "eth0", LinkFlag.UP | LinkFlag.BROADCAST | LinkFlag.RUNNING | LinkFlag.LOWER_UP, MAC)


@pytest.mark.parametrize(
    ("interface", "verdict"),
    [
        pytest.param(ETH0, Verdict.ELIGIBLE, id="an ordinary card"),
        pytest.param(replace(ETH0, flags=LinkFlag.UP | LinkFlag.BROADCAST), Verdict.ELIGIBLE, id="no carrier"),
        pytest.param(replace(ETH0, name="docker0"), Verdict.EXCLUDED, id="excluded by name"),
        pytest.param(replace(ETH0, name="cali1", flags=LinkFlag(0)), Verdict.EXCLUDED, id="the name comes first"),
        pytest.param(replace(ETH0, flags=LinkFlag.BROADCAST), Verdict.DOWN, id="down"),
        pytest.param(replace(ETH0, master=9), Verdict.HAS_MASTER, id="port of a bridge"),
        pytest.param(replace(ETH0, flags=ETH0.flags | LinkFlag.NO_ARP), Verdict.NO_ARP, id="NOARP"),
        pytest.param(replace(ETH0, flags=LinkFlag.UP), Verdict.NO_BROADCAST, id="point to point"),
        pytest.param(replace(ETH0, mac=None), Verdict.NO_MAC, id="no Ethernet address"),
        pytest.param(replace(ETH0, master=9, flags=LinkFlag(0)), Verdict.DOWN, id="down comes before master"),
    ],
)
def test_the_first_row_of_the_table_that_applies_decides(interface: Interface, verdict: Verdict) -> None:
    assert judge(interface, Exclusion()) is verdict


def test_only_eligible_interfaces_become_links() -> None:
    assert links([ETH0, replace(ETH0, index=3, name="lo"), replace(ETH0, index=4, mac=None)], Exclusion()) == (
        Link(2, "eth0", MAC),
    )


@pytest.mark.parametrize(
    ("patterns", "name", "excluded"),
    [
        pytest.param(DEFAULT_EXCLUSIONS, "veth12ab", True, id="default list"),
        pytest.param(DEFAULT_EXCLUSIONS, "lo", True, id="lo itself"),
        pytest.param(DEFAULT_EXCLUSIONS, "lo1", False, id="lo is anchored at both ends"),
        pytest.param(["th"], "eth0", True, id="a pattern is searched anywhere"),
        pytest.param(["^a|b$", "^x"], "sab", True, id="each pattern stands in its own group"),
        pytest.param([], "docker0", False, id="no patterns"),
    ],
)
def test_exclusion_searches_each_pattern_in_the_name(patterns: list[str], name: str, excluded: bool) -> None:
    assert Exclusion(patterns).matches(name) is excluded


def test_a_pattern_that_is_no_regular_expression_is_named() -> None:
    with pytest.raises(ValueError, match=r'announcedInterfacesToExclude: "\^eth\(" is not a regular expression'):
        Exclusion(["^ok", "^eth("])


LINK_LOCAL, SECOND = IPv6Interface("fe80::1/64"), IPv6Interface("fe80::2/64")
GLOBAL, FOUR = IPv6Interface("2001:db8::1/64"), IPv4Interface("192.168.1.1/24")
SIX = replace(ETH0, addresses=(FOUR, GLOBAL, LINK_LOCAL))


@pytest.mark.parametrize(
    ("interface", "verdict"),
    [
        pytest.param(SIX, Verdict.ELIGIBLE_NDP, id="an ordinary card"),
        pytest.param(replace(SIX, addresses=(LINK_LOCAL,)), Verdict.ELIGIBLE_NDP, id="a link-local address alone"),
        pytest.param(replace(SIX, addresses=(GLOBAL,)), Verdict.ELIGIBLE_NDP, id="no link-local address, but IPv6"),
        pytest.param(replace(SIX, addresses=(FOUR,)), Verdict.NO_IPV6, id="IPv4 only"),
        pytest.param(ETH0, Verdict.NO_IPV6, id="no address"),
        pytest.param(replace(SIX, flags=LinkFlag.UP), Verdict.ELIGIBLE_NDP, id="no broadcast matters to ARP only"),
        pytest.param(replace(SIX, name="cali1"), Verdict.EXCLUDED, id="excluded by name"),
        pytest.param(replace(SIX, flags=LinkFlag.BROADCAST), Verdict.DOWN, id="down"),
        pytest.param(replace(SIX, master=9), Verdict.HAS_MASTER, id="port of a bridge"),
        pytest.param(replace(SIX, flags=SIX.flags | LinkFlag.NO_ARP), Verdict.NO_ARP, id="NOARP"),
        pytest.param(replace(SIX, mac=None), Verdict.NO_MAC, id="no Ethernet address"),
    ],
)
def test_ndp_asks_for_an_ipv6_address_instead_of_broadcast(interface: Interface, verdict: Verdict) -> None:
    assert judge_ndp(interface, Exclusion()) is verdict
    assert bool(ndp_links([interface], Exclusion())) is (verdict is Verdict.ELIGIBLE_NDP)


@pytest.mark.parametrize(
    ("addresses", "unready", "source"),
    [
        pytest.param((GLOBAL, LINK_LOCAL), (), LINK_LOCAL.ip, id="the link-local address"),
        pytest.param((LINK_LOCAL, SECOND), (LINK_LOCAL.ip,), SECOND.ip, id="the one that is ready"),
        pytest.param((GLOBAL, LINK_LOCAL), (LINK_LOCAL.ip,), None, id="tentative: none"),
        pytest.param((GLOBAL,), (), None, id="missing: none"),
    ],
)
def test_announcements_come_from_a_link_local_address_that_is_ready(
    addresses: tuple[IPv6Interface, ...], unready: tuple[IPv6Address, ...], source: IPv6Address | None
) -> None:
    interface = replace(ETH0, addresses=addresses, unready=frozenset(unready))
    assert ndp_links([interface], Exclusion()) == (NdpLink(2, "eth0", MAC, source),)
