"""The whole pass: independent of order, stable, and never taking an address from anybody who rightly has it."""

import random
from collections.abc import Iterable
from typing import Any

import pytest
from allocation_objects import DUAL, PREFER, REQUIRE, V4, V6, by_name, config, ips, key, pool, reasons, service, texts
from hypothesis import given
from hypothesis import strategies as st

from herald.allocator.allocation import Refusal
from herald.allocator.allocator import Allocator
from herald.allocator.assign import Assignments, assign_all, converge_all, in_order
from herald.allocator.converge import converge
from herald.allocator.convergence import as_written
from herald.allocator.counters import PoolCounters
from herald.allocator.sharing import tenant_of
from herald.cluster.meta import NamespacedName
from herald.cluster.service import Service
from herald.config.pool import Pool
from herald.net.ip_family import IPFamily, family_of

POOLS = (
    pool("auto", "10.0.0.0/28", "fd00::/124"),
    pool("four", "10.1.0.0/27"),
    pool("gold", "10.2.0.0/29", labels={"tier": "gold"}, priority=5),
    pool("manual", "10.3.0.0/30", "fd03::/126", auto=False),
    pool("six", "fd06::/125", buggy=True),
    pool("tenant", "10.4.0.0/30", namespaces=["tenant"]),
)
CONFIG = config(*POOLS)
ADDRESSES = ("10.0.0.0", "10.0.0.1", "10.1.0.3", "10.3.0.0", "10.4.0.1", "9.9.9.9", "fd00::", "fd03::1", "junk")


def services(most: int = 40) -> st.SearchStrategy[list[Service]]:
    """Services of all kinds, distinct by name, many of them wanting or claiming the same addresses."""
    return st.builds(crowd, st.integers(1, most), st.integers(0))


def crowd(count: int, seed: int) -> list[Service]:
    rng = random.Random(seed)
    return [any_service(f"s{number}", rng) for number in range(count)]


def any_service(name: str, rng: random.Random, claims: tuple[int, ...] = (0, 0, 0, 1, 2)) -> Service:
    """`claims`: how many addresses its status may have, rightly or not."""
    cluster_ips, policy = rng.choice([(V4, None), (V4, None), (V6, PREFER), (DUAL, PREFER), (DUAL, REQUIRE)])
    return service(
        name,
        ns=rng.choice(["default", "default", "tenant"]),
        cluster_ips=cluster_ips,
        policy=policy,
        families=rng.choice([(), ("IPv6", "IPv4")]),
        status=rng.sample(ADDRESSES, rng.choice(claims)),
        ports=rng.sample(["TCP/80", "TCP/443", "UDP/53"], rng.choice([1, 1, 2])),
        share=rng.choice([None, None, "k", "l"]),
        local=rng.random() < 0.3,
        selector=rng.choice([{}, {"app": "a"}]),
        wants=rng.choice([None, None, None, None, *ADDRESSES, "10.0.0.1,fd00::"]),
        from_pool=rng.choice([None, None, None, "manual", "four", "nowhere"]),
        labels=rng.choice([{}, {}, {"tier": "gold"}]),
        kind=rng.choice(["LoadBalancer"] * 9 + ["NodePort"]),
        lb_class=rng.choice([None] * 19 + ["other"]),
        created=rng.choice([None, "2026-01-01", "2026-02-02", "2026-03-03"]),
    )


def written(subjects: Iterable[Service], assignments: Assignments) -> list[Service]:
    return [as_written(each, assignments.services[each.key]) for each in subjects]


def addresses(assignments: Assignments) -> dict[NamespacedName, list[str]]:
    return {name: texts(outcome) for name, outcome in assignments.services.items()}


@given(services(), st.randoms())
def test_the_order_of_the_input_does_not_matter(subjects: list[Service], rng: random.Random) -> None:
    shuffled = rng.sample(subjects, len(subjects))
    first, second = assign_all(CONFIG, subjects), assign_all(CONFIG, shuffled)
    assert first.services == second.services
    assert first.allocator.waiting() == second.allocator.waiting()


@given(services())
def test_a_second_run_on_the_result_changes_nothing(subjects: list[Service]) -> None:
    first = assign_all(CONFIG, subjects)
    second = assign_all(CONFIG, written(subjects, first))
    assert addresses(second) == addresses(first)
    assert [outcome.change for outcome in second.services.values()] == [None] * len(subjects)
    assert second.allocator.waiting() == first.allocator.waiting()


