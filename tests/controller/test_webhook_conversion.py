"""BGPPeer v1beta1 ↔ v1beta2 as the API server has it converted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.api import crd
from herald.controller.webhook.conversion import (
    API_VERSIONS,
    NEW,
    NEW_FIELDS,
    OLD,
    ConversionError,
    answer,
    convert,
    decode,
)

META = {
    "name": "tor",
    "namespace": "metallb-system",
    "uid": "u",
    "managedFields": [{"manager": "x"}],
    "labels": {"a": "b"},
}


def peer(version: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": "BGPPeer", "metadata": META, "spec": spec, "status": {"sessions": "1/1"}}


FULL_OLD = {
    "myASN": 1,
    "peerASN": 2,
    "peerAddress": "10.0.0.1",
    "sourceAddress": "10.0.0.2",
    "peerPort": 1790,
    "holdTime": "30s",
    "keepaliveTime": "10s",
    "routerID": "10.0.0.3",
    "password": "x",
    "bfdProfile": "fast",
    "ebgpMultiHop": True,
    "nodeSelectors": [
        {"matchLabels": {"rack": "a"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}
    ],
}
MINIMAL_NEW = {"myASN": 1, "peerASN": 2, "peerAddress": "10.0.0.1"}

ROWS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("all that v1beta1 has", OLD, FULL_OLD, FULL_OLD),
    ("all of it back", NEW, FULL_OLD, FULL_OLD),
    (
        "v1beta1 without timers",
        OLD,
        MINIMAL_NEW,
        {**MINIMAL_NEW, "holdTime": "0s", "keepaliveTime": "0s"},
    ),
    (
        "v1beta2 without timers or selectors",
        NEW,
        MINIMAL_NEW,
        {**MINIMAL_NEW, "holdTime": "0s", "keepaliveTime": "0s", "nodeSelectors": []},
    ),
    (
        "empty selector",
        NEW,
        {**FULL_OLD, "nodeSelectors": [{}]},
        {**FULL_OLD, "nodeSelectors": [{"matchLabels": {}, "matchExpressions": []}]},
    ),
    (
        "Exists has no values",
        NEW,
        {**FULL_OLD, "nodeSelectors": [{"matchExpressions": [{"key": "k", "operator": "Exists"}]}]},
        {
            **FULL_OLD,
            "nodeSelectors": [
                {"matchLabels": {}, "matchExpressions": [{"key": "k", "operator": "Exists", "values": []}]}
            ],
        },
    ),
    ("fields that v1beta1 lacks", NEW, {**FULL_OLD, "vrf": "red", "passwordSecret": {"name": "s"}}, FULL_OLD),
    (
        "an unnumbered peer of any AS",
        NEW,
        {"myASN": 1, "dynamicASN": "external", "interface": "eth0", "holdTime": "9s", "keepaliveTime": "3s"},
        {"myASN": 1, "peerASN": 0, "peerAddress": "", "nodeSelectors": [], "holdTime": "9s", "keepaliveTime": "3s"},
    ),
    ("port 0", OLD, {**FULL_OLD, "peerPort": 0}, {k: v for k, v in FULL_OLD.items() if k != "peerPort"}),
]


@pytest.mark.parametrize(("given_in", "spec", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_peer_is_converted_field_by_field(given_in: str, spec: dict[str, Any], expected: dict[str, Any]) -> None:
    desired = NEW if given_in == OLD else OLD
    assert convert(peer(given_in, **spec), desired) == {
        "apiVersion": desired,
        "kind": "BGPPeer",
        "metadata": META,
        "spec": expected,
    }


def properties(version: str) -> set[str]:
    crds = {each["metadata"]["name"]: each for each in crd.crds()}
    versions = {each["name"]: each for each in crds["bgppeers.metallb.io"]["spec"]["versions"]}
    return set(versions[version]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])


def test_the_fields_that_go_are_those_that_v1beta1_does_not_have() -> None:
    assert properties("v1beta2") - properties("v1beta1") == NEW_FIELDS
    assert properties("v1beta1") <= properties("v1beta2")


labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=2)
expressions = st.fixed_dictionaries(
    {
        "key": st.sampled_from("abc"),
        "operator": st.sampled_from(["In", "NotIn"]),
        "values": st.lists(st.text(), min_size=1),
    }
)
selectors = st.fixed_dictionaries(
    {"matchLabels": labels, "matchExpressions": st.lists(expressions, max_size=2)},
)
times = st.sampled_from(["0s", "9s", "1m30s"])
shared = st.fixed_dictionaries(
    {
        "myASN": st.integers(1, 2**32 - 1),
        "peerASN": st.integers(1, 2**32 - 1),
        "peerAddress": st.ip_addresses().map(str),
        "holdTime": times,
        "keepaliveTime": times,
        "nodeSelectors": st.lists(selectors, max_size=3),
    },
    optional={
        "peerPort": st.integers(1, 16384),
        "sourceAddress": st.text(),
        "routerID": st.text(),
        "password": st.text(),
        "bfdProfile": st.text(),
        "ebgpMultiHop": st.booleans(),
    },
)


@given(shared)
def test_what_both_versions_can_say_survives_there_and_back(spec: dict[str, Any]) -> None:
    for first, second in ((OLD, NEW), (NEW, OLD)):
        there = convert(peer(first, **spec), second)
        assert convert(there, first)["spec"] == spec


@given(shared, st.dictionaries(st.sampled_from(sorted(NEW_FIELDS)), st.just("anything"), max_size=4))
def test_converting_twice_is_converting_once(spec: dict[str, Any], newer: dict[str, Any]) -> None:
    once = convert(peer(NEW, **spec, **newer), OLD)
    assert convert(convert(once, NEW), OLD) == once


def review(*objects: Any, desired: str = NEW, version: str = API_VERSIONS[0]) -> bytes:
    request = {"uid": "u-7", "desiredAPIVersion": desired, "objects": list(objects)}
    return json.dumps({"apiVersion": version, "kind": "ConversionReview", "request": request}).encode()


@pytest.mark.parametrize("version", API_VERSIONS)
def test_the_answer_is_in_the_version_of_the_question(version: str) -> None:
    told = json.loads(answer(decode(review(peer(OLD, **FULL_OLD), peer(NEW, **FULL_OLD), version=version))))
    assert (told["apiVersion"], told["kind"]) == (version, "ConversionReview")
    response = told["response"]
    assert (response["uid"], response["result"]) == ("u-7", {"status": "Success"})
    assert [each["apiVersion"] for each in response["convertedObjects"]] == [NEW, NEW]


@pytest.mark.parametrize(
    ("raw", "desired", "part"),
    [
        (peer("metallb.io/v1", **FULL_OLD), NEW, "from metallb.io/v1 to metallb.io/v1beta2"),
        (peer(OLD, **FULL_OLD), "metallb.io/v1", "to metallb.io/v1;"),
        ({**peer(OLD), "kind": "Pod"}, NEW, "kind 'Pod' is not converted here"),
        ({**peer(OLD), "spec": 3}, NEW, "BGPPeer tor: spec is not an object"),
        (None, NEW, "an object is needed"),
    ],
    ids=["unknown from", "unknown to", "other kind", "spec", "null"],
)
def test_what_cannot_be_converted_is_a_failure_with_a_reason(raw: Any, desired: str, part: str) -> None:
    response = json.loads(answer(decode(review(raw, desired=desired))))["response"]
    assert response["result"]["status"] == "Failure"
    assert part in response["result"]["message"]
    assert response["convertedObjects"] == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b"[" * 10_000, review(version="apiextensions.k8s.io/v2")])
def test_what_is_no_review_is_an_error(body: bytes) -> None:
    with pytest.raises(ConversionError):
        decode(body)
