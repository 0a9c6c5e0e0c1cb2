"""ConversionReview `apiextensions.k8s.io`, v1 and v1beta1, for BGPPeer: v1beta1 ↔ v1beta2.

Works on the raw objects, field by field, so that nothing is touched which both versions have. The answer is in the
version in which the API server asked. metadata is handed back as it came, status is not taken along.

    v1beta1 → v1beta2   absent timers become 0s, which switches them off (the old version knows no "not set"); what the
                        old version must hold and the new one need not (peerPort 0, peerASN 0, peerAddress "") goes
    v1beta2 → v1beta1   absent timers become 0s, nodeSelectors and their parts become lists; fields that the old
                        version lacks (`NEW_FIELDS`) go
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

GROUP: Final = "metallb.io"
KIND: Final = "BGPPeer"
API_VERSIONS: Final = ("apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1")
OLD: Final = f"{GROUP}/v1beta1"
NEW: Final = f"{GROUP}/v1beta2"
NEW_FIELDS: Final = frozenset(
    {
        "bfdStrict",
        "connectTime",
        "disableMP",
        "dualStackAddressFamily",
        "dynamicASN",
        "enableGracefulRestart",
        "gracefulRestart",
        "interface",
        "localASN",
        "passive",
        "passwordSecret",
        "role",
        "roleStrict",
        "tcpAO",
        "ttlSecurity",
        "vrf",
    }
)
"""Fields of v1beta2 that v1beta1 does not have."""
_TIMERS: Final = ("holdTime", "keepaliveTime")
_NO_TIME: Final = "0s"
_EMPTY_IN_OLD: Final[Mapping[str, object]] = {"peerASN": 0, "peerAddress": "", "peerPort": 0}
_REQUIRED_IN_OLD: Final[Mapping[str, object]] = {"myASN": 0, "peerASN": 0, "peerAddress": ""}

Raw = dict[str, Any]


class ConversionError(ValueError):
    """An object that cannot be converted, or a body that is no ConversionReview. The message says why."""


class ConversionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked."""

    uid: str
    desired: str = msgspec.field(name="desiredAPIVersion")
    objects: list[Any] = []


class ConversionReview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The question, and the version of ConversionReview in which it is put."""

    api_version: str
    kind: str
    request: ConversionRequest


def decode(body: bytes) -> ConversionReview:
    """The question in `body`. Raises ConversionError."""
    try:
        asked = msgspec.json.decode(body, type=ConversionReview)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConversionError(f"not a ConversionReview: {error}") from error
    if asked.kind != "ConversionReview" or asked.api_version not in API_VERSIONS:
        wanted = " or ".join(API_VERSIONS)
        raise ConversionError(f"{asked.api_version} {asked.kind} is not understood; {wanted} ConversionReview is")
    return asked


def answer(asked: ConversionReview) -> bytes:
    """All objects converted, or why not. One that cannot be converted spoils the answer, as the API server wants it."""
    response: Raw = {"uid": asked.request.uid}
    try:
        response["convertedObjects"] = [convert(each, asked.request.desired) for each in asked.request.objects]
        response["result"] = {"status": "Success"}
    except ConversionError as error:
        response["convertedObjects"] = []
        response["result"] = {"status": "Failure", "message": str(error)}
    return msgspec.json.encode({"apiVersion": asked.api_version, "kind": asked.kind, "response": response})


def convert(raw: object, desired: str) -> Raw:
    """`raw` as `desired` (an apiVersion) has it. Raises ConversionError."""
    if not isinstance(raw, dict):
        raise ConversionError(f"an object is needed to convert to {desired}")
    if raw.get("kind") != KIND:
        raise ConversionError(f"kind {raw.get('kind')!r} is not converted here; {GROUP} {KIND} is")
    given = raw.get("apiVersion")
    if given == desired and desired in (OLD, NEW):
        return raw
    change = _CHANGES.get((str(given), desired))
    if change is None:
        raise ConversionError(f"{KIND} cannot be converted from {given} to {desired}; {OLD} and {NEW} are known")
    spec = raw.get("spec")
    if spec is not None and not isinstance(spec, dict):
        raise ConversionError(f"{KIND} {_name(raw)}: spec is not an object")
    converted = {"apiVersion": desired, "kind": KIND, "metadata": raw.get("metadata", {})}
    return converted if spec is None else {**converted, "spec": change(spec)}


def _to_new(spec: Raw) -> Raw:
    kept = {name: value for name, value in spec.items() if name not in _EMPTY_IN_OLD or value != _EMPTY_IN_OLD[name]}
    return _with_timers(kept)


def _to_old(spec: Raw) -> Raw:
    kept = {name: value for name, value in spec.items() if name not in NEW_FIELDS}
    selectors = kept.get("nodeSelectors")
    kept["nodeSelectors"] = [_whole(each) for each in selectors] if isinstance(selectors, list) else []
    return _with_timers({**_REQUIRED_IN_OLD, **kept})


def _whole(selector: object) -> object:
    if not isinstance(selector, dict):
        return selector
    written = selector.get("matchExpressions")
    expressions = written if isinstance(written, list) else []
    return {
        "matchLabels": selector.get("matchLabels") or {},
        "matchExpressions": [{"values": [], **each} if isinstance(each, dict) else each for each in expressions],
    }


def _with_timers(spec: Raw) -> Raw:
    absent = {name: _NO_TIME for name in _TIMERS if spec.get(name) is None}
    return {**spec, **absent}


def _name(raw: Raw) -> str:
    metadata = raw.get("metadata")
    return str(metadata.get("name", "without a name")) if isinstance(metadata, dict) else "without a name"


_CHANGES: Final[Mapping[tuple[str, str], Callable[[Raw], Raw]]] = {(OLD, NEW): _to_new, (NEW, OLD): _to_old}
