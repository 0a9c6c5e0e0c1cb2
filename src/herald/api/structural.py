"""Checks a value of JSON against one of our types, as an API server checks it against a structural schema.

msgspec alone names one fault per document; this names all of them, and hands back the value in the form that msgspec
takes without complaint: unknown fields and nulls of object fields pruned, whole floats made integers. No input raises.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from herald.api.schema import MAX_INT64

_SHOWN_CHARACTERS = 60
_PRINTABLE = 10**_SHOWN_CHARACTERS


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong at `path`."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field `name` at `path` that is not among `known`. The nearest is sought only when somebody asks: it is slow."""

    path: str
    name: object
    known: Iterable[str]

    def complaint(self) -> Complaint:
        """What to say of it, with the nearest known field if one is near."""
        name = _cut(self.name) if isinstance(self.name, str) else shown(self.name)
        near = _nearest(name, self.known)
        hint = f"; did you mean {near}?" if near else ""
        return Complaint(join(self.path, name), f"unknown field {join(self.path, name)}{hint}")


@dataclass(slots=True)
class Report:
    """`violations` spoil the value; `unknown_fields` were pruned and do not."""

    violations: list[Complaint] = field(default_factory=list)
    unknown_fields: list[UnknownField] = field(default_factory=list)

    def violation(self, path: str, message: str) -> None:
        self.violations.append(Complaint(path, message))


@cache
def type_of(struct: type[msgspec.Struct]) -> inspect.Type:
    """msgspec's description of a struct type; they are walked so often that they are kept."""
    return inspect.type_info(struct)


@cache
def _fields_of(struct: type[msgspec.Struct]) -> dict[str, inspect.Field]:
    described = type_of(struct)
    assert isinstance(described, inspect.StructType)
    return {field.encode_name: field for field in described.fields}


def check(raw: object, struct: type[msgspec.Struct], path: str, report: Report) -> Any:
    """`raw` made fit for `msgspec.convert(…, struct)`. What does not fit is in `report`, the value is useless then."""
    return _check(raw, type_of(struct), path, report, secret=False)


def _check(raw: object, wanted: inspect.Type, path: str, report: Report, *, secret: bool) -> Any:
    match wanted:
        case inspect.Metadata(type=inner, extra=extra):
            return _check_ruled(raw, inner, extra or {}, path, report, secret)
        case inspect.UnionType(types=types):
            # Only `X | None` is used: null counts as absent and has been pruned before.
            inner = next(t for t in types if not isinstance(t, inspect.NoneType))
            return _check(raw, inner, path, report, secret=secret)
        case inspect.StructType():
            return _check_struct(raw, wanted, path, report, secret=secret)
        case inspect.VarTupleType(item_type=item, min_length=shortest):
            return _check_list(raw, item, shortest or 0, path, report, secret=secret)
        case inspect.DictType(value_type=value):
            return _check_map(raw, value, path, report, secret=secret)
        case inspect.IntType():
            return _check_int(raw, wanted, path, report, secret=secret)
        case inspect.StrType():
            return _check_str(raw, wanted, path, report, secret=secret)
        case inspect.BoolType():
            if not isinstance(raw, bool):
                report.violation(path, f"{named(raw, secret)}, true or false is needed")
            return raw
        case inspect.LiteralType(values=values):
            if not (isinstance(raw, str) and raw in values):
                report.violation(path, _no_choice(raw, [str(each) for each in values], secret))
            return raw
    raise AssertionError(f"{wanted} is not a type that the API uses")


def _check_ruled(
    raw: object, inner: inspect.Type, extra: Mapping[str, Any], path: str, report: Report, secret: bool
) -> Any:
    before = len(report.violations)
    hints = [hint for rule in extra.get("rules", ()) if rule.hint and (hint := rule.hint(raw))]
    if hints and isinstance(inner, inspect.StrType):
        report.violation(path, f"{named(raw, secret)}, a string is needed: {hints[0]}")
        return raw
    value = _check(raw, inner, path, report, secret=secret or bool(extra.get("secret")))
    if len(report.violations) == before:
        for rule in extra.get("rules", ()):
            complaint = rule.complaint(value) if rule.complaint else None
            if complaint:
                report.violation(path, complaint)
    return value


