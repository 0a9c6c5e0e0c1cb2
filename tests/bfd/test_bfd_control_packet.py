"""The codec of control packets: the drawing in RFC 5880 §4.1, octet by octet, and everything that must be discarded."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.bfd import BFD  # an independent reader

from herald.bfd.control_packet import (
    OCTETS,
    ControlPacket,
    Diagnostic,
    PacketError,
    Refusal,
    State,
    decode,
    diagnostic_text,
    encode,
)

UP = ControlPacket(State.UP, 3, 0x01020304, 0x0A0B0C0D, 50_000, 60_000, 70_000)
WIRES = {
    "up": (UP, "20c00318010203040a0b0c0d0000c3500000ea6000011170"),
    "down, first packet": (
        ControlPacket(State.DOWN, 5, 1, 0, 1_000_000, 300_000),
        "204005180000000100000000000f4240000493e000000000",
    ),
    "admin down with a reason": (
        replace(UP, state=State.ADMIN_DOWN, diagnostic=7),
        "27000318010203040a0b0c0d0000c3500000ea6000011170",
    ),
    "init with poll": (replace(UP, state=State.INIT, poll=True), "20a00318010203040a0b0c0d0000c3500000ea6000011170"),
    "final": (replace(UP, final=True), "20d00318010203040a0b0c0d0000c3500000ea6000011170"),
    "demand, independent of the control plane": (
        replace(UP, demand=True, control_plane_independent=True),
        "20ca0318010203040a0b0c0d0000c3500000ea6000011170",
    ),
}  # fmt: skip
PACKETS = st.builds(
    ControlPacket,
    state=st.sampled_from(State),
    detect_multiplier=st.integers(1, 255),
    my_discriminator=st.integers(1, 2**32 - 1),
    your_discriminator=st.integers(1, 2**32 - 1),
    desired_min_tx_us=st.integers(0, 2**32 - 1),
    required_min_rx_us=st.integers(0, 2**32 - 1),
    required_min_echo_rx_us=st.integers(0, 2**32 - 1),
    diagnostic=st.integers(0, 31),
    poll=st.booleans(),
    final=st.booleans(),
    control_plane_independent=st.booleans(),
    demand=st.booleans(),
)


@pytest.mark.parametrize(("packet", "wire"), WIRES.values(), ids=WIRES)
def test_a_packet_is_these_octets_and_these_octets_are_the_packet(packet: ControlPacket, wire: str) -> None:
    assert encode(packet).hex() == wire
    assert decode(bytes.fromhex(wire)) == packet


GOOD = encode(UP)


def with_octet(position: int, value: int) -> bytes:
    return GOOD[:position] + bytes((value,)) + GOOD[position + 1 :]


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        pytest.param(b"", Refusal.TOO_SHORT, id="nothing"),
        pytest.param(GOOD[:-1], Refusal.TOO_SHORT, id="an octet short"),
        pytest.param(with_octet(0, 0x00), Refusal.VERSION, id="version 0"),
        pytest.param(with_octet(0, 0x40), Refusal.VERSION, id="version 2"),
        pytest.param(with_octet(3, 23), Refusal.LENGTH, id="length below the header"),
        pytest.param(with_octet(3, 25), Refusal.LENGTH, id="length beyond the datagram"),
        pytest.param(with_octet(2, 0), Refusal.MULTIPLIER, id="multiplier 0"),
        pytest.param(with_octet(1, 0xC1), Refusal.MULTIPOINT, id="multipoint"),
        pytest.param(GOOD[:4] + bytes(4) + GOOD[8:], Refusal.MY_DISCRIMINATOR, id="no discriminator of its own"),
        pytest.param(GOOD[:8] + bytes(4) + GOOD[12:], Refusal.YOUR_DISCRIMINATOR, id="up, and knows nobody"),
        pytest.param(
            encode(replace(UP, state=State.INIT))[:8] + bytes(4) + GOOD[12:],
            Refusal.YOUR_DISCRIMINATOR,
            id="init, and knows nobody",
        ),
        pytest.param(with_octet(1, 0xC4), Refusal.AUTHENTICATED, id="A set, and no section"),
        pytest.param(
            GOOD[:1] + b"\xc4\x03\x1b" + GOOD[4:] + b"\x01\x03\x00", Refusal.AUTHENTICATED, id="a simple password"
        ),
        pytest.param(
            GOOD[:1] + b"\xc4\x03\x30" + GOOD[4:] + b"\x02\x18\x01\x00" + bytes(20),
            Refusal.AUTHENTICATED,
            id="keyed MD5",
        ),
    ],
)
def test_what_section_6_8_6_discards_is_refused(data: bytes, refusal: Refusal) -> None:
    with pytest.raises(PacketError) as caught:
        decode(data)
    assert caught.value.refusal is refusal


@pytest.mark.parametrize("state", [State.DOWN, State.ADMIN_DOWN])
def test_who_is_down_need_not_know_us(state: State) -> None:
    packet = replace(UP, state=state, your_discriminator=0)
    assert decode(encode(packet)) == packet


def test_octets_after_the_stated_length_do_not_matter() -> None:
    assert decode(GOOD + bytes(22)) == UP


@given(PACKETS)
def test_every_packet_survives_the_wire(packet: ControlPacket) -> None:
    assert decode(encode(packet)) == packet


@given(PACKETS)
def test_another_implementation_reads_the_same(packet: ControlPacket) -> None:
    read = BFD(encode(packet))
    flags = "".join(
        letter
        for letter, present in zip(
            "DCFP", (packet.demand, packet.control_plane_independent, packet.final, packet.poll), strict=True
        )
        if present
    )
    assert (read.version, read.diag, read.sta, set(str(read.flags))) == (1, packet.diagnostic, packet.state, set(flags))
    assert (read.detect_mult, read.len) == (packet.detect_multiplier, OCTETS)
    assert (read.my_discriminator, read.your_discriminator) == (packet.my_discriminator, packet.your_discriminator)
    assert read.min_tx_interval == packet.desired_min_tx_us
    assert read.min_rx_interval == packet.required_min_rx_us
    assert read.echo_rx_interval == packet.required_min_echo_rx_us


@given(st.binary(max_size=80))
def test_fuzz_any_octets_give_a_packet_or_a_refusal(data: bytes) -> None:
    packet = read(data)
    assert isinstance(packet, Refusal) or decode(encode(packet)) == packet


def read(data: bytes) -> ControlPacket | Refusal:
    try:
        return decode(data)
    except PacketError as error:
        return error.refusal


@given(PACKETS, st.integers(0, OCTETS - 1), st.integers(0, 255))
def test_fuzz_a_damaged_packet_is_read_or_refused(packet: ControlPacket, position: int, value: int) -> None:
    octets = bytearray(encode(packet))
    octets[position] = value
    assert isinstance(read(bytes(octets)), ControlPacket | Refusal)


@pytest.mark.parametrize("diagnostic", [*Diagnostic, 9, 31])
def test_every_diagnostic_has_words(diagnostic: int) -> None:
    assert diagnostic_text(diagnostic)
    assert (diagnostic_text(diagnostic) == f"diagnostic {diagnostic}") == (diagnostic > 8)
