"""Router advertisements of FRR and BIRD, and a solicitation of Linux, as recorded."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.net.interface import Mac
from herald.router_discovery import message
from herald.router_discovery.message import RouterAdvertisement, RouterDiscoveryError, RouterSolicitation
from recorded import damaged, recorded, ttl

FRAMES = recorded("router-discovery")
FRR = FRAMES["frr-advertisement"]
ADVERTISEMENTS = {"frr-advertisement": (30, FRR[6:12]), "bird-advertisement": (40, None)}


def read(frame: bytes) -> message.Message:
    return message.decode(frame[54 : 54 + int.from_bytes(frame[18:20])], IPv6Address(frame[22:38]), ttl(frame))


@pytest.mark.parametrize(("name", "said"), ADVERTISEMENTS.items())
def test_an_advertisement_says_how_long_and_perhaps_from_which_station(name: str, said: tuple[int, Mac | None]) -> None:
    assert read(FRAMES[name]) == RouterAdvertisement(*said)


def test_a_solicitation_of_linux_says_from_which_station() -> None:
    assert read(FRAMES["linux-solicitation"]) == RouterSolicitation(FRAMES["linux-solicitation"][6:12])


def test_our_solicitation_is_that_of_linux_but_for_the_checksum_which_the_kernel_fills_in() -> None:
    linux = FRAMES["linux-solicitation"][54:]
    assert message.encode(read(FRAMES["linux-solicitation"])) == linux[:2] + b"\0\0" + linux[4:]


@given(damaged([frame[54:] for frame in FRAMES.values()]), st.sampled_from([255, 64]))
def test_fuzz_a_damaged_recording_is_a_message_or_an_error(data: bytes, hop_limit: int) -> None:
    try:
        found = message.decode(data, IPv6Address("fe80::1"), hop_limit)
    except RouterDiscoveryError:
        return
    assert message.decode(message.encode(found), IPv6Address("fe80::1"), 255) == found
