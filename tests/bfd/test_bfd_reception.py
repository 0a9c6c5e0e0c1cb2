"""To which session a packet belongs: what is nobody's, or comes the wrong way, is counted and dropped."""

import random
from dataclasses import replace
from ipaddress import ip_address

import pytest
from bfd_values import PACKET, PROFILE
from hypothesis import given
from hypothesis import strategies as st

from herald.bfd.control_packet import Refusal, State, encode
from herald.bfd.path import Datagram, Hops, Lane, Path
from herald.bfd.reception import Drop, Meant, Reception
from herald.bfd.session import Session

PEER, OURS, STRANGER = (ip_address(f"10.0.0.{number}") for number in (1, 2, 9))
LINK_LOCAL = ip_address("fe80::1")
INTERFACES = {"eth0": 2, "eth1": 3}
SINGLE, MULTI = Lane(4, Hops.SINGLE), Lane(4, Hops.MULTI)


class Host:
    def __init__(self, *paths: Path) -> None:
        self.reception = Reception(random.Random(1), INTERFACES.get)
        self.sessions = []
        for path in paths:
            one = Session(path, PROFILE, self.reception.new_discriminator(), random.Random(1), 0.0)
            self.reception.add(one)
            self.sessions.append(one)

    def gets(self, lane: Lane, packet=PACKET, number=0, **fields) -> object:
        """Which session, by its number, gets a packet for session `number`; or why none."""
        if packet.your_discriminator:
            packet = replace(packet, your_discriminator=self.sessions[number].discriminator)
        datagram = replace(Datagram(encode(packet), PEER, OURS, 2, 255, 0.0), **fields)
        found = self.reception.find(lane, datagram)
        return self.sessions.index(found.session) if isinstance(found, Meant) else found


FIRST = replace(PACKET, your_discriminator=0)


@pytest.mark.parametrize("packet", [PACKET, FIRST], ids=["by discriminator", "by address"])
def test_a_packet_over_one_hop_finds_its_session(packet) -> None:
    host = Host(Path(PEER))
    assert host.gets(SINGLE, packet) == 0
    assert not host.reception.dropped


def test_the_discriminator_alone_counts_on_one_link() -> None:
    assert Host(Path(PEER)).gets(SINGLE, source=STRANGER) == 0, "RFC 5880 §6.3: whatever address it comes from"


@pytest.mark.parametrize(
    ("path", "lane", "packet", "fields", "reason"),
    [
        pytest.param(Path(PEER), SINGLE, PACKET, {"ttl": 254}, Drop.TTL, id="passed a router"),
        pytest.param(Path(PEER), SINGLE, PACKET, {"ttl": 0}, Drop.TTL, id="no TTL known"),
        pytest.param(Path(PEER), SINGLE, FIRST, {"source": STRANGER}, Drop.NO_SESSION, id="a stranger"),
        pytest.param(Path(PEER), MULTI, PACKET, {}, Drop.OTHER_PATH, id="the port of multihop"),
        pytest.param(Path(PEER, Hops.MULTI), SINGLE, PACKET, {}, Drop.OTHER_PATH, id="the port of single hop"),
        pytest.param(
            Path(PEER, Hops.MULTI), MULTI, PACKET, {"source": STRANGER}, Drop.OTHER_PATH, id="multihop, a stranger"
        ),
        pytest.param(Path(PEER, Hops.MULTI), MULTI, PACKET, {"ttl": 253}, Drop.TTL, id="multihop, from too far"),
        pytest.param(
            Path(PEER, interface="eth1"), SINGLE, PACKET, {}, Drop.OTHER_PATH, id="by discriminator, another interface"
        ),
        pytest.param(
            Path(PEER, interface="eth1"), SINGLE, FIRST, {}, Drop.NO_SESSION, id="by address, another interface"
        ),
        pytest.param(
            Path(PEER, interface="eth9"), SINGLE, FIRST, {}, Drop.NO_SESSION, id="an interface that is not there"
        ),
        pytest.param(
            Path(PEER, local=ip_address("10.0.0.7")), SINGLE, FIRST, {}, Drop.NO_SESSION, id="to another address"
        ),
        pytest.param(Path(PEER, vrf="red"), SINGLE, PACKET, {}, Drop.OTHER_PATH, id="another VRF"),
        pytest.param(Path(PEER), SINGLE, PACKET, {"data": b"\x20"}, Refusal.TOO_SHORT, id="not a packet"),
    ],
)
def test_what_is_nobodys_is_dropped_and_counted(path, lane, packet, fields, reason) -> None:
    host = Host(path)
    assert host.gets(lane, packet, **fields) is reason
    assert host.reception.dropped == {reason: 1}


