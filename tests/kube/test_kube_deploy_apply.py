"""deploy/ on a real API server: by kubectl, by helm, and where MetalLB runs already.

There is no kubelet, so pods are admitted and not started.
"""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_rendering import CHART, NAMESPACE, Document, container, done, kustomized, named, run

from herald.cli import manifests
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.process import Result

MONITORING = "monitoring.coreos.com/v1"
RELEASE = ("metallb", CHART, "--namespace", NAMESPACE)
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
KEY = base64.b64encode(b"mLkXyDPaVJ6yCMVQDQuV0w").decode()
POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: production, namespace: metallb-system}
spec: {addresses: [192.0.2.0/28]}
"""


def _apply(server: ApiServer, text: str, *options: str) -> Result:
    return server.kubectl_result("apply", "--validate=strict", *options, "-f", "-", stdin=text)


def _workload(server: ApiServer, plural: str, name: str) -> Document:
    found: Document = server.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/{plural}/{name}")
    return found


def _secret(server: ApiServer, name: str) -> dict[str, str]:
    data: dict[str, str] = server.request("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}").get("data", {})
    return data


def _fill(server: ApiServer, bundle: str = "Q0E=") -> None:
    """What a controller does after an installation."""
    secret = {"data": {"tls.crt": "Y2VydA==", "ca.crt": bundle}}
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/metallb-webhook-cert"
    server.request("PATCH", path, secret, content_type="application/merge-patch+json")
    configuration = server.request("GET", f"{CONFIGURATIONS}/metallb-webhook-configuration")
    places = [f"/webhooks/{index}/clientConfig/caBundle" for index in range(len(configuration["webhooks"]))]
    patch = [{"op": "add", "path": place, "value": bundle} for place in places]
    path = f"{CONFIGURATIONS}/metallb-webhook-configuration"
    server.request("PATCH", path, patch, content_type="application/json-patch+json")


def _filled(server: ApiServer) -> tuple[dict[str, str], set[str]]:
    configuration = server.request("GET", f"{CONFIGURATIONS}/metallb-webhook-configuration")
    bundles = {webhook["clientConfig"].get("caBundle", "") for webhook in configuration["webhooks"]}
    return _secret(server, "metallb-webhook-cert"), bundles


@pytest.fixture
def installed(bare_cluster: ApiServer) -> ApiServer:
    """An API server to which `herald manifests` was applied."""
    assert _apply(bare_cluster, manifests.dump_yaml()).ok
    return bare_cluster


def test_applying_the_manifests_twice_changes_nothing(installed: ApiServer) -> None:
    result = _apply(installed, manifests.dump_yaml())
    assert result.ok, result.stderr
    assert [line for line in result.stdout.splitlines() if not line.endswith(" unchanged")] == []


def test_the_manifests_are_admitted_without_a_warning(bare_cluster: ApiServer) -> None:
    result = _apply(bare_cluster, manifests.dump_yaml(), "--server-side")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_second_apply_keeps_what_the_controller_has_written(installed: ApiServer) -> None:
    _fill(installed)
    before = _filled(installed)
    assert _apply(installed, manifests.dump_yaml()).ok
    assert _filled(installed) == before
    assert before[1] == {"Q0E="}


@pytest.mark.parametrize("overlay", ["networkpolicies", "two-controllers", "without-webhooks", "prometheus"])
def test_every_overlay_is_admitted(installed: ApiServer, overlay: str) -> None:
    # The Prometheus Operator's kinds are not there; everything else of that overlay is.
    found = [each for each in kustomized(overlay) if each["apiVersion"] != MONITORING]
    result = _apply(installed, yaml.safe_dump_all(found), "--dry-run=server")
    assert result.ok, result.stderr


# Pod Security.


def _pod(found: list[Document], kind: str, name: str) -> str:
    template = named(found, kind, name)["spec"]["template"]
    metadata = {**template["metadata"], "name": name, "namespace": NAMESPACE}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})


def _admit(server: ApiServer, level: str, pod: str) -> Result:
    server.kubectl("label", "namespace", NAMESPACE, f"pod-security.kubernetes.io/enforce={level}", "--overwrite")
    return _apply(server, pod, "--dry-run=server")


def test_the_controller_is_admitted_where_pods_are_restricted(installed: ApiServer) -> None:
    result = _admit(installed, "restricted", _pod(kustomized("base"), "Deployment", "controller"))
    assert result.ok, result.stderr


def test_the_speaker_is_admitted_in_its_namespace(installed: ApiServer) -> None:
    assert _apply(installed, _pod(kustomized("base"), "DaemonSet", "speaker"), "--dry-run=server").ok


def test_what_keeps_the_speaker_from_the_level_baseline_is_its_job(installed: ApiServer) -> None:
    result = _admit(installed, "baseline", _pod(kustomized("base"), "DaemonSet", "speaker"))
    assert not result.ok
    reasons = result.stderr.partition('violates PodSecurity "baseline:latest": ')[2]
    assert "host namespaces (hostNetwork=true)" in reasons
    assert "non-default capabilities" in reasons
    assert "hostPort" in reasons
    assert "privileged" not in reasons
    assert "hostPath" not in reasons


# In MetalLB's place.

METALLB = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {NAMESPACE}, labels: {{pod-security.kubernetes.io/enforce: privileged}}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: controller, namespace: {NAMESPACE}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: "metallb-system:speaker"}}
rules:
  - {{apiGroups: [metallb.io], resources: [servicel2statuses], verbs: ["*"]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: "metallb-system:speaker"}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "metallb-system:speaker"}}
subjects: [{{kind: ServiceAccount, name: speaker, namespace: {NAMESPACE}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: pod-lister, namespace: {NAMESPACE}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: pod-lister}}
subjects:
  - {{kind: ServiceAccount, name: speaker, namespace: {NAMESPACE}}}
  - {{kind: ServiceAccount, name: controller, namespace: {NAMESPACE}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: metallb-excludel2, namespace: {NAMESPACE}}}
data: {{excludel2.yaml: "announcedInterfacesToExclude: []"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: metallb-webhook-cert, namespace: {NAMESPACE}}}
---
apiVersion: v1
kind: Service
metadata: {{name: metallb-webhook-service, namespace: {NAMESPACE}}}
spec: {{ports: [{{port: 443, targetPort: 9443}}], selector: {{component: controller}}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: metallb-webhook-configuration}}
webhooks:
  - name: ipaddresspoolvalidationwebhook.metallb.io
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Ignore
    clientConfig:
      service:
        name: metallb-webhook-service
        namespace: {NAMESPACE}
        path: /validate-metallb-io-v1beta1-ipaddresspool
    rules:
      - {{apiGroups: [metallb.io], apiVersions: [v1beta1], operations: [CREATE, UPDATE], resources: [ipaddresspools]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: controller, namespace: {NAMESPACE}, labels: {{app: metallb, component: controller}}}}
spec:
  selector: {{matchLabels: {{app: metallb, component: controller}}}}
  template:
    metadata: {{labels: {{app: metallb, component: controller}}}}
    spec:
      serviceAccountName: controller
      terminationGracePeriodSeconds: 0
      securityContext: {{fsGroup: 65534, runAsNonRoot: true, runAsUser: 65534}}
      containers:
        - name: controller
          image: quay.io/metallb/controller:v0.16.1
          args: [--port=9120, --log-level=info, --tls-min-version=VersionTLS12]
          env:
            - {{name: METALLB_BGP_TYPE, value: native}}
            - {{name: METALLB_ML_SECRET_NAME, value: memberlist}}
          ports: [{{name: metricshttps, containerPort: 9120}}, {{name: webhook-server, containerPort: 9443}}]
          volumeMounts: [{{name: cert, mountPath: /tmp/k8s-webhook-server/serving-certs, readOnly: true}}]
      volumes: [{{name: cert, secret: {{secretName: metallb-webhook-cert, defaultMode: 420}}}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: speaker, namespace: {NAMESPACE}, labels: {{app: metallb, component: speaker}}}}
spec:
  selector: {{matchLabels: {{app: metallb, component: speaker}}}}
  template:
    metadata: {{labels: {{app: metallb, component: speaker}}}}
    spec:
      serviceAccountName: speaker
      hostNetwork: true
      terminationGracePeriodSeconds: 2
      containers:
        - name: speaker
          image: quay.io/metallb/speaker:v0.16.1
          args: [--port=9120, --log-level=info]
          env: [{{name: METALLB_ML_LABELS, value: "app=metallb,component=speaker"}}]
          ports: [{{name: metricshttps, containerPort: 9120}}, {{name: memberlist-tcp, containerPort: 7946}}]
          securityContext: {{capabilities: {{drop: [ALL], add: [NET_RAW]}}}}
          volumeMounts:
            - {{name: memberlist, mountPath: /etc/ml_secret_key, readOnly: true}}
            - {{name: metallb-excludel2, mountPath: /etc/metallb, readOnly: true}}
      volumes:
        - {{name: memberlist, secret: {{secretName: memberlist, defaultMode: 420}}}}
        - {{name: metallb-excludel2, configMap: {{name: metallb-excludel2, defaultMode: 256}}}}
"""
SECRETS = f"""
apiVersion: v1
kind: Secret
metadata: {{name: memberlist, namespace: {NAMESPACE}}}
data: {{secretkey: {KEY}}}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: default
  annotations: {metallb.universe.tf/loadBalancerIPs: 192.0.2.7, metallb.io/ip-allocated-from-pool: production}
spec: {type: LoadBalancer, ports: [{port: 80}], selector: {app: web}}
"""


