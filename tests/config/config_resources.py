"""Short ways to write resources. They go around the schema on purpose: compile must hold without it."""

from typing import Any

from herald.api.bfd_profile import BFDProfile, BFDProfileSpec
from herald.api.bgp_advertisement import BGPAdvertisement, BGPAdvertisementSpec
from herald.api.bgp_peer import BGPPeer, BGPPeerSpec, PasswordSecret
from herald.api.community import Community, CommunityAlias, CommunitySpec
from herald.api.ip_address_pool import IPAddressPool, IPAddressPoolSpec, ServiceAllocation
from herald.api.l2_advertisement import L2Advertisement, L2AdvertisementSpec, PreferredNodeSelector
from herald.cluster.meta import ObjectMeta
from herald.cluster.namespace import Namespace
from herald.cluster.node import Node
from herald.cluster.secret import BASIC_AUTH, Secret
from herald.cluster.selector import LabelSelector, LabelSelectorRequirement
from herald.config.compile import Compiled, compile_config
from herald.config.findings import ObjectKey, Resource
from herald.config.problem import Problem, Severity
from herald.config.resources import Resources

NAMESPACE = "metallb-system"
OLD, YOUNG = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"

_FIELDS: dict[type[Any], str] = {
    IPAddressPool: "ip_address_pools",
    L2Advertisement: "l2_advertisements",
    BGPAdvertisement: "bgp_advertisements",
    BGPPeer: "bgp_peers",
    BFDProfile: "bfd_profiles",
    Community: "communities",
    Node: "nodes",
    Namespace: "namespaces",
    Secret: "secrets",
}


def meta(name: str, *, namespace: str = NAMESPACE, created: str | None = None, **labels: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace, labels=labels, creation_timestamp=created)


def select(**labels: str) -> LabelSelector:
    return LabelSelector(match_labels=labels)


def expression(key: str, operator: str, *values: str) -> LabelSelector:
    return LabelSelector(match_expressions=(LabelSelectorRequirement(key=key, operator=operator, values=values),))


def pool(
    name: str, *addresses: str, created: str | None = None, labels: dict[str, str] | None = None, **spec: Any
) -> IPAddressPool:
    return IPAddressPool(
        metadata=meta(name, created=created, **(labels or {})), spec=IPAddressPoolSpec(addresses=addresses, **spec)
    )


def pinned(name: str, *addresses: str, **allocation: Any) -> IPAddressPool:
    return pool(name, *addresses, service_allocation=ServiceAllocation(**allocation))


def l2(name: str, **spec: Any) -> L2Advertisement:
    return L2Advertisement(metadata=meta(name), spec=L2AdvertisementSpec(**spec))


def preferred(weight: int, preference: LabelSelector) -> PreferredNodeSelector:
    return PreferredNodeSelector(weight=weight, preference=preference)


def bgp(name: str, **spec: Any) -> BGPAdvertisement:
    return BGPAdvertisement(metadata=meta(name), spec=BGPAdvertisementSpec(**spec))


def peer(name: str, created: str | None = None, secret_name: str = "", **spec: Any) -> BGPPeer:
    base: dict[str, Any] = {"my_asn": 64500, "peer_asn": 64501, "peer_address": "10.9.0.1"}
    if secret_name:
        base["password_secret"] = PasswordSecret(name=secret_name)
    return BGPPeer(metadata=meta(name, created=created), spec=BGPPeerSpec(**{**base, **spec}))


def bfd(name: str, **spec: Any) -> BFDProfile:
    return BFDProfile(metadata=meta(name), spec=BFDProfileSpec(**spec))


def community(name: str, *aliases: tuple[str, str], created: str | None = None) -> Community:
    entries = tuple(CommunityAlias(name=alias, value=value) for alias, value in aliases)
    return Community(metadata=meta(name, created=created), spec=CommunitySpec(communities=entries))


def node(name: str, **labels: str) -> Node:
    return Node(metadata=ObjectMeta(name=name, labels={"kubernetes.io/hostname": name, **labels}))


def namespace(name: str, **labels: str) -> Namespace:
    return Namespace(metadata=ObjectMeta(name=name, labels=labels))


def secret(
    name: str = "s", *, namespace: str = NAMESPACE, kind: str = BASIC_AUTH, key: str = "password", value: str = "pw"
) -> Secret:
    return Secret(metadata=meta(name, namespace=namespace), type=kind, string_data={key: value})


def resources(*objects: Any) -> Resources:
    """Any objects, sorted by kind, in the order given."""
    fields: dict[str, Any] = {}
    for each in objects:
        field = _FIELDS[type(each)]
        fields[field] = (*fields.get(field, ()), each)
    return Resources(**fields)


def compiled(*objects: Any, last_good: dict[ObjectKey, Resource] | None = None) -> Compiled:
    return compile_config(resources(*objects), last_good=last_good or {})


def errors(outcome: Compiled) -> list[tuple[str, str, str]]:
    """(rule, name, field) of every error."""
    return [(p.rule, p.name, p.field) for p in outcome.problems if p.severity is Severity.ERROR]


def of_rule(outcome: Compiled, rule: str) -> list[Problem]:
    return [problem for problem in outcome.problems if problem.rule == rule]
