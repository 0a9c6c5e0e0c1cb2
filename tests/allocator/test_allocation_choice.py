"""Which pool and which addresses a service is given that leaves the choice to us, or names a pool, or addresses."""

from typing import Any

import pytest
from allocation_objects import DUAL, DUAL_V6_FIRST, PREFER, REQUIRE, SINGLE, V4, V6, by_name, ips, key, pool, service

from herald.allocator.allocation import Allocation, Refusal
from herald.allocator.allocator import Allocator
from herald.config.pool import Pool

A4, B4 = pool("a", "10.0.0.0/31"), pool("b", "10.0.1.0/31")
A6, B6 = pool("a", "fd00:a::/127"), pool("b", "fd00:b::/127")
A46, B46, C46 = (pool(name, f"10.0.{i}.0/31", f"fd00:{name}::/127") for i, name in enumerate("abc"))
V6_PRIMARY = {"families": ("IPv6", "IPv4")}

Row = tuple[list[Pool], dict[str, Any], tuple[str, tuple[str, ...]] | None]
CHOICES: dict[str, Row] = {
    "ipv4, first pool with IPv4": ([A6, B4], {"cluster_ips": V4}, ("b", ("10.0.1.0",))),
    "ipv6, first pool with IPv6": ([A4, B6], {"cluster_ips": V6}, ("b", ("fd00:b::",))),
    "ipv4 under Prefer": ([A46], {"cluster_ips": V4, "policy": PREFER}, ("a", ("10.0.0.0",))),
    "ipv6 under Prefer": ([A46], {"cluster_ips": V6, "policy": PREFER}, ("a", ("fd00:a::",))),
    "dual Require": ([A46], {"cluster_ips": DUAL, "policy": REQUIRE}, ("a", ("10.0.0.0", "fd00:a::"))),
    "dual Require, v6 first": (
        [A46],
        {"cluster_ips": DUAL_V6_FIRST, "policy": REQUIRE, **V6_PRIMARY},
        ("a", ("10.0.0.0", "fd00:a::")),
    ),
    "dual Require skips half pools": (
        [A4, C46],
        {"cluster_ips": DUAL, "policy": REQUIRE},
        ("c", ("10.0.2.0", "fd00:c::")),
    ),
    "dual Require never takes two pools": ([A4, B6], {"cluster_ips": DUAL, "policy": REQUIRE}, None),
    "dual Prefer takes the first whole pool": (
        [A4, B6, C46],
        {"cluster_ips": DUAL, "policy": PREFER},
        ("c", ("10.0.2.0", "fd00:c::")),
    ),
    "dual Prefer, v4 primary": ([A6, B4], {"cluster_ips": DUAL, "policy": PREFER}, ("b", ("10.0.1.0",))),
    "dual Prefer, v6 primary": (
        [A4, B6],
        {"cluster_ips": DUAL, "policy": PREFER, **V6_PRIMARY},
        ("b", ("fd00:b::",)),
    ),
    "dual Prefer, only the other family": ([A6], {"cluster_ips": DUAL, "policy": PREFER}, ("a", ("fd00:a::",))),
    "dual Prefer, whole, v6 primary: still v4 first": (
        [A46],
        {"cluster_ips": DUAL_V6_FIRST, "policy": PREFER, **V6_PRIMARY},
        ("a", ("10.0.0.0", "fd00:a::")),
    ),
    "dual Prefer: half a pinned pool beats a whole open one": (
        [pool("z", "10.9.0.0/31", namespaces=["default"]), A46],
        {"cluster_ips": DUAL, "policy": PREFER},
        ("z", ("10.9.0.0",)),
    ),
    "dual SingleStack": ([A46], {"cluster_ips": DUAL, "policy": SINGLE}, None),
    "dual without policy": ([A46], {"cluster_ips": DUAL}, None),
    "dual without policy, pool named": ([A46], {"cluster_ips": DUAL, "from_pool": "a"}, None),
    "pool named": ([A4, B4], {"from_pool": "b"}, ("b", ("10.0.1.0",))),
    "pool named, autoAssign false": ([pool("m", "10.5.0.0/31", auto=False)], {"from_pool": "m"}, ("m", ("10.5.0.0",))),
    "pool named, Prefer, half": (
        [A4, B46],
        {"cluster_ips": DUAL, "policy": PREFER, "from_pool": "a"},
        ("a", ("10.0.0.0",)),
    ),
    "pool named, Require, half": ([A4, B46], {"cluster_ips": DUAL, "policy": REQUIRE, "from_pool": "a"}, None),
    "pool named, pinned to others": ([pool("x", "10.5.0.0/31", namespaces=["other"])], {"from_pool": "x"}, None),
    "address, autoAssign false": ([pool("m", "10.5.0.0/31", auto=False)], {"wants": "10.5.0.1"}, ("m", ("10.5.0.1",))),
    "address, pinned to others": ([pool("x", "10.5.0.0/31", namespaces=["other"])], {"wants": "10.5.0.1"}, None),
    "address and its pool": ([A4], {"wants": "10.0.0.1", "from_pool": "a"}, ("a", ("10.0.0.1",))),
    "two addresses keep the order asked for": (
        [A46],
        {"cluster_ips": DUAL, "policy": REQUIRE, "wants": "fd00:a::1 , 10.0.0.1"},
        ("a", ("fd00:a::1", "10.0.0.1")),
    ),
    "one address for a dual service under Prefer": (
        [A46],
        {"cluster_ips": DUAL, "policy": PREFER, "wants": "10.0.0.1"},
        None,
    ),
    "pinned before open": ([A4, pool("z", "10.9.0.0/31", namespaces=["default"])], {}, ("z", ("10.9.0.0",))),
    "lower priority number first": (
        [pool("a", "10.0.0.0/31", priority=20), pool("b", "10.0.1.0/31", priority=3)],
        {},
        ("b", ("10.0.1.0",)),
    ),
    "priority 0 is the worst": (
        [pool("a", "10.0.0.0/31", priority=0), pool("b", "10.0.1.0/31", priority=9999)],
        {},
        ("b", ("10.0.1.0",)),
    ),
    "a negative priority counts as absent": (
        [pool("a", "10.0.0.0/31", priority=-5), pool("b", "10.0.1.0/31", priority=7)],
        {},
        ("b", ("10.0.1.0",)),
    ),
    "equal priorities by name": (
        [pool("b", "10.0.1.0/31", priority=4), pool("a", "10.0.0.0/31", priority=4)],
        {},
        ("a", ("10.0.0.0",)),
    ),
    "open pools by name": ([B4, A4], {}, ("a", ("10.0.0.0",))),
    "labels and namespace must both match": (
        [pool("z", "10.9.0.0/31", namespaces=["default"], labels={"t": "1"}), A4],
        {},
        ("a", ("10.0.0.0",)),
    ),
    "pinned to no namespace that exists": ([pool("z", "10.9.0.0/31", namespaces=[])], {"wants": "10.9.0.0"}, None),
    "autoAssign false is not used by itself": ([pool("a", "10.0.0.0/31", auto=False)], {}, None),
    "pinned with autoAssign false is not used by itself": (
        [pool("a", "10.0.0.0/31", auto=False, namespaces=["default"])],
        {},
        None,
    ),
    "ranges in the order of the manifest": ([pool("a", "10.0.9.0/31", "10.0.0.0/31")], {}, ("a", ("10.0.9.0",))),
    "network address": ([pool("a", "10.0.0.0/24")], {}, ("a", ("10.0.0.0",))),
    "avoided address": ([pool("a", "10.0.0.255-10.0.1.3", buggy=True)], {}, ("a", ("10.0.1.1",))),
    "avoided address by name": ([pool("a", "10.0.0.0/24", buggy=True)], {"field": "10.0.0.255"}, None),
    "empty current prefix hides the deprecated one": (
        [A4, B4],
        {"from_pool": "", "annotations": {"metallb.universe.tf/address-pool": "b"}},
        ("a", ("10.0.0.0",)),
    ),
    "deprecated prefix": ([A4, B4], {"annotations": {"metallb.universe.tf/address-pool": "b"}}, ("b", ("10.0.1.0",))),
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_table_decides_which_pool_and_addresses(name: str) -> None:
    pools, wish, expected = CHOICES[name]
    answer = Allocator(by_name(*pools)).allocate(service(**wish))
    if expected is None:
        assert isinstance(answer, Refusal)
    else:
        assert answer == Allocation(pool(expected[0]).name, ips(*expected[1]))


def test_a_full_pool_is_skipped() -> None:
    allocator = Allocator(by_name(pool("a", "10.0.0.0/32", priority=1), pool("b", "10.0.1.0/32", priority=2), B46))
    names = [allocator.allocate(service(name)) for name in ("s1", "s2")]
    assert [a.pool for a in names if isinstance(a, Allocation)] == ["a", "b"]


def test_open_pools_are_used_when_the_pinned_ones_are_full() -> None:
    allocator = Allocator(by_name(pool("z", "10.9.0.0/32", namespaces=["default"]), A4))
    pools = [allocator.allocate(service(name)) for name in ("s1", "s2", "s3")]
    assert [a.pool for a in pools if isinstance(a, Allocation)] == ["z", "a", "a"]


def test_a_refused_registration_leaves_the_old_allocation() -> None:
    allocator = Allocator(by_name(A4))
    allocator.register(service("a"), ips("10.0.0.0"))
    allocator.register(service("b"), ips("10.0.0.1"))
    for wanted in (ips("10.0.0.1"), ips("9.9.9.9"), ips("10.0.0.0", "10.0.0.1")):
        assert isinstance(allocator.register(service("a"), wanted), Refusal)
        assert allocator.allocation_of(key("a")) == Allocation(A4.name, ips("10.0.0.0"))


def test_an_address_passes_from_one_service_to_another_only_after_it_was_let_go() -> None:
    allocator = Allocator(by_name(A4))
    allocator.register(service("a"), ips("10.0.0.0"))
    assert isinstance(allocator.register(service("b"), ips("10.0.0.0")), Refusal)
    allocator.release(key("a"))
    assert isinstance(allocator.register(service("b"), ips("10.0.0.0")), Allocation)


def test_a_service_that_has_an_address_keeps_it_when_it_is_allocated_again() -> None:
    allocator = Allocator(by_name(A4))
    allocator.register(service("a"), ips("10.0.0.1"))
    assert allocator.allocate(service("a")) == Allocation(A4.name, ips("10.0.0.1"))


def test_a_released_address_is_given_again_at_once() -> None:
    allocator = Allocator(by_name(pool("p", "10.0.0.0/24")))
    for name in ("a", "b", "c"):
        allocator.allocate(service(name))
    assert allocator.release(key("b")) == Allocation(pool("p").name, ips("10.0.0.1"))
    assert allocator.release(key("b")) is None
    assert allocator.allocate(service("d")) == Allocation(pool("p").name, ips("10.0.0.1"))


RENAMED: dict[str, tuple[list[Pool], str | None]] = {
    "the same": ([A46], "a"),
    "renamed": ([pool("z", "10.0.0.0/31", "fd00:a::/127")], "z"),
    "grown": ([pool("a", "10.0.0.0/16", "fd00:a::/64")], "a"),
    "merged": ([pool("all", "10.0.0.0/8", "fd00::/16")], "all"),
    "no longer autoAssign": ([pool("a", "10.0.0.0/31", "fd00:a::/127", auto=False)], "a"),
    "shrunk": ([pool("a", "10.0.0.1/32", "fd00:a::/127")], None),
    "one family lost": ([pool("a", "10.0.0.0/31")], None),
    "split by family": ([pool("a", "10.0.0.0/31"), pool("b", "fd00:a::/127")], None),
    "avoiding .0": ([pool("a", "10.0.0.0/31", "fd00:a::/127", buggy=True)], None),
    "deleted": ([], None),
}


@pytest.mark.parametrize("name", RENAMED)
def test_an_allocation_follows_its_addresses_to_the_new_pools_or_is_released(name: str) -> None:
    pools, owner = RENAMED[name]
    allocator = Allocator(by_name(A46))
    subject = service("s", cluster_ips=DUAL, policy=REQUIRE)
    allocator.allocate(subject)
    released = allocator.set_pools(by_name(*pools))
    allocation = allocator.allocation_of(key("s"))
    assert (allocation.pool if allocation else None) == owner
    assert released == (() if owner else (key("s"),))
    if owner is None:
        assert allocator.holders(ips("10.0.0.0")[0]) == ()


def test_pools_that_overlap_each_count_the_address_and_the_first_by_name_owns_it() -> None:
    wide, nested = pool("wide", "10.0.0.0/24"), pool("nested", "10.0.0.16/28")
    allocator = Allocator(by_name(wide, nested))
    behind, inside = ips("10.0.0.200"), ips("10.0.0.16")
    assert allocator.register(service("a"), behind) == Allocation(wide.name, behind)
    assert allocator.register(service("b"), inside) == Allocation(nested.name, inside)
    assert [allocator.counters(each.name).assigned_ipv4 for each in (wide, nested)] == [2, 1]
    assert allocator.allocate(service("c", from_pool="nested")) == Allocation(nested.name, ips("10.0.0.17"))
    allocator.release(key("b"))
    assert allocator.allocate(service("d", from_pool="nested")) == Allocation(nested.name, inside)
