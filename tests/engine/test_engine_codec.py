"""The codec of the link: everything that crosses it comes back equal, nothing else is taken."""

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp.community import Community, LargeCommunity
from herald.bgp.family import Family
from herald.bgp.parameters import Algorithm, MasterKey, Password, PeerParameters
from herald.bgp.route import Route
from herald.engine.codec import Codec, DecodeError
from herald.engine.link import (
    DOWNWARD,
    UPWARD,
    Apply,
    Facts,
    InterfaceFact,
    Join,
    Leave,
    Member,
    PeerRoutes,
    Ready,
    SessionFact,
    UnansweredHolding,
)
from herald.layer2.conflict import Conflict
from herald.layer2.holding import Holding
from herald.net.interface import Mac

names = st.text(min_size=1, max_size=12)
addresses = st.ip_addresses()
prefixes = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
).map(lambda pair: ip_network(pair, strict=False))
asns = st.integers(1, 2**32 - 1)
holdings = st.builds(Holding, addresses, st.none() | st.frozensets(names, max_size=3))
routes = st.builds(
    Route,
    prefixes,
    st.none() | asns,
    st.lists(st.builds(Community, asns), max_size=3).map(tuple),
    st.lists(st.builds(LargeCommunity, asns, asns, asns), max_size=2).map(tuple),
    st.lists(asns, max_size=3).map(tuple),
)
peers = st.builds(
    PeerParameters,
    name=names,
    peer_address=st.ip_addresses(v=4),
    local_asn=asns,
    peer_asn=asns,
    peer_port=st.integers(1, 65535),
    hold_time=st.sampled_from([0, 3, 90]),
    router_id=st.none() | st.ip_addresses(v=4),
    source_address=st.none() | st.ip_addresses(v=4),
    password=st.none() | names.map(Password),
    multihop=st.booleans(),
    families=st.sampled_from([frozenset(Family), frozenset({Family.IPV4_UNICAST})]),
) | st.builds(
    PeerParameters,
    name=names,
    peer_address=st.ip_addresses(v=6),
    local_asn=asns,
    dynamic_asn=st.sampled_from(["internal", "external"]),
)


def tuples(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, max_size=3).map(tuple)


applies = st.builds(
    Apply,
    st.booleans(),
    tuples(holdings),
    tuples(addresses),
    tuples(peers),
    tuples(names),
    tuples(st.builds(PeerRoutes, names, tuples(routes), tuples(prefixes), st.booleans())),
    st.booleans(),
)
conflicts = st.builds(Conflict, st.ip_addresses(v=4), names, st.binary(min_size=6, max_size=6).map(Mac))
facts = st.builds(
    Facts,
    tuples(st.builds(Member, names, st.none() | st.frozensets(names, max_size=3))),
    tuples(st.builds(InterfaceFact, names, st.booleans(), st.booleans(), st.booleans(), st.booleans(), names)),
    tuples(
        st.builds(
            SessionFact,
            names,
            st.booleans(),
            names,
            st.none() | names,
            names,
            st.floats(0, 2e9),
            st.none() | names,
            st.integers(0, 10000),
        )
    ),
    tuples(conflicts),
    tuples(st.builds(UnansweredHolding, addresses, names)),
)


@given(applies | st.builds(Join, tuples(names)) | st.builds(Leave, names))
def test_what_control_says_arrives_as_it_was_said(message: Apply | Join | Leave) -> None:
    assert DOWNWARD.decode(DOWNWARD.encode(message)) == message


@given(facts | st.builds(Ready, names, st.integers(1, 2**22)))
def test_what_the_engine_says_arrives_as_it_was_said(message: Facts | Ready) -> None:
    assert UPWARD.decode(UPWARD.encode(message)) == message


def test_a_password_crosses_the_link_and_is_in_no_repr() -> None:
    peer = PeerParameters("r1", ip_address("192.0.2.1"), 64500, 64501, password=Password("s3cret"))
    (arrived,) = DOWNWARD.decode(DOWNWARD.encode(Apply(peers=(peer,)))).peers  # type: ignore[union-attr]
    assert arrived.password is not None
    assert arrived.password.reveal() == "s3cret"
    assert "s3cret" not in repr(Apply(peers=(arrived,)))


