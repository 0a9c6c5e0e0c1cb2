"""Strategies and small things that the tests of gossip share."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from herald.swim.member import HIGHEST_INCARNATION, METALLB_VERSIONS, Endpoint, State, Versions
from herald.swim.message import (
    Ack,
    Alive,
    Dead,
    Entry,
    ErrorReply,
    IndirectPing,
    Nack,
    Ping,
    PushPull,
    Suspect,
)

NAMES = ("n1", "n2", "n3", "a.very.long.name.of.a.node.example.com", "knoten-ä")
PORT = 7946


def at(number: int) -> Endpoint:
    """The endpoint of member `number`."""
    return Endpoint(IPv4Address(f"10.0.0.{number}"), PORT)


names = st.sampled_from(NAMES)
numbers = st.integers(0, 2**32 - 1)
incarnations = st.integers(0, 10) | st.integers(0, HIGHEST_INCARNATION)
endpoints = st.builds(
    Endpoint,
    st.sampled_from([IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), IPv6Address("fc00::1")]),
    st.sampled_from([PORT, 1, 65535]),
)
versions = st.just(METALLB_VERSIONS) | st.builds(Versions, *[st.integers(0, 255)] * 6)
metas = st.sampled_from([b"", b"herald/1 eth0"]) | st.binary(max_size=512)
sources = st.tuples(st.none() | endpoints, st.just("") | names)

pings = st.builds(lambda n, name, s: Ping(n, name, *s), numbers, st.just("") | names, sources)
indirect_pings = st.builds(
    lambda n, target, name, nack, s: IndirectPing(n, target, name, nack, *s),
    numbers,
    endpoints,
    names,
    st.booleans(),
    sources,
)
entries = st.builds(Entry, names, endpoints, metas, incarnations, st.sampled_from(State), st.none() | versions)
packet_messages = (
    pings
    | indirect_pings
    | st.builds(Ack, st.integers(0, 40) | numbers)
    | st.builds(Nack, st.integers(0, 40) | numbers)
    | st.builds(Suspect, incarnations, names, names)
    | st.builds(Dead, incarnations, names, names)
    | st.builds(Alive, incarnations, names, endpoints, metas, versions)
)
push_pulls = st.builds(PushPull, st.booleans(), st.lists(entries, max_size=4).map(tuple))
messages = packet_messages | push_pulls | st.builds(ErrorReply, st.sampled_from(["", "no", "überfüllt"]))
