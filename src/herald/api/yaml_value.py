"""YAML into plain values (dict, list, str, int, float, bool, None), safely and without recursion.

Built from the parser's events and not with PyYAML's constructor, because manifests come from anybody: nesting and
aliases are bounded before anything grows (a "billion laughs" is refused after a few events), duplicate keys are errors
with a line, and tags can make no Python objects. Keys become strings as in JSON. Merge keys (`<<`) work.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from herald.api import yaml_scalar
from herald.api.yaml_scalar import Scalar, ScalarError

MAX_DEPTH = 100
MAX_ALIASED_NODES = 100_000
_MERGE = object()
_NO_KEY = object()


class YAMLError(ValueError):
    """A text that cannot be read. `line` counts from 1 within the text."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A value under an anchor, how many nodes it has, and how deep it is."""

    value: Any
    size: int
    depth: int


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come. `merges` are the mappings named by `<<`."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    line: int
    key: Any = _NO_KEY
    merges: list[dict[str, Any]] = field(default_factory=list)
    size: int = 1
    depth: int = 1


def documents(text: str) -> Iterator[tuple[int, Any]]:
    """(line, value) of each document of `text`, in order; empty documents are left out. Raises YAMLError."""
    loader = yaml.CSafeLoader(text)
    try:
        builder = _Builder()
        while (event := loader.get_event()) is not None:
            if isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder(line=_line(event))
            elif isinstance(event, yaml.DocumentEndEvent):
                if builder.root is not None:
                    yield builder.line, builder.root
            elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                builder.take(event)
            if isinstance(event, yaml.StreamEndEvent):
                return
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        # Where something is missing at the end, the parser points behind it.
        line = min(line, text.rstrip().count("\n") + 1)
        raise YAMLError(_parser_message(error), line) from error
    except yaml.YAMLError as error:
        # A reader error: characters that YAML does not allow. It has no line.
        raise YAMLError(str(error).splitlines()[0], 1) from error
    finally:
        loader.dispose()


def _parser_message(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return ": ".join(parts) or "is not YAML"


class _Builder:
    """One document, from its events."""

    def __init__(self, line: int = 1) -> None:
        self.root: Any = None
        self.line = line
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._aliased = 0

    def take(self, event: Any) -> None:
        """The next event of the document. Raises YAMLError."""
        line = _line(event)
        match event:
            case yaml.ScalarEvent():
                value = _scalar(event, line)
                self._anchor(event.anchor, _Anchored(value, 1, 0))
                if not (self._expects_key() and event.implicit[0] and event.value == "<<"):
                    self._add(value, 1, 0, line)
                else:
                    self._open[-1].key = _MERGE
            case yaml.AliasEvent():
                target = self._target(event.anchor or "", line)
                self._add(target.value, target.size, target.depth, line)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._begin(event, line)
            case _:
                self._end(line)

    def _begin(self, event: Any, line: int) -> None:
        if event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise YAMLError(f"the tag {event.tag[:60]} has no meaning in a manifest", line)
        if self._expects_key():
            raise YAMLError("a list or a mapping cannot be a key", line)
        if len(self._open) >= MAX_DEPTH:
            raise YAMLError(f"is nested more than {MAX_DEPTH} levels deep", line)
        empty: list[Any] | dict[str, Any] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
        self._open.append(_Open(empty, event.anchor, line))

    def _end(self, line: int) -> None:
        done = self._open.pop()
        if isinstance(done.value, dict):
            for merged in done.merges:
                for key, value in merged.items():
                    done.value.setdefault(key, value)
        self._anchor(done.anchor, _Anchored(done.value, done.size, done.depth))
        self._add(done.value, done.size, done.depth, line)

    def _add(self, value: Any, size: int, depth: int, line: int) -> None:
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        parent.size += size
        parent.depth = max(parent.depth, depth + 1)
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is _NO_KEY:
            parent.key = _key(value, line)
            if parent.key in parent.value:
                raise YAMLError(f'the key "{parent.key[:60]}" stands twice in one mapping', line)
        elif parent.key is _MERGE:
            parent.merges += _mergeable(value, line)
            parent.key = _NO_KEY
        else:
            parent.value[parent.key] = value
            parent.key = _NO_KEY

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is _NO_KEY

    def _anchor(self, name: str | None, anchored: _Anchored) -> None:
        if name is not None:
            self._anchors[name] = anchored

    def _target(self, name: str, line: int) -> _Anchored:
        target = self._anchors.get(name)
        if target is None:
            raise YAMLError(f"the alias *{name[:60]} refers to nothing, or to what it stands in", line)
        self._aliased += target.size
        if self._aliased > MAX_ALIASED_NODES:
            raise YAMLError(f"its aliases stand for more than {MAX_ALIASED_NODES} values", line)
        if len(self._open) + target.depth > MAX_DEPTH:
            raise YAMLError(f"is nested more than {MAX_DEPTH} levels deep", line)
        return target


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None  # The parser marks every event of a document.
    return event.start_mark.line + 1


def _scalar(event: yaml.ScalarEvent, line: int) -> Scalar:
    plain, _ = event.implicit
    try:
        if event.tag is not None:
            return yaml_scalar.tagged(event.tag, event.value)
        value = yaml_scalar.resolve(event.value) if plain else event.value
    except ScalarError as error:
        raise YAMLError(str(error), line) from error
    # Names stand many times in a cluster's manifests, in labels, selectors and references: equal ones are one object.
    return sys.intern(value) if isinstance(value, str) else value


def _key(value: Any, line: int) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise YAMLError("null cannot be a key" if value is None else "a list or a mapping cannot be a key", line)


def _mergeable(value: Any, line: int) -> list[dict[str, Any]]:
    mappings = value if isinstance(value, list) else [value]
    if not all(isinstance(mapping, dict) for mapping in mappings):
        raise YAMLError("<< needs a mapping or a list of mappings", line)
    return mappings