@given(services())
def test_nobody_waits_who_could_be_served_and_nothing_was_let_go(subjects: list[Service]) -> None:
    assignments = assign_all(CONFIG, subjects)
    assert not any(outcome.reprocess_all for outcome in assignments.services.values())
    before = addresses(assignments)
    for subject in written(subjects, assignments):
        if subject.key in assignments.allocator.waiting():
            assert texts(converge(assignments.allocator, subject)) == before[subject.key]


def assert_lawful(pools: Iterable[Pool], subjects: Iterable[Service], allocator: Allocator) -> None:
    """Every allocation obeys pools, families and sharing rules, counted again from nothing."""
    by_key = {subject.key: subject for subject in subjects}
    pools = {each.name: each for each in pools}
    used: dict[Any, list[NamespacedName]] = {}
    for name, allocation in allocator.allocations().items():
        subject, owner = by_key[name], pools[allocation.pool]
        assert owner.admits(subject.metadata.namespace, subject.metadata.labels)
        assert all(address in owner for address in allocation.addresses)
        assert len({family_of(address) for address in allocation.addresses}) == len(allocation.addresses)
        for address in allocation.addresses:
            used.setdefault(address, []).append(name)
    for address, names in used.items():
        assert allocator.holders(address) == tuple(sorted(names))
        tenants = [tenant_of(by_key[name]) for name in names]
        ports = [port for tenant in tenants for port in set(tenant.ports)]
        if len(tenants) > 1:
            assert tenants[0].terms.willing
            assert len({tenant.terms for tenant in tenants}) == 1
            assert len(ports) == len(set(ports))
    for each in pools.values():
        inside = [family_of(address) for address in used if address in each]
        v4, v6 = inside.count(IPFamily.IPV4), inside.count(IPFamily.IPV6)
        expected = PoolCounters(v4, v6, each.capacity(IPFamily.IPV4) - v4, each.capacity(IPFamily.IPV6) - v6)
        assert allocator.counters(each.name) == expected


@given(services())
def test_no_address_is_given_twice_unless_the_sharing_rules_allow(subjects: list[Service]) -> None:
    assignments = assign_all(CONFIG, subjects)
    assert_lawful(POOLS, subjects, assignments.allocator)
    held = assignments.allocator.allocations()
    for name, outcome in assignments.services.items():
        assert outcome.addresses == (held[name].addresses if name in held else ())
        assert bool(outcome.addresses) or outcome.refusal is not None or outcome.change is None or not outcome.events


@pytest.mark.parametrize("seed", range(6))
def test_a_controller_killed_at_any_step_changes_no_valid_address(seed: int) -> None:
    rng = random.Random(seed)
    cluster = {subject.key: subject for subject in (any_service(f"s{number}", rng) for number in range(500))}
    big = config(*POOLS, pool("big", "10.128.0.0/23", "fd80::/119"))
    cluster = {subject.key: subject for subject in written(cluster.values(), assign_all(big, cluster.values()))}
    for _ in range(5):
        newcomers = {each.key: each for each in (any_service(f"n{rng.random()}", rng, claims=(0,)) for _ in range(40))}
        cluster |= newcomers
        allocator = assign_all(big, [each for each in cluster.values() if each.key not in newcomers]).allocator
        steps = rng.sample(sorted(newcomers), len(newcomers))[: rng.randrange(len(newcomers) + 1)]
        for name in steps:
            if cluster[name].spec.load_balancer_class is None:
                cluster[name] = as_written(cluster[name], converge(allocator, cluster[name]))
        before = allocator.allocations()
        restarted = assign_all(big, rng.sample(list(cluster.values()), len(cluster)))
        for name, allocation in before.items():
            kept = restarted.services[name].addresses[: len(allocation.addresses)]
            assert kept == allocation.addresses, f"{name} moved"
        assert_lawful(big.pools.values(), cluster.values(), restarted.allocator)
        cluster = {subject.key: subject for subject in written(cluster.values(), restarted)}


@pytest.mark.parametrize("seed", range(4))
def test_wiped_statuses_are_restored_from_claims(seed: int) -> None:
    rng = random.Random(seed)
    healthy = [service(f"s{number}", created=f"2026-{number:04}") for number in range(30)]
    subjects = written(healthy, assign_all(CONFIG, healthy))
    claims = {subject.key: ips(*subject.ingress_ips) for subject in subjects if subject.ingress_ips}
    wiped = set(rng.sample(range(30), 10))
    damaged = [healthy[n] if n in wiped else subjects[n] for n in range(30)] + [service("new", created="2020")]
    restored = assign_all(CONFIG, rng.sample(damaged, 31), claims=claims)
    for name, claim in claims.items():
        assert restored.services[name].addresses == claim


