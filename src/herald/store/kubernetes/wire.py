"""From the JSON of an API server to the objects that decide something, as small as they can be.

Kinds of the cluster are decoded at once into their narrow structs. What does not fit there, and every custom resource,
goes through the tolerant decoder of manifests: a cluster may hold objects that today's schema refuses, and a Go server
writes null where a list is empty.
"""

from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any, TypeVar

import msgspec

from herald.api import scheme
from herald.api.decode import decode
from herald.api.finding import Fault, Finding
from herald.cluster.endpoints import SERVICE_NAME_LABEL, EndpointSlice, narrowed
from herald.cluster.meta import ObjectMeta
from herald.cluster.namespace import Namespace
from herald.cluster.node import SHUTTING_DOWN, Node, NodeCondition, NodeStatus
from herald.cluster.secret import Secret
from herald.cluster.service import (
    ADDRESS_POOL,
    ALLOCATED_FROM_POOL,
    ALLOW_SHARED_IP,
    DEPRECATED_PREFIX,
    LOAD_BALANCER_IPS,
    PREFIX,
    Service,
    ServicePort,
    ServiceSpec,
)
from herald.config.collect import problem_of
from herald.config.problem import Problem
from herald.store.kubernetes.watch_events import NO_JSON
from herald.store.store import ClusterObject

PASSWORD = "password"  # noqa: S105 (the key of a Secret, not its value)
_NETWORK_UNAVAILABLE = "NetworkUnavailable"
_OURS = ("metallb", "herald")
_SUFFIXES = (ADDRESS_POOL, LOAD_BALANCER_IPS, ALLOW_SHARED_IP)

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an object of the server says: None if it cannot be understood, and then `problems` say why."""

    item: ClusterObject | None
    problems: tuple[Problem, ...] = ()


def read(kind: scheme.Kind, raw: bytes, *, with_status: bool = True) -> Reading:
    """The object in `raw`. `with_status`: whether the status of custom resources is kept. Raises nothing."""
    decoded = _tolerantly if kind.is_custom else _narrowly
    try:
        return decoded(kind, raw, with_status)
    except NO_JSON as error:
        return _unreadable(kind, error)


def _narrowly(kind: scheme.Kind, raw: bytes, with_status: bool) -> Reading:
    try:
        return Reading(slim(msgspec.json.decode(raw, type=kind.type)))
    except msgspec.ValidationError:
        return _tolerantly(kind, raw, with_status)


def _unreadable(kind: scheme.Kind, error: Exception) -> Reading:
    """What is no JSON where nobody looked before, such as a text that is not UTF-8."""
    message = f"cannot be read: {error}"
    return Reading(None, (problem_of(Finding(Fault.UNREADABLE, kind.kind, "", "(from the API server)", "", message)),))


def _tolerantly(kind: scheme.Kind, raw: bytes, with_status: bool) -> Reading:
    content: dict[str, Any] = msgspec.json.decode(raw)
    # In lists the API server leaves these away for its own kinds.
    content.update(apiVersion=kind.api_version, kind=kind.kind)
    if not with_status:
        content.pop("status", None)
    decoded = decode(content, "the API server")
    item: Any = decoded.object
    return Reading(None if item is None else slim(item), tuple(map(problem_of, decoded.findings)))


def slim(item: ClusterObject) -> ClusterObject:
    """The object without what decides nothing, so that nothing is announced when only that changes."""
    match item:
        case EndpointSlice():
            return _slim_slice(item)
        case Service():
            return _with(item, metadata=_slim_meta(item.metadata), spec=_slim_spec(item.spec))
        case Node():
            return _with(item, metadata=_slim_meta(item.metadata), status=_slim_node_status(item.status))
        case Namespace():
            return _with(item, metadata=_slim_meta(item.metadata))
        case Secret():
            return _slim_secret(item)
        case _:
            return _with(item, metadata=_slim_meta(item.metadata))


def has_something_of_ours(service: Service) -> bool:
    """Whether a Service matters to the controller: it wants an address, or still carries what is to be cleared."""
    if service.is_load_balancer or service.status.load_balancer.ingress:
        return True
    return any(key == ALLOCATED_FROM_POOL or key.startswith("herald") for key in service.metadata.annotations)


def _slim_slice(piece: EndpointSlice) -> EndpointSlice:
    """Nobody writes to slices or about them: ten thousand versions and uids are not kept."""
    meta, service = piece.metadata, piece.metadata.labels.get(SERVICE_NAME_LABEL)
    labels = {SERVICE_NAME_LABEL: service} if service else {}
    small = ObjectMeta(name=meta.name, namespace=intern(meta.namespace), labels=labels)
    return narrowed(EndpointSlice(metadata=small, address_type=intern(piece.address_type), endpoints=piece.endpoints))


def _slim_meta(meta: ObjectMeta) -> ObjectMeta:
    return ObjectMeta(
        name=meta.name,
        namespace=intern(meta.namespace),
        labels={intern(key): intern(value) for key, value in meta.labels.items()},
        annotations={key: value for key, value in meta.annotations.items() if _is_read(key)},
        creation_timestamp=meta.creation_timestamp,
        deletion_timestamp=meta.deletion_timestamp,
        resource_version=meta.resource_version,
        uid=meta.uid,
    )


def _is_read(annotation: str) -> bool:
    """Whether anything looks at the annotation, be it only to find it misspelt."""
    if annotation.startswith((PREFIX, DEPRECATED_PREFIX)):
        return True
    prefix, _, suffix = annotation.rpartition("/")
    return suffix in _SUFFIXES or any(word in prefix for word in _OURS)


def _slim_spec(spec: ServiceSpec) -> ServiceSpec:
    addresses = spec.cluster_ips
    return msgspec.structs.replace(
        spec,
        type=intern(spec.type),
        cluster_ip=addresses[0] if addresses and addresses[0] == spec.cluster_ip else spec.cluster_ip,
        ip_families=_shared_families(spec.ip_families),
        ports=_shared_ports(tuple(ServicePort(port=p.port, protocol=p.protocol, name=p.name) for p in spec.ports)),
        ip_family_policy=intern(spec.ip_family_policy) if spec.ip_family_policy else None,
        external_traffic_policy=intern(spec.external_traffic_policy),
        selector={intern(key): value for key, value in spec.selector.items()},
    )


@lru_cache(maxsize=64)
def _shared_families(families: tuple[str, ...]) -> tuple[str, ...]:
    return families


@lru_cache(maxsize=1 << 12)
def _shared_ports(ports: tuple[ServicePort, ...]) -> tuple[ServicePort, ...]:
    """Most Services have the same few ports, apart from node ports, which nothing reads."""
    return ports


def _slim_node_status(status: NodeStatus) -> NodeStatus:
    kept = tuple(
        NodeCondition(type=one.type, status=one.status, message=SHUTTING_DOWN if one.says_shutdown else "")
        for one in status.conditions
        if one.type == _NETWORK_UNAVAILABLE or one.says_shutdown
    )
    return NodeStatus(conditions=kept, addresses=status.addresses)


def _slim_secret(secret: Secret) -> Secret:
    data = {PASSWORD: secret.data[PASSWORD]} if PASSWORD in secret.data else {}
    return Secret(metadata=_slim_meta(secret.metadata), type=secret.type, data=data)


def _with(item: T, **changes: Any) -> T:
    return msgspec.structs.replace(item, **changes)