def raw(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


NO_APPLY: list[object] = [False, [], [], [], [], [], True, []]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "not a message", id="nothing"),
        pytest.param(b"\xc1", "not a message", id="no msgpack"),
        pytest.param(raw(7), "expected \\[name, fields\\]", id="a number"),
        pytest.param(
            raw(["Explode", []]),
            "one of \\['Apply', 'Departing', 'Join', 'Leave', 'Moved', 'Pulse', 'Tell', 'Watch'\\]",
            id="an unknown message",
        ),
        pytest.param(raw(["Leave", []]), "Leave: expected an array of 1", id="a field too few"),
        pytest.param(raw(["Leave", [1]]), "expected str, got int", id="a field of another type"),
        pytest.param(raw(["Apply", [1, *NO_APPLY[1:]]]), "expected bool, got int", id="a number is no truth value"),
        pytest.param(raw(["Apply", [False, {}, *NO_APPLY[2:]]]), "expected an array, got dict", id="no array"),
        pytest.param(
            raw(["Apply", [False, [], ["192.0.2.1"], *NO_APPLY[3:]]]),
            "IPv4Address or IPv6Address",
            id="address as text",
        ),
        pytest.param(
            raw(["Apply", [False, [], [msgspec.msgpack.Ext(1, b"abc")], *NO_APPLY[3:]]]),
            "no extension 1 of 3 octets",
            id="an address of 3 octets",
        ),
    ],
)
def test_what_is_not_a_message_is_refused_with_what_was_expected(data: bytes, says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        DOWNWARD.decode(data)


def test_the_key_of_tcp_ao_crosses_the_link_and_is_in_no_repr() -> None:
    key = MasterKey(1, 255, Algorithm.AES_128_CMAC_96, Password("s3cret"))
    peer = PeerParameters("r1", ip_address("192.0.2.1"), 64500, 64501, tcp_ao=key)
    (arrived,) = DOWNWARD.decode(DOWNWARD.encode(Apply(peers=(peer,)))).peers  # type: ignore[union-attr]
    assert arrived == peer
    assert arrived.tcp_ao is not None
    assert arrived.tcp_ao.secret.reveal() == "s3cret"
    assert "s3cret" not in repr(arrived)


def test_a_refusal_never_quotes_the_value_which_might_be_a_password() -> None:
    with pytest.raises(DecodeError) as caught:
        DOWNWARD.decode(raw(["Apply", [False, [], [], "s3cret", *NO_APPLY[4:]]]))
    assert "s3cret" not in str(caught.value)


@given(st.binary(max_size=60))
def test_fuzz_any_octets_give_a_message_or_a_decode_error(data: bytes) -> None:
    try:
        DOWNWARD.decode(data)
    except DecodeError:
        return


@given(applies.map(DOWNWARD.encode), st.data())
def test_fuzz_a_damaged_message_gives_a_message_or_a_decode_error(data: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(data)
    damaged[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        DOWNWARD.decode(bytes(damaged))
    except DecodeError:
        return


class Colour(enum.Enum):
    RED = (1, 1)


@dataclass(frozen=True, slots=True)
class Nested:
    pair: tuple[int, str]
    colours: frozenset[Colour]
    address: IPv4Address | IPv6Address | None


def test_nested_types_come_back_equal() -> None:
    codec: Codec[Nested] = Codec(Nested)
    for value in (Nested((1, "a"), frozenset({Colour.RED}), ip_address("::1")), Nested((0, ""), frozenset(), None)):
        assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize("hint", [list[int], dict[str, int], object, set[int], int | Nested])
def test_a_type_that_cannot_be_carried_is_refused_when_the_codec_is_made(hint: object) -> None:
    with pytest.raises(TypeError, match="cannot be carried"):
        Codec(hint)
