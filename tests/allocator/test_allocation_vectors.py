"""The acceptance vectors: twelve pools, one service each, brought to rest."""

import random
from dataclasses import dataclass

import pytest
from allocation_objects import (
    DUAL,
    DUAL_V6_FIRST,
    PREFER,
    REQUIRE,
    V4,
    V6,
    by_name,
    pool,
    reasons,
    service,
    settle,
)

from herald.allocator.allocator import Allocator
from herald.cluster.service import Service

TEAM = {"team": "metallb"}
POOLS = by_name(
    pool("pool1", "1.2.3.0/31"),
    pool("pool2", "3.4.5.6/32", auto=False),
    pool("pool3", "1000::/127"),
    pool("pool4", "2000::1/128", auto=False),
    pool("pool5", "1.2.3.0/31", "1000::/127"),
    pool("pool6", "7.8.9.0/31", namespaces=["test-ns1"], priority=10),
    pool("pool7", "10.11.12.0/31", namespaces=["test-ns1"], priority=11),
    pool("pool8", "13.14.15.0/31", labels=TEAM, priority=9),
    pool("pool9", "16.17.18.0/31", namespaces=["test-ns2"]),
    pool("pool10", "19.20.21.0/31", labels=TEAM, priority=8),
    pool("pool11", "22.23.24.0/31", namespaces=["test-ns1"], labels=TEAM, priority=8),
    pool("pool12", "25.26.27.0/31", namespaces=["test-ns1"], labels=TEAM, priority=5),
)


@dataclass(frozen=True)
class Vector:
    service: Service
    result: tuple[str, ...]
    warns: bool = False


VECTORS = {
    "v4, no wishes": Vector(service(), ("1.2.3.0",)),
    "loadBalancerIP": Vector(service(field="1.2.3.1"), ("1.2.3.1",)),
    "annotation": Vector(service(wants="1.2.3.1"), ("1.2.3.1",)),
    "both forms given": Vector(service(wants="1.2.3.1", field="1.2.3.1"), (), warns=True),
    "both forms given, status held": Vector(
        service(wants="1.2.3.1", field="1.2.3.1", status=["1.2.3.1"]), ("1.2.3.1",), warns=True
    ),
    "nonsense in the annotation": Vector(service(wants="nonsense"), (), warns=True),
    "nonsense in the field": Vector(service(field="nonsense"), (), warns=True),
    "nonsense, status held": Vector(service(field="nonsense", status=["1.2.3.0"]), ("1.2.3.0",), warns=True),
    "two v4 in the list": Vector(service(wants="1.2.3.0,1.2.3.1"), (), warns=True),
    "two v4 in the list, status held": Vector(
        service(wants="1.2.3.0,1.2.3.1", status=["1.2.3.1"]), ("1.2.3.1",), warns=True
    ),
    "wish outside every pool empties the status": Vector(service(field="1.2.3.4", status=["1.2.3.1"]), (), warns=True),
    "address and pool disagree": Vector(service(wants="1.2.3.1", from_pool="pool2"), (), warns=True),
    "address-pool moves it": Vector(service(from_pool="pool2", status=["1.2.3.0"]), ("3.4.5.6",)),
    "address of a manual pool": Vector(service(field="3.4.5.6"), ("3.4.5.6",)),
    "address of a manual pool, policy Local": Vector(service(field="3.4.5.6", local=True), ("3.4.5.6",)),
    "status outside every pool": Vector(service(status=["2.3.4.5"]), ("1.2.3.0",)),
    "hostname and an address outside": Vector(service(status=["a host", "10.10.10.10"]), ("1.2.3.0",)),
    "NodePort with a status": Vector(service(kind="NodePort", status=["1.2.3.0"]), ()),
    "v4 cluster IP, v6 status": Vector(service(status=["1000::"]), ("1.2.3.0",)),
    "v6 cluster IP, v4 status": Vector(service(cluster_ips=V6, status=["1.2.3.0"]), ("1000::",)),
    "dual, Require": Vector(service(cluster_ips=DUAL, policy=REQUIRE), ("1.2.3.0", "1000::")),
    "dual v6 first, Require, hostname and v6 status": Vector(
        service(cluster_ips=DUAL_V6_FIRST, policy=REQUIRE, status=["a host", "1000::"]), ("1.2.3.0", "1000::")
    ),
    "dual, Prefer, pool1": Vector(service(cluster_ips=DUAL, policy=PREFER, from_pool="pool1"), ("1.2.3.0",)),
    "v6, Prefer, pool3": Vector(service(cluster_ips=V6, policy=PREFER, from_pool="pool3"), ("1000::",)),
    "v4, Prefer, pool5": Vector(service(cluster_ips=V4, policy=PREFER, from_pool="pool5"), ("1.2.3.0",)),
    "v4, Require": Vector(service(policy=REQUIRE), (), warns=True),
    "dual, one address in the field": Vector(service(cluster_ips=DUAL, policy=PREFER, field="1.2.3.0"), (), warns=True),
    "dual, one address in the annotation": Vector(
        service(cluster_ips=DUAL, policy=REQUIRE, wants="1.2.3.0"), (), warns=True
    ),
    "namespace test-ns1": Vector(service(ns="test-ns1"), ("7.8.9.0",)),
    "namespace test-ns2": Vector(service(ns="test-ns2"), ("16.17.18.0",)),
    "label": Vector(service(labels=TEAM), ("19.20.21.0",)),
    "namespace test-ns1 and label": Vector(service(ns="test-ns1", labels=TEAM), ("25.26.27.0",)),
    "three addresses in the status": Vector(
        service(status=["1.2.3.0", "1.2.3.1", "3.4.5.6"]), ("1.2.3.0",), warns=True
    ),
    "no cluster IPs": Vector(service(cluster_ips=()), ()),
}


def check(vector: Vector, allocator: Allocator) -> None:
    rested, events = settle(allocator, vector.service)
    assert rested.ingress_ips == vector.result
    warned = any(event.type == "Warning" for event in events)
    assert warned == vector.warns, reasons(events)
    assert bool(allocator.allocation_of(rested.key)) == bool(vector.result)


@pytest.mark.parametrize("name", VECTORS)
def test_a_service_comes_to_rest_with_the_addresses_of_the_vector(name: str) -> None:
    check(VECTORS[name], Allocator(POOLS))


@pytest.mark.parametrize("seed", range(100))
def test_the_order_of_the_cases_does_not_matter(seed: int) -> None:
    allocator = Allocator(POOLS)
    vectors = list(VECTORS.values())
    random.Random(seed).shuffle(vectors)
    for vector in vectors:
        check(vector, allocator)
        allocator.release(vector.service.key)


def test_the_pools_handed_over_are_never_modified() -> None:
    before = dict(POOLS)
    allocator = Allocator(POOLS)
    for vector in VECTORS.values():
        settle(allocator, vector.service)
    assert before == POOLS
