"""May this object be stored? What MetalLB's webhooks refuse is refused, with every reason; the rest is warned of.

A change is judged by compiling the cluster before and after it, as the controller and the speakers will do:

    world ──compile──▶ before ─┐
    world + change ─compile──▶ after, with `before` as its past ──▶ errors of the object: refused
                                                                └─▶ everything else that is new: warnings

As there, whatever is in force already comes first: an object is refused for what it does itself, never for what others
have done wrong. Not refused, because another object or a later one can put it right (MetalLB's webhooks do not look at
these either): a Secret, BFDProfile or community alias that is not there (yet), a password beside a Secret. What
MetalLB refuses and Herald gives a meaning (`docs/differences.md`) is a warning.

An edit that leaves spec and labels as they are is never refused, nor is one of an object that is being deleted: who
takes off a finalizer or adds an annotation must not be stopped by a fault that is there already.

Nothing here has an effect, so a dry run is answered like any other request.
"""

from dataclasses import replace
from typing import Any

from herald.api import decode as api_decode
from herald.api import scheme
from herald.api.bfd_profile import BFDProfile
from herald.api.bgp_advertisement import BGPAdvertisement
from herald.api.bgp_peer import BGPPeer
from herald.api.community import Community
from herald.api.finding import Fault
from herald.api.ip_address_pool import IPAddressPool
from herald.api.l2_advertisement import L2Advertisement
from herald.api.scheme import Kind
from herald.bfd import profile as bfd_profile
from herald.cluster.meta import NamespacedName
from herald.config.compile import compile_config
from herald.config.findings import ObjectKey, stays_in_force
from herald.config.problem import Problem, Severity
from herald.config.resources import Resources
from herald.config.settle import Custom, same_meaning
from herald.config.wording import listed
from herald.controller.webhook.admission_review import AdmissionRequest, Review, cut
from herald.controller.webhook.change import Change, Configured
from herald.controller.webhook.consequences import consequences
from herald.controller.webhook.v1beta1_edit import lost_fields
from herald.controller.webhook.world import World

ADMISSIBLE = frozenset({"HL031", "HL072", "HL077", "HL102", "HL335", "HL338"})
"""Errors for which nothing is refused: they are about other objects, or MetalLB finds them at run time only."""
MOST_REASONS = 10
LONGEST_REASON = 600

_FIELDS: dict[type[Any], str] = {
    IPAddressPool: "ip_address_pools",
    L2Advertisement: "l2_advertisements",
    BGPAdvertisement: "bgp_advertisements",
    BGPPeer: "bgp_peers",
    BFDProfile: "bfd_profiles",
    Community: "communities",
}
REVIEWED = tuple(sorted(kind.__name__ for kind in _FIELDS))
"""The kinds that are looked at."""


class _UndecodableError(ValueError):
    """The object does not fit its kind; the message lists why."""


def review(request: AdmissionRequest, world: World) -> Review:
    """The answer to `request` in `world`. Raises nothing, whatever the request holds."""
    kind = scheme.find(request.kind.api_version, request.kind.kind)
    if kind is None or kind.kind not in REVIEWED:
        asked = f"{request.kind.api_version} {request.kind.kind}"
        return Review.bad_request(f"{asked} is not reviewed here; {', '.join(REVIEWED)} of {scheme.GROUP} are")
    if request.sub_resource:
        return Review(True)
    match request.operation:
        case "CREATE" | "UPDATE":
            return _review_written(request, kind, world)
        case "DELETE":
            return _review_deleted(request, kind, world)
        case _:
            return Review(True)


def _review_written(request: AdmissionRequest, kind: Kind, world: World) -> Review:
    try:
        new = _decoded(request.object, kind, request)
    except _UndecodableError as error:
        return Review.bad_request(str(error))
    old = None
    if request.operation == "UPDATE":
        try:
            old = _decoded(request.old_object, kind, request)
        except _UndecodableError:
            old = None  # A stored object that cannot be read may be mended.
    compiled = _compiled(world, Change(ObjectKey.of(new), old, new))
    errors = [each for each in compiled.own_problems if each.severity is Severity.ERROR]
    refusals = [each for each in errors if each.rule not in ADMISSIBLE]
    if refusals and not _is_harmless(new, old, refusals):
        return Review.forbidden(_refusal(compiled.change.key, refusals))
    return Review(True, warnings=(*lost_fields(request, world), *consequences(compiled, errors)))


