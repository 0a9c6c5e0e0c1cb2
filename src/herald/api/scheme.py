"""Every kind that Herald knows, by apiVersion and kind, and the nearest one for a misspelling of ours.

Kinds of others (Deployments, ConfigMaps, …) are no concern of this table and no mistake. Only what is meant for
`metallb.io` and does not exist there is one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

from herald.api.bfd_profile import BFDProfile
from herald.api.bgp_advertisement import BGPAdvertisement
from herald.api.bgp_peer import BGPPeer
from herald.api.bgp_peer_v1beta1 import BGPPeerV1Beta1, to_v1beta2
from herald.api.bgp_session_status import BGPSessionStatus
from herald.api.community import Community
from herald.api.configuration_state import ConfigurationState
from herald.api.ip_address_pool import IPAddressPool
from herald.api.l2_advertisement import L2Advertisement
from herald.api.service_bgp_status import ServiceBGPStatus
from herald.api.service_l2_status import ServiceL2Status
from herald.cluster.endpoints import EndpointSlice
from herald.cluster.namespace import Namespace
from herald.cluster.node import Node
from herald.cluster.secret import Secret
from herald.cluster.service import Service

GROUP = "metallb.io"
OPERATORS = frozenset({"MetalLB"})
"""Kinds of `metallb.io` that say how MetalLB's operator installs it (OpenShift): nothing for Herald to read."""
REMOVED = {
    "AddressPool": "AddressPool was removed from the API; write an IPAddressPool for the addresses and an"
    " L2Advertisement or a BGPAdvertisement that names it for its protocol"
}

CustomResource: TypeAlias = (
    IPAddressPool
    | L2Advertisement
    | BGPAdvertisement
    | BGPPeer
    | BFDProfile
    | Community
    | ServiceL2Status
    | ServiceBGPStatus
    | BGPSessionStatus
    | ConfigurationState
)
Resource: TypeAlias = CustomResource | Service | EndpointSlice | Node | Namespace | Secret


@dataclass(frozen=True, slots=True)
class Kind:
    """One version of one kind. `to_storage` makes the version that is stored of one that is only served."""

    api_version: str
    kind: str
    plural: str
    type: type[Any]
    namespaced: bool = True
    to_storage: Callable[[Any], Resource] | None = None

    @property
    def group(self) -> str:
        """Empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        return self.api_version.rpartition("/")[2]

    @property
    def is_custom(self) -> bool:
        """Whether it is one of `metallb.io`."""
        return self.group == GROUP

    @property
    def path(self) -> str:
        """Where the API server has all objects of the kind: `/apis/metallb.io/v1beta1/ipaddresspools`."""
        return f"/{'apis' if self.group else 'api'}/{self.api_version}/{self.plural}"


KINDS = (
    Kind("metallb.io/v1beta2", "BGPPeer", "bgppeers", BGPPeer),
    Kind("metallb.io/v1beta1", "BGPPeer", "bgppeers", BGPPeerV1Beta1, to_storage=to_v1beta2),
    Kind("metallb.io/v1beta1", "BGPAdvertisement", "bgpadvertisements", BGPAdvertisement),
    Kind("metallb.io/v1beta1", "L2Advertisement", "l2advertisements", L2Advertisement),
    Kind("metallb.io/v1beta1", "IPAddressPool", "ipaddresspools", IPAddressPool),
    Kind("metallb.io/v1beta1", "BFDProfile", "bfdprofiles", BFDProfile),
    Kind("metallb.io/v1beta1", "Community", "communities", Community),
    Kind("metallb.io/v1beta1", "ServiceL2Status", "servicel2statuses", ServiceL2Status),
    Kind("metallb.io/v1beta1", "ServiceBGPStatus", "servicebgpstatuses", ServiceBGPStatus),
    Kind("metallb.io/v1beta1", "BGPSessionStatus", "bgpsessionstatuses", BGPSessionStatus),
    Kind("metallb.io/v1beta1", "ConfigurationState", "configurationstates", ConfigurationState),
    Kind("v1", "Service", "services", Service),
    Kind("v1", "Node", "nodes", Node, namespaced=False),
    Kind("v1", "Namespace", "namespaces", Namespace, namespaced=False),
    Kind("v1", "Secret", "secrets", Secret),
    Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", EndpointSlice),
)
_BY_NAME = {(kind.api_version, kind.kind): kind for kind in KINDS}
_CUSTOM_KINDS = sorted({kind.kind for kind in KINDS if kind.is_custom})
_LOWERED = {name.lower(): name for name in _CUSTOM_KINDS}


def find(api_version: str, kind: str) -> Kind | None:
    """The kind of that name, or None for a kind of others and for a misspelt one."""
    return _BY_NAME.get((api_version, kind))


def misspelling(api_version: str, kind: str) -> str | None:
    """What is wrong with a kind that `find` does not know, or None if it is a kind of others.

    Ours are those of group `metallb.io`, those of a group spelt nearly so, and kinds of ours without a group.
    """
    group, _, version = api_version.rpartition("/")
    if group != GROUP and not (get_close_matches(group, [GROUP], cutoff=0.8) or (not group and kind in _CUSTOM_KINDS)):
        return None
    if group == GROUP and kind in OPERATORS:
        return None
    if kind in REMOVED:
        return REMOVED[kind]
    name = kind if kind in _CUSTOM_KINDS else _nearest_kind(kind)
    if name is None:
        return f"{GROUP} has no kind {kind!r}; it has {', '.join(_CUSTOM_KINDS)}"
    versions = [k.api_version for k in KINDS if k.kind == name and k.is_custom]
    right = f"{GROUP}/{version}" if f"{GROUP}/{version}" in versions else versions[0]
    return f"there is no {api_version} {kind}; did you mean apiVersion: {right}, kind: {name}?"


def _nearest_kind(kind: str) -> str | None:
    near = get_close_matches(kind.lower(), _LOWERED, n=1, cutoff=0.6)
    return _LOWERED[near[0]] if near else None
