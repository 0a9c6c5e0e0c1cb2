"""Packets and streams of HashiCorp's memberlist as recorded, in clear, compressed, labelled and sealed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.swim import packet, stream
from herald.swim.keyring import Keyring, UnauthenticatedError, derive_key
from herald.swim.message import Ack, Alive, DecodeError, Message, Ping, PushPull, encode
from herald.swim.packet import Drop, Wrapping, open_packet
from recorded import damaged, recorded, udp_payload

KEYRING = Keyring(derive_key(b"A" * 22))
WRAPPINGS = {
    "clear": Wrapping(),
    "labelled": Wrapping(label=b"blue"),
    "sealed": Wrapping(KEYRING),
    "sealed-labelled": Wrapping(KEYRING, label=b"blue"),
}
RECORDED = recorded("memberlist")
UDP = {name: udp_payload(octets) for name, octets in RECORDED.items() if "-udp-" in name}
TCP = {name: octets for name, octets in RECORDED.items() if "-tcp-" in name}


def wrapping(name: str) -> Wrapping:
    return WRAPPINGS[name.rpartition("-")[0].rpartition("-")[0]]


def test_what_is_in_clear_was_recorded_plain_compressed_in_a_compound_and_with_a_checksum() -> None:
    first = {octets[0] for name, octets in UDP.items() if name.startswith("clear")}
    assert {0, packet.COMPOUND, packet.CRC} <= first, "a ping, a compound, a checksum"
    checked = [octets[5] for octets in UDP.values() if octets[0] == packet.CRC]
    assert packet.COMPRESS in checked
    assert TCP["clear-tcp-1"][0] == packet.COMPRESS


@pytest.mark.parametrize("name", UDP)
def test_everything_in_a_packet_is_understood(name: str) -> None:
    opened = open_packet(UDP[name], wrapping(name))
    assert opened.dropped == []
    assert opened.messages


@pytest.mark.parametrize("group", WRAPPINGS)
def test_a_group_that_forms_says_all_these(group: str) -> None:
    ours = [name for name in UDP if wrapping(name) is WRAPPINGS[group]]
    said = [message for name in ours for message in open_packet(UDP[name], wrapping(name)).messages]
    kinds = {type(one) for one in said}
    assert {Ping, Ack, Alive} <= kinds
    alive = {one.node for one in said if isinstance(one, Alive)}
    assert alive <= {"n1", "n2"}


@pytest.mark.parametrize("name", TCP)
def test_a_stream_is_the_members_that_the_other_end_knows(name: str) -> None:
    reading = stream.Reading(wrapping(name))
    found = reading.feed(TCP[name])
    assert isinstance(found, PushPull)
    assert found.join
    assert [(one.node, str(one.endpoint.address)) for one in found.entries] == [("n2", "10.0.0.2")]


@pytest.mark.parametrize("name", [name for name in UDP if "sealed" in name])
def test_without_the_key_or_with_another_a_sealed_packet_is_nothing(name: str) -> None:
    label = wrapping(name).label
    for keyring in (Keyring(derive_key(b"B" * 22)), None):
        opened = open_packet(UDP[name], Wrapping(keyring, label=label))
        assert opened.messages == []
        assert opened.dropped in ([Drop.UNAUTHENTICATED], [Drop.MALFORMED])


@pytest.mark.parametrize("name", UDP)
def test_what_was_understood_is_said_again_in_the_same_way(name: str) -> None:
    messages = open_packet(UDP[name], wrapping(name)).messages
    again = packet.seal([encode(one) for one in messages], wrapping(name), random.Random(1), checksum=True)
    assert open_packet(again, wrapping(name)).messages == messages


PLAIN = [octets for name, octets in UDP.items() if name.startswith("clear") and octets[0] == 0]


@pytest.mark.parametrize("octets", PLAIN, ids=range(len(PLAIN)))
def test_a_plain_message_is_written_again_octet_by_octet(octets: bytes) -> None:
    (message,) = open_packet(octets, Wrapping()).messages
    assert encode(message) == octets


@given(damaged(list(UDP.values())), st.sampled_from(list(WRAPPINGS.values())))
def test_fuzz_a_damaged_packet_is_messages_or_drops(data: bytes, wrapped: Wrapping) -> None:
    for message in open_packet(data, wrapped).messages:
        _say_again(message)


@given(damaged(list(TCP.values())), st.sampled_from(list(WRAPPINGS.values())))
def test_fuzz_a_damaged_stream_is_a_message_or_an_error_or_waits_for_more(data: bytes, wrapped: Wrapping) -> None:
    try:
        message = stream.Reading(wrapped).feed(data)
    except (DecodeError, UnauthenticatedError):
        return
    if message is not None:
        _say_again(message)


def _say_again(message: Message) -> None:
    assert encode(message)
