from ipaddress import IPv4Address

import msgpack  # type: ignore[import-untyped]  # it brings no types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from swim_values import at, messages

from herald.swim.member import METALLB_VERSIONS, State, Versions
from herald.swim.message import (
    Ack,
    Alive,
    Dead,
    DecodeError,
    Entry,
    IncompleteError,
    Message,
    Nack,
    Ping,
    PushPull,
    Suspect,
    decode,
    encode,
)

# What memberlist v0.5.1 puts on the wire.
WIRE: list[tuple[Message, str]] = [
    (
        Ping(1, "n2", at(1), "n1"),
        (
            "0085a44e6f6465a26e32a55365714e6f01aa536f7572636541646472a40a000001"
            "aa536f757263654e6f6465a26e31aa536f75726365506f7274cd1f0a"
        ),
    ),
    (Ack(7), "0282a75061796c6f6164c0a55365714e6f07"),
    (Nack(5), "0b81a55365714e6f05"),
    (Suspect(3, "n3", "n1"), "0383a446726f6da26e31ab496e6361726e6174696f6e03a44e6f6465a26e33"),
    (
        Alive(1, "n1", at(1), b"", METALLB_VERSIONS),
        (
            "0486a441646472a40a000001ab496e6361726e6174696f6e01a44d657461c0a44e6f6465a26e31a4506f7274cd1f0a"
            "a356736ea6010502000000"
        ),
    ),
    (Dead(1, "n1", "n1"), "0583a446726f6da26e31ab496e6361726e6174696f6e01a44e6f6465a26e31"),
    (
        PushPull(True, (Entry("n1", at(1), b"", 1, State.LEFT, METALLB_VERSIONS),)),
        (
            "0683a44a6f696ec3a54e6f64657301ac5573657253746174654c656e0087a441646472a40a000001ab496e6361726e6174696f6e01"
            "a44d657461c0a44e616d65a26e31a4506f7274cd1f0aa5537461746503a356736ea6010502000000"
        ),
    ),
]


@pytest.mark.parametrize(("message", "wire"), WIRE, ids=[type(one).__name__ for one, _ in WIRE])
def test_a_message_and_its_octets(message: Message, wire: str) -> None:
    assert encode(message).hex() == wire
    assert decode(bytes.fromhex(wire)) == message


@given(messages)
def test_what_was_encoded_is_decoded(message: Message) -> None:
    assert decode(encode(message)) == message


@given(messages, st.data())
def test_a_message_that_is_cut_short_is_incomplete(message: Message, data: st.DataObject) -> None:
    whole = encode(message)
    with pytest.raises(IncompleteError):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(max_size=400))
def test_fuzz_any_octets_are_a_message_or_a_decode_error(octets: bytes) -> None:
    for number in (*range(16), 244):
        try:
            decode(bytes((number,)) + octets)
        except DecodeError:
            continue


@given(messages, st.integers(0, 10_000), st.integers(0, 255))
def test_fuzz_a_message_with_one_octet_changed_is_a_message_or_a_decode_error(
    message: Message, where: int, to: int
) -> None:
    octets = bytearray(encode(message))
    octets[where % len(octets)] = to
    try:
        decode(bytes(octets))
    except DecodeError:
        return


def suspect(**changed: object) -> bytes:
    fields = {"Incarnation": 1, "Node": "n3", "From": "n1"} | changed
    return b"\x03" + bytes(msgpack.packb(fields, use_bin_type=False))


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        pytest.param(suspect(Node=""), "Node: is missing", id="no name"),
        pytest.param(suspect(Node="x" * 254), "Node: expected up to 253 octets", id="a name too long"),
        pytest.param(suspect(Node=b"\xff"), "Node: not UTF-8", id="a name that is no text"),
        pytest.param(suspect(Node="a\nb"), "Node: not printable", id="a name of two lines"),
        pytest.param(suspect(Incarnation=2**32 - 1), "Incarnation: expected 0 to", id="an incarnation without a next"),
        pytest.param(suspect(Incarnation=-1), "Incarnation: expected 0 to", id="a negative incarnation"),
        pytest.param(suspect(Incarnation=True), "Incarnation: expected 0 to", id="truth is no number"),
        pytest.param(b"\x03\x93\x01\x02\x03", "expected a map", id="an array"),
        pytest.param(b"\x03\xdf\xff\xff\xff\xff", "no msgpack|ends within", id="a map of four thousand million"),
        pytest.param(b"\x03" + b"\x91" * 3000, "no msgpack|ends within", id="nested without end"),
        pytest.param(b"\x63", "no message of type 99", id="a type that is not there"),
        pytest.param(encode(WIRE[4][0]).replace(b"\xa6\x01\x05", b"\xa2\x01\x05")[:-4], "Vsn", id="versions cut short"),
    ],
)
def test_what_is_wrong_is_said(octets: bytes, says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        decode(octets)


def test_new_msgpack_is_understood_and_unknown_keys_are_skipped() -> None:
    fields = {"Incarnation": 1, "Node": "n" * 40, "From": b"n1", "Later": [1, {"a": 2}]}
    assert decode(b"\x03" + msgpack.packb(fields, use_bin_type=True)) == Suspect(1, "n" * 40, "n1")
    fields = {"Incarnation": 1, "Node": "n1", "Addr": [10, 0, 0, 1], "Port": 7946, "Vsn": list(bytes(METALLB_VERSIONS))}
    expected = Alive(1, "n1", at(1), b"", METALLB_VERSIONS)
    assert decode(b"\x04" + msgpack.packb(fields)) == expected


def test_one_bad_entry_of_a_push_pull_spoils_only_itself() -> None:
    good = Entry("n1", at(1), b"", 1, State.ALIVE, METALLB_VERSIONS)
    whole = encode(PushPull(False, (good, good, good)))
    spoilt = whole.replace(IPv4Address("10.0.0.1").packed, b"\x0a\x00\x00\x01", 1)
    second = spoilt.index(b"Addr", spoilt.index(b"Addr") + 1)
    spoilt = spoilt[: second + 4] + b"\xa3\x0a\x00\x00" + spoilt[second + 9 :]
    assert decode(spoilt) == PushPull(False, (good, good), unreadable=1)


def test_versions_that_are_missing_are_told_apart_from_zeros() -> None:
    entry = Entry("n1", at(1), b"", 1, State.ALIVE, None)
    zeros = Entry("n1", at(1), b"", 1, State.ALIVE, Versions(0, 0, 0))
    assert decode(encode(PushPull(False, (entry, zeros)))) == PushPull(False, (entry, zeros))
