"""What the directory store keeps beside the manifests: statuses, claims, first sight, events."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.allocator.convergence import EventType
from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.service import LoadBalancerIngress, LoadBalancerStatus, Service, ServiceStatus
from herald.config.findings import ObjectKey
from herald.store import claim_file, durable, event_log, first_seen, status_file
from herald.store.status_file import Overlay, StatusFileError
from herald.store.store import KINDS, Event, StatusPatch

names = st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text)
namespaces = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
WEB = ObjectKey("Service", "default", "web")


def service(**annotations: str) -> Service:
    return Service(metadata=ObjectMeta(name="web", namespace="default", annotations=annotations))


@given(kind=st.sampled_from(sorted(KINDS)), namespace=st.just("") | namespaces, name=names)
def test_a_status_file_name_leads_back_to_its_object_and_not_out_of_the_folder(
    kind: str, namespace: str, name: str
) -> None:
    key = ObjectKey(kind, namespace, name)
    path = Path("status") / status_file.file_name(key)
    assert path.parent == Path("status")
    assert status_file.key_of(path) == key


@pytest.mark.parametrize("name", ["README", "x.yaml", "pod.default.web.yaml", "service.default.web.json"])
def test_other_files_are_nobodys_status(name: str) -> None:
    assert status_file.key_of(Path(name)) is None


def test_a_status_is_laid_over_the_object() -> None:
    overlay = Overlay(
        {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}, {"metallb.io/ip-allocated-from-pool": "p", "old": None}
    )
    seen = status_file.laid_over(service(old="x", kept="y"), status_file.decode(status_file.encode(overlay)))
    assert isinstance(seen, Service)
    assert seen.ingress_ips == ("192.0.2.7",)
    assert seen.metadata.annotations == {"metallb.io/ip-allocated-from-pool": "p", "kept": "y"}


def test_an_empty_status_replaces_the_one_in_the_manifest() -> None:
    had = msgspec.structs.replace(
        service(),
        status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=(LoadBalancerIngress(ip="192.0.2.1"),))),
    )
    seen = status_file.laid_over(had, Overlay({}))
    assert isinstance(seen, Service)
    assert seen.ingress_ips == ()


def test_a_patch_replaces_the_status_and_merges_the_annotations() -> None:
    before = Overlay({"a": 1}, {"x": "1", "y": "2"})
    assert before.patched(StatusPatch(WEB, {"b": 2}, {"x": None})) == Overlay({"b": 2}, {"x": None, "y": "2"})


@pytest.mark.parametrize("content", [b"[1", b"- 1", b"status: 3", b"\xff\xfe\x00", b"metadata: {annotations: {a: 1}}"])
def test_a_status_file_that_is_none_is_an_error_that_says_so(content: bytes) -> None:
    with pytest.raises(StatusFileError):
        status_file.decode(content)


def test_a_status_of_another_kind_is_an_error() -> None:
    with pytest.raises(StatusFileError):
        status_file.laid_over(service(), Overlay({"loadBalancer": "yes"}))


@given(namespace=namespaces, name=names)
def test_a_claim_file_name_leads_back_to_its_service(namespace: str, name: str) -> None:
    key = NamespacedName(namespace, name)
    path = Path("claims") / claim_file.file_name(key)
    assert path.parent == Path("claims")
    assert claim_file.service_of(path) == key


def test_claims_are_read_back_and_what_is_no_claim_is_passed_over(tmp_path: Path) -> None:
    web = NamespacedName("default", "web.v1")
    durable.write_whole(tmp_path / "c" / claim_file.file_name(web), claim_file.encode(("192.0.2.7", "2001:db8::7")))
    (tmp_path / "c" / "default.cut.json").write_text('{"addr')
    assert claim_file.read_all(tmp_path / "c") == {web: ("192.0.2.7", "2001:db8::7")}
    assert claim_file.read_all(tmp_path / "none") == {}


def test_of_several_notes_about_one_object_the_last_counts_and_cut_lines_are_passed_over() -> None:
    old, new = WEB, ObjectKey("Node", "", "n1")
    content = first_seen.encode([(old, "2026-01-01T00:00:00Z"), (new, "2026-01-02T00:00:00Z"), (old, None)])
    assert first_seen.decode(content + b'{"object": "No') == {old: None, new: "2026-01-02T00:00:00Z"}


def test_the_creation_time_of_the_manifest_beats_the_first_sight() -> None:
    dated = msgspec.structs.replace(
        service(), metadata=ObjectMeta(name="web", creation_timestamp="2020-01-01T00:00:00Z")
    )
    assert first_seen.dated(dated, "2026-01-01T00:00:00Z") == dated
    assert first_seen.dated(service(), "2026-01-01T00:00:00Z").metadata.creation_timestamp == "2026-01-01T00:00:00Z"


def test_the_event_log_is_turned_over_once_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / ".herald" / "events.jsonl"
    line = event_log.encode(Event(WEB, EventType.NORMAL, "IPAllocated", "m" * 1000), datetime(2026, 1, 1, tzinfo=UTC))
    lines = 3 * event_log.LIMIT_OCTETS // len(line)
    for _ in range(lines):
        event_log.append(path, line)
    assert path.stat().st_size <= event_log.LIMIT_OCTETS
    assert (tmp_path / ".herald" / "events.1.jsonl").stat().st_size <= event_log.LIMIT_OCTETS
    assert sorted(p.name for p in path.parent.iterdir()) == ["events.1.jsonl", "events.jsonl"]
    assert msgspec.json.decode(path.read_bytes().splitlines()[-1])["reason"] == "IPAllocated"


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    durable.write_whole(path, b"one")
    durable.write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]
    durable.remove(path)
    durable.remove(path)
    assert list(path.parent.iterdir()) == []
