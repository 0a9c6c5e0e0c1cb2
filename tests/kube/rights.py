"""The rights that deploy/ ships, one by one, and a cluster in which any of them can be taken away."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from herald.lab.kubernetes.api_server import ApiServer

BASE = Path(__file__).parents[2] / "deploy" / "kustomize" / "base"
NAMESPACE = "metallb-system"
ACCOUNTS = {
    "metallb-system:controller": "controller",
    "metallb-system:speaker": "speaker",
    "controller": "controller",
    "pod-lister": "speaker",
}
"""Whom each role is for."""
MANIFESTS = ("namespace", "service-accounts", "roles", "bindings", "webhook", "validating-webhooks", "controller")
RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
POLL_S = 0.01
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb for one resource (`services/status`), of objects of one name if `name` is not empty."""

    role: str
    is_cluster_wide: bool
    group: str
    resource: str
    verb: str
    name: str = ""

    @property
    def account(self) -> str:
        return ACCOUNTS[self.role]

    @property
    def refusal(self) -> str:
        """What the API server says to who lacks it."""
        return f'cannot {self.verb} resource "{self.resource}" in API group "{self.group}"'

    @property
    def rule(self) -> dict[str, list[str]]:
        rule = {"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb]}
        return {**rule, "resourceNames": [self.name]} if self.name else rule

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        return f"{self.account}: {self.verb} {self.resource}{name}"


def shipped() -> tuple[Right, ...]:
    """All of them."""
    roles = yaml.safe_load_all((BASE / "roles.yaml").read_text(encoding="utf-8"))
    return tuple(right for role in roles for right in _rights(role))


def _rights(role: dict[str, Any]) -> Iterator[Right]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames", [""]):
                        is_cluster_wide = role["kind"] == "ClusterRole"
                        yield Right(role["metadata"]["name"], is_cluster_wide, group, resource, verb, name)


class Granted:
    """An API server whose service accounts have the shipped rights, but for one at a time."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self._missing: Right | None = None
        for name in MANIFESTS:
            server.kubectl("apply", "-f", str(BASE / f"{name}.yaml"))
        self._kubeconfigs = {
            account: server.service_account_kubeconfig(NAMESPACE, account) for account in ("controller", "speaker")
        }

    def kubeconfig(self, account: str) -> Path:
        return self._kubeconfigs[account]

    def without(self, missing: Right | None) -> None:
        """Take away this right, and give back the one that was missing."""
        changed = {right for right in (missing, self._missing) if right is not None}
        for right in changed:
            given = [each.rule for each in shipped() if each.role == right.role and each != missing]
            scope = "" if right.is_cluster_wide else f"/namespaces/{NAMESPACE}"
            path = f"{RBAC}{scope}/{'clusterroles' if right.is_cluster_wide else 'roles'}/{right.role}"
            self.server.request("PATCH", path, {"rules": given}, content_type="application/merge-patch+json")
        for right in changed:
            self._wait(right, right != missing)
        self._missing = missing

    def _wait(self, right: Right, wanted: bool) -> None:
        """The authoriser learns of roles by a watch of its own."""
        resource, _, subresource = right.resource.partition("/")
        attributes = {"group": right.group, "resource": resource, "subresource": subresource, "verb": right.verb}
        attributes |= {"name": right.name, "namespace": "" if right.is_cluster_wide else NAMESPACE}
        user = f"system:serviceaccount:{NAMESPACE}:{right.account}"
        review = {"spec": {"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes}}
        deadline = time.monotonic() + PATIENCE_S
        while self.server.request("POST", REVIEWS, review)["status"]["allowed"] is not wanted:
            assert time.monotonic() < deadline, f"{right} does not become {wanted}"
            time.sleep(POLL_S)