@pytest.fixture
def metallb(cluster: ApiServer) -> ApiServer:
    """A cluster in which MetalLB was installed by its manifests, as far as an API server can tell."""
    for text in (METALLB, SECRETS, POOL, SERVICE):
        assert _apply(cluster, text).ok
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7", "ipMode": "VIP"}]}}}
    path = "/api/v1/namespaces/default/services/web/status"
    cluster.request("PATCH", path, status, content_type="application/merge-patch+json")
    _fill(cluster, "TWV0YWxMQg==")
    return cluster


def _what_stays(server: ApiServer) -> tuple[Any, ...]:
    service = server.request("GET", "/api/v1/namespaces/default/services/web")
    pool = server.request("GET", f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/ipaddresspools/production")
    return (
        _secret(server, "memberlist"),
        _secret(server, "metallb-webhook-cert"),
        service["metadata"]["resourceVersion"],
        pool["metadata"]["resourceVersion"],
        _workload(server, "deployments", "controller")["metadata"]["uid"],
        _workload(server, "daemonsets", "speaker")["metadata"]["uid"],
    )


@pytest.mark.parametrize("how", [(), ("--server-side", "--force-conflicts")], ids=["client-side", "server-side"])
def test_herald_takes_metallbs_place(metallb: ApiServer, how: tuple[str, ...]) -> None:
    before = _what_stays(metallb)
    result = _apply(metallb, manifests.dump_yaml(), *how)
    assert result.ok, result.stderr
    assert _what_stays(metallb) == before
    assert "TWV0YWxMQg==" in _filled(metallb)[1], (
        "the entry that was there keeps MetalLB's CA until Herald's is written"
    )
    for plural, name, kind in (("deployments", "controller", "Deployment"), ("daemonsets", "speaker", "DaemonSet")):
        ours = container(named(kustomized("base"), kind, name))
        there = _workload(metallb, plural, name)
        assert container(there)["image"] == ours["image"]
        assert container(there)["args"] == ours["args"]
        assert container(there)["volumeMounts"] == ours["volumeMounts"]
        assert {each["name"] for each in container(there)["env"]} == {each["name"] for each in ours["env"]}
    binding = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings/pod-lister"
    assert [each["name"] for each in metallb.request("GET", binding)["subjects"]] == ["speaker"]


# Helm.


def _helm(server: ApiServer, *words: str | Path) -> Result:
    return run("helm", *words, kubeconfig=server.admin_kubeconfig)


@pytest.fixture
def released(bare_cluster: ApiServer) -> ApiServer:
    """A cluster in which the chart is installed."""
    done(_helm(bare_cluster, "install", *RELEASE, "--create-namespace"))
    bare_cluster.wait_crds_served()
    return bare_cluster


def test_helm_installs_what_the_how_tos_ask_for(released: ApiServer) -> None:
    assert _workload(released, "deployments", "controller")
    assert _workload(released, "daemonsets", "speaker")
    listed = released.kubectl("get", "ipaddresspools,bgppeers,l2advertisements,bgpadvertisements", "-n", NAMESPACE)
    assert listed == ""
    assert _apply(released, POOL).ok


def test_the_notes_name_values_without_effect(bare_cluster: ApiServer) -> None:
    notes = done(
        _helm(bare_cluster, "install", *RELEASE, "--create-namespace", "--set", "speaker.bgpDebounceTimeout=5")
    )
    assert "have no effect: speaker.bgpDebounceTimeout" in notes


def test_an_upgrade_keeps_what_the_controller_has_written(released: ApiServer) -> None:
    _fill(released)
    before = _filled(released)
    generation = _workload(released, "daemonsets", "speaker")["metadata"]["generation"]
    done(_helm(released, "upgrade", *RELEASE))
    assert _filled(released) == before
    assert _workload(released, "daemonsets", "speaker")["metadata"]["generation"] == generation
    done(_helm(released, "upgrade", *RELEASE, "--set", "speaker.logLevel=debug"))
    assert "--log-level=debug" in container(_workload(released, "daemonsets", "speaker"))["args"]
    assert _filled(released) == before


def test_uninstalling_keeps_the_configuration_and_installing_finds_it(released: ApiServer) -> None:
    assert _apply(released, POOL).ok
    pool = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/ipaddresspools/production"
    before = released.request("GET", pool)
    done(_helm(released, "uninstall", "metallb", "--namespace", NAMESPACE))
    assert released.kubectl("get", "daemonsets,deployments", "-n", NAMESPACE, "-o", "name") == ""
    assert released.request("GET", pool) == before
    done(_helm(released, "install", *RELEASE))
    assert released.request("GET", pool) == before


def test_helm_takes_over_what_kubectl_has_applied(metallb: ApiServer) -> None:
    before = _what_stays(metallb)
    assert not _helm(metallb, "install", *RELEASE).ok
    done(_helm(metallb, "install", *RELEASE, "--take-ownership", "--force-conflicts"))
    assert _what_stays(metallb) == before


@pytest.fixture
def metallb_chart(cluster: ApiServer, tmp_path: Path) -> ApiServer:
    """A cluster with a release `metallb` of a chart that names and selects as MetalLB's does."""
    chart = tmp_path / "metallb"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: metallb\nversion: 0.16.1\n", encoding="utf-8")
    objects = [each for each in yaml.safe_load_all(METALLB) if each["kind"] in ("Deployment", "DaemonSet")]
    for each in objects:
        component = each["metadata"]["name"]
        chosen = {f"app.kubernetes.io/{key}": "metallb" for key in ("name", "instance")}
        chosen["app.kubernetes.io/component"] = component
        each["metadata"]["name"] = f"metallb-{component}"
        each["spec"]["selector"]["matchLabels"] = chosen
        each["spec"]["template"]["metadata"]["labels"] = chosen
    (chart / "templates" / "all.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    done(_helm(cluster, "install", "metallb", chart, "--namespace", NAMESPACE, "--create-namespace"))
    return cluster


def test_an_upgrade_that_would_stop_all_speakers_at_once_is_refused(metallb_chart: ApiServer) -> None:
    result = _helm(metallb_chart, "upgrade", *RELEASE)
    assert not result.ok
    assert "Set metallbChartNames=true to replace it node by node" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nameOverride=foo",), ("nameOverride=foo: this release has", "Leave nameOverride=foo away")),
        (("metallbChartNames=true",), ("metallbChartNames=true: this release has", "Set metallbChartNames=false")),
    ],
    ids=["another name", "the names of MetalLB's chart"],
)
def test_what_would_rename_all_objects_is_named(
    cluster: ApiServer, options: tuple[str, ...], words: tuple[str, str]
) -> None:
    release = ("herald", *RELEASE[1:])
    done(_helm(cluster, "install", *release, "--create-namespace", "--take-ownership", "--force-conflicts"))
    result = _helm(cluster, "upgrade", *release, *(word for one in options for word in ("--set", one)))
    assert not result.ok
    for part in words:
        assert part in result.stderr


def test_an_upgrade_from_metallbs_chart_keeps_the_workloads(metallb_chart: ApiServer) -> None:
    names = (("daemonsets", "metallb-speaker"), ("deployments", "metallb-controller"))
    before = [_workload(metallb_chart, *name)["metadata"]["uid"] for name in names]
    # The CRDs were applied by hand here; in a release of MetalLB's chart they belong to it.
    options = ("--set", "metallbChartNames=true", "--take-ownership", "--force-conflicts")
    done(_helm(metallb_chart, "upgrade", *RELEASE, *options))
    assert [_workload(metallb_chart, *name)["metadata"]["uid"] for name in names] == before
    assert container(_workload(metallb_chart, *names[0]))["args"][0] == "speaker"
    back = _helm(metallb_chart, "upgrade", *RELEASE, "--set", "metallbChartNames=false")
    assert "Set metallbChartNames=true" in back.stderr
