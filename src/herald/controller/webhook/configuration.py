"""The ValidatingWebhookConfiguration: what the API server asks us about.

As MetalLB's, so that either controller can serve the other's, but for deletions. Those are asked about for every kind,
not for BFDProfiles alone: nothing else is refused then, but who loses what is told. They have an entry of their own
that never keeps anything from being deleted while no controller answers: `kubectl delete namespace` takes the
controller first, and would wait for ever for its answers about the rest.
"""

from typing import Any, TypeAlias

from herald.api.crd import DEFAULT_NAMESPACE, WEBHOOK_SERVICE
from herald.api.scheme import GROUP
from herald.controller.webhook.options import CONFIGURATION

TIMEOUT_S = 10
DELETION_TIMEOUT_S = 5
DELETION = f"deletionvalidationwebhook.{GROUP}"
DELETION_PATH = "/validate-metallb-io-deletion"
_Asked: TypeAlias = tuple[str, str, str, tuple[str, ...]]
_HOOKS: tuple[_Asked, ...] = (
    ("bfdprofile", "v1beta1", "bfdprofiles", ("CREATE",)),
    ("bgpadvertisement", "v1beta1", "bgpadvertisements", ("CREATE", "UPDATE")),
    ("bgppeer", "v1beta2", "bgppeers", ("CREATE", "UPDATE")),
    ("community", "v1beta1", "communities", ("CREATE", "UPDATE")),
    ("ipaddresspool", "v1beta1", "ipaddresspools", ("CREATE", "UPDATE")),
    ("l2advertisement", "v1beta1", "l2advertisements", ("CREATE", "UPDATE")),
)
_PLURAL_NAMED = frozenset({"bgppeer"})
"""MetalLB's manifests call this one entry by the plural."""


def webhook_configuration(
    namespace: str = DEFAULT_NAMESPACE, *, failure_policy: str = "Fail", service: str = WEBHOOK_SERVICE
) -> dict[str, Any]:
    """The object, without the caBundle: that is written into it by `rotation`. `failure_policy`: Fail or Ignore."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION},
        "webhooks": [
            *(_hook(hook, failure_policy, {"name": service, "namespace": namespace}) for hook in _HOOKS),
            _deletion({"name": service, "namespace": namespace}),
        ],
    }


def _hook(asked: _Asked, failure_policy: str, service: dict[str, str]) -> dict[str, Any]:
    kind, version, plural, operations = asked
    return {
        "name": f"{plural if kind in _PLURAL_NAMED else kind}validationwebhook.{GROUP}",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {**service, "path": f"/validate-metallb-io-{version}-{kind}"}},
        "failurePolicy": failure_policy,
        "rules": [_rule(version, plural, operations)],
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_S,
    }


def _deletion(service: dict[str, str]) -> dict[str, Any]:
    return {
        "name": DELETION,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {**service, "path": DELETION_PATH}},
        "failurePolicy": "Ignore",
        "rules": [_rule(version, plural, ("DELETE",)) for _, version, plural, _ in _HOOKS],
        "sideEffects": "None",
        "timeoutSeconds": DELETION_TIMEOUT_S,
    }


def _rule(version: str, plural: str, operations: tuple[str, ...]) -> dict[str, Any]:
    return {
        "apiGroups": [GROUP],
        "apiVersions": [version],
        "operations": list(operations),
        "resources": [plural],
        # The default, written out: rules are compared as a whole, and a GitOps tool would always see a difference.
        "scope": "*",
    }
