"""The compiled configuration: everything that was valid, resolved and ready to decide with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from herald.bfd.profile import BFDProfile
from herald.cluster.meta import NodeName, PeerName, PoolName
from herald.cluster.node import Node
from herald.config.advertisement import BGPAdvertisement, L2Advertisement
from herald.config.peer import Peer
from herald.config.pool import Pool


@dataclass(frozen=True, slots=True)
class Config:
    """Sorted by name throughout. Left-out objects are not in it; see the Problems beside it.

    `left_out_peers`: names, for whoever asks why there is no session.
    """

    pools: Mapping[PoolName, Pool] = field(default_factory=dict)
    l2_advertisements: tuple[L2Advertisement, ...] = ()
    bgp_advertisements: tuple[BGPAdvertisement, ...] = ()
    peers: Mapping[PeerName, Peer] = field(default_factory=dict)
    bfd_profiles: Mapping[str, BFDProfile] = field(default_factory=dict)
    nodes: Mapping[NodeName, Node] = field(default_factory=dict)
    # It decides nothing: a configuration with one more object that is left out is the same configuration.
    left_out_peers: tuple[PeerName, ...] = field(default=(), compare=False)
