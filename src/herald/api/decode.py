"""From a raw object, as JSON or YAML gave it, to a typed one, or to everything that is wrong with it.

An API server would do the same to it: default the namespace, prune unknown fields and nulls, check the schema and the
rules in it. For kinds of `metallb.io` pruned fields are reported. Kinds of the core are narrow: fields that Herald does
not read are not looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from herald.api import scheme, structural
from herald.api.finding import Fault, Finding, of_file
from herald.api.structural import Complaint, Report
from herald.cluster.meta import ObjectMeta, is_dns_subdomain
from herald.cluster.selector import LabelSelectorError, validate_label_key, validate_label_value

_NAME_RULE = "use lower-case letters, digits, '-' and '.', with a letter or digit at both ends, at most 253 of them"
# What metadata may hold beside the fields that ObjectMeta keeps.
_OTHER_METADATA = frozenset(
    {
        "clusterName",
        "deletionGracePeriodSeconds",
        "finalizers",
        "generateName",
        "managedFields",
        "ownerReferences",
        "selfLink",
    }
)
_TYPE_FIELDS = frozenset({"apiVersion", "kind"})
_OBJECT_FIELDS = frozenset({"kind", "metadata", "spec"})
_LEGACY_POOLS = re.compile(r"^\s*[\"']?address-pools[\"']?\s*:", re.MULTILINE)
_LEGACY = (
    "is the configuration of MetalLB before 0.13, which nothing reads any more: write an IPAddressPool for each pool, "
    "an L2Advertisement or a BGPAdvertisement that names it, and a BGPPeer for each peer"
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """`object` is None if a finding spoils it, or if its kind is one of others (`is_foreign`), which is no fault.

    `kind` is what the document calls itself, for counting; empty if it is no Kubernetes object.
    """

    object: scheme.Resource | None
    findings: tuple[Finding, ...] = ()
    kind: str = ""

    @property
    def is_foreign(self) -> bool:
        return self.object is None and not self.findings


def decode(raw: object, source: str) -> Decoded:
    """The typed object that `raw` is, in the version that is stored. `source` says where it came from.

    Raises nothing, whatever `raw` is.
    """
    if _is_other_document(raw):
        message = "has neither kind nor metadata, so it is not meant as a Kubernetes object; it is left out"
        return Decoded(None, (of_file(Fault.OTHER_DOCUMENT, source, "", message),))
    fault = _not_an_object(raw)
    if fault is not None or not isinstance(raw, dict):
        return Decoded(None, (of_file(Fault.NOT_AN_OBJECT, source, "", fault or "is not an object"),))
    name = raw["kind"]
    kind = scheme.find(raw["apiVersion"], name)
    if kind is not None:
        return _decode_kind(raw, kind, source)
    wrong = scheme.misspelling(raw["apiVersion"], name)
    identity = _identity(raw, name, namespaced=True, source=source)
    if wrong is None:
        legacy = (Finding(Fault.LEGACY_CONFIGURATION, *identity, "data", _LEGACY),) if _is_legacy(raw) else ()
        return Decoded(None, legacy, name)
    return Decoded(None, (Finding(Fault.UNKNOWN_KIND, *identity, "kind", wrong),), name)


def _is_other_document(raw: object) -> bool:
    """Whether `raw` is what lies beside manifests and is none: Helm values, a chart's description, tasks, patches."""
    if isinstance(raw, list):
        return bool(raw) and all(_is_other_document(item) for item in raw)
    return isinstance(raw, dict) and bool(raw.keys() - {"apiVersion"}) and _OBJECT_FIELDS.isdisjoint(raw)


def _is_legacy(raw: dict[Any, Any]) -> bool:
    """Whether a foreign object is the ConfigMap that configured MetalLB before it had resources of its own."""
    data = raw.get("data")
    if raw["kind"] != "ConfigMap" or not isinstance(data, dict):
        return False
    text = data.get("config")
    return isinstance(text, str) and _LEGACY_POOLS.search(text) is not None


