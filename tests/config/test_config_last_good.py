"""What works is not taken away by an edit or a deletion: the last valid version stays in force, and that is said."""

from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from config_resources import (
    OLD,
    YOUNG,
    bfd,
    bgp,
    community,
    compiled,
    errors,
    l2,
    peer,
    pool,
    resources,
    secret,
)

from herald.api.bgp_peer import TCPAO, SecretRef
from herald.config.compile import compile_config
from herald.config.findings import ObjectKey, problem

GOOD_AND_BAD_EDIT: dict[str, tuple[Any, Any]] = {
    "pool": (pool("x", "10.0.0.0/24"), pool("x", "nonsense")),
    "l2": (l2("x", interfaces=("eth0",)), l2("x", ip_address_pools=("a", "a"))),
    "bgp": (bgp("x", local_pref=100), bgp("x", aggregation_length=33)),
    "peer": (peer("x"), peer("x", my_asn=0)),
    "bfd": (bfd("x", receive_interval=100), bfd("x", receive_interval=1)),
    "community": (community("x", ("a", "1:1")), community("x", ("a", "b"))),
}


@pytest.mark.parametrize("case", GOOD_AND_BAD_EDIT)
def test_an_edit_that_breaks_an_object_leaves_its_last_valid_version_in_force(case: str) -> None:
    good, bad = GOOD_AND_BAD_EDIT[case]
    first = compiled(good)
    second = compiled(bad, last_good=dict(first.accepted))
    assert second.config == first.config
    assert [name for _, name, _ in errors(second)] == ["x"]
    told = f"The last valid version of this {type(good).__name__} stays in force; a restart would leave it out."
    assert told in second.problems[0].message
    assert second.accepted == first.accepted
    assert compiled(good, last_good=dict(second.accepted)).problems == first.problems


@pytest.mark.parametrize("case", GOOD_AND_BAD_EDIT)
def test_without_a_past_a_broken_object_is_left_out(case: str) -> None:
    _, bad = GOOD_AND_BAD_EDIT[case]
    outcome = compiled(bad)
    assert outcome.accepted == {}
    assert "is left out" in outcome.problems[0].message


@pytest.mark.parametrize("case", GOOD_AND_BAD_EDIT)
def test_a_deleted_object_is_gone(case: str) -> None:
    good, _ = GOOD_AND_BAD_EDIT[case]
    outcome = compiled(last_good=dict(compiled(good).accepted))
    assert outcome.config == compiled().config
    assert outcome.accepted == {}


@pytest.mark.parametrize("case", GOOD_AND_BAD_EDIT)
def test_an_object_that_cannot_be_decoded_any_more_is_not_a_deleted_one(case: str) -> None:
    good, _ = GOOD_AND_BAD_EDIT[case]
    first = compiled(good)
    second = compile_config(resources(), last_good=first.accepted, spoilt=[ObjectKey.of(good)])
    assert second.config == first.config
    assert [problem.rule for problem in second.problems if problem.rule == "HL211"] == ["HL211"]


def test_an_edit_that_collides_with_a_younger_pool_does_not_cost_the_younger_pool() -> None:
    old, young = pool("old", "10.0.0.0/24", created=OLD), pool("young", "10.1.0.0/24", created=YOUNG)
    first = compiled(old, young)
    edited = compiled(pool("old", "10.1.0.0/16", created=OLD), young, last_good=dict(first.accepted))
    assert edited.config.pools == first.config.pools
    assert errors(edited) == [("HL302", "old", "spec.addresses")]


def test_a_pool_that_waited_does_not_slip_in_by_another_ones_broken_edit() -> None:
    held, waiting = pool("held", "10.0.0.0/24", created=YOUNG), pool("waiting", "10.0.0.0/25", created=OLD)
    first = compiled(held)
    second = compiled(pool("held", "nonsense", created=YOUNG), waiting, last_good=dict(first.accepted))
    assert second.config.pools == first.config.pools


def test_the_key_of_tcp_ao_outlives_its_secret() -> None:
    wanted = peer("r", tcp_ao=TCPAO(send_id=1, receive_id=2, secret_ref=SecretRef(name="s")))
    first = compiled(wanted, secret(value="one"))
    kept = compiled(wanted, last_good=dict(first.accepted)).config.peers["r"]
    assert kept.tcp_ao is not None
    assert kept.tcp_ao.secret.reveal() == "one"


def test_a_secret_that_is_deleted_or_spoilt_leaves_the_session_its_password() -> None:
    with_secret = peer("r", secret_name="s")
    first = compiled(with_secret, secret(value="one"))
    for later in ([], [secret(value="two", kind="Opaque")]):
        second = compiled(with_secret, *later, last_good=dict(first.accepted))
        assert second.config == first.config
        assert [rule for rule, _, _ in errors(second)] == ["HL072"]
        third = compiled(with_secret, *later, last_good=dict(second.accepted))
        assert third.config == first.config
    password = compiled(with_secret, secret(value="three"), last_good=dict(first.accepted)).config.peers["r"].password
    assert password is not None
    assert password.reveal() == "three"


def test_an_alias_and_a_profile_that_are_deleted_are_remembered_while_they_are_needed() -> None:
    users = [bgp("b", communities=("a",)), peer("r", bfd_profile="fast")]
    first = compiled(*users, community("c", ("a", "1:1")), bfd("fast", receive_interval=50))
    second = compiled(*users, last_good=dict(first.accepted))
    third = compiled(*users, last_good=dict(second.accepted))
    assert third.config == second.config == first.config
    assert {rule for rule, _, _ in errors(third)} == {"HL102", "HL077"}
    assert compiled(last_good=dict(third.accepted)).accepted == {}


def test_a_new_status_or_annotation_is_no_edit() -> None:
    held, rival = pool("held", "10.0.0.0/24", created=YOUNG), pool("rival", "10.0.0.0/24", created=OLD)
    first = compiled(held)
    touched = msgspec.structs.replace(
        held, metadata=msgspec.structs.replace(held.metadata, resource_version="7", annotations={"a": "b"})
    )
    assert list(compiled(touched, rival, last_good=dict(first.accepted)).config.pools) == ["held"]


def test_a_valid_edit_takes_effect_at_once() -> None:
    first = compiled(peer("r"))
    second = compiled(peer("r", peer_address="10.9.0.9"), last_good=dict(first.accepted))
    assert second.config.peers["r"].peer_address == ip_address("10.9.0.9")
    assert second.problems == ()


@pytest.mark.parametrize("has_past", [True, False], ids=["known before", "new"])
def test_what_cannot_be_read_is_said_to_be_left_out_only_if_no_version_of_it_is_in_force(has_past: bool) -> None:
    good = l2("x")
    read = problem("HL202", ObjectKey.of(good), "spec.spread", "is odd")
    past = compiled(good).accepted if has_past else {}
    (told,) = compile_config(resources(), last_good=past, spoilt=[ObjectKey.of(good)]).with_consequences([read])
    assert told.message == ("is odd" if has_past else "is odd. This L2Advertisement is left out.")
