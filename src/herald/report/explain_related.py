"""Which problems have to do with a service: those of its own objects, and those that may be why it lacks one.

The cause of a silence is often a slip of the pen elsewhere: the pool's name misspelt in an advertisement, which then
belongs to another pool or to none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from herald.announcement.decide import Decision
from herald.announcement.reason import Code
from herald.api.bgp_advertisement import BGPAdvertisement
from herald.api.l2_advertisement import L2Advertisement
from herald.config.nearest import nearest
from herald.config.problem import Problem, Severity
from herald.report.explain import concerning
from herald.report.plan import Plan

_SELECTS_NO_POOL = frozenset({"HL003", "HL080", "HL082"})


@dataclass(frozen=True, slots=True)
class NearMiss:
    """The advertisement `name` of `kind` selects pool `wrong`, which is not there, and the service's pool is alike."""

    kind: str
    name: str
    wrong: str


def related_problems(plan: Plan, decision: Decision) -> tuple[Problem, ...]:
    """Every problem to look at if the service is not as it should be, in the order of every listing."""
    near = ((miss.kind, miss.name) for miss in near_misses(plan, decision))
    return concerning(plan.problems, (*_objects(plan, decision), *_suspects(plan, decision), *near))


def near_misses(plan: Plan, decision: Decision) -> tuple[NearMiss, ...]:
    """Advertisements of a kind that the service lacks, whose author seems to have meant its pool."""
    resources, pools = plan.study.resources, plan.study.compiled.config.pools
    kinds: dict[str, tuple[L2Advertisement | BGPAdvertisement, ...]] = {
        "L2Advertisement": resources.l2_advertisements if decision.layer2.unadvertised else (),
        "BGPAdvertisement": resources.bgp_advertisements if decision.bgp.unadvertised else (),
    }
    return tuple(
        NearMiss(kind, advertisement.metadata.name, name)
        for kind, advertisements in kinds.items()
        for advertisement in sorted(advertisements, key=lambda each: each.metadata.name)
        if advertisement.metadata.namespace == plan.study.circumstances.namespace
        for name in advertisement.spec.ip_address_pools
        if name not in pools and decision.pool is not None and nearest(name, pools) == decision.pool
    )


def _objects(plan: Plan, decision: Decision) -> Iterable[tuple[str, str]]:
    """Every object that has to do with the service, as (kind, name)."""
    yield "Service", str(decision.service)
    if decision.pool is None:
        return
    yield "IPAddressPool", decision.pool
    config = plan.study.compiled.config
    yield from (("L2Advertisement", ad.name) for ad in config.l2_advertisements if decision.pool in ad.pools)
    yield from (("BGPAdvertisement", ad.name) for ad in config.bgp_advertisements if decision.pool in ad.pools)
    for sessions in decision.bgp.announcing.values():
        yield from (("BGPPeer", name) for session, _ in sessions for name in session.names)


_PEERLESS = frozenset({Code.NO_PEER_ON_NODE, Code.NO_PEER_FOR_ADVERTISEMENT, Code.NO_PEER_OF_FAMILY})


def _suspects(plan: Plan, decision: Decision) -> Iterable[tuple[str, str]]:
    """Objects that have nothing to do with the service, and probably should: the faulty ones of the kind it lacks."""
    lacking = _lacking(decision)
    for problem in plan.problems:
        # The warnings of a pool are for those who have addresses of it.
        if problem.kind in lacking and (problem.severity is Severity.ERROR or problem.kind != "IPAddressPool"):
            yield problem.kind, problem.name
    for kind, unadvertised in _ways(decision):
        for problem in plan.problems if unadvertised else ():
            selects_none = problem.rule in _SELECTS_NO_POOL and problem.field == "spec.ipAddressPoolSelectors"
            if problem.kind == kind and (problem.severity is Severity.ERROR or selects_none):
                yield problem.kind, problem.name


def _ways(decision: Decision) -> tuple[tuple[str, bool], ...]:
    return (
        ("L2Advertisement", decision.layer2.unadvertised is not None),
        ("BGPAdvertisement", decision.bgp.unadvertised is not None),
    )


def _lacking(decision: Decision) -> frozenset[str]:
    if not decision.addresses:
        return frozenset({"IPAddressPool"})
    if all(unadvertised for _, unadvertised in _ways(decision)):
        return frozenset({"L2Advertisement", "BGPAdvertisement"})
    if decision.bgp.reason is not None and decision.bgp.reason.code in _PEERLESS:
        return frozenset({"BGPPeer"})
    return frozenset()
