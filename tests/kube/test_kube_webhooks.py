"""The webhooks in a real API server: what `kubectl` prints, what is stored, and certificates that are kept."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from webhook_server import (
    CONFIGURATION_PATH,
    CRD_PATH,
    NAMESPACE,
    SECRET_PATH,
    bundles,
    free_port,
    options,
    prepare,
    running,
    until,
)

from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.rotation import keep_certificates
from herald.controller.webhook.world import World
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.process import Result
from herald.store.kubernetes.client import ApiClient

DEPLOY = Path(__file__).parents[2] / "deploy"
SHIPPED = ("crds/metallb.io_bgppeers.yaml", "kustomize/base/validating-webhooks.yaml", "kustomize/base/webhook.yaml")


def manifest(kind: str, name: str, spec: dict[str, Any], version: str = "v1beta1", namespace: str = NAMESPACE) -> str:
    metadata = {"name": name, "namespace": namespace}
    return json.dumps({"apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": metadata, "spec": spec})


POOL = manifest("IPAddressPool", "prod", {"addresses": ["10.0.0.0/24"]})
SERVICE = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }
)


async def kubectl(cluster: ApiServer, *words: str, stdin: str | None = None) -> Result:
    return await asyncio.to_thread(cluster.kubectl_result, *words, stdin=stdin)


async def apply(cluster: ApiServer, *texts: str) -> Result:
    return await kubectl(cluster, "apply", "-f", "-", stdin="\n---\n".join(texts))


async def test_kubectl_prints_warnings_and_refusals(cluster: ApiServer) -> None:
    port = free_port()
    prepare(cluster, port)
    async with running(cluster, options(port)):
        made = await apply(cluster, POOL)
        assert made.exit_code == 0, made.stderr
        assert "Warning: HL001 IPAddressPool prod: no advertisement selects this pool" in made.stderr

        broken = await apply(cluster, manifest("IPAddressPool", "bad", {"addresses": ["10.0.0.128/25", "10.1.0.9"]}))
        assert broken.exit_code == 1
        assert "denied the request: IPAddressPool metallb-system/bad: 2 problems:" in broken.stderr
        assert 'overlaps with already defined CIDR "10.0.0.0/24" of pool "prod"' in broken.stderr
        assert "spec.addresses[1]: invalid CIDR '10.1.0.9'" in broken.stderr

        misspelt = await apply(cluster, manifest("L2Advertisement", "all", {"ipAddressPools": ["prd"]}))
        assert misspelt.exit_code == 0
        assert (
            'Warning: HL002 L2Advertisement all: spec.ipAddressPools[0]: there is no IPAddressPool "prd"'
            in misspelt.stderr
        )
        assert 'did you mean "prod"?' in misspelt.stderr

        elsewhere = await apply(cluster, manifest("L2Advertisement", "all", {}, namespace="default"))
        assert "resource must be created in metallb-system namespace" in elsewhere.stderr

        dry = await kubectl(
            cluster, "apply", "--dry-run=server", "-f", "-", stdin=POOL.replace("10.0.0.0/24", "10.0.0.0/40")
        )
        assert dry.exit_code == 1
        assert "prefix length 40; at most 32" in dry.stderr


async def test_deleting_a_pool_in_use_prints_who_loses_an_address(cluster: ApiServer) -> None:
    port = free_port()
    prepare(cluster, port)
    async with running(cluster, options(port)):
        await apply(cluster, POOL, SERVICE)
        status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.7"}]}}})
        await kubectl(cluster, "patch", "service", "web", "--subresource=status", "--type=merge", "-p", status)
        shrunk = await apply(cluster, POOL.replace("10.0.0.0/24", "10.0.0.128/25"))
        losing = "takes the address of 1 Service: default/web (10.0.0.7)"
        assert f"Warning: this change of IPAddressPool prod {losing}" in shrunk.stderr
        await apply(cluster, POOL)
        gone = await kubectl(cluster, "delete", "-n", NAMESPACE, "ipaddresspool", "prod")
        assert gone.exit_code == 0
        assert f"Warning: deleting IPAddressPool prod {losing}" in gone.stderr


async def test_a_folder_in_one_go_leaves_no_warning_about_what_came_with_it(cluster: ApiServer) -> None:
    port = free_port()
    prepare(cluster, port)
    async with running(cluster, options(port)):
        texts = (
            POOL,
            manifest("BFDProfile", "fast", {"receiveInterval": 100}),
            manifest("Community", "names", {"communities": [{"name": "blue", "value": "65000:1"}]}),
            manifest(
                "BGPPeer", "tor", {"myASN": 1, "peerASN": 2, "peerAddress": "10.9.0.1", "bfdProfile": "fast"}, "v1beta2"
            ),
            manifest(
                "BGPAdvertisement", "all", {"ipAddressPools": ["prod"], "peers": ["tor"], "communities": ["blue"]}
            ),
        )
        made = await apply(cluster, *texts)
        assert made.exit_code == 0, made.stderr
        about = [line.split()[1] for line in made.stderr.splitlines() if line.startswith("Warning:")]
        # The pool and the peer do come before their advertisement.
        assert set(about) <= {"HL001", "HL005", "HL210"}
        again = await apply(cluster, *texts)
        assert (again.exit_code, again.stderr) == (0, "")
        refused = await kubectl(cluster, "delete", "-n", NAMESPACE, "bfdprofile", "fast")
        assert "failed to delete BFDProfile fast, used by BGPPeer tor" in refused.stderr


async def test_two_pools_of_one_file_that_overlap_are_not_both_let_through(cluster: ApiServer) -> None:
    port = free_port()
    prepare(cluster, port)
    async with running(cluster, options(port), World):  # a cache that has seen nothing yet
        made = await apply(cluster, POOL, POOL.replace('"prod"', '"copy"'))
        assert made.exit_code == 1
        assert "ipaddresspool.metallb.io/prod created" in made.stdout
        assert 'in pool "copy" overlaps with already defined CIDR "10.0.0.0/24" of pool "prod"' in made.stderr


async def test_old_peers_are_read_and_written_through_the_conversion(cluster: ApiServer) -> None:
    port = free_port()
    prepare(cluster, port)
    async with running(cluster, options(port)):
        newer = {"myASN": 1, "peerASN": 2, "peerAddress": "10.9.0.1", "holdTime": "30s", "vrf": "red"}
        await apply(cluster, manifest("BGPPeer", "tor", newer, "v1beta2"))
        read = await kubectl(cluster, "get", "-n", NAMESPACE, "bgppeers.v1beta1.metallb.io", "tor", "-o", "json")
        assert read.exit_code == 0, read.stderr
        old = json.loads(read.stdout)
        assert old["apiVersion"] == "metallb.io/v1beta1"
        assert old["spec"] == {
            "myASN": 1,
            "peerASN": 2,
            "peerAddress": "10.9.0.1",
            "peerPort": 179,
            "holdTime": "30s",
            "keepaliveTime": "0s",
            "nodeSelectors": [],
        }
        listed = await kubectl(cluster, "get", "-n", NAMESPACE, "bgppeers.v1beta1.metallb.io", "-o", "yaml")
        assert "apiVersion: metallb.io/v1beta1" in listed.stdout
        written = await apply(
            cluster, manifest("BGPPeer", "old", {"myASN": 1, "peerASN": 2, "peerAddress": "10.9.0.2"}, "v1beta1")
        )
        assert written.exit_code == 0, written.stderr
        assert "v1beta1 is deprecated, please use v1beta2" in written.stderr
        spec = cluster.request("GET", f"/apis/metallb.io/v1beta2/namespaces/{NAMESPACE}/bgppeers/old")["spec"]
        assert (spec["holdTime"], spec["keepaliveTime"], spec["peerPort"]) == ("0s", "0s", 179)
        over = await apply(
            cluster, manifest("BGPPeer", "tor", {"myASN": 1, "peerASN": 2, "peerAddress": "10.9.0.1"}, "v1beta1")
        )
        assert "Warning: BGPPeer tor: v1beta1 has no vrf: this update takes it away" in over.stderr


async def test_a_ca_bundle_that_somebody_takes_out_is_put_back(cluster: ApiServer) -> None:
    port = free_port()
    prepare(cluster, port)
    async with running(cluster, options(port)):
        (right,) = bundles(cluster)
        assert right == cluster.request("GET", SECRET_PATH)["data"]["ca.crt"]
        for path, place in (
            (CONFIGURATION_PATH, "/webhooks/0/clientConfig/caBundle"),
            (CRD_PATH, "/spec/conversion/webhook/clientConfig/caBundle"),
        ):
            patch = [{"op": "remove", "path": place}]
            cluster.request("PATCH", path, patch, content_type="application/json-patch+json")
            await until(lambda: bundles(cluster) == {right})


async def test_a_secret_that_is_emptied_is_filled_again_and_no_request_fails(cluster: ApiServer) -> None:
    port = free_port()
    prepare(cluster, port)
    async with running(cluster, options(port)):
        before = cluster.request("GET", SECRET_PATH)["data"]
        cluster.request("PATCH", SECRET_PATH, {"data": None}, content_type="application/merge-patch+json")
        outcomes = []
        for number in range(25):
            outcomes.append(await apply(cluster, manifest("L2Advertisement", f"a{number}", {})))
            await asyncio.sleep(0.1)
        assert [each.stderr for each in outcomes if each.exit_code] == []
        after = cluster.request("GET", SECRET_PATH)["data"]
        assert after["tls.crt"] != before["tls.crt"]
        assert bundles(cluster) == {after["ca.crt"]}


async def test_two_replicas_agree_on_one_certificate(cluster: ApiServer) -> None:
    first, second = free_port(), free_port()
    prepare(cluster, first)
    async with running(cluster, options(first)), running(cluster, options(second)):
        stored = cluster.request("GET", SECRET_PATH)
        await asyncio.sleep(3)
        assert (
            cluster.request("GET", SECRET_PATH)["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
        )
        assert bundles(cluster) == {stored["data"]["ca.crt"]}
    # Both at once, from an empty Secret.
    cluster.request("PATCH", SECRET_PATH, {"data": None}, content_type="application/merge-patch+json")
    one, other = options(free_port()), options(free_port())
    async with asyncio.TaskGroup() as group:
        for wanted in (one, other):
            group.create_task(_for_a_moment(cluster, wanted))
    assert bundles(cluster) == {cluster.request("GET", SECRET_PATH)["data"]["ca.crt"]}


async def test_replicas_whose_clocks_are_years_apart_do_not_renew_by_turns(cluster: ApiServer) -> None:
    prepare(cluster, free_port())
    seen: set[str] = set()

    async def put(certificate: bytes, key: bytes) -> None:
        seen.add(cluster.request("GET", SECRET_PATH)["metadata"]["resourceVersion"])

    client = ApiClient.connect(cluster.admin_kubeconfig)
    clocks = [lambda: datetime.now(UTC), lambda: datetime.now(UTC) + timedelta(days=8000)]
    keeping = [
        asyncio.create_task(keep_certificates(client, options(9443), put, Readiness(), clock)) for clock in clocks
    ]
    done, _ = await asyncio.wait(keeping, timeout=15)
    for task in keeping:
        task.cancel()
    await asyncio.wait(keeping)
    await client.close()
    assert not done
    assert 2 <= len(seen) <= 4


async def _for_a_moment(cluster: ApiServer, wanted: Any) -> None:
    async with running(cluster, wanted):
        await asyncio.sleep(2)


async def test_a_certificate_of_the_operator_is_served_and_followed(cluster: ApiServer, tmp_path: Any) -> None:
    port = free_port()
    prepare(cluster, port)
    pair = cluster.serving_certificate("webhook", ["127.0.0.1"])
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    (tmp_path / "tls.key").write_bytes(pair.key)
    authority = base64.b64encode(cluster.ca.read_bytes()).decode()
    hooks = cluster.request("GET", CONFIGURATION_PATH)["webhooks"]
    for hook in hooks:
        hook["clientConfig"]["caBundle"] = authority
    cluster.request("PATCH", CONFIGURATION_PATH, {"webhooks": hooks}, content_type="application/merge-patch+json")
    async with running(cluster, options(port, rotate=False, cert_dir=tmp_path)):
        refused = await apply(cluster, POOL.replace("10.0.0.0/24", "nowhere"))
        assert "denied the request" in refused.stderr
    assert "data" not in cluster.request("GET", SECRET_PATH)


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
async def test_without_a_webhook_the_failure_policy_decides_and_the_schema_still_refuses(
    cluster: ApiServer, policy: str
) -> None:
    prepare(cluster, free_port(), policy)
    made = await apply(cluster, POOL)
    assert (made.exit_code == 0) is (policy == "Ignore")
    if policy == "Fail":
        assert "ipaddresspoolvalidationwebhook.metallb.io" in made.stderr
    wrong = await apply(cluster, manifest("BGPPeer", "tor", {"myASN": -1, "peerASN": 2, "peerAddress": "a"}, "v1beta2"))
    assert "spec.myASN" in wrong.stderr


async def test_without_a_webhook_everything_can_be_deleted_whatever_the_policy(cluster: ApiServer) -> None:
    port = free_port()
    prepare(cluster, port, "Fail")
    peer = {"myASN": 1, "peerASN": 2, "peerAddress": "10.9.0.1", "bfdProfile": "fast"}
    texts = (
        POOL,
        manifest("BFDProfile", "fast", {"receiveInterval": 100}),
        manifest("BGPPeer", "tor", peer, "v1beta2"),
        manifest("L2Advertisement", "all", {}),
        manifest("BGPAdvertisement", "all", {}),
        manifest("Community", "names", {"communities": [{"name": "blue", "value": "65000:1"}]}),
    )
    async with running(cluster, options(port)):
        assert (await apply(cluster, *texts)).exit_code == 0
    gone = await kubectl(cluster, "delete", "-f", "-", "--wait=false", stdin="\n---\n".join(texts))
    assert (gone.exit_code, gone.stdout.count("deleted")) == (0, len(texts)), gone.stderr


@pytest.mark.parametrize("words", [("apply",), ("apply", "--server-side")], ids=["client-side", "server-side"])
async def test_a_gitops_tool_neither_sees_nor_takes_out_the_ca_bundle(
    bare_cluster: ApiServer, words: tuple[str, ...]
) -> None:
    cluster, port = bare_cluster, free_port()
    cluster.create_namespace(NAMESPACE)
    shipped = "\n---\n".join((DEPLOY / name).read_text() for name in SHIPPED)
    first = await kubectl(cluster, *words, "-f", "-", stdin=shipped)
    assert (first.exit_code, first.stderr) == (0, "")
    cluster.wait_crds_served()
    async with running(cluster, options(port), World):
        right = bundles(cluster)
        assert right == {cluster.request("GET", SECRET_PATH)["data"]["ca.crt"]}
        for _ in range(2):
            differing = await kubectl(cluster, "diff", *words[1:], "-f", "-", stdin=shipped)
            assert (differing.exit_code, differing.stdout) == (0, "")
            again = await kubectl(cluster, *words, "-f", "-", stdin=shipped)
            assert (again.exit_code, again.stderr) == (0, "")
            assert bundles(cluster) == right
