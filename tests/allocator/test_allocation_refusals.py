"""Why a service waits: one distinct reason per obstacle, one line per pool."""

from typing import Any

import pytest
from allocation_objects import DUAL, PREFER, REQUIRE, SINGLE, V6, by_name, ips, pool, service

from herald.allocator.allocation import PoolReason, Refusal, RefusalReason
from herald.allocator.allocator import Allocator
from herald.allocator.assign import assign_all
from herald.config.config import Config
from herald.config.pool import Pool

A = pool("a", "10.0.0.0/30")
FULL = pool("full", "10.1.0.0/32")
D = pool("d", "10.2.0.0/30", "fd00::/126")
SHARES: dict[str, Any] = {"share": "k", "local": True, "selector": {"app": "h"}}

R = RefusalReason
Case = tuple[tuple[Pool, ...], dict[str, Any], RefusalReason, str]
UNSATISFIABLE: dict[str, Case] = {
    "of another class": ((A,), {"lb_class": "x/y"}, R.OTHER_CLASS, "loadBalancerClass x/y is not served here"),
    "no pools": ((), {}, R.NO_POOLS, "there is no usable IPAddressPool"),
    "no cluster IPs": ((A,), {"cluster_ips": ()}, R.NO_CLUSTER_IPS, "the service has no cluster IP yet"),
    "headless": (
        (A,),
        {"cluster_ips": ("None",)},
        R.INVALID_CLUSTER_IPS,
        'IPFamilyForAddresses: Invalid address ["None"]',
    ),
    "Require with one cluster IP": (
        (A,),
        {"policy": REQUIRE},
        R.NOT_ENOUGH_CLUSTER_IPS,
        'Service requires dual stack but not enough clusterips ["10.96.0.1"]',
    ),
    "wished for twice": (
        (A,),
        {"wants": "10.0.0.1", "field": "10.0.0.2"},
        R.REQUESTED_TWICE,
        (
            "service can not have both metallb.io/loadBalancerIPs and svc.Spec.LoadBalancerIP: "
            'the annotation says "10.0.0.1", the field says "10.0.0.2"; remove one of them'
        ),
    ),
    "nonsense in the annotation": (
        (A,),
        {"wants": "10.0.0.1,foo"},
        R.INVALID_REQUEST,
        (
            'invalid metallb.io/loadBalancerIPs: "10.0.0.1,foo": "foo" is not an IP address; '
            "write one address, or one IPv4 and one IPv6 separated by a comma"
        ),
    ),
    "two of one family": (
        (A,),
        {"wants": "10.0.0.1,10.0.0.2"},
        R.INVALID_REQUEST_FAMILIES,
        (
            'IPFamilyForAddresses: same address family ["10.0.0.1" "10.0.0.2"]: '
            "two addresses of the same family: 10.0.0.1, 10.0.0.2; one IPv4 and one IPv6 are possible"
        ),
    ),
    "another family": (
        (A,),
        {"wants": "10.0.0.1", "cluster_ips": V6},
        R.FAMILY_MISMATCH,
        (
            'requested loadBalancer IP(s) ["10.0.0.1"] does not match the ipFamily of the service: '
            "its cluster IPs need IPv6"
        ),
    ),
    "one address for two families": (
        (A,),
        {"wants": "10.0.0.1", "cluster_ips": DUAL, "policy": PREFER},
        R.FAMILY_MISMATCH,
        (
            'requested loadBalancer IP(s) ["10.0.0.1"] does not match the ipFamily of the service: '
            "its cluster IPs need IPv4 and IPv6"
        ),
    ),
    "address in no pool": (
        (A, D),
        {"wants": "9.9.9.9"},
        R.NOT_IN_ANY_POOL,
        '["9.9.9.9"] is not allowed in config (a: does not contain 9.9.9.9 · d: does not contain 9.9.9.9)',
    ),
    "addresses in two pools": (
        (A, D),
        {"wants": "10.0.0.1,fd00::1", "cluster_ips": DUAL, "policy": REQUIRE},
        R.NOT_IN_ONE_POOL,
        (
            '["10.0.0.1" "fd00::1"] is not allowed in config: one pool must hold both, '
            "10.0.0.1 is in a, fd00::1 is in d (a: does not contain fd00::1 · d: does not contain 10.0.0.1)"
        ),
    ),
    "address avoided": (
        (pool("a", "10.0.0.0/24", buggy=True),),
        {"wants": "10.0.0.255"},
        R.ADDRESS_AVOIDED,
        '["10.0.0.255"] is not allowed in config (a: avoids 10.0.0.255, avoidBuggyIPs=true)',
    ),
    "address of a pool for another namespace": (
        (pool("a", "10.0.0.0/30", namespaces=["x"]),),
        {"wants": "10.0.0.1"},
        R.POOL_NOT_COMPATIBLE,
        'pool a not compatible for ip assignment (a: namespace "default" not selected)',
    ),
    "pool for other labels": (
        (pool("a", "10.0.0.0/30", labels={"tier": "gold"}),),
        {"from_pool": "a"},
        R.POOL_NOT_COMPATIBLE,
        "pool a not compatible for ip assignment (a: service labels not selected, needs (tier=gold))",
    ),
    "address of another pool than the one asked for": (
        (A, D),
        {"wants": "10.0.0.1", "from_pool": "d"},
        R.REQUESTED_POOL_MISMATCH,
        (
            'requested loadBalancer IP(s) ["10.0.0.1"] is not compatible with requested address pool d: '
            "it is in pool a (a: contains 10.0.0.1, but the service asks for pool d)"
        ),
    ),
    "unknown pool": ((A, D), {"from_pool": "x"}, R.UNKNOWN_POOL, 'unknown pool "x"; there are: a, d'),
    "dual stack without policy": (
        (D,),
        {"cluster_ips": DUAL, "policy": SINGLE},
        R.DUAL_STACK_NOT_REQUESTED,
        "no available IPs: two cluster IPs need ipFamilyPolicy PreferDualStack or RequireDualStack",
    ),
    "dual stack without policy from a named pool": (
        (D,),
        {"cluster_ips": DUAL, "from_pool": "d"},
        R.DUAL_STACK_NOT_REQUESTED,
        (
            "no available IPs in pool d for dual IPFamily: "
            "two cluster IPs need ipFamilyPolicy PreferDualStack or RequireDualStack"
        ),
    ),
    "pool without the family": (
        (A,),
        {"cluster_ips": V6, "from_pool": "a"},
        R.POOL_LACKS_FAMILY,
        "no available IPs in pool a (a: has no IPv6 addresses)",
    ),
    "pool without both families": (
        (A,),
        {"cluster_ips": DUAL, "policy": REQUIRE, "from_pool": "a"},
        R.POOL_LACKS_FAMILY,
        "no available IPs in pool a (a: has no IPv6 addresses)",
    ),
    "pool full": (
        (FULL,),
        {"from_pool": "full"},
        R.POOL_FULL,
        "no available IPs in pool full (full: full 1/1 (IPv4))",
    ),
    "everything at once": (
        (
            pool("pool-a", "10.9.0.0/30", auto=False),
            FULL,
            pool("pool-c", "10.8.0.0/30", namespaces=["x"]),
            pool("pool-d", "10.7.0.0/30", labels={"tier": "gold"}),
            pool("pool-e", "fd00::/64"),
        ),
        {},
        R.NO_AVAILABLE_IPS,
        "no available IPs (full: full 1/1 (IPv4) · pool-a: skipped, autoAssign=false · "
        'pool-c: namespace "default" not selected · pool-d: service labels not selected, needs (tier=gold) · '
        "pool-e: has no IPv6 addresses)".replace("no IPv6", "no IPv4"),
    ),
    "two families in two pools": (
        (A, pool("b", "fd00:b::/64")),
        {"cluster_ips": DUAL, "policy": REQUIRE},
        R.NO_AVAILABLE_IPS,
        "no available IPs (a: has no IPv6 addresses · b: has no IPv4 addresses)",
    ),
    "full, but shareable if it were not for a port": (
        (FULL,),
        SHARES,
        R.NO_AVAILABLE_IPS,
        "no available IPs (full: full 1/1 (IPv4); TCP/80 already taken by default/holder on 10.1.0.0)",
    ),
    "full, but shareable if it were not for the policy": (
        (FULL,),
        {"share": "k", "ports": ["TCP/81"]},
        R.NO_AVAILABLE_IPS,
        (
            "no available IPs (full: full 1/1 (IPv4); on 10.1.0.0, "
            "default/holder uses Local with selector app=h, default/s uses Cluster)"
        ),
    ),
    "port in use": (
        (FULL,),
        SHARES | {"wants": "10.1.0.0"},
        R.PORT_IN_USE,
        'port TCP/80 is already in use on "10.1.0.0" by default/holder (full: 10.1.0.0 is in use)',
    ),
}


