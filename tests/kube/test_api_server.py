"""The test cluster is a real one, and can be broken in the ways in which real ones break."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from shared_cluster import Shared

from herald.api import crd
from herald.lab.kubernetes import bulk
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.child import ChildFailedError
from herald.lab.kubernetes.client import MERGE, RequestRefusedError, connect
from herald.lab.process import CommandFailedError

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: first, namespace: metallb-system}
spec: {addresses: [192.0.2.0/24]}
"""


def write(server: ApiServer, name: str) -> str:
    """Write a ConfigMap; its resourceVersion."""
    return str(server.request("POST", CONFIGMAPS, {"metadata": {"name": name}})["metadata"]["resourceVersion"])


def watch(server: ApiServer, version: str, seconds: int = 2) -> Iterator[dict[str, Any]]:
    """The events of a watch that begins after `version`, of some seconds."""
    text = server.request("GET", f"{CONFIGMAPS}?watch=1&resourceVersion={version}&timeoutSeconds={seconds}")
    # One line is a JSON document, and comes back decoded; several are not.
    yield from [text] if isinstance(text, dict) else map(json.loads, text.splitlines())


def test_the_server_has_the_version_it_was_built_from(api_server: ApiServer) -> None:
    assert api_server.request("GET", "/version")["gitVersion"].startswith("v1.")
    told = json.loads(api_server.kubectl("version", "-o", "json"))
    assert told["clientVersion"]["gitVersion"] == told["serverVersion"]["gitVersion"]


def test_a_service_account_may_do_nothing_until_it_is_bound_to_a_role(bare_cluster: ApiServer) -> None:
    bare_cluster.create_namespace("metallb-system")
    bare_cluster.create_service_account("metallb-system", "speaker")
    speaker = bare_cluster.service_account_kubeconfig("metallb-system", "speaker")
    with pytest.raises(CommandFailedError, match='metallb-system:speaker" cannot list resource "services"'):
        bare_cluster.kubectl("get", "services", "-n", "default", user=speaker)
    bare_cluster.kubectl("create", "clusterrole", "reader", "--verb=list", "--resource=services")
    bare_cluster.kubectl(
        "create", "clusterrolebinding", "reader", "--clusterrole=reader", "--serviceaccount=metallb-system:speaker"
    )
    assert "kubernetes" in bare_cluster.kubectl("get", "services", "-n", "default", user=speaker)


def test_somebody_without_credentials_is_refused(api_server: ApiServer) -> None:
    stranger = api_server.user_kubeconfig("stranger")
    assert "Forbidden" in api_server.kubectl_result("get", "nodes", user=stranger).stderr


def test_a_pod_folder_holds_a_token_that_the_server_knows(bare_cluster: ApiServer, tmp_path: Path) -> None:
    folder = bare_cluster.service_account_folder("default", "default", tmp_path / "serviceaccount")
    review = {"spec": {"token": (folder / "token").read_text()}}
    status = bare_cluster.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]
    assert status["user"]["username"] == "system:serviceaccount:default:default"
    assert (folder / "namespace").read_text() == "default"
    assert (folder / "ca.crt").read_bytes() == bare_cluster.ca.read_bytes()


def test_admission_is_on(bare_cluster: ApiServer) -> None:
    pod = {
        "metadata": {"name": "p"},
        "spec": {"serviceAccountName": "nobody", "containers": [{"name": "c", "image": "i"}]},
    }
    with pytest.raises(RequestRefusedError, match='"nobody" not found'):
        bare_cluster.request("POST", "/api/v1/namespaces/default/pods", pod)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    bare_cluster.create_namespace("strict", labels)
    pod["spec"] = {"hostNetwork": True, "containers": [{"name": "c", "image": "i"}]}
    with pytest.raises(RequestRefusedError, match='violates PodSecurity "restricted'):
        bare_cluster.request("POST", "/api/v1/namespaces/strict/pods", pod)


def test_services_get_addresses_of_both_families(bare_cluster: ApiServer) -> None:
    spec = {"type": "LoadBalancer", "ipFamilyPolicy": "RequireDualStack", "ports": [{"port": 80}]}
    made = bare_cluster.request(
        "POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "web"}, "spec": spec}
    )
    first, second = made["spec"]["clusterIPs"]
    assert (first.startswith("10.96."), second.startswith("fd00:10:96::")) == (True, True)
    assert made["spec"]["ports"][0]["nodePort"]


