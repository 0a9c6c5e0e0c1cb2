"""Who may answer ARP: the table of `herald.layer2.link`, row by row."""

from dataclasses import replace

import pytest

from herald.layer2.link import DEFAULT_EXCLUSIONS, Exclusion, Link, Verdict, judge, links
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
