"""Whatever stands in an object, decoding gives the object or says what is wrong; it never raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from herald.api.decode import decode
from herald.api.finding import Fault
from herald.api.scheme import KINDS, Kind
from herald.api.structural import type_of

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)
texts = st.sampled_from(["", "a", "90s", "1s", "10.0.0.0/24", "In", "external", "Valid", "True", "65000:10", "x-1"])


def near(wanted: inspect.Type) -> st.SearchStrategy[Any]:
    """Values that nearly fit the type: mostly right, sometimes anything, so that the deep fields are reached."""
    right = fitting(wanted)
    return st.one_of(right, right, right, anything)


def fitting(wanted: inspect.Type) -> st.SearchStrategy[Any]:
    match wanted:
        case inspect.Metadata(type=inner):
            return fitting(inner)
        case inspect.UnionType(types=types):
            return st.one_of(*map(fitting, types))
        case inspect.StructType(fields=fields):
            required = {f.encode_name: near(f.type) for f in fields if f.required}
            optional = {f.encode_name: near(f.type) for f in fields if not f.required}
            return st.fixed_dictionaries(required, optional=optional)
        case inspect.VarTupleType(item_type=item):
            return st.lists(near(item), max_size=2)
        case inspect.DictType(value_type=value):
            return st.dictionaries(texts | st.text(max_size=3), near(value), max_size=2)
        case inspect.IntType(ge=lowest, le=highest):
            return st.integers(lowest, highest) | st.sampled_from([0, 1, 32, 64, 128, 179.0])
        case inspect.StrType():
            return texts
        case inspect.BoolType():
            return st.booleans()
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
    return st.none()


def is_lawful(item: object) -> bool:
    result = decode(item, "fuzz")
    spoiled = any(finding.fault.spoils_object for finding in result.findings)
    of_others = any(finding.fault in (Fault.OTHER_DOCUMENT, Fault.LEGACY_CONFIGURATION) for finding in result.findings)
    assert all(len(finding.message) < 1000 for finding in result.findings)
    return result.is_foreign or of_others or (result.object is None) == spoiled


OBJECTS = {kind: fitting(type_of(kind.type)) for kind in KINDS}
IDS = [f"{kind.api_version} {kind.kind}" for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
@given(data=st.data())
def test_fuzz_a_nearly_right_object_is_decoded_or_its_faults_are_named(kind: Kind, data: st.DataObject) -> None:
    body = data.draw(OBJECTS[kind])
    body["metadata"] = data.draw(st.just({"name": "x"}) | st.just(body.get("metadata")) | anything)
    assert is_lawful({"apiVersion": kind.api_version, "kind": kind.kind, **body})


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
@given(body=st.dictionaries(st.sampled_from(["metadata", "spec", "status", "data", "x"]), anything))
def test_fuzz_an_object_with_anything_in_it_is_decoded_or_refused(kind: Kind, body: dict[str, Any]) -> None:
    assert is_lawful({**body, "apiVersion": kind.api_version, "kind": kind.kind})


@given(anything)
def test_fuzz_anything_at_all_is_refused_without_an_exception(item: object) -> None:
    assert is_lawful(item)


@given(st.text(max_size=30), st.text(max_size=20))
def test_fuzz_any_kind_of_any_group_is_known_misspelt_or_of_others(api_version: str, kind: str) -> None:
    assert is_lawful({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}})
    assert is_lawful({"apiVersion": f"metallb.io/{api_version}", "kind": kind, "metadata": {"name": "x"}})