def refusal_of(pools: tuple[Pool, ...], wish: dict[str, Any]) -> Refusal:
    holder = service("holder", status=["10.1.0.0"], **SHARES)
    subject = service(**wish)
    refused = assign_all(Config(pools=by_name(*pools)), [holder, subject]).services[subject.key].refusal
    assert refused is not None
    return refused


@pytest.mark.parametrize("name", UNSATISFIABLE)
def test_a_request_that_cannot_be_met_is_refused_with_its_own_reason(name: str) -> None:
    pools, wish, reason, text = UNSATISFIABLE[name]
    refused = refusal_of(pools, wish)
    assert (refused.reason, str(refused)) == (reason, text)
    assert [verdict.pool for verdict in refused.verdicts] == sorted(verdict.pool for verdict in refused.verdicts)


def test_the_obstacles_have_distinct_reasons() -> None:
    found = {
        (refused.reason, *(verdict.reason for verdict in refused.verdicts))
        for pools, wish, *_ in UNSATISFIABLE.values()
        for refused in [refusal_of(pools, wish)]
    }
    assert len({reason for reason, *_ in found}) >= 15
    assert len(found) >= 22


VERDICTS = {
    PoolReason.AUTO_ASSIGN_OFF: "everything at once",
    PoolReason.NAMESPACE_NOT_SELECTED: "everything at once",
    PoolReason.LABELS_NOT_SELECTED: "everything at once",
    PoolReason.LACKS_FAMILY: "everything at once",
    PoolReason.FULL: "everything at once",
    PoolReason.PORT_TAKEN: "full, but shareable if it were not for a port",
    PoolReason.BACKEND_DIFFERS: "full, but shareable if it were not for the policy",
    PoolReason.SHARING_REFUSED: "port in use",
    PoolReason.ADDRESS_OUTSIDE: "address in no pool",
    PoolReason.ADDRESS_AVOIDED: "address avoided",
    PoolReason.NOT_REQUESTED: "address of another pool than the one asked for",
}


@pytest.mark.parametrize("reason", list(PoolReason))
def test_a_pool_says_as_data_why_it_did_not_help(reason: PoolReason) -> None:
    pools, wish, *_ = UNSATISFIABLE[VERDICTS[reason]]
    assert reason in {verdict.reason for verdict in refusal_of(pools, wish).verdicts}


def test_a_set_of_addresses_that_no_service_can_have_is_refused() -> None:
    answer = Allocator(by_name(A)).register(service(), ips("10.0.0.1", "10.0.0.2"))
    assert isinstance(answer, Refusal)
    assert answer.reason is RefusalReason.INVALID_ADDRESS_SET


def test_only_refusals_that_a_release_can_cure_are_waited_for() -> None:
    curable = {reason for reason in RefusalReason if Refusal(reason, "").may_pass}
    assert curable == {
        R.PORT_IN_USE,
        R.SHARING_NOT_ENABLED,
        R.SHARING_KEY_DIFFERS,
        R.BACKEND_DIFFERS,
        R.POOL_FULL,
        R.NO_AVAILABLE_IPS,
    }
