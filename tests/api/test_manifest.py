"""Text into raw objects: many documents, JSON, lists; and how far a fault spreads."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.api import manifest
from herald.api.decode import decode
from herald.api.finding import Fault


def contents(text: str) -> list[object]:
    documents, findings = manifest.read(text, "a.yaml")
    assert findings == ()
    return [document.content for document in documents]


def test_every_document_says_where_it_begins() -> None:
    documents, findings = manifest.read("a: 1\n---\n# only a comment\n---\nb: 2\n--- {c: 3}\n", "a.yaml")
    assert findings == ()
    assert [(d.source, d.content) for d in documents] == [
        ("a.yaml:1", {"a": 1}),
        ("a.yaml:4", {"b": 2}),
        ("a.yaml:6", {"c": 3}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("a: 1", "---\na: 1\n", "\ufeffa: 1\n", "a: 1\r\n---\r\n", "--- # c\na: 1", "# c\n---\na: 1\n...\n"),
        *("%YAML 1.1\n---\na: 1\n", '{"a": 1}', '  {"a": 1}\n', "{a: 1}", '---\n{"a": 1}', '{"a": 1.0}'),
    ],
)
def test_one_object_in_many_dresses(text: str) -> None:
    assert contents(text) == [{"a": 1}]


@pytest.mark.parametrize("text", ["", "\n\n", "---\n---\n", "# nothing\n", "--- \n...\n", "null", "~"])
def test_nothing_is_nothing(text: str) -> None:
    assert contents(text) == []


def test_json_values_may_follow_one_another() -> None:
    documents, findings = manifest.read('{"a": 1}\n{\n "b": 2\n}\n\n{"c": 3} {"d": 4}\n', "a.json")
    assert findings == ()
    assert [(d.source, d.content) for d in documents] == [
        ("a.json:1", {"a": 1}),
        ("a.json:2", {"b": 2}),
        ("a.json:6", {"c": 3}),
        ("a.json:6", {"d": 4}),
    ]


def test_dashes_inside_a_text_do_not_part_documents() -> None:
    assert contents("a: |\n  x\n  ---\n  y\nb: '----'\n") == [{"a": "x\n---\ny\n", "b": "----"}]


def test_an_unreadable_document_spoils_only_itself() -> None:
    documents, findings = manifest.read("a: 1\n---\nb: [\n---\nc: 3\n---\nd: 1\nd: 2\n---\ne: 5\n", "a.yaml")
    assert [document.content for document in documents] == [{"a": 1}, {"c": 3}, {"e": 5}]
    assert [(f.fault, f.name, f.field) for f in findings] == [
        (Fault.UNREADABLE, "a.yaml", "line 3"),
        (Fault.UNREADABLE, "a.yaml", "line 8"),
    ]
    assert 'the key "d" stands twice in one mapping' in findings[1].message


ADVICE = {
    "helm": ("a:\n- {{ .Values.a }}/32\n", "render it first"),
    "jinja": ("{% if x %}\na: 1\n{% endif %}\n", "render it first"),
    "tab": ("a:\n\tb: 1\n", "begins with a tab"),
    "no separator": ("apiVersion: v1\nkind: A\n\napiVersion: v1\nkind: B\n", "a line --- must stand between"),
}


@pytest.mark.parametrize("case", ADVICE)
def test_what_often_makes_a_manifest_unreadable_is_named(case: str) -> None:
    text, advice = ADVICE[case]
    documents, findings = manifest.read(f"{text}---\ngood: 1\n", "a.yaml")
    assert [document.content for document in documents] == [{"good": 1}]
    assert advice in findings[0].message


@pytest.mark.parametrize("text", ["a: b: c\n", "a: 1\na: 2\n", "a: [\n"])
def test_other_mistakes_get_no_advice(text: str) -> None:
    (finding,) = manifest.read(text, "a.yaml")[1]
    assert "(" not in finding.message


def test_lists_are_expanded_however_deep() -> None:
    inner = {"apiVersion": "v1", "kind": "ServiceList", "items": [{"metadata": {"name": "a"}}, {"kind": "Node"}]}
    outer = {"apiVersion": "v1", "kind": "List", "items": [{"kind": "Secret"}, inner, 5]}
    documents, findings = manifest.read(json.dumps(outer), "a.json")
    assert findings == ()
    assert [(d.source, d.content) for d in documents] == [
        ("a.json:1 items[0]", {"kind": "Secret"}),
        ("a.json:1 items[1] items[0]", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}),
        ("a.json:1 items[1] items[1]", {"kind": "Node"}),
        ("a.json:1 items[2]", 5),
    ]
    assert contents("apiVersion: v1\nkind: List\nitems:\n") == []


def test_a_kind_that_only_ends_like_a_list_is_an_object() -> None:
    assert contents("kind: DenyList\nspec: {}") == [{"kind": "DenyList", "spec": {}}]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1, "a": 2}', 'the key "a" stands twice'),
        ('{"a": ' * 5000, "is nested more than 100 levels deep"),
        ('{"a": ' + "9" * 5000 + "}", "a number of 5000 characters"),
        ('{"a": 1', "did not find expected"),
    ],
    ids=["duplicate key", "deep", "long number", "cut off"],
)
def test_unreadable_json_is_refused(text: str, why: str) -> None:
    documents, (finding,) = manifest.read(text, "a.json")
    assert documents == ()
    assert why in finding.message


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert contents('{"a": "x\\ud800y", "b": "\\ud83d\\ude00"}') == [{"a": "x\ufffd\ufffd\ufffdy", "b": "😀"}]
    assert contents("a: x\ud800") == [{"a": "x\ufffd\ufffd\ufffd"}]


def test_a_text_that_is_too_large_is_refused() -> None:
    text = " " * (manifest.MAX_CHARACTERS + 1)
    documents, (finding,) = manifest.read(text, "a.yaml")
    assert documents == ()
    assert "split it" in finding.message


@given(st.text(max_size=80) | st.text("[]{}:,-*&!<>|? \n\tab01'\"#%.\\u", max_size=80))
def test_fuzz_any_text_is_read_and_decoded_without_an_exception(text: str) -> None:
    documents, findings = manifest.read(text, "a.yaml")
    assert all(finding.fault is Fault.UNREADABLE for finding in findings)
    for document in documents:
        result = decode(document.content, document.source)
        assert result.object is not None or result.findings or result.is_foreign
