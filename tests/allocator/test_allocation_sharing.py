"""Who may share an address: the tables of the specification, the full matrix, and what a refusal says."""

from itertools import product
from typing import Any

import pytest
from allocation_objects import by_name, ip, ips, key, pool, service

from herald.allocator.allocation import Allocation, Refusal, RefusalReason
from herald.allocator.allocator import Allocator
from herald.allocator.sharing import Port, backend_key, tenant_of

ADDRESS = ips("10.0.0.1")


def two_on_one(first: dict[str, Any], second: dict[str, Any]) -> tuple[Allocator, Allocation | Refusal]:
    """The answer to service b, which wants the address that service a has."""
    allocator = Allocator(by_name(pool("p", "10.0.0.0/24")))
    assert isinstance(allocator.register(service("a", **first), ADDRESS), Allocation)
    return allocator, allocator.register(service("b", **second), ADDRESS)


X, Y = {"app": "x"}, {"app": "y"}
K80, K81 = {"share": "k", "ports": ["TCP/80"]}, {"share": "k", "ports": ["TCP/81"]}
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "Cluster and Cluster": (K80, K81, True),
    "Cluster and Cluster, other selectors": (K80 | {"selector": X}, K81 | {"selector": Y}, True),
    "Local X and Local X": (K80 | {"local": True, "selector": X}, K81 | {"local": True, "selector": X}, True),
    "Local X and Local Y": (K80 | {"local": True, "selector": X}, K81 | {"local": True, "selector": Y}, False),
    "Local X and Cluster": (K80 | {"local": True, "selector": X}, K81, False),
    "Cluster and Local X": (K80, K81 | {"local": True, "selector": X}, False),
    "Local empty and Cluster": (K80 | {"local": True}, K81, True),
    "Local empty and Local empty": (K80 | {"local": True}, K81 | {"local": True}, True),
    "other key": (K80, K81 | {"share": "l"}, False),
    "empty key": (K80 | {"share": ""}, K81 | {"share": ""}, False),
    "no key": (K80 | {"share": None}, K81 | {"share": None}, False),
    "other namespaces": (K80 | {"ns": "one"}, K81 | {"ns": "two"}, True),
    "the same port": (K80, K80, False),
    "the same number, TCP and UDP": (K80, {"share": "k", "ports": ["UDP/80"]}, True),
    "one port of several": (K80 | {"ports": ["TCP/1", "TCP/2"]}, K80 | {"ports": ["TCP/3", "TCP/2"]}, False),
    "one port listed twice": (K80 | {"ports": ["TCP/1", "TCP/1"]}, K81, True),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_services_share_exactly_when_the_table_says_so(name: str) -> None:
    first, second, allowed = PAIRS[name]
    allocator, answer = two_on_one(first, second)
    assert isinstance(answer, Allocation) == allowed
    assert len(allocator.holders(ADDRESS[0])) == 1 + allowed


MATRIX = list(product([True, False], repeat=4))


@pytest.mark.parametrize(("same_key", "same_port", "both_local", "same_selector"), MATRIX)
def test_every_combination_is_decided_and_every_refusal_names_the_other(
    same_key: bool, same_port: bool, both_local: bool, same_selector: bool
) -> None:
    _, answer = two_on_one(
        {"share": "k", "ports": ["TCP/80"], "local": both_local, "selector": X},
        {
            "share": "k" if same_key else "l",
            "ports": ["TCP/80" if same_port else "TCP/81"],
            "local": both_local,
            "selector": X if same_selector else Y,
        },
    )
    allowed = same_key and not same_port and (same_selector or not both_local)
    assert isinstance(answer, Allocation) == allowed
    if isinstance(answer, Refusal):
        assert "default/a" in answer.message


