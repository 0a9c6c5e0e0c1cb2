"""Text into raw objects: multi-document YAML, JSON, and lists expanded. What is unreadable spoils only its document."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Any

from herald.api import yaml_value
from herald.api.finding import Fault, Finding, of_file
from herald.api.yaml_value import YAMLError

MAX_CHARACTERS = 64 * 1024 * 1024
_SEPARATOR = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_VISIBLE = re.compile(r"\S")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Document:
    """One raw object. `source` says where it begins: `pools.yaml:12`."""

    source: str
    content: object


def read(text: str, source: str) -> tuple[tuple[Document, ...], tuple[Finding, ...]]:
    """The raw objects in `text`, and what could not be read. Raises nothing, whatever `text` is."""
    if len(text) > MAX_CHARACTERS:
        message = f"has {len(text)} characters, {MAX_CHARACTERS} at most are read; split it"
        return (), (of_file(Fault.UNREADABLE, source, "", message),)
    if not text.isascii():
        text = _without_surrogates(text)
    documents: list[Document] = []
    findings: list[Finding] = []
    for first_line, part in _parts(text.removeprefix("\ufeff")):
        try:
            for line, value in _values(part):
                documents += _expanded(value, f"{source}:{first_line + line}")
        except YAMLError as error:
            where = f"line {first_line + error.line}"
            message = f"cannot be read: {error}{_advice(part, error)}; this document is left out"
            findings.append(of_file(Fault.UNREADABLE, source, where, message))
    return tuple(documents), tuple(findings)


def _advice(part: str, error: YAMLError) -> str:
    """What people did who meet this error in a manifest, and what would be right."""
    if _TEMPLATE.search(part):
        return " (it is a template: render it first, for example with `helm template`)"
    lines = part.splitlines()
    line = lines[error.line - 1] if error.line <= len(lines) else ""
    if line[: len(line) - len(line.lstrip())].count("\t"):
        return " (the line begins with a tab: YAML is indented with spaces)"
    if line.startswith(("apiVersion:", "kind:", "metadata:")) and "stands twice" in str(error):
        return " (a line --- must stand between two objects)"
    return ""


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """(lines before it, text) of each part between `---` lines; a `---` cannot stand inside a document."""
    starts = [0, *(match.start() for match in _SEPARATOR.finditer(text) if match.start() > 0)]
    line = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        if not _is_directives(part):
            yield line, part
        line += part.count("\n")


def _is_directives(part: str) -> bool:
    """Whether a part holds nothing but `%YAML` and comments, which belong to the `---` that follows."""
    return all(not line.strip() or line.lstrip().startswith("#") or line.startswith("%") for line in part.splitlines())


def _values(part: str) -> Iterator[tuple[int, Any]]:
    if not part.lstrip().startswith(("{", "[")):
        return yaml_value.documents(part)
    try:
        return iter(_json_values(part))
    except (ValueError, RecursionError):
        # YAML's flow style begins like JSON; its parser has the last word, and a line for what is wrong.
        return yaml_value.documents(part)


def _json_values(text: str) -> list[tuple[int, Any]]:
    """(line, value) of each JSON value in `text`: two answers of `kubectl get -o json` in one file are two values."""
    found: list[tuple[int, Any]] = []
    line, counted = 1, 0
    start = _VISIBLE.search(text)
    while start is not None:
        value, end = _DECODER.raw_decode(text, start.start())
        line += text.count("\n", counted, start.start()) if found else 0
        counted = start.start()
        found.append((line, value))
        start = _VISIBLE.search(text, end)
    if not _SURROGATE_ESCAPE.search(text):
        return found
    return [(line, json.loads(_without_surrogates(json.dumps(value, ensure_ascii=False)))) for line, value in found]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates)


def _without_surrogates(text: str) -> str:
    """Half a surrogate pair is no character and cannot be written anywhere; Kubernetes replaces it, too."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _expanded(value: object, source: str) -> Iterator[Document]:
    """The object itself, or the objects of a `List`, however deep."""
    pending = [(value, source)]
    while pending:
        item, where = pending.pop()
        if isinstance(item, dict) and _is_list(item):
            children = enumerate(item.get("items") or ())
            pending += reversed([(_typed(child, item), f"{where} items[{index}]") for index, child in children])
        else:
            yield Document(where, item)


def _is_list(value: dict[str, Any]) -> bool:
    kind = value.get("kind")
    return isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items", 0), list | NoneType)


def _typed(child: object, parent: dict[str, Any]) -> object:
    """The items of an API server's typed list (`ServiceList`) do not repeat their kind."""
    if not isinstance(child, dict) or "kind" in child or parent["kind"] == "List":
        return child
    return {**child, "apiVersion": parent.get("apiVersion"), "kind": parent["kind"].removesuffix("List")}
