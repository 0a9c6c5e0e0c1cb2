"""Everything that was read, typed, before anything is made of it."""

from dataclasses import dataclass

from herald.api.bfd_profile import BFDProfile
from herald.api.bgp_advertisement import BGPAdvertisement
from herald.api.bgp_peer import BGPPeer
from herald.api.community import Community
from herald.api.ip_address_pool import IPAddressPool
from herald.api.l2_advertisement import L2Advertisement
from herald.cluster.endpoints import EndpointSlice
from herald.cluster.namespace import Namespace
from herald.cluster.node import Node
from herald.cluster.secret import Secret
from herald.cluster.service import Service


@dataclass(frozen=True, slots=True)
class Resources:
    """The objects of a cluster, in any order. Custom resources of other namespaces may be among them."""

    ip_address_pools: tuple[IPAddressPool, ...] = ()
    l2_advertisements: tuple[L2Advertisement, ...] = ()
    bgp_advertisements: tuple[BGPAdvertisement, ...] = ()
    bgp_peers: tuple[BGPPeer, ...] = ()
    bfd_profiles: tuple[BFDProfile, ...] = ()
    communities: tuple[Community, ...] = ()
    services: tuple[Service, ...] = ()
    endpoint_slices: tuple[EndpointSlice, ...] = ()
    nodes: tuple[Node, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    secrets: tuple[Secret, ...] = ()