def test_an_unknown_discriminator_is_not_looked_up_by_address() -> None:
    host = Host(Path(PEER))
    unknown = (host.sessions[0].discriminator + 1) % 2**32 or 5
    datagram = Datagram(encode(replace(PACKET, your_discriminator=unknown)), PEER, OURS, 2, 255, 0.0)
    assert host.reception.find(SINGLE, datagram) is Drop.NO_SESSION


def test_a_far_peer_within_minimum_ttl_is_heard_and_one_beyond_is_remembered() -> None:
    host = Host(Path(PEER, Hops.MULTI))
    assert host.gets(MULTI, ttl=254) == 0
    host.gets(MULTI, ttl=64)
    assert host.reception.below_minimum_ttl == {host.sessions[0].discriminator: 64}


def test_the_same_link_local_peer_behind_two_interfaces_is_two_peers() -> None:
    host = Host(Path(LINK_LOCAL, interface="eth0"), Path(LINK_LOCAL, interface="eth1"))
    lane = Lane(6, Hops.SINGLE)
    assert [host.gets(lane, FIRST, source=LINK_LOCAL, destination=None, interface_index=index) for index in (2, 3)] == [
        0,
        1,
    ]


def test_a_session_bound_to_the_interface_goes_before_one_that_is_not() -> None:
    host = Host(Path(PEER), Path(PEER, interface="eth0"))
    assert host.gets(SINGLE, FIRST) == 1
    assert host.gets(SINGLE, FIRST, interface_index=3) == 0


def test_a_session_that_is_gone_gets_nothing() -> None:
    host = Host(Path(PEER))
    host.reception.remove(host.sessions[0])
    assert host.gets(SINGLE) is Drop.NO_SESSION
    assert host.gets(SINGLE, FIRST) is Drop.NO_SESSION
    assert list(host.reception.sessions()) == []


def test_discriminators_are_all_different_and_not_zero() -> None:
    host = Host(*(Path(ip_address(0x0A000000 + number)) for number in range(300)))
    drawn = {one.discriminator for one in host.sessions}
    assert len(drawn) == 300
    assert 0 not in drawn


@given(
    st.binary(max_size=64),
    st.integers(0, 255),
    st.integers(0, 5),
    st.sampled_from([PEER, STRANGER, LINK_LOCAL]),
    st.sampled_from([SINGLE, MULTI, Lane(6, Hops.SINGLE), Lane(4, Hops.SINGLE, "red")]),
)
def test_fuzz_whatever_comes_is_for_somebody_or_counted(data, ttl, index, source, lane) -> None:
    host = Host(Path(PEER), Path(PEER, Hops.MULTI), Path(LINK_LOCAL, interface="eth0"))
    found = host.reception.find(lane, Datagram(data, source, None, index, ttl, 0.0))
    assert isinstance(found, Meant) != bool(host.reception.dropped)
    host.reception.of_echo(data)


@given(st.sampled_from(State), st.integers(0, 3), st.integers(0, 255), st.sampled_from([PEER, STRANGER]))
def test_fuzz_only_who_is_on_the_path_is_heard(state, index, ttl, source) -> None:
    host = Host(Path(PEER, Hops.MULTI))
    found = host.gets(MULTI, replace(PACKET, state=state), source=source, ttl=ttl, interface_index=index)
    assert (found == 0) == (source == PEER and ttl >= PROFILE.minimum_ttl)