@given(services(25), st.data())
def test_a_life_of_changes_keeps_the_books_straight(subjects: list[Service], data: st.DataObject) -> None:
    """Services come, change and go, pools change; whoever may be helped by a release is tried again."""
    allocator = assign_all(CONFIG, []).allocator
    alive: dict[NamespacedName, Service] = {}
    pools = POOLS
    for number, subject in enumerate(subjects):
        if subject.spec.load_balancer_class is not None:
            continue
        name = data.draw(st.sampled_from(["s0", "s1", "s2", subject.metadata.name]))
        changed = any_service(name, random.Random(number))
        old = alive.get(changed.key)
        if changed.spec.load_balancer_class is None:
            again = as_written(changed, converge(allocator, old)) if old else changed
            outcome = converge(allocator, again)
            alive[changed.key] = as_written(again, outcome)
            if outcome.reprocess_all:
                for waiter in allocator.waiting():
                    alive[waiter] = as_written(alive[waiter], converge(allocator, alive[waiter]))
        if data.draw(st.integers(0, 5)) == 0:
            pools = tuple(data.draw(st.lists(st.sampled_from(POOLS), unique_by=lambda each: each.name, min_size=1)))
            allocator.set_pools(by_name(*pools))
            outcomes = converge_all(allocator, list(alive.values()))
            alive = {name: as_written(each, outcomes[name]) for name, each in alive.items()}
        assert_lawful(pools, alive.values(), allocator)


def test_holders_come_before_those_who_ask_and_these_before_the_others() -> None:
    assignments = assign_all(
        config(pool("p", "10.0.0.0/30")),
        [
            service("anything", created="2026-01"),
            service("pool", from_pool="p", created="2026-02"),  # a pool is no address: it waits its turn
            service("address", wants="10.0.0.0", created="2026-03"),
            service("holder", status=["10.0.0.1"], created="2026-04"),
        ],
    )
    assert addresses(assignments) == {
        key("address"): ["10.0.0.0"],
        key("anything"): ["10.0.0.2"],
        key("holder"): ["10.0.0.1"],
        key("pool"): ["10.0.0.3"],
    }


def test_an_older_service_is_served_before_a_younger_one() -> None:
    mixed = [service("a"), service("b", created="2026-02"), service("c", created="2026-01")]
    assert [each.metadata.name for each in in_order(mixed)] == ["c", "b", "a"]


def test_of_two_services_with_one_address_the_one_that_holds_two_keeps_it() -> None:
    single = service("a", status=["10.0.0.0"], created="2026-01")
    double = service("b", status=["10.0.0.0", "fd00::"], cluster_ips=DUAL, policy=PREFER, created="2026-02")
    assignments = assign_all(config(pool("p", "10.0.0.0/30", "fd00::/126")), [single, double])
    assert addresses(assignments) == {single.key: ["10.0.0.1"], double.key: ["10.0.0.0", "fd00::"]}


def test_who_had_an_address_that_is_no_more_gets_a_new_one_before_those_who_never_had_one() -> None:
    fresh, orphan = service("a", created="2026-01"), service("b", status=["9.9.9.9"], created="2026-02")
    assignments = assign_all(config(pool("p", "10.0.0.0/30")), [fresh, orphan])
    assert addresses(assignments) == {fresh.key: ["10.0.0.1"], orphan.key: ["10.0.0.0"]}


def test_a_holder_gets_its_second_address_before_those_who_have_none() -> None:
    fresh = service("a", cluster_ips=V6, created="2026-01")
    half = service("b", status=["10.0.0.0"], cluster_ips=DUAL, policy=PREFER, created="2026-02")
    assignments = assign_all(config(pool("p", "10.0.0.0/30", "fd00::/128")), [fresh, half])
    assert addresses(assignments) == {fresh.key: [], half.key: ["10.0.0.0", "fd00::"]}