def test_objects_survive_the_death_of_the_server(bare_cluster: ApiServer) -> None:
    write(bare_cluster, "kept")
    bare_cluster.kill_api_server()
    with pytest.raises(ConnectionRefusedError):
        bare_cluster.request("GET", CONFIGMAPS)
    bare_cluster.start_api_server()
    assert bare_cluster.request("GET", f"{CONFIGMAPS}/kept")["metadata"]["name"] == "kept"


def test_objects_survive_the_death_of_etcd(bare_cluster: ApiServer) -> None:
    write(bare_cluster, "kept")
    bare_cluster.kill_etcd()
    with pytest.raises((RequestRefusedError, OSError)):
        bare_cluster.request("POST", CONFIGMAPS, {"metadata": {"name": "other"}}, timeout=2)
    bare_cluster.start_etcd()
    assert bare_cluster.request("GET", f"{CONFIGMAPS}/kept")["metadata"]["name"] == "kept"


def test_a_paused_server_takes_connections_and_answers_none(bare_cluster: ApiServer) -> None:
    bare_cluster.pause_api_server()
    connect(bare_cluster.address, bare_cluster.port, None, timeout=1).close()
    with pytest.raises(TimeoutError):
        bare_cluster.request("GET", "/readyz", timeout=0.5)
    bare_cluster.resume_api_server()
    assert bare_cluster.request("GET", "/readyz") == "ok"


def test_a_server_that_is_told_to_end_refuses_connections(bare_cluster: ApiServer) -> None:
    bare_cluster.terminate_api_server()
    with pytest.raises(ConnectionRefusedError):
        bare_cluster.request("GET", "/readyz")
    bare_cluster.start_api_server()


def test_compaction_alone_leaves_a_watch_its_history(bare_cluster: ApiServer) -> None:
    before = write(bare_cluster, "first")
    write(bare_cluster, "second")
    bare_cluster.compact_etcd()
    assert [event["type"] for event in watch(bare_cluster, before)] == ["ADDED"]


def test_a_watch_from_before_the_expiry_of_history_gets_410(bare_cluster: ApiServer) -> None:
    before = write(bare_cluster, "first")
    write(bare_cluster, "second")
    bare_cluster.expire_history()
    (event,) = watch(bare_cluster, before)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_watch_from_the_very_latest_version_gets_410_as_well(bare_cluster: ApiServer) -> None:
    latest = write(bare_cluster, "last")
    bare_cluster.expire_history()
    (event,) = watch(bare_cluster, latest)
    assert event["object"]["code"] == 410


def test_a_paged_list_from_before_the_expiry_of_history_gets_410(bare_cluster: ApiServer) -> None:
    for name in "abc":
        write(bare_cluster, name)
    token = bare_cluster.request("GET", f"{CONFIGMAPS}?limit=1")["metadata"]["continue"]
    bare_cluster.expire_history()
    with pytest.raises(RequestRefusedError, match="too old") as refused:
        bare_cluster.request("GET", f"{CONFIGMAPS}?limit=1&continue={token}")
    assert refused.value.code == 410


def test_the_crds_are_accepted_without_a_warning(bare_cluster: ApiServer) -> None:
    result = bare_cluster.kubectl_result("apply", "--server-side", "-f", "-", stdin=crd.dump_yaml())
    assert (result.exit_code, result.stderr) == (0, "")
    bare_cluster.wait_crds_served()
    assert result.stdout.count("serverside-applied") == len(crd.crds())


def test_the_crds_applied_twice_change_nothing(cluster: ApiServer) -> None:
    again = cluster.kubectl("diff", "--server-side", "-f", "-", stdin=crd.dump_yaml())
    assert again == ""


