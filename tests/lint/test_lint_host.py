"""What `herald doctor` says of a host, fact by fact."""

import re
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from herald.config.problem import Severity
from herald.lint.host import CHECKS, HostFacts, Nic, Port, findings

ETH0 = Nic("eth0", has_default_route=True)
HEALTHY = HostFacts((ETH0,))
VIP = IPv4Address("192.0.2.100")


def with_nic(**changed: object) -> HostFacts:
    return HostFacts((replace(ETH0, **changed),))  # type: ignore[arg-type]  # the table below is the check


TWO = (ETH0, Nic("eth1"))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(HEALTHY, [], id="healthy"),
        pytest.param(HostFacts(), [("interfaces", "this host", "error")], id="no interface"),
        pytest.param(
            replace(HEALTHY, missing_right="no packet socket"), [("capabilities", "this process", "error")], id="rights"
        ),
        pytest.param(replace(HEALTHY, ipvs=True), [("strictARP", "kube-proxy", "error")], id="IPVS without strictARP"),
        pytest.param(replace(with_nic(arp_ignore=1), ipvs=True), [], id="IPVS with strictARP"),
        pytest.param(with_nic(proxy_arp=True), [("proxy_arp", "eth0", "error")], id="proxy_arp"),
        pytest.param(with_nic(rp_filter=1), [], id="strict on the way out"),
        pytest.param(HostFacts((Nic("eth0", rp_filter=1),)), [], id="strict without any way out"),
        pytest.param(HostFacts(TWO), [("return path", "eth1", "warning")], id="default route elsewhere"),
        pytest.param(
            HostFacts((ETH0, Nic("eth1", rp_filter=1))),
            [("rp_filter", "eth1", "error")],
            id="strict beside it",
        ),
        pytest.param(
            HostFacts((ETH0, Nic("eth1", rp_filter=2))), [("return path", "eth1", "warning")], id="loose beside it"
        ),
        pytest.param(
            replace(HEALTHY, own_addresses={"lo": (VIP,)}),
            [("arp_ignore", "lo", "warning"), ("arp_announce", "lo", "warning")],
            id="an address on lo",
        ),
        pytest.param(
            replace(with_nic(arp_ignore=1, arp_announce=2), own_addresses={"lo": (VIP,)}),
            [],
            id="on lo, rightly",
        ),
        pytest.param(with_nic(is_wireless=True), [("Wi-Fi", "eth0", "warning")], id="Wi-Fi"),
        pytest.param(
            replace(HEALTHY, processes=frozenset({"keepalived", "metallb-speaker", "bash"})),
            [("other announcers", "keepalived", "warning"), ("other announcers", "metallb-speaker", "warning")],
            id="other announcers",
        ),
        pytest.param(
            replace(HEALTHY, ports=(Port("tcp", 179, "bgpd"), Port("udp", 3784, None), Port("udp", 7946, "speaker"))),
            [("ports", "udp 7946", "error"), ("ports", "tcp 179", "warning"), ("ports", "udp 3784", "warning")],
            id="ports",
        ),
        pytest.param(replace(HEALTHY, ports=(Port("udp", 7946, "herald"),)), [], id="our own speaker"),
    ],
)
def test_each_fact_gives_its_findings_errors_first(facts: HostFacts, expected: list[tuple[str, str, str]]) -> None:
    assert [(one.check, one.subject, one.severity.value) for one in findings(facts)] == expected


def test_every_finding_has_a_fix_and_says_what_is_wrong() -> None:
    bad = Nic("eth1", proxy_arp=True, rp_filter=1, is_wireless=True)
    ports = (Port("tcp", 179), Port("udp", 3784), Port("tcp", 7946))
    facts = HostFacts((ETH0, bad), True, {}, ports, frozenset({"kube-vip"}), "no right")
    found = findings(facts)
    assert {one.severity for one in found} == {Severity.ERROR, Severity.WARNING}
    assert all(len(one.problem) > 5 and len(one.fix) > 10 for one in found)
    beside = {"interfaces", "return path", "arp_ignore", "arp_announce"}  # each where another one is not
    assert {one.check for one in found} == CHECKS.keys() - beside


def test_whoever_has_the_port_of_bfd_is_told_of_both_that_need_it() -> None:
    (found,) = findings(replace(HEALTHY, ports=(Port("udp", 3784, "bfdd"),)))
    assert [word for word in ("bfdProfile", "fastFailover") if word not in found.problem or word not in found.fix] == []


def test_there_are_as_many_checks_as_the_page_lists() -> None:
    page = (Path(__file__).parents[2] / "docs" / "layer2.md").read_text().partition("## `herald doctor`")[2]
    assert re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE) == list(CHECKS)
