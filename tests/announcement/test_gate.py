"""The gate before both protocols, and the index from address to pool."""

from ipaddress import ip_address

import pytest
from announcement_facts import config, decided, ips, l2, pool, ready, service
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.gate import PoolIndex, class_reason, status_addresses
from herald.announcement.reason import Code, Reason
from herald.cluster.service import LoadBalancerIngress, LoadBalancerStatus, Service, ServiceStatus
from herald.config.config import Config
from herald.config.pool import Pool
from herald.net.address_range import AddressRange


@pytest.mark.parametrize(
    ("kind", "wanted", "served", "code"),
    [
        ("LoadBalancer", None, None, None),
        ("LoadBalancer", None, "", None),
        ("LoadBalancer", "a.io/lb", "a.io/lb", None),
        ("LoadBalancer", None, "a.io/lb", Code.OTHER_CLASS),
        ("LoadBalancer", "a.io/lb", None, Code.OTHER_CLASS),
        ("LoadBalancer", "a.io/lb", "b.io/lb", Code.OTHER_CLASS),
        ("ClusterIP", None, None, Code.NOT_LOAD_BALANCER),
    ],
)
def test_only_services_of_our_class_are_ours(
    kind: str, wanted: str | None, served: str | None, code: Code | None
) -> None:
    reason = class_reason(service(kind=kind, lb_class=wanted), served)
    assert (reason.code if reason else None) is code


def with_ingress(*entries: LoadBalancerIngress) -> Service:
    return Service(status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=entries)))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((), Code.NO_ADDRESS),
        ((LoadBalancerIngress(ip="10.0.0.1"),), ips("10.0.0.1")),
        ((LoadBalancerIngress(ip="fd00::1"), LoadBalancerIngress(ip="10.0.0.1")), ips("fd00::1", "10.0.0.1")),
        ((LoadBalancerIngress(ip="::ffff:10.0.0.1"),), ips("10.0.0.1")),
        ((LoadBalancerIngress(hostname="x.example"),), Code.INVALID_ADDRESS),
        ((LoadBalancerIngress(ip="10.0.0.1"), LoadBalancerIngress(hostname="x")), Code.INVALID_ADDRESS),
        ((LoadBalancerIngress(ip="10.0.0.300"),), Code.INVALID_ADDRESS),
    ],
    ids=["none", "one", "order kept", "v4-mapped", "hostname", "address and hostname", "not an address"],
)
def test_the_status_gives_addresses_or_the_reason(entries: tuple[LoadBalancerIngress, ...], expected: object) -> None:
    found = status_addresses(with_ingress(*entries))
    assert (found.code if isinstance(found, Reason) else found) == expected


@pytest.mark.parametrize("addresses", [("10.7.0.1",), ("10.0.0.1", "fd00::1")], ids=["in no pool", "in two pools"])
def test_addresses_that_no_single_pool_contains_are_announced_by_nobody(addresses: tuple[str, ...]) -> None:
    conf = config(pool("p", "10.0.0.0/24"), pool("q", "fd00::/64"), l2())
    decision = decided(service(), conf, ready("node-a"), *addresses)
    assert decision.refused is not None
    assert decision.refused.code is Code.ADDRESS_IN_NO_POOL
    assert (
        decision.silence == decision.layer2.reason_of("node-a") == decision.bgp.reason_of("node-a") == decision.refused
    )


@st.composite
def pools(draw: st.DrawFn) -> Config:
    """Up to six pools cut out of one stretch of addresses, so that they never overlap."""
    cuts = sorted(draw(st.sets(st.integers(0, 600), max_size=16)))
    owners = draw(st.lists(st.integers(0, 5), min_size=len(cuts), max_size=len(cuts)))
    ranges: dict[int, list[AddressRange]] = {}
    base = int(ip_address("10.0.0.0"))
    for first, after, owner in zip(cuts, cuts[1:], owners, strict=False):
        start, end = ip_address(base + first), ip_address(base + after - 1)
        ranges.setdefault(owner, []).append(AddressRange(start, end, f"{start}-{end}"))
    made = [Pool(f"p{owner}", tuple(parts), avoid_buggy_ips=draw(st.booleans())) for owner, parts in ranges.items()]
    return Config({p.name: p for p in made})


@given(pools(), st.lists(st.integers(-1, 601), max_size=2))
def test_the_index_finds_the_pool_that_a_look_at_all_of_them_finds(conf: Config, offsets: list[int]) -> None:
    addresses = tuple(ip_address(int(ip_address("10.0.0.0")) + offset) for offset in offsets)
    holders = [pool for pool in conf.pools.values() if addresses and all(address in pool for address in addresses)]
    assert PoolIndex(conf.pools.values()).pool_of(addresses) == next(iter(holders), None)