def test_the_crds_are_structural(cluster: ApiServer) -> None:
    found = cluster.request("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    assert found
    for each in found:
        conditions = {condition["type"]: condition["status"] for condition in each["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}, each["metadata"]["name"]


def test_a_pool_is_stored_and_shown_in_columns(cluster: ApiServer) -> None:
    cluster.create_namespace("metallb-system")
    cluster.kubectl("apply", "-f", "-", stdin=POOL)
    shown = cluster.kubectl("get", "ipaddresspools", "-n", "metallb-system")
    assert '["192.0.2.0/24"]' in shown
    assert "AUTO ASSIGN" in shown


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        pytest.param("addresses", "10.0.0.0/8", "must be of type array", id="a text where a list belongs"),
        pytest.param("autoAssign", "yes", "must be of type boolean", id="a text where a truth value belongs"),
        pytest.param("adresses", [], "unknown field", id="a misspelt field"),
    ],
)
def test_a_pool_with_a_wrong_field_is_refused(cluster: ApiServer, field: str, value: object, told: str) -> None:
    cluster.create_namespace("metallb-system")
    pool = yaml.safe_load(POOL)
    pool["spec"][field] = value
    with pytest.raises(CommandFailedError, match=told):
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(pool))


def test_what_one_test_leaves_behind_the_next_one_does_not_find(shared: Shared) -> None:
    cluster = shared.with_crds()
    cluster.create_namespace("left-behind")
    cluster.request("DELETE", "/api/v1/namespaces/left-behind")
    write(cluster, "left-behind")
    cluster.kubectl("create", "clusterrole", "left-behind", "--verb=get", "--resource=pods")
    cluster.kubectl("apply", "-f", "-", stdin=POOL.replace("metallb-system", "default"))
    cluster.kubectl("delete", "crd", "bgppeers.metallb.io")
    cluster.pause_api_server()
    cluster = shared.with_crds()
    assert "left-behind" not in cluster.kubectl("get", "ns,configmaps,clusterroles", "-A", "-o", "name")
    assert cluster.kubectl("get", "ipaddresspools,bgppeers", "-A", "-o", "name") == ""
    cluster.kill_api_server()
    assert "metallb.io" not in shared.bare().kubectl("get", "crds", "-o", "name")


def test_a_server_that_cannot_start_leaves_nothing_behind_and_says_why(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = ApiServer(port=taken.getsockname()[1], directory=tmp_path / "cluster")
        with pytest.raises(ChildFailedError, match="address already in use"):
            server.start()
    assert not [child for child in (server._server, server._etcd.child) if child.running]
    assert (tmp_path / "cluster" / "kube-apiserver.log").read_text()


def test_a_namespace_is_gone_once_it_is_deleted(bare_cluster: ApiServer) -> None:
    bare_cluster.create_namespace("brief")
    bare_cluster.request("DELETE", "/api/v1/namespaces/brief/serviceaccounts/default")
    bare_cluster.delete_namespace("brief")
    with pytest.raises(RequestRefusedError, match="not found"):
        bare_cluster.request("GET", "/api/v1/namespaces/brief")


def test_a_second_server_stands_beside_the_first(api_server: ApiServer) -> None:
    with ApiServer() as second:
        assert second.url != api_server.url
        folder = second.folder
        assert second.request("GET", "/readyz") == "ok"
    assert not folder.exists()
    with pytest.raises(ConnectionRefusedError):
        connect(second.address, second.port, None, timeout=1)


def test_ten_thousand_services_can_be_there_at_once(bare_cluster: ApiServer) -> None:
    bare_cluster.seed("services/specs", bulk.services(10_000))
    bare_cluster.seed("endpointslices", bulk.endpoint_slices(10_000, "node-1"))
    path = "/api/v1/services?fieldSelector=metadata.namespace=default"
    assert len(bare_cluster.request("GET", path, timeout=60)["items"]) == 10_001
    assert "svc-9999-1" in bare_cluster.kubectl("get", "endpointslices", "svc-9999-1")
    # What was seeded is an object like any other: the API lets it be changed.
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    changed = bare_cluster.request(
        "PATCH", "/api/v1/namespaces/default/services/svc-77/status", status, content_type=MERGE
    )
    assert changed["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
    bare_cluster.kubectl("label", "service", "svc-77", "changed=yes")


def test_helm_installs_a_chart(bare_cluster: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: tiny, version: 1.0.0}\n")
    (tmp_path / "templates" / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-map'}\n"
    )
    installed = bare_cluster.helm("install", "first", str(tmp_path), "-n", "default")
    assert installed.ok, installed.stderr
    assert bare_cluster.request("GET", f"{CONFIGMAPS}/first-map")["metadata"]["name"] == "first-map"
