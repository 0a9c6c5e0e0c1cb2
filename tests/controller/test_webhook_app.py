"""The webhooks over HTTP: whatever comes gets an answer, and never a 500."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_requests import l2, pool, world

from herald.controller.webhook.admission import REVIEWED
from herald.controller.webhook.app import LARGEST_CONVERSION, LARGEST_REVIEW, PATHS, application

JSON = {"Content-Type": "application/json"}
POOL_PATH = "/validate-metallb-io-v1beta1-ipaddresspool"


def question(kind: str = "IPAddressPool", version: str = "v1beta1", **request: Any) -> dict[str, Any]:
    asked = {"uid": "u-1", "kind": {"group": "metallb.io", "version": version, "kind": kind}, "operation": "CREATE"}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {**asked, **request}}


async def post(
    body: bytes | AsyncIterator[bytes], path: str = POOL_PATH, headers: Mapping[str, str] = JSON, method: str = "POST"
) -> httpx2.Response:
    app = application(lambda: world(pool("old", "10.0.0.0/24"), l2("all")))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://herald") as client:
        return await client.request(method, path, content=body, headers=headers)


async def test_a_review_is_answered_under_its_own_uid() -> None:
    asked = question(object=pool("new", "10.0.0.0/25"), namespace="metallb-system", name="new")
    answer = (await post(json.dumps(asked).encode())).json()
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert answer["response"]["uid"] == "u-1"
    assert answer["response"]["allowed"] is False
    status = answer["response"]["status"]
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    assert 'overlaps with already defined CIDR "10.0.0.0/24"' in status["message"]


async def test_an_allowed_object_carries_its_warnings() -> None:
    asked = question(object=pool("new", "10.20.30.40/24"), namespace="metallb-system", name="new")
    response = (await post(json.dumps(asked).encode())).json()["response"]
    assert response["allowed"] is True
    assert [text for text in response["warnings"] if text.startswith("HL095 IPAddressPool new: spec.addresses[0]")]
    assert "status" not in response


@pytest.mark.parametrize("is_complete", [True, False])
async def test_nothing_is_called_missing_before_everything_was_listed(is_complete: bool) -> None:
    app = application(lambda: replace(world(), is_complete=is_complete))
    asked = question(
        "L2Advertisement", object=l2("all", ipAddressPools=["web"]), namespace="metallb-system", name="all"
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://herald") as client:
        path = "/validate-metallb-io-v1beta1-l2advertisement"
        response = await client.post(path, content=json.dumps(asked).encode(), headers=JSON)
    warnings = response.json()["response"].get("warnings", [])
    assert any("HL002" in each for each in warnings) is is_complete


def test_the_paths_are_those_of_metallbs_manifests() -> None:
    assert {
        "/validate-metallb-io-v1beta2-bgppeer",
        "/validate-metallb-io-v1beta1-ipaddresspool",
        "/validate-metallb-io-v1beta1-bgpadvertisement",
        "/validate-metallb-io-v1beta1-l2advertisement",
        "/validate-metallb-io-v1beta1-community",
        "/validate-metallb-io-v1beta1-bfdprofile",
    } <= set(PATHS)


async def too_long() -> AsyncIterator[bytes]:
    for _ in range(LARGEST_REVIEW // 65536 + 1):
        yield b" " * 65536


@pytest.mark.parametrize(
    ("body", "path", "headers", "status"),
    [
        (b"{}", POOL_PATH, {"Content-Type": "text/plain"}, 415),
        (b"{}", POOL_PATH, {}, 415),
        (b"{}", POOL_PATH, {"Content-Type": "application/json; charset=utf-8"}, 400),
        (b"", POOL_PATH, JSON, 400),
        (b"not json", "/convert", JSON, 400),
        (b"[" * 100_000, POOL_PATH, JSON, 400),
        (b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}', POOL_PATH, JSON, 400),
        (json.dumps({**question(), "apiVersion": "admission.k8s.io/v1beta1"}).encode(), POOL_PATH, JSON, 400),
        (b"{}", "/validate-metallb-io-v1beta1-unicorn", JSON, 404),
        (b"{}", "/", JSON, 404),
    ],
    ids=[
        "text",
        "no type",
        "charset",
        "empty",
        "not json",
        "deep",
        "no uid",
        "v1beta1",
        "unknown kind",
        "root",
    ],
)
async def test_what_is_no_review_gets_a_4xx(body: bytes, path: str, headers: dict[str, str], status: int) -> None:
    answer = await post(body, path, headers)
    assert answer.status_code == status


async def test_a_body_that_is_too_long_is_not_read_to_its_end() -> None:
    assert (await post(too_long())).status_code == 413
    assert (await post(b"{}", method="GET")).status_code == 405


async def test_the_largest_object_that_etcd_takes_may_replace_another_one() -> None:
    note = {"example.com/note": "x" * (1536 * 1024)}
    large = pool("prod", "10.0.0.0/24")
    large["metadata"]["annotations"] = note
    whole = question()
    whole["request"] |= {"operation": "UPDATE", "object": large, "oldObject": large}
    answer = await post(json.dumps(whole).encode())
    assert answer.status_code == 200
    assert answer.json()["response"]["uid"] == whole["request"]["uid"]


async def test_bodies_that_come_together_are_bounded_together() -> None:
    waiting, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_CONVERSION // 2**20):
            yield b" " * 2**20
        waiting.release()
        await go_on.wait()

    app = application(world)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://herald") as client:
        reading = [asyncio.create_task(client.post("/convert", content=body(), headers=JSON)) for _ in range(2)]
        for _ in reading:
            await waiting.acquire()
        assert (await client.post("/convert", content=b" ", headers=JSON)).status_code == 503
        go_on.set()
        assert [(await each).status_code for each in reading] == [400, 400]
        assert (await client.post("/convert", content=b" ", headers=JSON)).status_code == 400


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=20,
)
field_names = st.sampled_from(
    ["addresses", "communities", "peers", "nodeSelectors", "holdTime", "serviceAllocation", "peerASN", "ipAddressPools"]
)
objects = anything | st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": anything,
        "kind": anything,
        "metadata": anything
        | st.fixed_dictionaries({"name": st.text(max_size=9)}, optional={"labels": anything, "annotations": anything}),
        "spec": anything | st.dictionaries(field_names, anything, max_size=4),
        "status": anything,
    },
)


@given(
    path=st.sampled_from([*PATHS, "/convert"]),
    kind=st.sampled_from(REVIEWED) | st.text(max_size=5),
    version=st.sampled_from(["v1beta1", "v1beta2"]),
    fields=st.fixed_dictionaries(
        {"operation": st.sampled_from(["CREATE", "UPDATE", "DELETE", "CONNECT"]) | st.text(max_size=5)},
        optional={
            "object": objects,
            "oldObject": objects,
            "name": st.text(max_size=9) | anything,
            "namespace": st.just("metallb-system") | anything,
            "dryRun": st.booleans() | anything,
            "requestKind": anything | st.just({"group": "metallb.io", "version": "v1beta1", "kind": "BGPPeer"}),
            "uid": anything,
        },
    ),
)
async def test_fuzz_any_review_gets_a_valid_answer_or_a_4xx(
    path: str, kind: str, version: str, fields: dict[str, Any]
) -> None:
    asked = question(kind, version, **fields)
    answer = await post(json.dumps(asked).encode(), path)
    if answer.status_code == 200:
        response = answer.json()["response"]
        assert response["uid"] == asked["request"]["uid"]
        assert isinstance(response["allowed"], bool)
        assert response["allowed"] or response["status"]["message"]
    else:
        assert 400 <= answer.status_code < 500


@given(st.sampled_from([*PATHS, "/convert"]), anything)
async def test_fuzz_any_json_gets_a_4xx(path: str, body: Any) -> None:
    assert 400 <= (await post(json.dumps(body).encode(), path)).status_code < 500


@given(
    st.sampled_from(["metallb.io/v1beta1", "metallb.io/v1beta2"]),
    st.lists(
        objects
        | st.fixed_dictionaries(
            {
                "apiVersion": st.sampled_from(["metallb.io/v1beta1", "metallb.io/v1beta2"]),
                "kind": st.just("BGPPeer"),
                "spec": anything | st.dictionaries(field_names, anything, max_size=4),
            },
            optional={"metadata": anything},
        ),
        max_size=3,
    ),
)
async def test_fuzz_any_conversion_succeeds_whole_or_says_why_not(desired: str, listed: list[Any]) -> None:
    request = {"uid": "u", "desiredAPIVersion": desired, "objects": listed}
    body = json.dumps({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request})
    answer = await post(body.encode(), "/convert")
    if answer.status_code == 200:
        response = answer.json()["response"]
        converted = response["result"]["status"] == "Success"
        assert len(response["convertedObjects"]) == (len(listed) if converted else 0)
        assert converted or response["result"]["message"]
    else:
        assert answer.status_code == 400
