"""One manifest file: octets in, a `Reading` out. The store completes Services as an API server would,
and keeps of EndpointSlices what decides something."""

from pathlib import Path

from herald.api import manifest
from herald.api.decode import decode
from herald.api.finding import Fault, Finding, of_file
from herald.cluster.endpoints import EndpointSlice, narrowed
from herald.cluster.service import Service, with_cluster_ip_defaults
from herald.config.collect import problem_of
from herald.config.findings import ObjectKey
from herald.store.catalogue import GONE, Reading
from herald.store.store import KINDS, ClusterObject

SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def is_manifest(path: Path) -> bool:
    """Whether a file of that name is read at all."""
    return path.suffix in SUFFIXES


def read_manifest(content: bytes, path: Path) -> Reading:
    """What the file says. Raises nothing, whatever `content` is."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _reading({}, [of_file(Fault.UNREADABLE, str(path), f"line {line}", f"cannot be read: {error.reason}")])
    documents, findings = manifest.read(text, str(path))
    found = list(findings)
    objects: dict[ObjectKey, ClusterObject] = {}
    for document in documents:
        decoded = decode(document.content, document.source)
        found += decoded.findings
        if decoded.object is not None and type(decoded.object).__name__ in KINDS:
            item: ClusterObject = _completed(decoded.object)  # type: ignore[arg-type]  # its kind is in KINDS
            key = ObjectKey.of(item)
            if key in objects:
                found.append(_doubled(key, document.source))
            objects[key] = item
    return _reading(objects, found)


def _completed(item: ClusterObject) -> ClusterObject:
    if isinstance(item, EndpointSlice):
        return narrowed(item)
    return with_cluster_ip_defaults(item) if isinstance(item, Service) else item


def _doubled(key: ObjectKey, source: str) -> Finding:
    return Finding(
        Fault.DEFINED_TWICE,
        key.kind,
        key.namespace,
        key.name,
        "",
        f"is defined twice in this file; the later one, in {source}, counts, remove the other",
    )


def _reading(objects: dict[ObjectKey, ClusterObject], findings: list[Finding]) -> Reading:
    spoiled = [finding for finding in findings if finding.fault.spoils_object]
    named = frozenset(ObjectKey(f.kind, f.namespace, f.name) for f in spoiled if not _is_nameless(f))
    return Reading(
        objects,
        named or GONE.broken,  # the one empty set for ten thousand files
        tuple(map(problem_of, findings)),
        is_partial=any(map(_is_nameless, spoiled)),
        is_unreadable=any(finding.fault is Fault.UNREADABLE for finding in findings),
    )


def _is_nameless(finding: Finding) -> bool:
    """Whether nobody can tell which object it is about."""
    return finding.kind == "File" or finding.name.startswith("(")
