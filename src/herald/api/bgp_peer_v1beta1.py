"""BGPPeer `metallb.io/v1beta1`, deprecated but still served, and its conversion to v1beta2.

The old version has fewer fields and its own kind of selector. Its timers know no "not set": an absent one becomes an
explicit `0s`, which switches the timer off (as MetalLB converts it).
"""

from typing import Annotated

import msgspec

from herald.api.bgp_peer import DEFAULT_PORT, BGPPeer, BGPPeerSpec, BGPPeerStatus
from herald.api.schema import OPTIONAL_IN_CRD, Duration, OptionalASN, described
from herald.cluster.meta import ObjectMeta
from herald.cluster.selector import LabelSelector, LabelSelectorRequirement
from herald.cluster.wire import SECRET, wire_name

NO_TIME = "0s"


class MatchExpression(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """A condition on one label; here `values` may not be left out."""

    key: Annotated[str, described("Key of the label.")]
    operator: Annotated[str, described("In, NotIn, Exists or DoesNotExist.")]
    values: Annotated[tuple[str, ...], msgspec.Meta(min_length=1), described("Values that the operator works on.")]


class NodeSelector(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """All of it must hold for a node; empty matches every node."""

    match_labels: Annotated[dict[str, str], described("Labels that the node must have.")] = {}
    match_expressions: Annotated[tuple[MatchExpression, ...], described("Conditions on labels.")] = ()


class BGPPeerSpecV1Beta1(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """The session that is wanted."""

    my_asn: Annotated[OptionalASN, described("AS number of our end of the session.")]
    peer_asn: Annotated[OptionalASN, described("AS number that the peer must have.")]
    peer_address: Annotated[str, described("IP address of the peer.")]
    source_address: Annotated[str, described("Our own address for the session.")] = ""
    peer_port: Annotated[int, msgspec.Meta(ge=0, le=16384), described("TCP port of the peer; 0 means 179.")] = 0
    hold_time: Annotated[Duration, described("Hold time to propose (RFC 4271).")] = NO_TIME
    keepalive_time: Annotated[Duration, described("Time between KEEPALIVEs (RFC 4271).")] = NO_TIME
    router_id: Annotated[str, described("BGP identifier, written as an IPv4 address.")] = ""
    node_selectors: Annotated[
        tuple[NodeSelector, ...],
        described("Nodes that keep the session: those that match any of these; all nodes when empty."),
    ] = ()
    password: Annotated[str, SECRET, described("TCP MD5 password (RFC 2385) in plain text.")] = ""
    bfd_profile: Annotated[str, described("BFDProfile that watches over the session.")] = ""
    ebgp_multi_hop: Annotated[bool, described("The peer is of another AS and more than one hop away.")] = False

    def __repr__(self) -> str:
        return f"BGPPeerSpecV1Beta1(peer_address={self.peer_address!r}, my_asn={self.my_asn}, peer_asn={self.peer_asn})"


class BGPPeerV1Beta1(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """A router with which the selected nodes keep a BGP session. Deprecated: use v1beta2."""

    metadata: ObjectMeta = ObjectMeta()
    spec: Annotated[BGPPeerSpecV1Beta1, OPTIONAL_IN_CRD]
    status: BGPPeerStatus = BGPPeerStatus()


def to_v1beta2(old: BGPPeerV1Beta1) -> BGPPeer:
    """The same peer in the version that is stored; its status is not taken along."""
    spec = old.spec
    return BGPPeer(
        metadata=old.metadata,
        spec=BGPPeerSpec(
            my_asn=spec.my_asn,
            peer_asn=spec.peer_asn,
            peer_address=spec.peer_address,
            source_address=spec.source_address,
            peer_port=spec.peer_port or DEFAULT_PORT,
            hold_time=spec.hold_time,
            keepalive_time=spec.keepalive_time,
            router_id=spec.router_id,
            node_selectors=tuple(_selector(selector) for selector in spec.node_selectors),
            password=spec.password,
            bfd_profile=spec.bfd_profile,
            ebgp_multi_hop=spec.ebgp_multi_hop,
        ),
    )


def _selector(old: NodeSelector) -> LabelSelector:
    return LabelSelector(
        match_labels=old.match_labels,
        match_expressions=tuple(
            LabelSelectorRequirement(key=e.key, operator=e.operator, values=e.values) for e in old.match_expressions
        ),
    )
