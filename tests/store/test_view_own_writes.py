"""What a process writes itself, and somebody undoes before anybody looked, is told."""

import msgspec

from herald.cluster.meta import NamespacedName
from herald.store.kubernetes.sources import Scope, sources
from herald.store.kubernetes.view import View
from herald.store.kubernetes.watch_events import Identity, ListBegun, ListEnded, Put
from herald.store.store import service_key

WEB = service_key(NamespacedName("default", "web"))


def put(version: str, ip: str | None) -> Put:
    ingress = [{"ip": ip}] if ip else []
    metadata = {"name": "web", "namespace": "default", "resourceVersion": version}
    body = {"metadata": metadata, "spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": ingress}}}
    return Put(
        Identity(name="web", namespace="default", resource_version=version), msgspec.Raw(msgspec.json.encode(body))
    )


def view() -> View:
    made = View(sources(Scope("metallb-system"), {"Service"}))
    made.take("Service", ListBegun())
    made.take("Service", ListEnded())
    made.take("Service", put("1", None))
    made.synced()
    return made


def test_a_change_that_was_undone_is_no_news() -> None:
    one = view()
    one.take("Service", put("2", "192.0.2.1"))
    one.take("Service", put("3", None))
    assert one.batch() is None


def test_a_write_of_ours_that_was_undone_is_news() -> None:
    one = view()
    one.wrote(WEB)
    one.take("Service", put("2", "192.0.2.1"))
    one.take("Service", put("3", None))
    batch = one.batch()
    assert batch is not None
    assert [item.metadata.resource_version for item in batch.objects] == ["3"]
    one.take("Service", put("4", "192.0.2.1"))
    one.take("Service", put("5", None))
    assert one.batch() is None
