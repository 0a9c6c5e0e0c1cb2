"""The folder of manifests changes as a cluster changes under kubectl."""

from pathlib import Path

import pytest
import yaml

from herald.lab.cluster import Cluster, NoSuchObjectError, patched

PEER = """\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router-1, namespace: metallb-system}
spec: {myASN: 64500, peerASN: 64501, peerAddress: 192.168.1.1}
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    directory = tmp_path / "config"
    directory.mkdir()
    return Cluster(directory, tmp_path)


def test_every_object_has_a_file_of_its_own(cluster: Cluster) -> None:
    service = "---\nkind: Service\nmetadata: {name: web}\nspec: {}\n"
    assert cluster.apply(PEER + service) == ["bgppeer/router-1", "service/web"]
    cluster.add_nodes({"node-1": "192.168.1.10"})
    assert sorted(path.name for path in cluster.directory.iterdir()) == [
        "bgppeer.metallb-system.router-1.yaml",
        "namespace.default.yaml",
        "namespace.metallb-system.yaml",
        "node.node-1.yaml",
        "service.default.web.yaml",
    ]
    assert cluster.get("Service", "default", "web")["metadata"]["namespace"] == "default"


def test_applying_again_keeps_the_object_as_old_as_it_is(cluster: Cluster) -> None:
    cluster.apply(PEER)
    path = cluster.directory / "bgppeer.metallb-system.router-1.yaml"
    path.write_text(
        path.read_text().replace(
            yaml.safe_load(path.read_text())["metadata"]["creationTimestamp"], "2001-01-01T00:00:00Z"
        )
    )
    cluster.apply(PEER.replace("64501", "64999"))
    document = cluster.get("BGPPeer", "metallb-system", "router-1")
    assert document["spec"]["peerASN"] == 64999
    assert str(document["metadata"]["creationTimestamp"]).startswith("2001-01-01")


def test_a_community_is_not_taken_for_a_number_to_the_base_60(cluster: Cluster) -> None:
    cluster.apply(
        "kind: BGPAdvertisement\nmetadata: {name: a, namespace: metallb-system}\nspec: {communities: [64500:50]}\n"
    )
    assert cluster.get("BGPAdvertisement", "metallb-system", "a")["spec"]["communities"] == ["64500:50"]
    text = (cluster.directory / "bgpadvertisement.metallb-system.a.yaml").read_text()
    assert yaml.safe_load(text)["spec"]["communities"] == ["64500:50"]


def test_a_patch_changes_one_field(cluster: Cluster) -> None:
    cluster.apply(PEER)
    operation = {"op": "replace", "path": "/spec/peerAddress", "value": "192.168.1.99"}
    cluster.patch("BGPPeer", "metallb-system", "router-1", [operation])
    spec = cluster.get("BGPPeer", "metallb-system", "router-1")["spec"]
    assert spec == {"myASN": 64500, "peerASN": 64501, "peerAddress": "192.168.1.99"}


def test_labels_come_and_go(cluster: Cluster) -> None:
    cluster.add_nodes({"node-1": "192.168.1.10"})
    cluster.label_node("node-1", node_role="edge")
    assert cluster.get("Node", None, "node-1")["metadata"]["labels"]["node-role"] == "edge"
    cluster.label_node("node-1", node_role=None)
    assert "node-role" not in cluster.get("Node", None, "node-1")["metadata"]["labels"]


def test_what_is_not_there_cannot_be_deleted_or_changed(cluster: Cluster) -> None:
    with pytest.raises(NoSuchObjectError, match="BGPPeer router-9"):
        cluster.delete("BGPPeer", "metallb-system", "router-9")
    with pytest.raises(NoSuchObjectError):
        cluster.label_node("node-9", node_role="edge")


def test_no_draft_is_left_in_the_folder(cluster: Cluster) -> None:
    cluster.apply(PEER)
    assert [path.suffix for path in cluster.directory.iterdir()] == [".yaml"]


def test_the_status_of_an_object_is_read_from_beside_the_folder(cluster: Cluster) -> None:
    assert cluster.status("Service", "default", "web") == {}
    folder = cluster.directory / ".herald" / "status"
    folder.mkdir(parents=True)
    (folder / "service.default.web.yaml").write_text("status: {loadBalancer: {ingress: [{ip: 192.168.1.200}]}}\n")
    assert cluster.status("Service", "default", "web") == {"loadBalancer": {"ingress": [{"ip": "192.168.1.200"}]}}


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        pytest.param({"op": "add", "path": "/spec/b", "value": 2}, {"spec": {"a": 1, "b": 2}}, id="add"),
        pytest.param({"op": "replace", "path": "/spec/a", "value": 9}, {"spec": {"a": 9}}, id="replace"),
        pytest.param({"op": "remove", "path": "/spec/a"}, {"spec": {}}, id="remove"),
        pytest.param({"op": "add", "path": "/spec/x~1y", "value": 3}, {"spec": {"a": 1, "x/y": 3}}, id="escaped slash"),
    ],
)
def test_json_patch(operation: dict[str, object], after: dict[str, object]) -> None:
    document: dict[str, object] = {"spec": {"a": 1}}
    patched(document, operation)
    assert document == after


@pytest.mark.parametrize(
    "operation", [{"op": "replace", "path": "/spec/b", "value": 2}, {"op": "test", "path": "/spec/a"}]
)
def test_a_patch_that_cannot_be_is_refused(operation: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        patched({"spec": {"a": 1}}, operation)
