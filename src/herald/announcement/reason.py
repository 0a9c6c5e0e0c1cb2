"""Reasons: why a service, a node or a session announces nothing. Data first, words in one place.

A `Reason` is a code and its arguments. The same value stands in plan and explain, in the log (under the word that
MetalLB's speaker logs, `log_word`), in events and in metrics (`code.text`). `TABLE` is the only place that knows
the words.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from string import Formatter
from typing import NamedTuple


class Protocol(Enum):
    """How an address is announced. The values are the words of MetalLB's logs, events and metrics."""

    LAYER2 = "layer2"
    BGP = "bgp"


class Code(Enum):
    """Every reason there is; the value is what machines read."""

    # The service as a whole.
    SERVICE_DELETED = "ServiceDeleted"
    NOT_LOAD_BALANCER = "NotLoadBalancer"
    OTHER_CLASS = "OtherLoadBalancerClass"
    NO_ADDRESS = "NoAddress"
    INVALID_ADDRESS = "InvalidAddress"
    ADDRESS_IN_NO_POOL = "AddressInNoPool"
    ADDRESS_CHANGED = "AddressChanged"
    # One protocol, or one node in it.
    NO_ADVERTISEMENT_FOR_POOL = "NoAdvertisementForPool"
    ADVERTISEMENT_SELECTS_OTHER_SERVICES = "AdvertisementSelectsOtherServices"
    ADVERTISEMENT_SELECTS_OTHER_NODES = "AdvertisementSelectsOtherNodes"
    SHARED_IP_WITH_SERVICE_SELECTOR = "SharedIPWithServiceSelector"
    NO_READY_ENDPOINT = "NoReadyEndpoint"
    NO_ENDPOINT_ON_NODE = "NoEndpointOnNode"
    NODE_EXCLUDED_BY_LABEL = "NodeExcludedByLabel"
    NODE_DRAINED = "NodeDrained"
    NETWORK_UNAVAILABLE = "NetworkUnavailable"
    SPEAKER_NOT_LIVE = "SpeakerNotLive"
    INTERFACE_MISSING = "InterfaceMissing"
    FAMILY_MISSING = "NoInterfaceOfFamily"
    NO_CANDIDATE = "NoCandidate"
    NOT_ELECTED = "NotElected"
    METALLB_WAITS = "MetalLBElectsAnother"
    KEPT = "KeptByOwner"
    SPREAD = "SpreadEvenly"
    NODE_DAMPED = "NodeDamped"
    # BGP only.
    NO_PEER_ON_NODE = "NoPeerOnNode"
    NO_PEER_FOR_ADVERTISEMENT = "NoPeerForAdvertisement"
    NO_PEER_OF_FAMILY = "NoPeerOfFamily"
    # A session that is wished for and cannot be opened.
    SESSION_NOT_POSSIBLE = "SessionNotPossible"


ANOTHER_OWNS_IT = frozenset({Code.NOT_ELECTED, Code.KEPT, Code.SPREAD})
"""Why a candidate does not answer in Layer 2 although all is well: another node does."""


class _Words(NamedTuple):
    """What people read, and what MetalLB's log says: one word, or one each for Layer 2 and BGP."""

    words: str
    layer2: str
    bgp: str


def _row(words: str, layer2: str, bgp: str | None = None) -> _Words:
    return _Words(words, layer2, layer2 if bgp is None else bgp)


