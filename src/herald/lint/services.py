"""Services that get no address, are not announced, or are one failure away from it; annotations without effect."""

from collections.abc import Iterable, Iterator

from herald.allocator.allocation import RefusalReason
from herald.allocator.request import IPFamilyPolicy, family_policy, requested_addresses, requested_pool
from herald.cluster.meta import NodeName, PoolName
from herald.cluster.service import (
    ADDRESS_POOL,
    ALLOCATED_FROM_POOL,
    ALLOW_SHARED_IP,
    DEPRECATED_PREFIX,
    LOAD_BALANCER_IPS,
    PREFIX,
    Service,
)
from herald.config.findings import problem
from herald.config.nearest import nearest, suggestion
from herald.config.problem import Problem
from herald.config.wording import listed
from herald.lint.facts import Facts, service_key
from herald.lint.sharing import REFUSED_FOR_OTHERS
from herald.net.ip_family import IPFamily

_SUFFIXES = (ADDRESS_POOL, LOAD_BALANCER_IPS, ALLOW_SHARED_IP)
_TYPES = ("LoadBalancer", "ClusterIP", "NodePort", "ExternalName")
_CURRENT = tuple(PREFIX + suffix for suffix in _SUFFIXES)
_DEPRECATED = tuple(DEPRECATED_PREFIX + suffix for suffix in _SUFFIXES)
# Older controllers wrote it under the old prefix; it is nobody's mistake.
_WRITTEN_BY_CONTROLLERS = (ALLOCATED_FROM_POOL, ALLOCATED_FROM_POOL.replace(PREFIX, DEPRECATED_PREFIX))
_WRONG_REQUESTS = frozenset(
    {
        RefusalReason.REQUESTED_TWICE,
        RefusalReason.INVALID_REQUEST,
        RefusalReason.INVALID_REQUEST_FAMILIES,
        RefusalReason.FAMILY_MISMATCH,
        RefusalReason.NOT_IN_ANY_POOL,
        RefusalReason.NOT_IN_ONE_POOL,
        RefusalReason.ADDRESS_AVOIDED,
        RefusalReason.POOL_NOT_COMPATIBLE,
        RefusalReason.UNKNOWN_POOL,
        RefusalReason.REQUESTED_POOL_MISMATCH,
    }
)


def not_advertised(facts: Facts) -> Iterator[Problem]:
    """HL006; if nothing advertises the pool at all, HL001 says so once."""
    advertised = {pool for entry in facts.advertisements for pool in entry.value.pools}
    for service, pool in facts.placed:
        l2, bgp = facts.l2_reach(service, pool).advertisements, facts.bgp_reach(service, pool).advertisements
        if pool in advertised and not l2 and not bgp:
            names = [entry.key.name for entry in facts.advertisements if pool in entry.value.pools]
            yield problem(
                "HL006",
                service_key(service),
                "metadata.labels",
                f"has an address of pool {pool}, and the serviceSelectors of {listed(names)} do not match its "
                "labels: nobody announces it. Correct the labels or the selectors.",
            )


def foreign_class(facts: Facts) -> Iterator[Problem]:
    """HL052"""
    ours = facts.inputs.load_balancer_class or ""
    for service in facts.load_balancers:
        theirs = service.spec.load_balancer_class or ""
        if theirs != ours:
            yield problem(
                "HL052",
                service_key(service),
                "spec.loadBalancerClass",
                f'loadBalancerClass "{theirs}" is not handled by this Herald (handles "{ours}")',
            )


def no_eligible_local_endpoint(facts: Facts) -> Iterator[Problem]:
    """HL060"""
    for service, pool in facts.placed:
        # A node that the input does not have may be all right; plan says that nodes are missing.
        nodes = (facts.readiness(service).nodes or frozenset()) & frozenset(facts.config.nodes)
        if service.is_local and nodes and _is_reached(facts, service, pool) and not _may(facts, service, pool, nodes):
            yield problem(
                "HL060",
                service_key(service),
                "spec.externalTrafficPolicy",
                f"externalTrafficPolicy is Local and its endpoints are on {listed(nodes)}, which may not announce "
                "it: nobody does. Run pods on nodes that the advertisements select, or use Cluster.",
            )


def _is_reached(facts: Facts, service: Service, pool: PoolName) -> bool:
    return bool(facts.l2_reach(service, pool).advertisements or facts.bgp_reach(service, pool).advertisements)


def _may(facts: Facts, service: Service, pool: PoolName, nodes: Iterable[NodeName]) -> bool:
    l2, bgp = facts.l2_reach(service, pool), facts.bgp_reach(service, pool)
    return any(node in l2.candidates or bgp.node_reason(node) is None for node in nodes)


def unknown_type(facts: Facts) -> Iterator[Problem]:
    """HL065"""
    for service in sorted(facts.resources.services, key=lambda service: service.key):
        written = service.spec.type
        if written and written not in _TYPES:
            meant = suggestion(written, _TYPES) or f"; there are {', '.join(_TYPES)}"
            yield problem("HL065", service_key(service), "spec.type", f'there is no type "{written}"{meant}')


