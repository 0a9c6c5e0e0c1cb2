"""How much of a pool is assigned and available."""

import pytest
from allocation_objects import DUAL, REQUIRE, V6, by_name, key, pool, service

from herald.allocator.allocator import Allocator
from herald.allocator.counters import INT64_MAX, PoolCounters
from herald.config.pool import Pool

FRESH: dict[str, tuple[Pool, int, int]] = {
    "/24": (pool("p", "1.2.3.0/24"), 256, 0),
    "/24 and /25": (pool("p", "1.2.3.0/24", "2.3.4.128/25"), 384, 0),
    "the same, avoiding": (pool("p", "1.2.3.0/24", "2.3.4.128/25", buggy=True), 381, 0),
    "the same and a /64": (pool("p", "1.2.3.0/24", "2.3.4.128/25", "1000::/64", buggy=True), 381, INT64_MAX),
    "/31 and /127, avoiding": (pool("p", "1.2.3.0/31", "1000::/127", buggy=True), 1, 2),
    "/66: 62 host bits": (pool("p", "1000::/66"), 0, INT64_MAX),
    "/67: 61 host bits": (pool("p", "1000::/67"), 0, 2**61),
    "two huge prefixes do not wrap": (pool("p", "1000::/64", "2000::/64"), 0, INT64_MAX),
    "a huge prefix first does not wrap": (pool("p", "1000::/64", "2000::/120", "10.0.0.0/24"), 256, INT64_MAX),
    "four quarters do not wrap": (pool("p", *(f"{n}000::/67" for n in range(1, 6))), 0, 5 * 2**61),
    "an avoided /32 is zero, not minus one": (pool("p", "10.0.0.0/32", buggy=True), 0, 0),
    "an avoided range": (pool("p", "10.0.0.254-10.0.1.1", buggy=True), 2, 0),
}


@pytest.mark.parametrize("name", FRESH)
def test_a_fresh_pool_has_all_addresses_available(name: str) -> None:
    subject, v4, v6 = FRESH[name]
    expected = PoolCounters(available_ipv4=min(v4, INT64_MAX), available_ipv6=min(v6, INT64_MAX))
    assert Allocator(by_name(subject)).counters(subject.name) == expected


def test_a_shared_address_counts_once() -> None:
    only = pool("p", "10.0.0.0/30")
    allocator = Allocator(by_name(only))
    for number in range(3):
        allocator.allocate(service(f"s{number}", share="k", ports=[f"TCP/{number + 1}"]))
    assert allocator.counters(only.name) == PoolCounters(assigned_ipv4=1, available_ipv4=3)
    allocator.release(key("s0"))
    assert allocator.counters(only.name).assigned_ipv4 == 1


def test_the_families_are_counted_apart() -> None:
    only = pool("p", "10.0.0.0/30", "fd00::/64")
    allocator = Allocator(by_name(only))
    allocator.allocate(service("a", cluster_ips=DUAL, policy=REQUIRE))
    allocator.allocate(service("b", cluster_ips=V6))
    assert allocator.counters(only.name) == PoolCounters(1, 2, 3, INT64_MAX - 2)


def test_a_vanished_pool_has_no_counters_and_its_successor_takes_over_the_count() -> None:
    allocator = Allocator(by_name(pool("p", "10.0.0.0/30")))
    allocator.allocate(service("a"))
    successor = pool("q", "10.0.0.0/29")
    allocator.set_pools(by_name(successor))
    assert allocator.counters(successor.name) == PoolCounters(assigned_ipv4=1, available_ipv4=7)
    with pytest.raises(KeyError):
        allocator.counters(pool("p").name)