TAKEN = 'can\'t change sharing key for "default/b", address also in use by default/a: '
MESSAGES: dict[str, tuple[dict[str, Any], dict[str, Any], RefusalReason, str]] = {
    "port": (
        K80,
        K80,
        RefusalReason.PORT_IN_USE,
        'port TCP/80 is already in use on "10.0.0.1" by default/a',
    ),
    "holder does not share": (
        {"share": None},
        K81,
        RefusalReason.SHARING_NOT_ENABLED,
        TAKEN + "default/a does not share (it has no allow-shared-ip)",
    ),
    "newcomer does not share": (
        K80,
        {"share": None},
        RefusalReason.SHARING_NOT_ENABLED,
        TAKEN + 'default/b does not share (it has no allow-shared-ip), default/a has "k"',
    ),
    "keys": (
        K80,
        K81 | {"share": "l"},
        RefusalReason.SHARING_KEY_DIFFERS,
        TAKEN + 'default/a has allow-shared-ip "k", default/b "l"',
    ),
    "policy": (
        K80 | {"local": True, "selector": {"app": "a"}},
        K81,
        RefusalReason.BACKEND_DIFFERS,
        TAKEN + "default/a uses Local with selector app=a, default/b uses Cluster",
    ),
    "selector": (
        K80 | {"local": True, "selector": {"z": "1", "app": "a"}},
        K81 | {"local": True},
        RefusalReason.BACKEND_DIFFERS,
        TAKEN + "default/a uses Local with selector app=a,z=1, default/b uses Local without a selector",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_refusal_to_share_names_the_item_that_differs(name: str) -> None:
    first, second, reason, message = MESSAGES[name]
    _, answer = two_on_one(first, second)
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.message) == (reason, message)
    assert [str(verdict) for verdict in answer.verdicts] == ["p: 10.0.0.1 is in use"]


def test_the_only_tenant_may_change_its_terms_in_place() -> None:
    allocator = Allocator(by_name(pool("p", "10.0.0.0/24")))
    for change in ({"share": "k"}, {"share": "l"}, {"share": None}, {"share": "k", "local": True, "selector": X}):
        answer = allocator.register(service("a", **change), ADDRESS)  # type: ignore[arg-type]  # one dict, many types
        assert answer == Allocation(pool("p", "10.0.0.0/24").name, ADDRESS)
    assert isinstance(allocator.register(service("b", **K81), ADDRESS), Refusal)
    assert isinstance(allocator.register(service("b", local=True, selector=X, **K81), ADDRESS), Allocation)


def test_one_of_several_tenants_may_not_change_its_terms_and_keeps_the_address() -> None:
    allocator, answer = two_on_one(K80, K81)
    assert isinstance(answer, Allocation)
    changed = allocator.register(service("a", share="l"), ADDRESS)
    assert isinstance(changed, Refusal)
    assert changed.reason is RefusalReason.SHARING_KEY_DIFFERS
    assert allocator.holders(ADDRESS[0]) == (key("a"), key("b"))


def test_registering_the_same_thing_again_changes_nothing() -> None:
    allocator, answer = two_on_one(K80, K81)
    assert allocator.register(service("b", **K81), ADDRESS) == answer
    assert allocator.holders(ADDRESS[0]) == (key("a"), key("b"))


def test_a_port_that_was_let_go_is_free_for_the_next_one() -> None:
    allocator, _ = two_on_one(K80, K81)
    assert isinstance(allocator.register(service("c", **K80), ADDRESS), Refusal)
    allocator.register(service("a", share="k", ports=["TCP/82"]), ADDRESS)
    assert isinstance(allocator.register(service("c", **K80), ADDRESS), Allocation)


def test_services_without_ports_do_not_let_strangers_in() -> None:
    allocator, answer = two_on_one({"share": "k", "ports": []}, {"share": "k", "ports": []})
    assert isinstance(answer, Allocation)
    allocator.release(key("b"))
    assert isinstance(allocator.register(service("c"), ADDRESS), Refusal)


def test_sharing_services_do_not_seek_each_other_while_a_lower_address_is_free() -> None:
    allocator = Allocator(by_name(pool("p", "10.0.0.0/30")))
    allocator.register(service("a", **K80), ADDRESS)
    assert allocator.allocate(service("b", **K81)) == Allocation(pool("p").name, ips("10.0.0.0"))
    third = allocator.allocate(service("c", share="k", ports=["TCP/82"]))
    assert third == Allocation(pool("p").name, ips("10.0.0.0"))
    fourth = allocator.allocate(service("d", share="k", ports=["TCP/81"]))
    assert fourth == Allocation(pool("p").name, ADDRESS)


def test_both_addresses_must_be_shareable() -> None:
    allocator = Allocator(by_name(pool("p", "10.0.0.0/24", "fd00::/120")))
    allocator.register(service("a", **K80), ips("10.0.0.1"))
    allocator.register(service("b", share="l"), ips("fd00::1"))
    wanted = ips("10.0.0.1", "fd00::1")
    assert isinstance(allocator.register(service("c", **K81), wanted), Refusal)
    assert allocator.holders(ip("10.0.0.1")) == (key("a"),)


BACKENDS = {
    "Cluster": (service(selector=X), ""),
    "Local": (service(local=True, selector={"b": "2", "a": "1"}), "a=1,b=2"),
    "Local without a selector": (service(local=True), ""),
}


@pytest.mark.parametrize("name", BACKENDS)
def test_the_backend_key_is_the_selector_of_a_local_service(name: str) -> None:
    subject, expected = BACKENDS[name]
    assert backend_key(subject) == expected


def test_ports_are_protocol_and_number() -> None:
    assert tenant_of(service(ports=["UDP/53", "TCP/53"])).ports == (Port("UDP", 53), Port("TCP", 53))