def _is_harmless(new: Any, old: Any, refusals: list[Problem]) -> bool:
    """Whether the edit does not make anything worse than it is."""
    if old is None:
        return False
    # MetalLB looks at the namespace of new objects only.
    elsewhere = all(each.rule == "HL030" for each in refusals)
    return elsewhere or new.metadata.deletion_timestamp is not None or same_meaning(new, old)


def _review_deleted(request: AdmissionRequest, kind: Kind, world: World) -> Review:
    try:
        old = _decoded(request.old_object, kind, request)
    except _UndecodableError:
        return Review(True)  # Whatever it is, it may go.
    key = ObjectKey.of(old)
    if key.namespace != world.namespace:
        return Review(True)
    users = _users_of_profile(key, world)
    if users:
        return Review.forbidden(
            f"failed to delete BFDProfile {key.name}, used by BGPPeer {listed(users)}: take it out of spec.bfdProfile "
            "there first, or name another one"
        )
    return Review(True, warnings=consequences(_compiled(world, Change(key, old, None)), []))


def _users_of_profile(key: ObjectKey, world: World) -> list[str]:
    """The BGPPeers that would be left with nothing. `default` is built in: it means something without an object."""
    if key.kind != "BFDProfile" or key.name == bfd_profile.DEFAULT.name:
        return []
    return [
        peer.metadata.name
        for peer in world.resources.bgp_peers
        if peer.spec.bfd_profile == key.name and peer.metadata.namespace == key.namespace
    ]


def _decoded(raw: object, kind: Kind, request: AdmissionRequest) -> Any:
    """The typed object in the stored version. Raises _UndecodableError with everything that is wrong."""
    if not isinstance(raw, dict):
        raise _UndecodableError(f"{kind.kind} {request.namespace}/{request.name}: there is no object in the request")
    stated = raw.get("metadata")
    metadata = {**stated} if isinstance(stated, dict) else {}
    metadata["name"] = metadata.get("name") or request.name or f"{metadata.get('generateName') or 'unnamed'}x"
    metadata["namespace"] = request.namespace or metadata.get("namespace")
    whole = {**raw, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    decoded = api_decode.decode(whole, "the request")
    faults = [each for each in decoded.findings if each.fault is Fault.SCHEMA]
    if decoded.object is None:
        where = f"{kind.kind} {metadata['namespace']}/{metadata['name']}"
        reasons = [f"{each.field}: {each.message}" if each.field else each.message for each in faults]
        raise _UndecodableError(_listed(where, reasons or ["cannot be read"]))
    return decoded.object


def _compiled(world: World, change: Change) -> Configured:
    # The request's old object counts, not that of the cache: a cache may lag behind.
    knows = world.knows_secrets
    resources = _with(world.resources, change, change.old)
    before = compile_config(resources, namespace=world.namespace, knows_secrets=knows)
    resources = _with(world.resources, change, change.new)
    after = compile_config(resources, namespace=world.namespace, last_good=before.accepted, knows_secrets=knows)
    return Configured(change, world, resources, before, after)


def _with(resources: Resources, change: Change, version: Custom | None) -> Resources:
    """`resources` with this version of the changed object, or without it."""
    field = _FIELDS[type(change.present)]
    name = NamespacedName(change.key.namespace, change.key.name)
    others = tuple(each for each in getattr(resources, field) if each.metadata.key != name)
    changed: dict[str, Any] = {field: others if version is None else (*others, version)}
    return replace(resources, **changed)


def _refusal(key: ObjectKey, problems: list[Problem]) -> str:
    reasons = []
    for each in problems:
        text = each.message
        for consequence in (
            f" This {key.kind} is left out.",
            f" {stays_in_force(key.kind)}",
        ):
            text = text.removesuffix(consequence)
        field = f"{each.field}: " if each.field else ""
        reasons.append(f"{field}{text.removesuffix('.')} [{each.rule}]")
    return _listed(f"{key.kind} {key.namespace}/{key.name}", reasons)


def _listed(where: str, reasons: list[str]) -> str:
    texts = [cut(reason, LONGEST_REASON) for reason in reasons[:MOST_REASONS]]
    if len(reasons) == 1:
        return f"{where}: {texts[0]}"
    hidden = [f"and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
    lines = "".join(f"\n- {text}" for text in (*texts, *hidden))
    return f"{where}: {len(reasons)} problems:{lines}"