def _check_struct(raw: object, wanted: inspect.StructType, path: str, report: Report, *, secret: bool) -> Any:
    if not isinstance(raw, dict):
        report.violation(path, f"{named(raw, secret)}, an object is needed")
        return raw
    fields = _fields_of(wanted.cls)
    value = {}
    for name, item in raw.items():
        if not isinstance(name, str) or name not in fields:
            report.unknown_fields.append(UnknownField(path, name, fields))
        elif item is not None:
            value[name] = _check(item, fields[name].type, join(path, name), report, secret=secret)
    for name, wanted_field in fields.items():
        if wanted_field.required and name not in value:
            report.violation(join(path, name), "is missing; it must be set")
    return value


def _check_list(raw: object, item: inspect.Type, shortest: int, path: str, report: Report, *, secret: bool) -> Any:
    if not isinstance(raw, list | tuple):
        report.violation(path, f"{named(raw, secret)}, a list is needed")
        return raw
    if len(raw) < shortest:
        report.violation(path, f"has {len(raw)} entries; {shortest} or more are needed")
    return [_check(entry, item, f"{path}[{index}]", report, secret=secret) for index, entry in enumerate(raw)]


def _check_map(raw: object, value_type: inspect.Type, path: str, report: Report, *, secret: bool) -> Any:
    if not isinstance(raw, dict):
        report.violation(path, f"{named(raw, secret)}, an object is needed")
        return raw
    value = {}
    for key, entry in raw.items():
        if not isinstance(key, str):
            report.violation(path, f"the key {named(key, secret)}, a string is needed: quote it")
        else:
            # Kubernetes reads `key:` with nothing behind it as the empty string.
            value[key] = _check("" if entry is None else entry, value_type, f"{path}[{key}]", report, secret=secret)
    return value


def _check_int(raw: object, wanted: inspect.IntType, path: str, report: Report, *, secret: bool) -> Any:
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        report.violation(path, f"{named(raw, secret)}, a {'whole ' * isinstance(raw, float)}number is needed")
        return raw
    lowest = wanted.ge if wanted.ge is not None else -MAX_INT64 - 1
    highest = wanted.le if wanted.le is not None else MAX_INT64
    if not lowest <= raw <= highest:
        report.violation(path, f"{shown(raw, secret)} is out of range; {lowest} to {highest} is possible")
    return raw


def _check_str(raw: object, wanted: inspect.StrType, path: str, report: Report, *, secret: bool) -> Any:
    if not isinstance(raw, str):
        hint = "" if isinstance(raw, list | tuple | dict) else ": quote it"
        report.violation(path, f"{named(raw, secret)}, a string is needed{hint}")
        return raw
    for complaint in _length_complaints(raw, wanted):
        report.violation(path, complaint)
    return raw


def _length_complaints(text: str, wanted: inspect.StrType) -> Iterator[str]:
    if wanted.min_length is not None and len(text) < wanted.min_length:
        yield f"has {len(text)} characters; {wanted.min_length} or more are needed"
    if wanted.max_length is not None and len(text) > wanted.max_length:
        yield f"has {len(text)} characters; {wanted.max_length} at most are possible"
    elif wanted.pattern is not None and not re.search(wanted.pattern, text):
        yield f"{shown(text)} does not match {wanted.pattern}"


def _no_choice(raw: object, words: Sequence[str], secret: bool) -> str:
    """Of a string it is the word that is wrong, of anything else the type."""
    if not isinstance(raw, str):
        return f"{named(raw, secret)}, {' or '.join(map(json.dumps, words))} is needed"
    near = None if secret else _nearest(_cut(raw.strip()), words)
    hint = f"; did you mean {near}?" if near else ""
    return f"{shown(raw, secret)} is not possible; write {', '.join(words[:-1])} or {words[-1]}{hint}"


def join(path: str, name: str) -> str:
    """The path of field `name` below `path`."""
    return f"{path}.{name}" if path else name


def _nearest(text: str, known: Iterable[str]) -> str | None:
    lowered = {name.lower(): name for name in known}
    near = get_close_matches(text.lower(), lowered, n=1, cutoff=0.7)
    return lowered[near[0]] if near else None


def shown(value: object, secret: bool = False) -> str:
    """`value` as it may stand in a message: short, on one line, and never a secret."""
    match value:
        case _ if secret:
            return "the value"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(_cut(value), ensure_ascii=False)
        case int() | float():
            # Python refuses to print integers of thousands of digits.
            return repr(value) if abs(value) < _PRINTABLE else "a number of very many digits"
        case _:
            return "the value"


def named(value: object, secret: bool = False) -> str:
    """`value` with the name of its type: `"64501" is a string`."""
    if value is None:
        return "it is null"
    return f"{shown(value, secret)} is {_type_name(value)}"


def _type_name(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case dict():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return f"of type {type(value).__name__}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
