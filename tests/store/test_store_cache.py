"""What a cache holds depends on what it was told last, and what it calls touched is all that may be different."""

import hypothesis.strategies as st
from hypothesis import given

from herald.cluster.endpoints import EndpointSlice
from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.node import Node
from herald.cluster.service import Service
from herald.config.findings import ObjectKey
from herald.store.cache import Cache
from herald.store.store import Changed, Changes, ClusterObject, Synced

NAMES = st.sampled_from("abc")
VERSIONS = st.sampled_from("12")


def meta(name: str, version: str, namespace: str = "default") -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace, resource_version=version)


OBJECTS: st.SearchStrategy[ClusterObject] = st.one_of(
    st.builds(lambda name, version: Service(metadata=meta(name, version)), NAMES, VERSIONS),
    st.builds(lambda name, version: EndpointSlice(metadata=meta(name, version)), NAMES, VERSIONS),
    st.builds(lambda name, version: Node(metadata=meta(name, version, "")), NAMES, VERSIONS),
)
KEYS = OBJECTS.map(ObjectKey.of)
LISTS = st.lists(OBJECTS, unique_by=ObjectKey.of).map(tuple)
BATCHES = st.one_of(
    st.builds(Synced, LISTS),
    st.builds(
        lambda objects, deleted: Changed(objects, tuple(deleted - {ObjectKey.of(item) for item in objects})),
        LISTS,
        st.frozensets(KEYS),
    ),
)


def held(cache: Cache) -> dict[ObjectKey, ClusterObject]:
    items: list[ClusterObject] = [*cache.services.values(), *cache.slices.values(), *cache.others.values()]
    return {ObjectKey.of(item): item for item in items}


@given(st.lists(BATCHES, max_size=5))
def test_it_holds_what_it_was_told_and_names_all_that_changed(batches: list[Changes]) -> None:
    cache, expected = Cache(), dict[ObjectKey, ClusterObject]()
    for batch in batches:
        before = dict(expected)
        if isinstance(batch, Synced):
            expected.clear()
        else:
            for key in batch.deleted:
                expected.pop(key, None)
        expected.update((ObjectKey.of(item), item) for item in batch.objects)
        touched = cache.take(batch)
        assert held(cache) == expected
        different = {key for key in before.keys() | expected.keys() if before.get(key) != expected.get(key)}
        names = {kind: {NamespacedName(k.namespace, k.name) for k in different if k.kind == kind} for kind in KINDS}
        assert names["Service"] <= set(touched.services)
        assert names["EndpointSlice"] <= set(touched.slices)
        assert touched.configuration or not names["Node"]


KINDS = ("Service", "EndpointSlice", "Node")
