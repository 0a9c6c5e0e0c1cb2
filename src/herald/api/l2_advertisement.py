"""L2Advertisement `metallb.io/v1beta1`: which pools are answered for by ARP and NDP, where, by whom."""

from typing import Annotated, Literal

import msgspec

from herald.api.schema import INT32, PositiveDuration, described
from herald.api.selector import Selector, Selectors
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name


class PreferredNodeSelector(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """A wish, not a condition: nodes that match score `weight` in the election of the owner."""

    weight: Annotated[
        int, msgspec.Meta(ge=1, le=100, extra_json_schema=INT32), described("Added to the node's score, 1 to 100.")
    ]
    preference: Annotated[Selector, described("The nodes that are preferred; empty matches every node.")]


class L2AdvertisementSpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Pools, and the nodes and interfaces that may answer for their addresses."""

    ip_address_pools: Annotated[tuple[str, ...], described("Names of the IPAddressPools to announce.")] = ()
    ip_address_pool_selectors: Annotated[
        Selectors,
        described("Selects IPAddressPools by label, in addition to ipAddressPools; with neither, all pools are meant."),
    ] = ()
    node_selectors: Annotated[
        Selectors, described("Nodes that may answer: those that match any of these; all nodes when empty.")
    ] = ()
    interfaces: Annotated[
        tuple[str, ...], described("Interfaces of the node on which it answers; all when empty.")
    ] = ()
    service_selectors: Annotated[
        Selectors, described("Services to announce, by label: those that match any of these; all when empty.")
    ] = ()
    preferred_node_selectors: Annotated[
        tuple[PreferredNodeSelector, ...],
        described("Nodes that are preferred as the owner of an address; the highest sum of weights wins."),
    ] = ()
    fast_failover: Annotated[
        bool,
        described(
            "Has the owner of an address watched by the two nodes next in line, with BFD at 50 ms times 3, so that a"
            " crash is taken over typically in less than 200 ms, later where the network loses packets. Needs gossip,"
            " and UDP port 3784 between the nodes. An addition of Herald's."
        ),
    ] = False
    failback: Annotated[
        Literal["immediate", "delay", "never"] | None,
        described(
            "Whether an address goes back to a node that returns: immediate (when not set, as with MetalLB), delay:"
            " when it has been back for failbackDelay, or never: it stays where it is as long as it can. An addition"
            " of Herald's."
        ),
    ] = None
    failback_delay: Annotated[
        PositiveDuration | None,
        described("With failback delay, how long a node must be back; 5m when not set. An addition of Herald's."),
    ] = None
    flap_damping: Annotated[
        bool,
        described(
            "Keeps a node that is lost twice within 10 minutes out of elections for a minute, and twice as long for"
            " each loss more, up to an hour. An addition of Herald's."
        ),
    ] = False
    spread: Annotated[
        Literal["hash", "even"] | None,
        described(
            "How addresses are divided among the nodes: hash (when not set, as with MetalLB), or even: no node has"
            " more than its share, rounded up. An addition of Herald's."
        ),
    ] = None


class L2AdvertisementStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Nothing is reported here."""


class L2Advertisement(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Announces the addresses of pools on the local network, by ARP and NDP."""

    metadata: ObjectMeta = ObjectMeta()
    spec: L2AdvertisementSpec = L2AdvertisementSpec()
    status: L2AdvertisementStatus = L2AdvertisementStatus()