def test_of_two_services_with_one_address_the_older_keeps_it_and_the_younger_is_told() -> None:
    young = service("a", status=["10.0.0.2"], created="2026-02")
    old = service("b", status=["10.0.0.2"], created="2026-01")
    assignments = assign_all(config(pool("p", "10.0.0.0/30")), [young, old])
    assert addresses(assignments) == {young.key: ["10.0.0.0"], old.key: ["10.0.0.2"]}
    assert reasons(assignments.services[young.key].events) == ["ClearAssignment", "IPAllocated"]
    assert "default/b" in assignments.services[young.key].events[0].message


def test_an_older_service_that_wants_to_leave_does_not_block_the_younger_holder() -> None:
    leaving = service("a", status=["10.0.0.0"], wants="10.0.0.3", created="2026-01")
    lowest = service("c", created="2026-01")
    holder = service("b", status=["10.0.0.0"], created="2026-02")
    assignments = assign_all(config(pool("p", "10.0.0.0/30")), [leaving, holder, lowest])
    assert addresses(assignments) == {
        key("a"): ["10.0.0.3"],
        key("b"): ["10.0.0.0"],
        key("c"): ["10.0.0.1"],
    }


def test_a_wish_for_an_address_that_another_one_holds_waits_until_it_is_let_go() -> None:
    holder = service("b", status=["10.0.0.0"], created="2026-02")
    wisher = service("a", status=["10.0.0.1"], wants="10.0.0.0", created="2026-01")
    assignments = assign_all(config(pool("p", "10.0.0.0/30")), [holder, wisher])
    refused = assignments.services[wisher.key].refusal
    assert isinstance(refused, Refusal)
    assert "default/b" in refused.message
    assert assignments.allocator.waiting() == (wisher.key,)


def test_a_claim_does_not_outrank_an_older_holder() -> None:
    holder = service("b", status=["10.0.0.2"], created="2026-01")
    claimer = service("a", created="2026-02")
    claims = {claimer.key: ips("10.0.0.2")}
    assignments = assign_all(config(pool("p", "10.0.0.0/30")), [holder, claimer], claims=claims)
    assert addresses(assignments) == {claimer.key: ["10.0.0.0"], holder.key: ["10.0.0.2"]}


CLASSES = {
    "neither": (None, None, True),
    "ours": ("metallb", "metallb", True),
    "wanted but not configured": ("metallb", None, False),
    "configured but not wanted": (None, "metallb", False),
    "another": ("other", "metallb", False),
}


@pytest.mark.parametrize("name", CLASSES)
def test_only_services_of_the_handled_class_get_anything_or_lose_anything(name: str) -> None:
    wanted, configured, handled = CLASSES[name]
    subjects = [service("new", lb_class=wanted), service("stale", lb_class=wanted, status=["9.9.9.9"])]
    assignments = assign_all(config(pool("p", "10.0.0.0/30")), subjects, load_balancer_class=configured)
    outcomes = assignments.services.values()
    assert all(bool(outcome.addresses) == handled for outcome in outcomes)
    assert all((outcome.change is not None) == handled for outcome in outcomes)
    assert all((outcome.refusal is None) == handled for outcome in outcomes)


def test_a_service_of_another_type_gets_nothing_and_loses_its_status() -> None:
    stale = service("a", kind="NodePort", status=["10.0.0.0"])
    assignments = assign_all(config(pool("p", "10.0.0.0/30")), [stale, service("b", kind="ClusterIP")])
    assert addresses(assignments) == {key("a"): [], key("b"): []}
    assert assignments.allocator.allocations() == {}
    changes = [outcome.change for outcome in assignments.services.values()]
    assert (changes[0] is not None, changes[1]) == (True, None)


def test_without_pools_every_status_is_emptied_silently() -> None:
    assignments = assign_all(config(), [service("a", status=["10.0.0.0"], allocated="p")])
    (outcome,) = assignments.services.values()
    assert outcome.change is not None
    assert (outcome.change.ingress, outcome.change.pool, outcome.events) == ((), None, ())
    assert not outcome.reprocess_all


def test_a_holder_missing_half_does_not_take_the_address_another_one_asks_for() -> None:
    half = service("a", status=["10.0.0.0"], cluster_ips=DUAL, policy=PREFER, created="2026-01")
    asker = service("b", wants="fd00::", cluster_ips=V6, created="2026-02")
    assignments = assign_all(config(pool("p", "10.0.0.0/30", "fd00::/126")), [half, asker])
    assert addresses(assignments) == {half.key: ["10.0.0.0", "fd00::1"], asker.key: ["fd00::"]}
