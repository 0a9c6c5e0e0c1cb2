"""The CustomResourceDefinitions of `metallb.io`, generated from the types of this package.

The schemas are structural: everything inlined, nothing nullable, defaults only where MetalLB's CRDs have them, so that
every manifest written for MetalLB is accepted or refused as before.
"""

import inspect as python
from dataclasses import dataclass
from typing import Any

import yaml
from msgspec import Struct, inspect

from herald.api.scheme import GROUP, KINDS, Kind
from herald.api.structural import type_of
from herald.cluster.meta import ObjectMeta

WEBHOOK_SERVICE = "metallb-webhook-service"
DEFAULT_NAMESPACE = "metallb-system"

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """What `kubectl get` prints. A priority above 0 is shown with `-o wide` only."""

    name: str
    type: str
    path: str
    priority: int = 0

    def as_dict(self) -> Schema:
        column: Schema = {"jsonPath": self.path, "name": self.name, "type": self.type}
        return {**column, "priority": self.priority} if self.priority else column


_POOLS_CHOSEN = (
    Column("IPAddressPools", "string", ".spec.ipAddressPools"),
    Column("IPAddressPool Selectors", "string", ".spec.ipAddressPoolSelectors"),
)
_NODES_CHOSEN = Column("Node Selectors", "string", ".spec.nodeSelectors", priority=10)
_SERVICE = (
    Column("Service Name", "string", ".status.serviceName"),
    Column("Service Namespace", "string", ".status.serviceNamespace"),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "BGPPeer": (
        Column("Address", "string", ".spec.peerAddress"),
        Column("ASN", "string", ".spec.peerASN"),
        Column("BFD Profile", "string", ".spec.bfdProfile"),
        Column("Multi Hops", "string", ".spec.ebgpMultiHop"),
        Column("Sessions", "string", ".status.sessions"),
    ),
    "BGPAdvertisement": (*_POOLS_CHOSEN, Column("Peers", "string", ".spec.peers"), _NODES_CHOSEN),
    "L2Advertisement": (*_POOLS_CHOSEN, Column("Interfaces", "string", ".spec.interfaces"), _NODES_CHOSEN),
    "IPAddressPool": (
        Column("Auto Assign", "boolean", ".spec.autoAssign"),
        Column("Avoid Buggy IPs", "boolean", ".spec.avoidBuggyIPs"),
        Column("Addresses", "string", ".spec.addresses"),
    ),
    "BFDProfile": (
        Column("Passive Mode", "boolean", ".spec.passiveMode"),
        Column("Transmit Interval", "integer", ".spec.transmitInterval"),
        Column("Receive Interval", "integer", ".spec.receiveInterval"),
        Column("Multiplier", "integer", ".spec.detectMultiplier"),
    ),
    "Community": (),
    "ServiceL2Status": (Column("Allocated Node", "string", ".status.node"), *_SERVICE),
    "ServiceBGPStatus": (Column("Node", "string", ".status.node"), *_SERVICE),
    "BGPSessionStatus": (
        Column("Node", "string", ".status.node"),
        Column("Peer", "string", ".status.peer"),
        Column("State", "string", ".status.state"),
        Column("Since", "date", ".status.since"),
        Column("Prefixes Sent", "integer", ".status.prefixesSent"),
        Column("Last Error", "string", ".status.lastError"),
        Column("Address", "string", ".status.address", priority=10),
        Column("BFD", "string", ".status.bfd", priority=10),
    ),
    "ConfigurationState": (
        Column("Result", "string", ".status.result"),
        Column("ErrorSummary", "string", ".status.errorSummary"),
        Column("Age", "date", ".metadata.creationTimestamp"),
    ),
}


def crds(namespace: str = DEFAULT_NAMESPACE, *, webhooks: bool = True) -> list[Schema]:
    """One CRD per kind, sorted by name. `namespace` is where the conversion webhook of BGPPeer is served.

    Without `webhooks` the API server converts BGPPeers by itself: it drops what the other version does not have, and
    timers that v1beta1 leaves out stay unset instead of becoming 0s.
    """
    by_plural: dict[str, list[Kind]] = {}
    for kind in KINDS:
        if kind.is_custom:
            by_plural.setdefault(kind.plural, []).append(kind)
    return [
        _crd(sorted(versions, key=lambda k: k.version), namespace, webhooks=webhooks)
        for _, versions in sorted(by_plural.items())
    ]


