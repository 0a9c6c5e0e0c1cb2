"""What the shipped roles let the controller do is what the webhooks need: each verb that is missing is named."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from webhook_server import CONFIGURATION_PATH, NAMESPACE, SECRET_PATH, bundles, free_port, options, prepare, until

from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.server import run_webhooks
from herald.controller.webhook.world import World
from herald.lab.kubernetes.api_server import ApiServer
from herald.store.kubernetes.client import ApiClient

ROLES = Path(__file__).parents[2] / "deploy/kustomize/base/roles.yaml"


def shipped() -> list[dict[str, Any]]:
    """The controller's ClusterRole and Role."""
    documents = yaml.safe_load_all(ROLES.read_text())
    return [each for each in documents if each["metadata"]["name"] in ("metallb-system:controller", "controller")]


def without(roles: list[dict[str, Any]], resource: str, verb: str, only_named: bool) -> list[dict[str, Any]]:
    for role in roles:
        for rule in role["rules"]:
            if resource in rule["resources"] and (not only_named or "resourceNames" in rule):
                rule["verbs"] = [each for each in rule["verbs"] if each != verb]
        role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
    return roles


def grant(cluster: ApiServer, roles: list[dict[str, Any]]) -> Path:
    """The kubeconfig of a service account with these roles."""
    cluster.create_service_account(NAMESPACE, "controller")
    for role in roles:
        kind = role["kind"]
        binding: dict[str, Any] = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": "webhooks", **({"namespace": NAMESPACE} if kind == "Role" else {})},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role["metadata"]["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": "controller", "namespace": NAMESPACE}],
        }
        cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([role, binding]))
    return cluster.service_account_kubeconfig(NAMESPACE, "controller")


async def test_the_shipped_roles_are_enough(cluster: ApiServer) -> None:
    port = free_port()
    prepare(cluster, port)
    client = ApiClient.connect(grant(cluster, shipped()), field_manager="herald-controller")
    readiness = Readiness()
    task = asyncio.create_task(run_webhooks(options(port), client, World, readiness))
    await until(lambda: readiness.ready() is None, within=20)
    right = bundles(cluster)
    assert right == {cluster.request("GET", SECRET_PATH)["data"]["ca.crt"]}
    patch = [{"op": "remove", "path": "/webhooks/1/clientConfig/caBundle"}]
    cluster.request("PATCH", CONFIGURATION_PATH, patch, content_type="application/json-patch+json")
    await until(lambda: bundles(cluster) == right)  # the watches are allowed, too
    task.cancel()
    await asyncio.wait([task])
    await client.close()


@pytest.mark.parametrize(
    ("resource", "verb"),
    [
        ("validatingwebhookconfigurations", "get"),
        ("validatingwebhookconfigurations", "patch"),
        ("customresourcedefinitions", "get"),
        ("customresourcedefinitions", "patch"),
        ("secrets", "get"),
        ("secrets", "update"),
    ],
)
async def test_a_missing_right_is_named_by_readyz(cluster: ApiServer, resource: str, verb: str) -> None:
    port = free_port()
    prepare(cluster, port)
    client = ApiClient.connect(grant(cluster, without(shipped(), resource, verb, only_named=True)))
    readiness = Readiness()
    task = asyncio.create_task(run_webhooks(options(port), client, World, readiness))
    await until(lambda: f'cannot {verb} resource "{resource}"' in str(readiness.ready()), within=20)
    assert "the webhooks have no certificate yet" in str(readiness.ready())
    task.cancel()
    await asyncio.wait([task])
    await client.close()


@pytest.mark.parametrize("resource", ["validatingwebhookconfigurations", "customresourcedefinitions"])
async def test_a_missing_watch_is_said_in_the_log(
    cluster: ApiServer, caplog: pytest.LogCaptureFixture, resource: str
) -> None:
    port = free_port()
    prepare(cluster, port)
    client = ApiClient.connect(grant(cluster, without(shipped(), resource, "watch", only_named=True)))
    task = asyncio.create_task(run_webhooks(options(port), client, World, Readiness()))
    await until(lambda: f'cannot watch resource "{resource}"' in caplog.text, within=20)
    task.cancel()
    await asyncio.wait([task])
    await client.close()
