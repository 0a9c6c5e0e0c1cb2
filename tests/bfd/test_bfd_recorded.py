"""BFD of FRR and BIRD as recorded: its packets are read, written again octet by octet, and not taken when spoilt."""

import random

import pytest
from hypothesis import given

from herald.bfd import control_packet
from herald.bfd.control_packet import ControlPacket, Diagnostic, PacketError, State
from herald.bfd.echo import Echo, discriminator_of
from recorded import damaged, recorded, ttl, udp_payload

FRR, BIRD = recorded("bfd-frr"), recorded("bfd-bird")
CONTROL = {
    f"{daemon}-{name}": udp_payload(frame)
    for daemon, packets in (("frr", FRR), ("bird", BIRD))
    for name, frame in packets.items()
    if "echo" not in name
}
ECHOES = [udp_payload(frame) for name, frame in FRR.items() if "echo" in name]
STATES = {"down": State.DOWN, "init": State.INIT, "up": State.UP, "admindown": State.ADMIN_DOWN}


@pytest.mark.parametrize("name", CONTROL)
def test_a_packet_is_read_and_written_again_octet_by_octet(name: str) -> None:
    packet = control_packet.decode(CONTROL[name])
    _, _, _, state, diagnostic, *flags = name.split("-")
    assert packet.state is STATES[state]
    assert packet.diagnostic == int(diagnostic)
    assert (packet.poll, packet.final) == ("poll" in flags, "final" in flags)
    assert packet.detect_multiplier == 3
    assert control_packet.encode(packet) == CONTROL[name]


def told(name: str) -> ControlPacket:
    return control_packet.decode(CONTROL[name])


@pytest.mark.parametrize("version", ["ipv4", "ipv6"])
def test_a_session_that_is_not_up_is_slow_and_knows_nobody(version: str) -> None:
    for daemon in ("frr", "bird"):
        first = told(f"{daemon}-{version}-3784-down-0")
        assert (first.your_discriminator, first.desired_min_tx_us) == (0, 1_000_000)


@pytest.mark.parametrize("version", ["ipv4", "ipv6"])
def test_a_poll_of_frr_says_the_new_interval_and_what_follows_keeps_to_it(version: str) -> None:
    poll, plain = told(f"frr-{version}-3784-up-0-poll"), told(f"frr-{version}-3784-up-0")
    assert (poll.desired_min_tx_us, poll.required_min_rx_us) == (50_000, 50_000)
    assert plain.my_discriminator == poll.my_discriminator
    assert plain.desired_min_tx_us in (50_000, 80_000)
    assert told(f"frr-{version}-3784-up-0-final").your_discriminator == plain.your_discriminator


def test_frr_loops_echoes_only_where_it_is_told_to() -> None:
    assert told("frr-ipv4-3784-up-0").required_min_echo_rx_us == 50_000
    assert told("bird-ipv4-3784-up-0").required_min_echo_rx_us == 0


def test_a_session_that_hears_of_our_end_says_so() -> None:
    assert told("frr-ipv4-3784-down-3").diagnostic == Diagnostic.NEIGHBOR_SIGNALED_DOWN


def test_every_packet_was_sent_with_the_ttl_of_who_is_near() -> None:
    assert {ttl(frame) for packets in (FRR, BIRD) for name, frame in packets.items() if "-3784-" in name} == {255}
    multihop = {ttl(frame) for name, frame in FRR.items() if "-4784-" in name}
    assert multihop == {254}, "one router was between"


def test_an_echo_that_frr_has_looped_is_the_one_that_was_sent() -> None:
    ours, theirs = sorted(ECHOES, key=len)
    assert discriminator_of(ours) == told("frr-ipv4-3784-up-0").your_discriminator
    echo = Echo(discriminator_of(ours) or 0, random.Random(1))
    echo.run(0.05, 3, 0.0)
    assert echo.due(0.0) is not None
    assert not echo.returned(ours, 0.01, 0.01), "the secret is that of another run"
    assert not echo.returned(theirs, 0.01, 0.01)


@given(damaged([*CONTROL.values(), *ECHOES]))
def test_fuzz_a_damaged_recording_is_a_packet_or_a_refusal(data: bytes) -> None:
    try:
        packet = control_packet.decode(data)
    except PacketError:
        return
    assert control_packet.decode(control_packet.encode(packet)) == packet
