"""The words in which the types of this package state their schema, beside what msgspec's own `Meta` can say.

One declaration serves twice: decoding checks it (`herald.api.structural`) and the CRD states it (`herald.api.crd`).
A bound that decoding needs although the CRD leaves it to the `format` is taken out of the CRD by a None in
`extra_json_schema`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from msgspec import Meta

from herald.api import duration

MAX_UINT32 = 2**32 - 1
MAX_INT32 = 2**31 - 1
MAX_INT64 = 2**63 - 1

_BY_FORMAT: dict[str, Any] = {"minimum": None, "maximum": None}
INT32: dict[str, Any] = {"format": "int32"}

Int64: TypeAlias = Annotated[int, Meta(ge=-MAX_INT64 - 1, le=MAX_INT64, extra_json_schema=_BY_FORMAT)]
Count: TypeAlias = Annotated[
    int, Meta(ge=-MAX_INT64 - 1, le=MAX_INT64, extra_json_schema={**_BY_FORMAT, "format": "int64"})
]
OptionalASN: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_UINT32, extra_json_schema={"format": "int64"})]
ASN: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_UINT32, extra_json_schema={"format": "int64"})]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about one value as it stands on the wire, in up to two languages.

    `expression` is CEL for the API server with the `message` it answers, None where the server is not told (it has no
    such rule in MetalLB's CRDs). `complaint` says what is wrong with a value in words, or None if nothing is; it is
    None itself for a transition rule, which needs the old object. `hint` says of a value of another type what would be
    right, where that is not merely to quote it.
    """

    expression: str | None = None
    message: str = ""
    complaint: Callable[[Any], str | None] | None = None
    hint: Callable[[Any], str | None] | None = None


def ruled(*rules: Rule, **schema: Any) -> Meta:
    """A `Meta` that carries `rules`, with `schema` for the CRD beside them."""
    cel = [{"message": rule.message, "rule": rule.expression} for rule in rules if rule.expression is not None]
    extensions = {"x-kubernetes-validations": cel} if cel else {}
    return Meta(extra={"rules": rules}, extra_json_schema={**schema, **extensions})


def described(text: str) -> Meta:
    """What a field is for, in the CRD and in `kubectl explain`."""
    return Meta(description=text)


def default(value: Any) -> Meta:
    """The default that the API server fills in; the struct has the same one."""
    return Meta(extra_json_schema={"default": value})


OPTIONAL_IN_CRD = Meta(extra={"optional_in_crd": True})
"""Marks a field that decoding needs although MetalLB's CRD does not list it as required."""


_ABOVE_ZERO = "a duration above 0, such as 5m"


def _with_unit(number: object) -> str | None:
    """`write 90s` for the bare number 90."""
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 10**9:
        return f"write {number}s"
    return None


def _above_zero(number: object) -> str | None:
    """What to write for a bare number, also for one that no unit would make right."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return (_with_unit(number) if number > 0 else None) or f"write {_ABOVE_ZERO}"


def unparsable_duration(text: str) -> str | None:
    """What is wrong with `text` as a duration, or None."""
    try:
        duration.nanoseconds(text)
    except duration.DurationError as error:
        return str(error)
    return None


def _no_positive_duration(text: str) -> str | None:
    """The same where zero makes no sense; zero itself is for those who know of the whole object to refuse."""
    if text.lstrip("+-").isdecimal():
        return f'"{text}" has no unit; write {_ABOVE_ZERO}'
    return unparsable_duration(text)


PARSABLE = Rule(complaint=unparsable_duration, hint=_with_unit)
IMMUTABLE = Rule("self == oldSelf", "Value is immutable")
Duration: TypeAlias = Annotated[str, ruled(PARSABLE)]
PositiveDuration: TypeAlias = Annotated[str, ruled(Rule(complaint=_no_positive_duration, hint=_above_zero))]
