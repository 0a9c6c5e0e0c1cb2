"""Which sessions a node keeps, and what the engine is asked for."""

from ipaddress import ip_address
from typing import Any

import pytest
from announcement_facts import peer, selectors

from herald.announcement.reason import Code, Reason
from herald.announcement.sessions import parameters, sessions_of
from herald.bgp.family import BOTH_FAMILIES, Family
from herald.bgp.parameters import Algorithm, MasterKey, Password, PeerParameters
from herald.bgp.role import Role
from herald.config.peer import GracefulRestart

V4, V6 = frozenset({Family.IPV4_UNICAST}), frozenset({Family.IPV6_UNICAST})
KEY = MasterKey(1, 2, Algorithm.HMAC_SHA_1_96, Password("x"))
EDGE = selectors(("role", "edge"), ("role", "gateway"))


@pytest.mark.parametrize(
    ("labels", "names"),
    [({"role": "edge"}, ["a", "b"]), ({"role": "gateway"}, ["a", "b"]), ({"role": "worker"}, ["b"]), ({}, ["b"])],
    ids=str,
)
def test_a_node_keeps_a_session_with_every_peer_that_selects_it(labels: dict[str, str], names: list[str]) -> None:
    peers = [peer("b", "10.9.0.2"), peer("a", node_selectors=EDGE)]
    assert [session.name for session in sessions_of(peers, labels)] == names


@pytest.mark.parametrize(
    ("other", "sessions"),
    [
        ({"address": "10.9.0.1"}, 1),
        ({"address": "10.9.0.1", "hold_time_s": 30.0}, 1),
        ({"address": "10.9.0.1", "peer_port": 1179}, 2),
        ({"address": "10.9.0.1", "vrf": "red"}, 2),
        ({"address": "10.9.0.2"}, 2),
    ],
    ids=["same", "other values", "other port", "other VRF", "other address"],
)
def test_two_peers_are_one_session_if_the_other_end_is_the_same(other: dict[str, Any], sessions: int) -> None:
    assert len(sessions_of([peer("a"), peer("b", **other)], {})) == sessions


def test_the_older_peer_gives_name_and_values_and_an_undated_one_is_the_youngest() -> None:
    old = peer("z", created="2026-01-01T00:00:00Z", hold_time_s=30.0)
    (session,) = sessions_of([peer("a", hold_time_s=90.0), old], {})
    assert (session.name, session.names, session.peer.hold_time_s) == ("z", {"a", "z"}, 30.0)


def test_two_peers_are_one_session_only_where_both_select_the_node() -> None:
    peers = [peer("a"), peer("b", created="2026-01-01T00:00:00Z", node_selectors=EDGE)]
    assert [s.name for s in sessions_of(peers, {"role": "edge"})] == ["b"]
    assert [s.name for s in sessions_of(peers, {})] == ["a"]


@pytest.mark.parametrize(
    ("more", "families"),
    [
        ({"address": "10.9.0.1"}, V4),
        ({"address": "fd99::1"}, V6),
        ({"address": "10.9.0.1", "dual_stack_address_family": True}, BOTH_FAMILIES),
        ({"address": None, "interface": "eth0"}, BOTH_FAMILIES),
    ],
    ids=["v4", "v6", "dual", "unnumbered"],
)
def test_a_session_carries_the_family_of_its_address_or_both(more: dict[str, Any], families: frozenset[Family]) -> None:
    (session,) = sessions_of([peer("a", **more)], {})
    assert session.families == families


def asked(**more: Any) -> PeerParameters | Reason:
    (session,) = sessions_of([peer("r1", **more)], {})
    return parameters(session)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"hold_time": 90, "keepalive_time": None, "local_asn": 64500, "peer_asn": 64501, "families": V4}),
        ({"hold_time_s": 0.5, "keepalive_time_s": 0.2}, {"hold_time": 0, "keepalive_time": 0}),
        ({"graceful_restart": GracefulRestart(60)}, {"restart_time": 60}),
        ({"graceful_restart": None}, {"restart_time": None}),
        ({"hold_time_s": 90.0, "keepalive_time_s": 30.0}, {"hold_time": 90, "keepalive_time": 30}),
        ({"local_asn": 65000}, {"local_asn": 65000}),
        ({"peer_asn": None, "dynamic_asn": "external"}, {"peer_asn": None, "dynamic_asn": "external"}),
        ({"source_address": ip_address("10.9.0.9")}, {"source_address": ip_address("10.9.0.9")}),
        (
            {"ebgp_multi_hop": True, "peer_port": 1179, "connect_time_s": 5},
            {"multihop": True, "peer_port": 1179, "connect_time": 5},
        ),
        ({"router_id": ip_address("10.0.0.9")}, {"router_id": ip_address("10.0.0.9")}),
        ({"dual_stack_address_family": True}, {"families": BOTH_FAMILIES}),
        ({"vrf": "red"}, {"vrf": "red"}),
        ({"ttl_security": True}, {"ttl_security": True, "multihop": False}),
        ({"tcp_ao": KEY}, {"tcp_ao": KEY, "password": None}),
        ({"passive": True, "bfd_strict": True}, {"passive": True, "bfd_strict": True}),
        ({}, {"passive": False, "bfd_strict": False, "role": None, "role_strict": False}),
        ({"role": Role.CUSTOMER, "role_strict": True}, {"role": Role.CUSTOMER, "role_strict": True}),
        (
            {"address": None, "interface": "eth7", "ebgp_multi_hop": True},
            {"peer_address": None, "interface": "eth7", "families": BOTH_FAMILIES, "multihop": False, "vrf": None},
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_the_engine_is_asked_for_what_the_peer_says(given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = asked(**given)
    assert isinstance(found, PeerParameters)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("given", "code", "word"),
    [
        ({"router_id": ip_address("fd00::1")}, Code.SESSION_NOT_POSSIBLE, "fd00::1"),
        ({"source_address": ip_address("fd00::1")}, Code.SESSION_NOT_POSSIBLE, "fd00::1"),
    ],
    ids=["v6 router ID", "source of the other family"],
)
def test_what_cannot_be_opened_says_why(given: dict[str, Any], code: Code, word: str) -> None:
    found = asked(**given)
    assert isinstance(found, Reason)
    assert found.code is code
    assert word in found.words
