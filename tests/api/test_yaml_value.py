"""YAML as Kubernetes reads it, and hostile YAML, which is refused before it costs anything."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from herald.api.yaml_scalar import ScalarError, resolve, tagged
from herald.api.yaml_value import MAX_DEPTH, YAMLError, documents


def only(text: str) -> Any:
    ((_, value),) = documents(text)
    return value


SCALARS: list[tuple[str, object]] = [
    ("65000:10", "65000:10"),
    ("12:30:45", "12:30:45"),
    ("2026-01-01", "2026-01-01"),
    ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("10.0.0.0/24", "10.0.0.0/24"),
    ("1.2.3.4", "1.2.3.4"),
    ("64500", 64500),
    ("-5", -5),
    ("+5", 5),
    ("0x1f", 31),
    ("0b101", 5),
    ("010", 8),
    ("0o10", 8),
    ("08", 8.0),
    ("1_000", 1000),
    ("0", 0),
    ("1e3", 1000.0),
    ("1.5", 1.5),
    (".5", 0.5),
    ("5.", 5.0),
    ("-", "-"),
    ("+", "+"),
    (".", "."),
    ("1e", "1e"),
    ("0x", "0x"),
    ("yes", True),
    ("Off", False),
    ("y", True),
    ("N", False),
    ("yEs", "yEs"),
    ("true", True),
    ("~", None),
    ("null", None),
    ("nUll", "nUll"),
    ("=", "="),
    ("٣", "٣"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=[repr(case[0]) for case in SCALARS])
def test_a_plain_scalar_means_what_kubernetes_reads(text: str, value: object) -> None:
    found = resolve(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999", "-1e999", "9" * 500, "1." + "0" * 500])
def test_what_json_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(ScalarError):
        resolve(text)


def test_a_tag_says_what_a_scalar_is() -> None:
    assert tagged("tag:yaml.org,2002:str", "5") == "5"
    assert tagged("tag:yaml.org,2002:int", "5") == 5
    assert only("a: !!str 64500\nb: ! 5\nc: !!int '5'") == {"a": "64500", "b": "5", "c": 5}
    assert only("a: '5'\nb: \"yes\"\nc: |\n  5\n") == {"a": "5", "b": "yes", "c": "5\n"}


def test_collections_nest() -> None:
    assert only("a:\n- b: [1, {c: d}]\n- []\n- {}\n") == {"a": [{"b": [1, {"c": "d"}]}, [], {}]}


def test_keys_become_strings() -> None:
    assert only("1: a\non: b\n1.5: c\n") == {"1": "a", "true": "b", "1.5": "c"}


def test_aliases_and_merges_stand_for_what_they_name() -> None:
    assert only("a: &x {b: 1, c: 2}\nd: *x") == {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2}}
    assert only("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}")["d"] == {"b": 3, "c": 2}
    assert only("a: &x {b: 1}\nz: &y {b: 2, c: 3}\nd: {<<: [*x, *y]}")["d"] == {"b": 1, "c": 3}
    assert only("'<<': 1") == {"<<": 1}
    assert only("a: &x 5\nb: *x") == {"a": 5, "b": 5}
    assert only("a: &x 5\nb: &x 6\nc: *x")["c"] == 6


def test_every_document_comes_with_its_line() -> None:
    assert list(documents("a: 1\n---\n---\nb: 2\n--- c\n")) == [(1, {"a": 1}), (3, {"b": 2}), (5, "c")]


REFUSED = [
    ("a: 1\nb: 2\na: 3", 3, 'the key "a" stands twice'),
    ("a:\n  {x: 1, x: 2}", 2, 'the key "x" stands twice'),
    ("1: a\n'1': b", 2, 'the key "1" stands twice'),
    ("a: b: c", 1, "mapping values are not allowed"),
    ("a: [1", 1, "did not find expected"),
    ("a: *x", 1, "the alias *x refers to nothing"),
    ("a: &x [*x]", 1, "refers to nothing, or to what it stands in"),
    ("? [a]\n: b", 1, "a list or a mapping cannot be a key"),
    ("a: &x [1]\n*x : 2", 2, "a list or a mapping cannot be a key"),
    ("~: a", 1, "null cannot be a key"),
    ("a: {<<: 5}", 1, "<< needs a mapping"),
    ("a: {<<: [{b: 1}, 5]}", 1, "<< needs a mapping"),
    ("a: !!python/object/apply:os.system [x]", 1, "has no meaning in a manifest"),
    ("a: !!python/name:os.system ''", 1, "has no meaning in a manifest"),
    ("a: !!binary aGk=", 1, "has no meaning in a manifest"),
    ("a: !!set {b}", 1, "has no meaning in a manifest"),
    ("a:\n  b: .inf", 2, ".inf is not a number that an object can hold"),
    ("a: " + "9" * 5000, 1, "a number of 5000 characters is too long"),
    ("\x00", 1, "not allowed"),
    ("a:\n\t- b", 2, "cannot start any token"),
]


@pytest.mark.parametrize(("text", "line", "why"), REFUSED, ids=[repr(case[0][:40]) for case in REFUSED])
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(YAMLError) as raised:
        list(documents(text))
    assert raised.value.line == line
    assert why in str(raised.value)


def bomb(first: str, row: str) -> str:
    """Forty rows, each of which stands for many of the one before."""
    rows = [row.format(n=n, before=", ".join([f"*a{n - 1}"] * 20)) for n in range(1, 40)]
    return "\n".join([f"a0: &a0 {first}", *rows])


@pytest.mark.parametrize(
    "text",
    [
        bomb("[x, x]", "a{n}: &a{n} [{before}]"),
        bomb("{k: v}", "a{n}: &a{n} {{k{n}: [{before}]}}"),
        bomb("{}", "a{n}: &a{n} {{<<: [{before}]}}"),
    ],
    ids=["lists", "mappings", "merges"],
)
def test_an_alias_bomb_is_refused(text: str) -> None:
    with pytest.raises(YAMLError, match="its aliases stand for more than 100000 values"):
        list(documents(text))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "a: &a0 []\n" + "\n".join(f"k{n}: &a{n} [*a{n - 1}]" for n in range(1, 200)),
    ],
    ids=["lists", "mappings", "block lists", "through aliases"],
)
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(YAMLError, match="is nested more than 100 levels deep"):
        list(documents(text))


def test_nesting_up_to_the_limit_is_read() -> None:
    assert only("[" * MAX_DEPTH + "]" * MAX_DEPTH)


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\ufffe\uffff"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcXYZ <.:-_'\"", max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_like.filter(lambda value: value is not None))
def test_what_pyyaml_writes_reads_back(value: Any) -> None:
    class Dumper(yaml.SafeDumper):
        """Kubernetes takes `y` and `n` for booleans, where PyYAML writes them plain; so quote all strings."""

    Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    Dumper.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]  # PyYAML's documented switch
    assert only(yaml.dump(value, Dumper=Dumper)) == value


@given(st.text(max_size=60) | st.text("[]{}:,-*&!<>|? \n\tab01'\"#%.", max_size=60))
def test_fuzz_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        found = list(documents(text.encode("utf-8", "replace").decode()))
    except YAMLError as error:
        line = error.line
        assert 1 <= line <= text.count("\n") + text.count("\r") + text.count("\x85") + 3
        return
    assert all(line >= 1 for line, _ in found)
