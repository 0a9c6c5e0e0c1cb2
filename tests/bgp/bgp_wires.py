"""Recorded packets and generators of messages, shared by the tests of BGP."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from hypothesis import strategies as st

from herald.bgp import as_path, capability, nlri
from herald.bgp.community import Community, LargeCommunity
from herald.bgp.family import Family
from herald.bgp.message import Keepalive, Open, RouteRefresh, Update
from herald.bgp.notification import Notification, WireError
from herald.bgp.path_attribute import (
    OPTIONAL,
    TABLE,
    TRANSITIVE,
    Aggregator,
    MpReach,
    MpUnreach,
    Origin,
    PathAttributes,
    RawAttribute,
    WireContext,
)


def recorded(file: str) -> dict[str, bytes]:
    """The packets of a file below `wires/`, by name."""
    lines = (Path(__file__).parent / "wires" / file).read_text().splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {name: bytes.fromhex(octets) for name, octets in pairs}


def outcome(call, *errors):
    """What `call` gives, or the error it raises if it is one of `errors` (a `WireError` unless others are named)."""
    try:
        return call()
    except errors or (WireError,) as error:  # noqa: B030  # a tuple of classes, given or not
        return error


FRR = recorded("frr-8.4.4.hex")

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
asns = st.integers(1, 0xFFFFFFFF)
ipv4_addresses = u32.map(IPv4Address)
ipv6_addresses = st.integers(0, 2**128 - 1).map(IPv6Address)


def _network(kind, bits):
    return st.builds(
        lambda number, length: kind((number >> (bits - length) << (bits - length), length)),
        st.integers(0, 2**bits - 1),
        st.integers(0, bits),
    )


ipv4_networks = _network(IPv4Network, 32)
ipv6_networks = _network(IPv6Network, 128)
communities = u32.map(Community)
large_communities = st.builds(LargeCommunity, u32, u32, u32)


def prefix_lists(family, least=0, most=20):
    networks = ipv4_networks if family is Family.IPV4_UNICAST else ipv6_networks
    return st.lists(networks, min_size=least, max_size=most).map(lambda prefixes: nlri.of(family, prefixes))


segments = st.builds(
    as_path.Segment, st.sampled_from(as_path.SegmentType), st.lists(asns, min_size=1, max_size=8).map(tuple)
)
as_paths = st.lists(segments, max_size=4).map(lambda found: as_path.AsPath(tuple(found)))
aggregators = st.builds(Aggregator, asns, ipv4_addresses)
_mp_reach = st.one_of(
    st.builds(MpReach, ipv4_addresses.map(lambda a: (a,)), prefix_lists(Family.IPV4_UNICAST)),
    *(
        st.builds(MpReach, st.lists(ipv6_addresses, min_size=1, max_size=2).map(tuple), prefix_lists(family))
        for family in Family
    ),
)
_raw = st.builds(
    RawAttribute,
    st.sampled_from((OPTIONAL, OPTIONAL | TRANSITIVE, OPTIONAL | TRANSITIVE | 0x20)),
    st.integers(1, 255).filter(lambda code: code not in {row.code for row in TABLE}),
    st.binary(max_size=300),
)


def path_attributes(**fixed):
    """Attributes with everything that an internal peer may send, most of it optional."""

    def maybe(values):
        return st.none() | values

    values = {
        "mp_reach": maybe(_mp_reach),
        "mp_unreach": maybe(prefix_lists(Family.IPV6_UNICAST).map(MpUnreach)),
        "origin": st.sampled_from(Origin),
        "as_path": as_paths,
        "next_hop": ipv4_addresses,
        "multi_exit_disc": maybe(u32),
        "local_pref": u32,
        "atomic_aggregate": st.sampled_from((None, True)),
        "aggregator": maybe(aggregators),
        "communities": maybe(st.lists(communities, min_size=1, max_size=70).map(tuple)),
        "originator_id": maybe(ipv4_addresses),
        "cluster_list": maybe(st.lists(ipv4_addresses, min_size=1, max_size=4).map(tuple)),
        "extended_communities": maybe(st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=4).map(tuple)),
        "as4_path": maybe(as_paths),
        "as4_aggregator": maybe(aggregators),
        "large_communities": maybe(st.lists(large_communities, min_size=1, max_size=30).map(tuple)),
        "unknown": st.lists(_raw, max_size=2, unique_by=lambda raw: raw.code).map(tuple),
    }
    return st.builds(PathAttributes, **values | fixed)


INTERNAL = WireContext(four_octet_as=True, internal=True)

capabilities = st.one_of(
    st.builds(capability.Multiprotocol, st.sampled_from(Family)),
    st.just(capability.RouteRefresh()),
    st.just(capability.EnhancedRouteRefresh()),
    st.just(capability.ExtendedMessage()),
    st.builds(capability.ExtendedNextHop, st.lists(st.sampled_from(Family), unique=True).map(tuple)),
    st.builds(
        capability.GracefulRestart,
        st.integers(0, 4095),
        st.lists(st.builds(capability.RestartFamily, st.sampled_from(Family), st.booleans()), max_size=2).map(tuple),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(capability.UnknownCapability, st.integers(66, 69), st.binary(max_size=10)),
)
opens = st.builds(
    lambda asn, hold_time, router_id, others: Open(asn, hold_time, router_id, (*others, capability.FourOctetAs(asn))),
    asns,
    st.just(0) | st.integers(3, 0xFFFF),
    st.integers(1, 0xFFFFFFFF).map(IPv4Address),
    st.lists(capabilities, max_size=6),
)
updates = st.builds(
    Update, prefix_lists(Family.IPV4_UNICAST), path_attributes(), prefix_lists(Family.IPV4_UNICAST, least=1)
)
notifications = st.builds(Notification, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=300))
refreshes = st.builds(RouteRefresh, u16, st.integers(0, 255), st.integers(0, 255))
messages = st.one_of(opens, updates, notifications, st.just(Keepalive()), refreshes)
