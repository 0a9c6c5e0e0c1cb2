"""What of all that watches say is news, and what is complete."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.cluster.node import Node
from herald.cluster.service import Service
from herald.config.findings import ObjectKey
from herald.store.kubernetes.sources import Scope, sources
from herald.store.kubernetes.view import View
from herald.store.kubernetes.watch_events import (
    Cut,
    Following,
    Identity,
    ListBegun,
    ListEnded,
    Present,
    Put,
    Refused,
    Remove,
    Trouble,
)
from herald.store.store import Changed

NODES = ("Node",)


CONTROLLER, SPEAKER = Scope.of_controller("metallb-system"), Scope.of_speaker("metallb-system")


def view(*kinds: str, scope: Scope = CONTROLLER) -> View:
    only = scope.load_balancers_only
    return View(sources(scope, kinds), with_status=scope.with_status, load_balancers_only=only)


def raw(content: dict[str, Any]) -> tuple[Identity, msgspec.Raw]:
    return msgspec.convert(content["metadata"], Identity), msgspec.Raw(json.dumps(content).encode())


def node(name: str, version: int = 1, heartbeat: str = "", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": f"u-{name}", "resourceVersion": str(version), "labels": labels},
        "status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": heartbeat}]},
    }


def service(version: int, type_: str = "LoadBalancer", ip: str = "", **annotations: str) -> dict[str, Any]:
    meta = {"name": "web", "namespace": "default", "uid": "u", "resourceVersion": str(version)}
    meta["annotations"] = annotations  # type: ignore[assignment]  # a nested object beside strings
    ingress = [{"ip": ip}] if ip else []
    return {"metadata": meta, "spec": {"type": type_}, "status": {"loadBalancer": {"ingress": ingress}}}


def pool(version: int, *addresses: str, name: str = "main") -> dict[str, Any]:
    meta = {"name": name, "namespace": "metallb-system", "uid": "u", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"addresses": list(addresses)}}


def listed(looked_at: View, kind: str, *objects: dict[str, Any]) -> None:
    looked_at.take(kind, ListBegun())
    for each in objects:
        looked_at.take(kind, Present(*raw(each)))
    looked_at.take(kind, ListEnded())
    looked_at.take(kind, Following())


def put(looked_at: View, kind: str, content: dict[str, Any]) -> Changed | None:
    looked_at.take(kind, Put(*raw(content)))
    return looked_at.batch()


def names(batch: Changed | None) -> tuple[list[str], list[str]]:
    assert batch is not None
    return [item.metadata.name for item in batch.objects], [key.name for key in batch.deleted]


def test_nothing_is_settled_before_each_kind_was_listed() -> None:
    seen = view("Node", "Namespace")
    assert not seen.is_settled
    listed(seen, "Node", node("a"))
    assert not seen.is_settled
    listed(seen, "Namespace")
    assert seen.is_settled
    synced = seen.synced()
    assert [item.metadata.name for item in synced.objects] == ["a"]
    assert synced.complete


@pytest.mark.parametrize(
    ("cause", "is_settled"),
    [
        pytest.param(Refused(403, "Forbidden", "no"), True, id="forbidden"),
        pytest.param(Refused(404, "NotFound", "no"), True, id="no such kind"),
        pytest.param(Refused(401, "Unauthorized", "no"), True, id="not authenticated"),
        pytest.param(Refused(500, "InternalError", "etcd"), False, id="a server in trouble has not answered"),
        pytest.param(Refused(503, "ServiceUnavailable", "starting"), False, id="a server that starts has not answered"),
        pytest.param(Refused(429, "TooManyRequests", "later"), False, id="a server that is busy has not answered"),
        pytest.param(Cut("refused"), False, id="no answer"),
    ],
)
def test_a_kind_that_may_not_be_read_is_settled_and_never_complete(cause: Refused | Cut, is_settled: bool) -> None:
    seen = view("Node", "Namespace")
    listed(seen, "Node", node("a"))
    seen.take("Namespace", Trouble(cause, "list"))
    assert seen.is_settled is is_settled
    assert not seen.is_complete
    assert bool(seen.synced().problems) is is_settled
    listed(seen, "Namespace")
    batch = seen.batch()
    assert batch is not None
    assert batch.complete
    assert batch.problems == ()


def test_losing_the_right_to_read_withdraws_nothing_and_says_which_right_it_was() -> None:
    seen = view("Secret", "Node")
    listed(seen, "Node", node("a"))
    listed(seen, "Secret")
    seen.synced()
    seen.take("Node", Trouble(Refused(403, "Forbidden", 'User "x" cannot watch resource "nodes"'), "watch"))
    seen.take("Secret", Trouble(Refused(403, "Forbidden", "no"), "list"))
    batch = seen.batch()
    assert batch is not None
    assert (batch.objects, batch.deleted, batch.complete) == ((), (), True)
    of_node, of_secret = sorted(map(str, batch.problems))
    assert "may not watch nodes in the whole cluster" in of_node
    assert 'Give a ClusterRole the verb "watch" for nodes' in of_node
    assert "may not list secrets in namespace metallb-system" in of_secret
    assert 'Give a Role the verb "list" for secrets' in of_secret


def test_a_list_proves_that_listing_is_allowed_and_nothing_about_watching() -> None:
    for doing, left in (("list", 0), ("watch", 1)):
        seen = view("Node")
        seen.take("Node", Trouble(Refused(403, "Forbidden", "no"), doing))
        seen.take("Node", ListBegun())
        seen.take("Node", ListEnded())
        assert len(seen.synced().problems) == left
        assert seen.is_complete
        seen.take("Node", Following())
        assert seen.synced().problems == ()


def test_a_missing_crd_is_named() -> None:
    seen = view("BGPPeer")
    seen.take("BGPPeer", Trouble(Refused(404, "NotFound", "404 page not found"), "list"))
    (found,) = seen.synced().problems
    assert "the API server does not have them" in found.message
    assert "bgppeers.metallb.io" in found.message


def test_an_outage_is_no_news() -> None:
    seen = view(*NODES)
    listed(seen, "Node", node("a"))
    seen.synced()
    seen.take("Node", Trouble(Cut("refused"), "watch"))
    seen.take("Node", Trouble(Refused(500, "InternalError", "etcd"), "watch"))
    assert seen.batch() is None


def test_a_new_list_tells_only_differences() -> None:
    seen = view(*NODES)
    listed(seen, "Node", node("same", 1), node("other", 1), node("gone", 1))
    seen.synced()
    listed(seen, "Node", node("same", 9, heartbeat="later"), node("other", 9, zone="a"), node("new", 9))
    assert names(seen.batch()) == (["new", "other"], ["gone"])
    assert seen.batch() is None


def test_a_list_that_did_not_end_deletes_nothing() -> None:
    seen = view(*NODES)
    listed(seen, "Node", node("a"), node("b"))
    seen.synced()
    seen.take("Node", ListBegun())
    seen.take("Node", Present(*raw(node("a", 5))))
    assert seen.batch() is None
    listed(seen, "Node", node("b", 6))
    assert names(seen.batch()) == ([], ["a"])


@pytest.mark.parametrize(
    "change",
    [
        node("a", 2, heartbeat="2026-01-01T00:00:10Z"),
        {**node("a", 2), "spec": {"unschedulable": True}},
        {**node("a", 2), "status": {"conditions": [{"type": "MemoryPressure", "status": "True"}], "images": [{}]}},
    ],
    ids=["heartbeat", "cordon", "pressure and images"],
)
def test_what_nothing_reads_is_no_news(change: dict[str, Any]) -> None:
    seen = view(*NODES)
    listed(seen, "Node", node("a"))
    seen.synced()
    assert put(seen, "Node", change) is None
    assert seen.resource_version(ObjectKey("Node", "", "a")) == "2"


def test_what_came_and_went_between_two_batches_is_no_news() -> None:
    seen = view(*NODES)
    listed(seen, "Node", node("a"))
    seen.synced()
    seen.take("Node", Put(*raw(node("b", 2))))
    seen.take("Node", Put(*raw(node("a", 3, zone="x"))))
    seen.take("Node", Remove(raw(node("b", 4))[0]))
    seen.take("Node", Put(*raw(node("a", 5))))
    assert seen.batch() is None
    assert seen.resource_version(ObjectKey("Node", "", "a")) == "5"


WEB = ObjectKey("Service", "default", "web")


def test_a_version_that_was_no_news_does_not_make_a_write_stale() -> None:
    seen = view("Service")
    listed(seen, "Service", service(5))
    (told,) = seen.synced().objects
    assert told.metadata.resource_version == "5"
    assert put(seen, "Service", service(8, **{"example.com/foreign": "x"})) is None
    assert seen.newest_alike(WEB, "5") == "8"
    assert seen.newest_alike(WEB, "") == ""
    assert seen.newest_alike(WEB, "9") == "9", "our own write, which the watch has not told yet"
    seen.take("Service", Put(*raw(service(11, **{"metallb.io/address-pool": "x"}))))
    assert seen.newest_alike(WEB, "8") == "8", "a change was not told yet: stale it is"
    seen.batch()
    assert seen.newest_alike(WEB, "8") == "8", "a change was told that the writer has not seen"
    assert seen.newest_alike(WEB, "11") == "11"


def test_there_and_back_between_two_batches_leaves_the_told_version_writable() -> None:
    seen = view("Service")
    listed(seen, "Service", service(5))
    seen.synced()
    seen.take("Service", Put(*raw(service(6, ip="192.0.2.7"))))
    seen.take("Service", Put(*raw(service(7))))
    assert seen.batch() is None
    assert seen.newest_alike(WEB, "5") == "7"


def test_a_service_that_ceases_to_be_a_load_balancer_is_told_until_it_carries_nothing_of_ours() -> None:
    seen = view("Service")
    from_pool = {"metallb.io/ip-allocated-from-pool": "main"}
    listed(seen, "Service", service(5, ip="192.0.2.7", **from_pool))
    seen.synced()
    batch = put(seen, "Service", service(6, "ClusterIP", **from_pool))
    assert batch is not None
    (changed,) = batch.objects
    assert isinstance(changed, Service)
    assert not changed.is_load_balancer
    assert names(put(seen, "Service", service(7, "ClusterIP"))) == ([], ["web"])


def test_services_that_are_no_load_balancers_are_not_kept() -> None:
    seen = view("Service")
    listed(seen, "Service", service(5, "ClusterIP"))
    assert seen.synced().objects == ()
    assert seen.uid(WEB) is None


def test_an_object_that_can_no_longer_be_understood_keeps_its_last_good_version() -> None:
    seen = view("IPAddressPool")
    listed(seen, "IPAddressPool", pool(1, "192.0.2.0/24"))
    seen.synced()
    spoiled = pool(2)
    spoiled["spec"]["addresses"] = "192.0.2.0/24"
    batch = put(seen, "IPAddressPool", spoiled)
    assert batch is not None
    assert (batch.objects, batch.deleted) == ((), ())
    (found,) = batch.problems
    assert (found.rule, found.name, found.field) == ("HL202", "main", "spec.addresses")
    assert found.message.endswith("of this IPAddressPool stays in force; a restart would leave it out.")
    batch = put(seen, "IPAddressPool", pool(3, "192.0.2.0/24"))
    assert batch == Changed(problems=(), complete=True), "it reads as before, so only the problem is gone"
    seen.take("IPAddressPool", Remove(raw(pool(4))[0]))
    assert names(seen.batch()) == ([], ["main"])


def test_the_problem_of_an_object_that_was_never_understood_goes_with_it() -> None:
    seen = view("IPAddressPool")
    spoiled = pool(1)
    spoiled["spec"]["addresses"] = 5
    listed(seen, "IPAddressPool", spoiled)
    synced = seen.synced()
    assert synced.objects == ()
    assert len(synced.problems) == 1
    assert synced.complete
    listed(seen, "IPAddressPool")
    assert seen.batch() == Changed(complete=True)


def test_a_speaker_does_not_hear_of_statuses_of_custom_resources() -> None:
    for scope, is_news in ((SPEAKER, False), (CONTROLLER, True)):
        seen = view("IPAddressPool", scope=scope)
        listed(seen, "IPAddressPool", pool(1, "192.0.2.0/24"))
        seen.synced()
        counted = pool(2, "192.0.2.0/24") | {"status": {"assignedIPv4": 7}}
        assert (put(seen, "IPAddressPool", counted) is not None) is is_news


STEP = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abc"), st.sampled_from("xy")),
    st.tuples(st.just("remove"), st.sampled_from("abc"), st.just("")),
    st.tuples(st.just("list"), st.text("abc", max_size=3), st.sampled_from("xy")),
    st.tuples(st.just("batch"), st.just(""), st.just("")),
)


@given(st.lists(STEP, max_size=30))
def test_batches_add_up_to_what_there_is_and_never_repeat_it(steps: list[tuple[str, str, str]]) -> None:
    seen, version = view(*NODES), 1
    truth: dict[str, str] = {}
    copy: dict[str, str] = {}
    listed(seen, "Node")
    seen.synced()
    for what, name, zone in [*steps, ("batch", "", "")]:
        version += 1
        match what:
            case "put":
                truth[name] = zone
                seen.take("Node", Put(*raw(node(name, version, zone=zone))))
            case "remove":
                truth.pop(name, None)
                seen.take("Node", Remove(raw(node(name, version))[0]))
            case "list":
                truth = dict.fromkeys(name, zone)
                listed(seen, "Node", *(node(each, version, zone=zone) for each in truth))
            case _:
                batch = seen.batch() or Changed()
                for item in batch.objects:
                    assert isinstance(item, Node)
                    assert copy.get(item.name) != item.labels["zone"], "told twice"
                    copy[item.name] = item.labels["zone"]
                for key in batch.deleted:
                    del copy[str(key.name)]
    assert copy == truth


@given(st.binary(max_size=20), st.integers(0, 400), st.sampled_from(["Node", "IPAddressPool", "Service", "Secret"]))
def test_whatever_octets_an_object_has_nothing_is_raised_and_nothing_lost(octets: bytes, at: int, kind: str) -> None:
    seen = view(kind)
    good = pool(1, "192.0.2.0/24") if kind == "IPAddressPool" else service(1) if kind == "Service" else node("main")
    listed(seen, kind, good)
    before = seen.synced().objects
    identity, content = raw(good)
    cut = at % len(bytes(content))
    spoiled = bytes(content)[:cut] + octets + bytes(content)[cut + len(octets) :]
    seen.take(kind, Put(identity, msgspec.Raw(spoiled)))
    batch = seen.batch()
    assert len(before) == 1
    assert batch is None or batch.deleted == () or kind == "Service", "a Service may have become another type"


def test_where_the_server_cannot_select_services_the_view_keeps_load_balancers_only() -> None:
    seen = view("Service", scope=SPEAKER)
    other = service(1, "ClusterIP", ip="192.0.2.1")
    other["metadata"]["name"] = "other"
    seen.take("Service", ListBegun())
    seen.take("Service", Present(*raw(service(1))))
    seen.take("Service", Present(*raw(other)))
    seen.take("Service", ListEnded())
    assert [item.metadata.name for item in seen.synced().objects] == ["web"]
    seen.take("Service", Put(*raw(service(2, "ClusterIP", ip="192.0.2.1"))))
    batch = seen.batch()
    assert batch is not None
    assert [key.name for key in batch.deleted] == ["web"]
    seen.take("Service", Put(*raw(service(3, "NodePort"))))
    assert seen.batch() is None
    seen.take("Service", Put(*raw(service(4))))
    batch = seen.batch()
    assert batch is not None
    assert [item.metadata.name for item in batch.objects] == ["web"]