def dump_yaml(namespace: str = DEFAULT_NAMESPACE, *, webhooks: bool = True) -> str:
    """All of them as one text for `kubectl apply -f -`."""
    documents = crds(namespace, webhooks=webhooks)
    return yaml.safe_dump_all(documents, explicit_start=True, sort_keys=False, width=120, allow_unicode=True)


def _crd(versions: list[Kind], namespace: str, *, webhooks: bool) -> Schema:
    kind = versions[0]
    spec: Schema = {
        "group": GROUP,
        "names": {
            "kind": kind.kind,
            "listKind": f"{kind.kind}List",
            "plural": kind.plural,
            "singular": kind.kind.lower(),
        },
        "scope": "Namespaced",
        "versions": [_version(version, versions[-1]) for version in versions],
    }
    if len(versions) > 1:
        names = [version.version for version in versions]
        spec["conversion"] = _conversion(names, namespace) if webhooks else {"strategy": "None"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": spec,
    }


def _conversion(versions: list[str], namespace: str) -> Schema:
    service = {"name": WEBHOOK_SERVICE, "namespace": namespace, "path": "/convert"}
    # These would have to be versions of ConversionReview. MetalLB's names are kept: the API server settles on v1beta1.
    return {
        "strategy": "Webhook",
        "webhook": {"clientConfig": {"service": service}, "conversionReviewVersions": versions},
    }


def _version(kind: Kind, newest: Kind) -> Schema:
    version: Schema = {"name": kind.version, "served": True, "storage": kind is newest}
    if kind is not newest:
        version["deprecated"] = True
        version["deprecationWarning"] = f"{kind.version} is deprecated, please use {newest.version}"
    if COLUMNS[kind.kind]:
        version["additionalPrinterColumns"] = [column.as_dict() for column in COLUMNS[kind.kind]]
    version["subresources"] = {"status": {}}
    version["schema"] = {"openAPIV3Schema": _root(kind)}
    return version


def _root(kind: Kind) -> Schema:
    struct: type[Struct] = kind.type
    root = schema(type_of(struct))
    types = {
        "apiVersion": {"type": "string", "description": "Group and version of the object."},
        "kind": {"type": "string", "description": "Kind of the object."},
    }
    return {**root, "properties": {**types, **root["properties"]}}


def schema(wanted: inspect.Type) -> Schema:
    """The structural schema of a type."""
    match wanted:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            # A None takes out what decoding checks and the CRD leaves to the format (see herald.api.schema).
            merged = {**schema(inner), **(extra or {})}
            return {key: value for key, value in merged.items() if value is not None}
        case inspect.UnionType(types=types):
            return schema(next(t for t in types if not isinstance(t, inspect.NoneType)))
        case inspect.StructType(cls=cls) if cls is ObjectMeta:
            return {"type": "object"}
        case inspect.StructType():
            return _object(wanted)
        case inspect.VarTupleType(item_type=item, min_length=shortest):
            return _without_none({"type": "array", "minItems": shortest, "items": schema(item)})
        case inspect.DictType(value_type=value):
            return {"type": "object", "additionalProperties": schema(value)}
        case inspect.IntType(ge=lowest, le=highest):
            return _without_none({"type": "integer", "minimum": lowest, "maximum": highest})
        case inspect.StrType(min_length=shortest, max_length=longest, pattern=pattern):
            return _without_none({"type": "string", "minLength": shortest, "maxLength": longest, "pattern": pattern})
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
    raise AssertionError(f"{wanted} is not a type that the API uses")


def _object(wanted: inspect.StructType) -> Schema:
    properties = {field.encode_name: schema(field.type) for field in wanted.fields}
    required = sorted(field.encode_name for field in wanted.fields if _is_required(field))
    parts = {"description": python.getdoc(wanted.cls), "properties": properties, "required": required}
    return {"type": "object", **{key: value for key, value in parts.items() if value}}


def _is_required(field: inspect.Field) -> bool:
    extra = (field.type.extra or {}) if isinstance(field.type, inspect.Metadata) else {}
    return field.required and not extra.get("optional_in_crd")


def _without_none(values: Schema) -> Schema:
    return {key: value for key, value in values.items() if value is not None}