def _not_an_object(raw: object) -> str | None:
    if not isinstance(raw, dict):
        return f"{structural.named(raw)}, not a Kubernetes object; it needs apiVersion, kind and metadata"
    for field in ("apiVersion", "kind"):
        value = raw.get(field)
        if value is None or value == "":
            return f"{field} is missing; a Kubernetes object needs apiVersion, kind and metadata"
        if not isinstance(value, str):
            return f"{field}: {structural.named(value)}, a string is needed"
    if raw["kind"] == "List":
        return f"items: {structural.named(raw.get('items'))}, a list is needed"
    return None


def _decode_kind(raw: dict[Any, Any], kind: scheme.Kind, source: str) -> Decoded:
    report = Report()
    identity = _identity(raw, kind.kind, namespaced=kind.namespaced, source=source)
    body = {key: value for key, value in raw.items() if key not in _TYPE_FIELDS}
    body["metadata"] = _metadata(raw.get("metadata"), kind, report)
    value = structural.check(body, kind.type, "", report)
    unknown = [field.complaint() for field in report.unknown_fields] if kind.is_custom else []
    findings = [Finding(Fault.SCHEMA, *identity, c.path, c.message) for c in report.violations]
    findings += [Finding(Fault.UNKNOWN_FIELD, *identity, c.path, c.message) for c in unknown]
    if report.violations:
        return Decoded(None, tuple(findings), kind.kind)
    typed = msgspec.convert(value, kind.type)
    return Decoded(kind.to_storage(typed) if kind.to_storage else typed, tuple(findings), kind.kind)


def _metadata(raw: object, kind: scheme.Kind, report: Report) -> object:
    """Metadata with the namespace that `kubectl apply` would give it; its own rules go to `report`."""
    if raw is None:
        report.violation("metadata.name", "is missing; every object needs a name")
        return None
    if not isinstance(raw, dict):
        return raw
    for complaint in _metadata_complaints(raw):
        report.violations.append(complaint)
    kept = {key: value for key, value in raw.items() if key not in _OTHER_METADATA}
    kept["namespace"] = (raw.get("namespace") or "default") if kind.namespaced else ""
    return kept


def _metadata_complaints(raw: dict[Any, Any]) -> Iterator[Complaint]:
    name, namespace = raw.get("name"), raw.get("namespace")
    if name is None or name == "":
        yield Complaint("metadata.name", "is missing; every object needs a name")
    for field, value in (("name", name), ("namespace", namespace)):
        if isinstance(value, str) and value and not is_dns_subdomain(value):
            yield Complaint(f"metadata.{field}", f"{structural.shown(value)} is not a name; {_NAME_RULE}")
    labels = raw.get("labels")
    for key, value in labels.items() if isinstance(labels, dict) else ():
        if isinstance(key, str):
            yield from _label_complaints(key, value)


def _label_complaints(key: str, value: object) -> Iterator[Complaint]:
    field = f"metadata.labels[{key}]"
    try:
        validate_label_key(key, field)
        if isinstance(value, str):
            validate_label_value(value, field)
    except LabelSelectorError as error:
        yield Complaint(field, str(error))


def _identity(raw: dict[Any, Any], kind: str, *, namespaced: bool, source: str) -> tuple[str, str, str]:
    """(kind, namespace, name) for messages; where no usable name is there, the source stands for it."""
    metadata = raw.get("metadata")
    meta = metadata if isinstance(metadata, dict) else {}
    name, namespace = meta.get("name"), meta.get("namespace")
    if not isinstance(name, str) or not name:
        return kind, "", f"(in {source})"
    if not namespaced:
        return kind, "", name
    return kind, namespace if isinstance(namespace, str) and namespace else "default", name


assert not _OTHER_METADATA.intersection(ObjectMeta.__struct_encode_fields__)
