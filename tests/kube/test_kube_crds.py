"""The CRDs in a real API server: accepted without a warning, applied twice without a difference, and they refuse."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shared_cluster import Shared

from herald.api import crd
from herald.lab.kubernetes.api_server import ApiServer

NAMESPACE = "metallb-system"
PEERS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgppeers.metallb.io"
JSON_PATCH = "application/json-patch+json"
FOLDERS = sorted(
    folder
    for folder in (Path(__file__).parents[2] / "src/herald/lab/manifests").iterdir()
    if any(folder.glob("*.yaml"))
)


def inject(cluster: ApiServer) -> None:
    """Write a caBundle, as the controller does."""
    bundle = base64.b64encode(cluster.ca.read_bytes()).decode()
    operation = {"op": "add", "path": "/spec/conversion/webhook/clientConfig/caBundle", "value": bundle}
    cluster.request("PATCH", f"{PEERS}?fieldManager=herald-controller", [operation], content_type=JSON_PATCH)


@pytest.mark.parametrize("words", [("apply",), ("apply", "--server-side")], ids=["client-side", "server-side"])
@pytest.mark.parametrize("webhooks", [True, False], ids=["with webhooks", "without"])
def test_crds_are_applied_without_a_warning_and_twice_without_a_difference(
    bare_cluster: ApiServer, words: tuple[str, ...], webhooks: bool
) -> None:
    text = crd.dump_yaml(webhooks=webhooks)
    for _ in range(2):
        applied = bare_cluster.kubectl_result(*words, "-f", "-", stdin=text)
        assert (applied.exit_code, applied.stderr) == (0, "")
        if webhooks:
            inject(bare_cluster)
        differing = bare_cluster.kubectl_result("diff", *words[1:], "-f", "-", stdin=text)
        assert (differing.exit_code, differing.stdout) == (0, "")
    if webhooks:
        conversion = bare_cluster.request("GET", PEERS)["spec"]["conversion"]
        assert conversion["webhook"]["clientConfig"]["caBundle"]
    else:
        bare_cluster.wait_crds_served()


@pytest.mark.parametrize("words", [("apply",), ("apply", "--server-side")], ids=["client-side", "server-side"])
def test_a_cluster_may_give_up_the_webhook_as_the_help_says(bare_cluster: ApiServer, words: tuple[str, ...]) -> None:
    bare_cluster.kubectl(*words, "-f", "-", stdin=crd.dump_yaml())
    inject(bare_cluster)
    if "--server-side" in words:
        patch = '[{"op":"remove","path":"/spec/conversion"}]'
        bare_cluster.kubectl("patch", "crd", "bgppeers.metallb.io", "--type=json", "-p", patch)
    without = bare_cluster.kubectl_result(*words, "-f", "-", stdin=crd.dump_yaml(webhooks=False))
    assert without.exit_code == 0, without.stderr
    assert bare_cluster.request("GET", PEERS)["spec"]["conversion"] == {"strategy": "None"}
    force = [f"--force-conflicts={str('--server-side' in words).lower()}"]
    again = bare_cluster.kubectl_result(*words, *force, "-f", "-", stdin=crd.dump_yaml())
    assert again.exit_code == 0, again.stderr
    assert bare_cluster.request("GET", PEERS)["spec"]["conversion"]["strategy"] == "Webhook"


def test_old_peers_work_without_the_webhook(bare_cluster: ApiServer) -> None:
    bare_cluster.kubectl("apply", "--server-side", "-f", "-", stdin=crd.dump_yaml(webhooks=False))
    bare_cluster.wait_crds_served()
    bare_cluster.create_namespace(NAMESPACE)
    old = thing("BGPPeer", "v1beta1", {"myASN": 1, "peerASN": 2, "peerAddress": "10.9.0.1"})
    bare_cluster.kubectl("apply", "-f", "-", stdin=json.dumps(old))
    for version in ("v1beta1", "v1beta2"):
        read = bare_cluster.request("GET", f"/apis/metallb.io/{version}/namespaces/{NAMESPACE}/bgppeers/x")
        assert (read["apiVersion"], read["spec"]["peerAddress"]) == (f"metallb.io/{version}", "10.9.0.1")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("words", [("apply",), ("apply", "--server-side")], ids=["client-side", "server-side"])
def test_a_gitops_tool_sees_no_difference_in_the_manifests_of_the_how_tos(
    cluster: ApiServer, folder: Path, words: tuple[str, ...]
) -> None:
    cluster.create_namespace(NAMESPACE)
    for path in sorted(folder.glob("*.yaml")):
        # Some files are later versions of what others hold: each is compared before the next one.
        applied = cluster.kubectl_result(*words, "-f", str(path))
        assert (applied.exit_code, applied.stderr) == (0, "")
        set_statuses(cluster)
        differing = cluster.kubectl_result("diff", *words[1:], "-f", str(path))
        assert (differing.exit_code, differing.stdout) == (0, "")


def set_statuses(cluster: ApiServer) -> None:
    """What Herald writes beside the manifests."""
    counters = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 9, "availableIPv6": 0}
    for plural, version, status in (
        ("ipaddresspools", "v1beta1", counters),
        ("bgppeers", "v1beta2", {"sessions": "2/3", "sessionsUp": 2, "sessionsWanted": 3}),
    ):
        kind = f"/apis/metallb.io/{version}/namespaces/{NAMESPACE}/{plural}"
        for each in cluster.request("GET", kind)["items"]:
            path = f"{kind}/{each['metadata']['name']}/status?fieldManager=herald-controller"
            written = cluster.request("PATCH", path, {"status": status}, content_type="application/merge-patch+json")
            assert written["status"] == status


def thing(kind: str, version: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": NAMESPACE}
    return {"apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}


PEER = {"myASN": 1, "peerASN": 2, "peerAddress": "10.9.0.1"}
ADDRESSES = {"addresses": ["10.0.0.0/24"]}
SELECTOR = {"matchLabels": {"a": "b"}}


def refusals() -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """(kind, version, spec, part of the answer): every bound, enum, required field and CEL rule that a spec has."""
    yield "IPAddressPool", "v1beta1", {}, "spec.addresses: Required value"
    yield "IPAddressPool", "v1beta1", {**ADDRESSES, "autoAssign": "yes"}, "spec.autoAssign"
    yield "L2Advertisement", "v1beta1", {"preferredNodeSelectors": [{"preference": {}}]}, "weight: Required value"
    for weight in (0, 101):
        entry = {"weight": weight, "preference": {}}
        yield "L2Advertisement", "v1beta1", {"preferredNodeSelectors": [entry]}, "spec.preferredNodeSelectors[0].weight"
    yield "BGPAdvertisement", "v1beta1", {"aggregationLength": 0}, "greater than or equal to 1"
    exclusive = "serviceSelectors and aggregationLength are mutually exclusive"
    yield "BGPAdvertisement", "v1beta1", {"serviceSelectors": [SELECTOR], "aggregationLength": 24}, exclusive
    yield "BGPAdvertisement", "v1beta1", {"serviceSelectors": [SELECTOR], "aggregationLengthV6": 64}, exclusive
    yield "BGPAdvertisement", "v1beta1", {"localPref": 2**31}, "spec.localPref"
    for count in (0, 11):
        yield "BGPAdvertisement", "v1beta1", {"asPrepend": {"count": count}}, "spec.asPrepend.count"
    for field, values in (
        ("myASN", (-1, 2**32)),
        ("peerASN", (-1, 2**32)),
        ("localASN", (0, 2**32)),
        ("peerPort", (0, 16385)),
        ("dynamicASN", ("both",)),
    ):
        for value in values:
            yield "BGPPeer", "v1beta2", {**PEER, field: value}, f"spec.{field}"
    yield "BGPPeer", "v1beta2", {"peerASN": 2}, "spec.myASN: Required value"
    between = "connect time should be between 1 seconds to 65535"
    yield "BGPPeer", "v1beta2", {**PEER, "connectTime": "0s"}, between
    yield "BGPPeer", "v1beta2", {**PEER, "connectTime": "65536s"}, between
    yield "BGPPeer", "v1beta2", {**PEER, "connectTime": "1.5s"}, "connect time should contain a whole number of seconds"
    late = {"enabled": True, "restartTime": "4096s"}
    yield "BGPPeer", "v1beta2", {**PEER, "gracefulRestart": late}, "restart time must be between 1 and 4095 seconds"
    for field, bounds in (
        ("receiveInterval", (9, 60001)),
        ("transmitInterval", (9, 60001)),
        ("echoInterval", (9, 60001)),
        ("detectMultiplier", (1, 256)),
        ("minimumTtl", (0, 255)),
    ):
        for value in bounds:
            yield "BFDProfile", "v1beta1", {field: value}, f"spec.{field}"


@pytest.fixture(scope="module")
def schema_cluster(shared: Shared) -> ApiServer:
    """One state for all refusals: nothing of them is stored."""
    cluster = shared.with_crds()
    cluster.create_namespace(NAMESPACE)
    return cluster


@pytest.mark.parametrize(
    ("kind", "version", "spec", "part"), [*refusals()], ids=[f"{row[0]} {json.dumps(row[2])}" for row in refusals()]
)
def test_the_schema_refuses_by_itself(
    schema_cluster: ApiServer, kind: str, version: str, spec: dict[str, Any], part: str
) -> None:
    text = json.dumps(thing(kind, version, spec))
    refused = schema_cluster.kubectl_result("create", "--dry-run=server", "-f", "-", stdin=text)
    assert refused.exit_code == 1
    assert part in refused.stderr


def test_graceful_restart_cannot_be_turned_over(cluster: ApiServer) -> None:
    cluster.create_namespace(NAMESPACE)
    on = json.dumps(thing("BGPPeer", "v1beta2", {**PEER, "enableGracefulRestart": True}))
    cluster.kubectl("apply", "-f", "-", stdin=on)
    off = cluster.kubectl_result("apply", "-f", "-", stdin=on.replace("true", "false"))
    assert "EnableGracefulRestart cannot be changed after creation" in off.stderr


def test_defaults_are_filled_in_and_nothing_else(cluster: ApiServer) -> None:
    cluster.create_namespace(NAMESPACE)
    given = {
        ("IPAddressPool", "v1beta1", "ipaddresspools"): (ADDRESSES, {"autoAssign": True, "avoidBuggyIPs": False}),
        ("BGPAdvertisement", "v1beta1", "bgpadvertisements"): (
            {},
            {"aggregationLength": 32, "aggregationLengthV6": 128},
        ),
        ("BGPPeer", "v1beta2", "bgppeers"): (
            PEER,
            {"peerPort": 179, "disableMP": False, "dualStackAddressFamily": False},
        ),
        ("BFDProfile", "v1beta1", "bfdprofiles"): ({}, {}),
        ("L2Advertisement", "v1beta1", "l2advertisements"): ({}, {}),
    }
    for (kind, version, plural), (spec, defaults) in given.items():
        path = f"/apis/metallb.io/{version}/namespaces/{NAMESPACE}/{plural}"
        stored = cluster.request("POST", path, thing(kind, version, spec))
        assert stored["spec"] == {**spec, **defaults}


def test_kubectl_prints_the_columns(cluster: ApiServer) -> None:
    cluster.create_namespace(NAMESPACE)
    for each in (thing("BGPPeer", "v1beta2", PEER), thing("IPAddressPool", "v1beta1", ADDRESSES)):
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(each))
    peers = cluster.kubectl("get", "-n", NAMESPACE, "bgppeers").splitlines()
    assert peers[0].split()[:3] == ["NAME", "ADDRESS", "ASN"]
    assert peers[1].split()[:3] == ["x", "10.9.0.1", "2"]
    pools = cluster.kubectl("get", "-n", NAMESPACE, "ipaddresspools").splitlines()
    assert " ".join(pools[0].split()) == "NAME AUTO ASSIGN AVOID BUGGY IPS ADDRESSES"
    assert pools[1].split() == ["x", "true", "false", '["10.0.0.0/24"]']


@pytest.mark.parametrize("kind", ["ipaddresspool.spec.addresses", "bgppeer.spec.connectTime", "bfdprofile.spec"])
def test_kubectl_explains_every_field(cluster: ApiServer, kind: str) -> None:
    text = cluster.kubectl("explain", kind)
    assert "DESCRIPTION:" in text
    assert "<empty>" not in text
