from dataclasses import fields, replace
from ipaddress import ip_address

import pytest

from herald.bgp.family import Family
from herald.bgp.parameters import (
    EFFECT_OF_CHANGE,
    Algorithm,
    Change,
    MasterKey,
    Password,
    PeerParameters,
    changed_fields,
    expected_peer,
)

PEER = PeerParameters(name="r1", peer_address=ip_address("10.0.0.1"), local_asn=64500, peer_asn=64501)


KEY = MasterKey(1, 2, Algorithm.HMAC_SHA_1_96, Password("hunter2"))


def test_a_password_is_never_printed():
    peer = replace(PEER, password=Password("hunter2"))
    keyed = replace(PEER, tcp_ao=KEY)
    for text in (repr(peer), str(peer.password), f"{peer.password}", f"{peer}", repr(keyed), f"{keyed}", str(KEY)):
        assert "hunter2" not in text
    assert peer.password.reveal() == "hunter2"


@pytest.mark.parametrize("ids", [(-1, 0), (0, 256)], ids=["below", "above"])
def test_the_number_of_a_key_is_an_octet(ids):
    with pytest.raises(ValueError, match="is not 0 to 255"):
        MasterKey(*ids, Algorithm.HMAC_SHA_1_96, Password("x"))


def test_another_key_is_another_session():
    before, after = replace(PEER, tcp_ao=KEY), replace(PEER, tcp_ao=replace(KEY, secret=Password("hunter3")))
    assert changed_fields(before, after, Change.RESET) == ("tcp_ao",)


def test_passwords_are_compared_by_their_secret():
    assert Password("a") == Password("a")
    assert Password("a") != Password("b")


def test_every_field_has_its_row_in_the_table_of_changes():
    assert set(EFFECT_OF_CHANGE) == {field.name for field in fields(PeerParameters)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"peer_asn": None}, "exactly one of peer_asn and dynamic_asn"),
        ({"dynamic_asn": "external"}, "exactly one of peer_asn and dynamic_asn"),
        ({"hold_time": 2}, "hold_time 2 s is not 0 or 3 to 65535"),
        ({"hold_time": 65536}, "hold_time 65536 s is not 0 or 3 to 65535"),
        ({"families": frozenset()}, "no address family"),
        ({"password": Password("x"), "tcp_ao": KEY}, "password and tcp_ao exclude each other"),
        ({"source_address": ip_address("::1")}, "are of different IP families"),
    ],
)
def test_parameters_that_cannot_be_spoken_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(PEER, **changes)


@pytest.mark.parametrize(
    ("dynamic", "asn", "expected"),
    [
        (None, 64501, None),
        (None, 64502, "AS 64501"),
        ("internal", 64500, None),
        ("internal", 64501, "our own AS 64500"),
        ("external", 64501, None),
        ("external", 64500, "any AS but our own 64500"),
    ],
)
def test_the_peer_has_to_be_the_one_configured(dynamic, asn, expected):
    peer = replace(PEER, dynamic_asn=dynamic, peer_asn=None if dynamic else 64501)
    assert expected_peer(peer, asn) == expected


def test_endpoints_are_written_as_urls_write_them():
    assert PEER.endpoint == "10.0.0.1:179"
    assert replace(PEER, peer_address=ip_address("2001:db8::1"), peer_port=1790).endpoint == "[2001:db8::1]:1790"


def test_changed_fields_are_named_by_what_they_cost():
    after = replace(PEER, hold_time=30, peer_port=1790, families=frozenset({Family.IPV4_UNICAST}))
    assert changed_fields(PEER, after, Change.RESET) == ("peer_port", "families")
    assert changed_fields(PEER, after, Change.NEXT_SESSION) == ("hold_time",)
    assert changed_fields(PEER, after, Change.AT_ONCE) == ()
