"""Families of addresses, one by one and together."""

from ipaddress import ip_address

import pytest

from herald.net.ip_family import IPFamily, IPFamilyError, family_of_all, parse_address


@pytest.mark.parametrize(
    ("texts", "family"),
    [
        (["10.0.0.1"], IPFamily.IPV4),
        (["2001:db8::1"], IPFamily.IPV6),
        (["10.0.0.1", "2001:db8::1"], IPFamily.DUAL),
        (["2001:db8::1", "10.0.0.1"], IPFamily.DUAL),
        (["::ffff:10.0.0.1"], IPFamily.IPV4),
    ],
    ids=["one v4", "one v6", "v4 and v6", "v6 and v4", "v4-mapped"],
)
def test_addresses_have_a_family(texts: list[str], family: IPFamily) -> None:
    assert family_of_all([parse_address(text) for text in texts]) is family


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([], "0 addresses (none)"),
        (["10.0.0.1", "10.0.0.2"], "two addresses of the same family: 10.0.0.1, 10.0.0.2"),
        (["10.0.0.1", "2001:db8::1", "10.0.0.2"], "3 addresses"),
    ],
    ids=["none", "two v4", "three"],
)
def test_other_sets_have_none(texts: list[str], why: str) -> None:
    with pytest.raises(IPFamilyError) as raised:
        family_of_all([ip_address(text) for text in texts])
    assert why in str(raised.value)


def test_a_dual_family_is_made_of_two_ipv4_first() -> None:
    assert IPFamily.DUAL.single == (IPFamily.IPV4, IPFamily.IPV6)
    assert IPFamily.IPV6.single == (IPFamily.IPV6,)


@pytest.mark.parametrize("text", ["fe80::1%eth0", " 10.0.0.1", "10.0.0.01", "10.0.0.1/32", "", "host"])
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_address(text)
