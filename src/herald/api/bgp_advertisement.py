"""BGPAdvertisement `metallb.io/v1beta1`: which pools are announced by BGP, with which attributes, to whom."""

from typing import Annotated, Any

import msgspec

from herald.api.schema import ASN, INT32, MAX_INT32, MAX_UINT32, Rule, default, described, ruled
from herald.api.selector import Selectors
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name

HOST_LENGTH = 32
HOST_LENGTH_V6 = 128


def _aggregated_selection(spec: dict[str, Any]) -> str | None:
    if not spec.get("serviceSelectors"):
        return None
    for field, host in (("aggregationLength", HOST_LENGTH), ("aggregationLengthV6", HOST_LENGTH_V6)):
        if spec.get(field, host) != host:
            return (
                f"serviceSelectors and {field} are mutually exclusive: {field} is {spec[field]}, but selected services"
                f" can only be announced one by one; leave {field} at {host}"
            )
    return None


ONE_BY_ONE = ruled(
    Rule(
        "!has(self.serviceSelectors) || self.serviceSelectors.size() == 0 || ((!has(self.aggregationLength) ||"
        " self.aggregationLength == 32) && (!has(self.aggregationLengthV6) || self.aggregationLengthV6 == 128))",
        "serviceSelectors and aggregationLength are mutually exclusive, can only be used together with default"
        " aggregationLength (32) and aggregationLengthV6 (128)",
        _aggregated_selection,
    )
)
AggregationLength = Annotated[
    int, msgspec.Meta(ge=1, le=MAX_INT32, extra_json_schema={**INT32, "maximum": None}), default(HOST_LENGTH)
]
AggregationLengthV6 = Annotated[
    int,
    msgspec.Meta(ge=-MAX_INT32 - 1, le=MAX_INT32, extra_json_schema={**INT32, "minimum": None, "maximum": None}),
    default(HOST_LENGTH_V6),
]
# The schema names the format int32 and no minimum, the reference reads it as unsigned: only 0 to 2**31 - 1 passes both.
LocalPref = Annotated[
    int, msgspec.Meta(ge=0, le=MAX_INT32, extra_json_schema={**INT32, "minimum": None, "maximum": None})
]


Med = Annotated[int, msgspec.Meta(ge=0, le=MAX_UINT32, extra_json_schema={"format": "int64"})]


class ASPrepend(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """AS numbers put in front of the AS path, to make the route less attractive."""

    count: Annotated[int, msgspec.Meta(ge=1, le=10, extra_json_schema=INT32), described("How many times, 1 to 10.")]
    asn: Annotated[ASN | None, described("The AS number; the session's own when not set.")] = None


class LinkBandwidth(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """A bandwidth by which routers share traffic among nodes: so much for each ready endpoint of the Service there."""

    per_endpoint_mbps: Annotated[
        int,
        msgspec.Meta(ge=1, le=1_000_000, extra_json_schema=INT32),
        described("Mbit/s for each ready endpoint, 1 to 1000000. Routers go by the ratio of the nodes."),
    ] = 1000


class BGPAdvertisementSpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Pools, the routes that stand for their addresses, and the peers and nodes concerned."""

    aggregation_length: Annotated[
        AggregationLength, described("Length of the announced IPv4 prefixes, 1 to 32; 32 announces each address.")
    ] = HOST_LENGTH
    aggregation_length_v6: Annotated[
        AggregationLengthV6,
        described("Length of the announced IPv6 prefixes, at most 128; 128 announces each address."),
    ] = HOST_LENGTH_V6
    local_pref: Annotated[LocalPref, described("LOCAL_PREF towards peers of our own AS; 0 sets none.")] = 0
    communities: Annotated[
        tuple[str, ...],
        described(
            "Communities of the routes: 65000:100, large:65000:1:2, or the name of an alias (see Community); of"
            " Herald's own also extended:rt:65000:100, extended:soo:… and extended:generic:0x…:0x…."
        ),
    ] = ()
    ip_address_pools: Annotated[tuple[str, ...], described("Names of the IPAddressPools to announce.")] = ()
    ip_address_pool_selectors: Annotated[
        Selectors,
        described("Selects IPAddressPools by label, in addition to ipAddressPools; with neither, all pools are meant."),
    ] = ()
    node_selectors: Annotated[
        Selectors, described("Nodes that announce: those that match any of these; all nodes when empty.")
    ] = ()
    peers: Annotated[tuple[str, ...], described("Names of the BGPPeers to announce to; all when empty.")] = ()
    service_selectors: Annotated[
        Selectors, described("Services to announce, by label: those that match any of these; all when empty.")
    ] = ()
    as_prepend: Annotated[
        ASPrepend | None, described("Lengthens the AS path of the routes. An addition of Herald's.")
    ] = None
    med: Annotated[
        Med | None,
        described(
            "MULTI_EXIT_DISC of the routes: of those that a router hears from one neighbouring AS it prefers the"
            " lowest; none is sent when not set. An addition of Herald's."
        ),
    ] = None
    link_bandwidth: Annotated[
        LinkBandwidth | None,
        described(
            "Lets a router's ECMP follow how many ready endpoints each node has, for Services with"
            " externalTrafficPolicy Local, by the link bandwidth extended community. An addition of Herald's."
        ),
    ] = None


class BGPAdvertisementStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Nothing is reported here."""


class BGPAdvertisement(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Announces the addresses of pools by BGP."""

    metadata: ObjectMeta = ObjectMeta()
    spec: Annotated[BGPAdvertisementSpec, ONE_BY_ONE] = BGPAdvertisementSpec()
    status: BGPAdvertisementStatus = BGPAdvertisementStatus()