TABLE: dict[Code, _Words] = {
    Code.SERVICE_DELETED: _row("the Service is gone", "serviceDeleted"),
    Code.NOT_LOAD_BALANCER: _row("the Service is of type {type}, not LoadBalancer", "notLoadBalancer"),
    Code.OTHER_CLASS: _row(
        "spec.loadBalancerClass {wanted} is for another controller; this one serves {served}", "otherLoadBalancerClass"
    ),
    Code.NO_ADDRESS: _row("{refusal}", "noIPAllocated"),
    Code.INVALID_ADDRESS: _row("status.loadBalancer.ingress has {text!r}, which is no IP address", "invalidIP"),
    Code.ADDRESS_IN_NO_POOL: _row("no single IPAddressPool contains {addresses}", "ipNotAllowed"),
    Code.ADDRESS_CHANGED: _row("the address changed from {before} to {after}", "loadBalancerIPChanged"),
    Code.NO_ADVERTISEMENT_FOR_POOL: _row(
        "no {kind} covers pool {pool}; create one, or add the pool to spec.ipAddressPools of one",
        "noMatchingAdvertisement",
        "notOwner",
    ),
    Code.ADVERTISEMENT_SELECTS_OTHER_SERVICES: _row(
        "the serviceSelectors of {kind} {advertisements} do not match the labels of the Service",
        "noMatchingAdvertisement",
    ),
    Code.ADVERTISEMENT_SELECTS_OTHER_NODES: _row(
        "the nodeSelectors of {kind} {advertisements} do not match {node}", "noMatchingAdvertisement", "notOwner"
    ),
    Code.SHARED_IP_WITH_SERVICE_SELECTOR: _row(
        "the Service has the annotation allow-shared-ip, and there are serviceSelectors in L2Advertisement "
        "{advertisements}: the owner could differ from that of a service on the same address; remove one of the two",
        "sharedIPWithServiceSelector",
    ),
    Code.NO_READY_ENDPOINT: _row("no endpoint of the Service is ready", "notOwner", "noEndpoints"),
    Code.NO_ENDPOINT_ON_NODE: _row(
        "externalTrafficPolicy is Local and no ready endpoint is on {node}", "notOwner", "noLocalEndpoints"
    ),
    Code.NODE_EXCLUDED_BY_LABEL: _row(
        "{node}: labelled node.kubernetes.io/exclude-from-external-load-balancers (see --ignore-exclude-lb)",
        "notOwner",
        "nodeLabeledExcludeBalancers",
    ),
    Code.NODE_DRAINED: _row(
        "{node}: drained (annotation herald.metallb.io/drain); `herald drain --undo` ends that",
        "notOwner",
        "nodeDrained",
    ),
    Code.NETWORK_UNAVAILABLE: _row(
        "{node}: condition NetworkUnavailable is True", "notOwner", "nodeNetworkUnavailable"
    ),
    Code.SPEAKER_NOT_LIVE: _row("no live speaker on {node}", "notOwner"),
    Code.INTERFACE_MISSING: _row(
        "{node}: none of the interfaces that L2Advertisements allow ({interfaces}) is there, up and with carrier",
        "announceFailed",
    ),
    Code.FAMILY_MISSING: _row(
        "{node}: none of the interfaces that L2Advertisements allow ({interfaces}) answers for {family}; IPv6 needs "
        "an IPv6 address on the interface, such as its link-local one",
        "announceFailed",
    ),
    Code.NO_CANDIDATE: _row("no node is eligible: {nodes}", "notOwner"),
    Code.NOT_ELECTED: _row("{owner} is elected to answer", "notOwner"),
    Code.METALLB_WAITS: _row(
        "{node}: the speaker there is MetalLB's and leaves it to {winner}, for its election knows neither drained "
        "nodes nor missing interfaces",
        "notOwner",
    ),
    Code.KEPT: _row("{owner} keeps it: failback is {failback}, and {winner} came back later", "notOwner"),
    Code.SPREAD: _row("{owner} has it: with spread even {winner} has its share without it", "notOwner"),
    Code.NODE_DAMPED: _row("{node} was lost too often lately and stands aside for a while (flapDamping)", "notOwner"),
    Code.NO_PEER_ON_NODE: _row("no BGPPeer selects {node}{left_out}", "noPeers"),
    Code.NO_PEER_FOR_ADVERTISEMENT: _row(
        "none of the peers of {node} ({peers}) is in spec.peers of BGPAdvertisement {advertisements}", "noPeers"
    ),
    Code.NO_PEER_OF_FAMILY: _row(
        "no session of {node} carries {family}; set dualStackAddressFamily on a BGPPeer, or add a peer of that family",
        "noPeers",
    ),
    Code.SESSION_NOT_POSSIBLE: _row("{why}", "noSession"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not. `arguments` are exactly those that the words of `code` name, as text, in the order of the words.

    `protocol` is None for reasons of the service as a whole.
    """

    code: Code
    protocol: Protocol | None = None
    arguments: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        """One clause for people, without the code."""
        return TABLE[self.code].words.format(**dict(self.arguments))

    @property
    def log_word(self) -> str:
        """The word under which MetalLB's speaker logs it."""
        row = TABLE[self.code]
        return row.bgp if self.protocol is Protocol.BGP else row.layer2

    def __str__(self) -> str:
        return f"{self.code.value}: {self.words}"


def because(code: Code, protocol: Protocol | None = None, /, **arguments: object) -> Reason:
    """The reason `code` with its arguments, which must be exactly those its words name."""
    names = argument_names(code)
    assert arguments.keys() == set(names), f"{code}: {sorted(arguments)} given, {names} wanted"
    return Reason(code, protocol, tuple((name, str(arguments[name])) for name in names))


def argument_names(code: Code) -> tuple[str, ...]:
    """The arguments that the words of `code` name, in their order."""
    return _ARGUMENT_NAMES[code]


_ARGUMENT_NAMES = {
    code: tuple(dict.fromkeys(name for _, name, _, _ in Formatter().parse(row.words) if name))
    for code, row in TABLE.items()
}


def listed(names: Iterable[str]) -> str:
    """Names as the words have them: sorted, comma-separated; "none" for none."""
    return ", ".join(sorted(names)) or "none"
