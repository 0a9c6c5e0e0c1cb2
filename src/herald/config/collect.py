"""Texts into Resources: every manifest read, decoded and sorted by kind, with what is wrong beside it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from herald.api import manifest
from herald.api.bfd_profile import BFDProfile
from herald.api.bgp_advertisement import BGPAdvertisement
from herald.api.bgp_peer import BGPPeer
from herald.api.bgp_session_status import BGPSessionStatus
from herald.api.community import Community
from herald.api.configuration_state import ConfigurationState
from herald.api.decode import Decoded, decode
from herald.api.finding import Fault, Finding
from herald.api.ip_address_pool import IPAddressPool
from herald.api.l2_advertisement import L2Advertisement
from herald.api.scheme import Resource
from herald.api.service_bgp_status import ServiceBGPStatus
from herald.api.service_l2_status import ServiceL2Status
from herald.cluster.endpoints import EndpointSlice
from herald.cluster.namespace import Namespace
from herald.cluster.node import Node
from herald.cluster.secret import Secret
from herald.cluster.service import Service
from herald.config.findings import ObjectKey
from herald.config.problem import Problem
from herald.config.resources import Resources
from herald.config.rules import rule

T = TypeVar("T")

_REASONS = {
    Fault.UNREADABLE: "Unreadable",
    Fault.UNKNOWN_KIND: "UnknownKind",
    Fault.SCHEMA: "SchemaViolation",
    Fault.UNKNOWN_FIELD: "UnknownField",
    Fault.DEFINED_TWICE: "DefinedTwice",
    Fault.NOT_AN_OBJECT: "NotAnObject",
    Fault.OTHER_DOCUMENT: "OtherDocument",
    Fault.LEGACY_CONFIGURATION: "LegacyConfiguration",
}
# What Herald writes itself: read back it decides nothing.
_OUTPUT = (ServiceL2Status, ServiceBGPStatus, BGPSessionStatus, ConfigurationState)


@dataclass(frozen=True, slots=True)
class Collected:
    """`problems` in the order of every listing; `ignored` counts objects of kinds that decide nothing, by kind.

    `places` says where each object begins (`pools.yaml:12`), also one that cannot be used; `embedded` where something
    else than an object holds pools, as the values of a Helm chart do. `sources` names every text that was read.
    """

    resources: Resources
    problems: tuple[Problem, ...]
    ignored: Counter[str]
    places: Mapping[ObjectKey, str]
    embedded: tuple[str, ...]
    sources: tuple[str, ...] = ()


def collect(texts: Sequence[tuple[str, str]]) -> Collected:
    """Everything in `texts`, pairs of (source, text). Of two definitions of one object the later one counts."""
    known: dict[tuple[str, str, str], tuple[Resource, str]] = {}
    findings: list[Finding] = []
    ignored: Counter[str] = Counter()
    places: dict[ObjectKey, str] = {}
    embedded: list[str] = []
    for source, text in texts:
        documents, unreadable = manifest.read(text, source)
        findings += unreadable
        for document in documents:
            decoded = decode(document.content, document.source)
            findings += map(_with_consequence, decoded.findings)
            places.update(
                (ObjectKey(each.kind, each.namespace, each.name), document.source)
                for each in decoded.findings
                if each.names_object
            )
            if _embeds_pools(decoded, document.content):
                embedded.append(document.source)
            if decoded.is_foreign or isinstance(decoded.object, _OUTPUT):
                ignored[decoded.kind] += 1
            elif decoded.object is not None:
                findings += _put(known, decoded.kind, decoded.object, document.source)
    problems = sorted(map(problem_of, findings), key=lambda problem: problem.order)
    places.update((ObjectKey(*key), source) for key, (_, source) in known.items())
    resources = _sorted_by_kind([resource for resource, _ in known.values()])
    sources = tuple(source for source, _ in texts)
    return Collected(resources, tuple(problems), ignored, places, tuple(embedded), sources)


def gathered(objects: Iterable[Resource], problems: Iterable[Problem], place: str) -> Collected:
    """What was read elsewhere, typed, and what was found wrong with it there. `place` says where that is."""
    items = list(objects)
    places = {ObjectKey.of(item): place for item in items}
    found = sorted(problems, key=lambda problem: problem.order)
    return Collected(_sorted_by_kind(items), tuple(found), Counter(), places, ())


def overlaid(below: Collected, above: Collected) -> Collected:
    """What there would be if everything of `above` were applied to `below`."""
    # An object that cannot be used takes the place of the one before as well.
    objects = [item for item in _objects(below.resources) if ObjectKey.of(item) not in above.places]
    problems = [each for each in below.problems if ObjectKey(each.kind, each.namespace, each.name) not in above.places]
    return Collected(
        _sorted_by_kind([*objects, *_objects(above.resources)]),
        tuple(sorted((*problems, *above.problems), key=lambda problem: problem.order)),
        below.ignored + above.ignored,
        {**below.places, **above.places},
        (*below.embedded, *above.embedded),
        (*below.sources, *above.sources),
    )


def _objects(resources: Resources) -> Iterable[Any]:
    return (item for kind in fields(resources) for item in getattr(resources, kind.name))


def _with_consequence(finding: Finding) -> Finding:
    """What the schema refuses is left out. Where a last valid version may stay in force, that is not to be said."""
    if finding.fault is not Fault.SCHEMA:
        return finding
    end = "" if finding.message.endswith(("?", ".")) else "."
    return replace(finding, message=f"{finding.message}{end} This {finding.kind} is left out.")


def _embeds_pools(decoded: Decoded, content: object) -> bool:
    """Whether Helm values, or a HelmRelease with values in it, hold pools."""
    if decoded.kind != "HelmRelease" and not any(each.fault is Fault.OTHER_DOCUMENT for each in decoded.findings):
        return False
    text = repr(content).lower()
    return "ipaddresspool" in text and "'addresses'" in text


def problem_of(finding: Finding) -> Problem:
    """What people see of a finding."""
    return Problem(
        rule=finding.fault.value,
        severity=rule(finding.fault.value).severity,
        kind=finding.kind,
        namespace=finding.namespace,
        name=finding.name,
        field=finding.field,
        reason=_REASONS[finding.fault],
        message=finding.message,
    )


def _put(
    known: dict[tuple[str, str, str], tuple[Resource, str]], kind: str, resource: Resource, source: str
) -> Iterable[Finding]:
    """Adds `resource`, and yields the complaint if it takes the place of another."""
    key = (kind, resource.metadata.namespace, resource.metadata.name)
    earlier = known.get(key)
    known[key] = (resource, source)
    if earlier is None:
        return ()
    message = f"is defined twice, in {earlier[1]} and in {source}; the later one counts, remove the other"
    return (Finding(Fault.DEFINED_TWICE, *key, "", message),)


def _sorted_by_kind(objects: list[Any]) -> Resources:
    return Resources(
        ip_address_pools=_of_type(objects, IPAddressPool),
        l2_advertisements=_of_type(objects, L2Advertisement),
        bgp_advertisements=_of_type(objects, BGPAdvertisement),
        bgp_peers=_of_type(objects, BGPPeer),
        bfd_profiles=_of_type(objects, BFDProfile),
        communities=_of_type(objects, Community),
        services=_of_type(objects, Service),
        endpoint_slices=_of_type(objects, EndpointSlice),
        nodes=_of_type(objects, Node),
        namespaces=_of_type(objects, Namespace),
        secrets=_of_type(objects, Secret),
    )


def _of_type(objects: list[Any], wanted: type[T]) -> tuple[T, ...]:
    return tuple(item for item in objects if isinstance(item, wanted))
