"""What a plain host is told about addresses that it begins to announce."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from herald.announcement.reason import Protocol
from herald.speaker.acceptance import hint, is_local, kernel_answers_arp


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("192.0.2.77", False), ("2001:db8::77", False)],
)
def test_whether_an_address_is_local_is_what_the_kernel_would_do(address: str, local: bool) -> None:
    assert is_local(ip_address(address)) is local


@pytest.mark.parametrize(
    ("values", "answers"),
    [
        pytest.param({"all": 0, "default": 0, "lo": 0, "eth0": 0}, True, id="as the kernel comes"),
        pytest.param({"all": 1, "default": 0, "lo": 0, "eth0": 0}, False, id="all"),
        pytest.param({"all": 0, "default": 0, "lo": 0, "eth0": 1, "eth1": 2}, False, id="each interface by itself"),
        pytest.param({"all": 0, "default": 1, "lo": 1, "eth0": 1, "eth1": 0}, True, id="one was forgotten"),
        pytest.param({}, False, id="the kernel does not tell"),
    ],
)
def test_the_kernel_answers_arp_for_addresses_of_other_interfaces_unless_all_are_set(
    tmp_path: Path, values: dict[str, int], answers: bool
) -> None:
    for name, value in values.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "arp_ignore").write_text(f"{value}\n")
    assert kernel_answers_arp(tmp_path) is answers


@pytest.mark.parametrize("protocol", list(Protocol))
def test_an_address_that_is_not_local_comes_with_the_commands_that_make_it_so(protocol: Protocol) -> None:
    words = hint(ip_address("192.0.2.77"), protocol)
    assert words is not None
    assert "`ip address add 192.0.2.77/32 dev lo`" in words
    assert "arp_ignore=1" in words
    words = hint(ip_address("2001:db8::77"), protocol)
    assert words is not None
    assert "`ip address add 2001:db8::77/128 dev lo`" in words
    assert "arp_ignore" not in words


def test_a_local_address_announced_by_bgp_only_needs_nothing_more() -> None:
    assert hint(ip_address("127.0.0.1"), Protocol.BGP) is None