def unknown_annotation(facts: Facts) -> Iterator[Problem]:
    """HL064"""
    for service in facts.load_balancers:
        for key in sorted(service.metadata.annotations):
            meant = _meant(key)
            if meant is not None:
                hint = f'; did you mean "{meant}"?' if meant else f"; there are {', '.join(_CURRENT)}"
                yield problem(
                    "HL064", service_key(service), f"metadata.annotations[{key}]", f'"{key}" has no effect{hint}'
                )


def _meant(key: str) -> str | None:
    """The annotation that `key` was meant to be, "" if it resembles none of ours, None for a good or a foreign one."""
    if key in (*_CURRENT, *_DEPRECATED, *_WRITTEN_BY_CONTROLLERS):
        return None
    prefix, _, suffix = key.rpartition("/")
    if prefix.startswith("metallb"):
        near = nearest(suffix, _SUFFIXES)
        return PREFIX + near if near else ""
    if suffix in _SUFFIXES and nearest(f"{prefix}/", (PREFIX, DEPRECATED_PREFIX)):
        return PREFIX + suffix
    return None


def deprecated_annotation(facts: Facts) -> Iterator[Problem]:
    """HL103, once per Service"""
    for service in facts.load_balancers:
        used = [key for key in _DEPRECATED if key in service.metadata.annotations]
        if used:
            yield problem(
                "HL103",
                service_key(service),
                f"metadata.annotations[{used[0]}]",
                f"still read, but the prefix {DEPRECATED_PREFIX} is deprecated: write {listed(_renewed(used))}",
            )


def _renewed(keys: Iterable[str]) -> Iterator[str]:
    return (PREFIX + key.removeprefix(DEPRECATED_PREFIX) for key in keys)


def no_dual_stack_pool(facts: Facts) -> Iterator[Problem]:
    """HL090"""
    pools = facts.config.pools.values()
    if not pools or any(len(pool.families()) == 2 for pool in pools):
        return
    for service in facts.services:
        if family_policy(service) is IPFamilyPolicy.REQUIRE_DUAL_STACK:
            yield problem("HL090", service_key(service), "spec.ipFamilyPolicy", _single_stack_only(facts))


def _single_stack_only(facts: Facts) -> str:
    by_family = {
        family: [pool.name for pool in facts.config.pools.values() if family in pool.families()]
        for family in (IPFamily.IPV4, IPFamily.IPV6)
    }
    if all(by_family.values()):
        separate = (
            f"IPv4 is in {listed(by_family[IPFamily.IPV4])} only and IPv6 in {listed(by_family[IPFamily.IPV6])} only"
        )
    else:
        family, other = ("IPv6", "IPv4") if by_family[IPFamily.IPV4] else ("IPv4", "IPv6")
        separate = f"all pools are {other} only, none has {family}"
    return f"needs IPv4+IPv6 from one pool; {separate}. Put both ranges into one pool."


def no_auto_assign_pool(facts: Facts) -> Iterator[Problem]:
    """HL091"""
    pools = facts.config.pools.values()
    if not pools or any(pool.auto_assign for pool in pools):
        return
    for service in facts.services:
        asks = requested_pool(service) is not None or requested_addresses(service) != ()
        if not asks and facts.pool_of(service) is None:
            yield problem(
                "HL091",
                service_key(service),
                "",
                "asks for no pool, and none gives addresses by itself (autoAssign: false on "
                f"{listed(facts.config.pools)}): it stays pending. Name a pool with {PREFIX}{ADDRESS_POOL}, or set "
                "autoAssign: true.",
            )


def request_not_allowed(facts: Facts) -> Iterator[Problem]:
    """HL092"""
    for service in facts.services:
        refused = facts.inputs.assignments.services[service.key].refusal
        if refused is not None and (
            refused.reason in _WRONG_REQUESTS or (refused.reason in REFUSED_FOR_OTHERS and not service.sharing_key)
        ):
            hint = ""
            if refused.reason is RefusalReason.UNKNOWN_POOL:
                hint = suggestion(requested_pool(service) or "", facts.config.pools)
            yield problem("HL092", service_key(service), _request_field(service), f"{refused}{hint}")


def _request_field(service: Service) -> str:
    for suffix in (LOAD_BALANCER_IPS, ADDRESS_POOL):
        for prefix in (PREFIX, DEPRECATED_PREFIX):
            if prefix + suffix in service.metadata.annotations:
                return f"metadata.annotations[{prefix}{suffix}]"
    return "spec.loadBalancerIP"


def single_endpoint(facts: Facts) -> Iterator[Problem]:
    """HL107"""
    for service, _ in facts.placed:
        if facts.endpoint_counts.get(service.key) == 1:
            yield problem(
                "HL107",
                service_key(service),
                "",
                "one endpoint only: if its node fails, the Service is away until Kubernetes has replaced the pod, "
                "however fast the address moves",
            )
