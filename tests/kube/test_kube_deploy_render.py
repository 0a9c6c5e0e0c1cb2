"""deploy/ as helm and kustomize render it, and what stands in it twice."""

import os
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from deploy_rendering import (
    DEPLOY,
    NAMESPACE,
    OVERLAYS,
    Document,
    container,
    documents,
    done,
    kustomized,
    named,
    rules,
    run,
    templated,
)

from herald.cli import manifests
from herald.observe import controller_metrics, speaker_metrics, store_metrics
from herald.observe.exposition import Family

MONITOR = ("--set", "prometheus.serviceAccount=prometheus", "--set", "prometheus.namespace=monitoring")


def _by_name(found: list[Document]) -> dict[str, Document]:
    return {f"{each['kind']} {each['metadata']['name']}": each for each in found}


def test_herald_manifests_prints_what_kustomize_renders() -> None:
    printed = documents(CliRunner().invoke(manifests.manifests, []).output)
    assert _by_name(printed) == _by_name(kustomized("default"))


def _same_in_chart(name: str, kind: str) -> None:
    chart, base = named(templated(), kind, name), named(kustomized("base"), kind, name)
    for document in (chart, base):
        pod = document["spec"]["template"]["spec"]
        # The order of fields is nothing, and the one flag that the chart always spells out is the default.
        arguments = pod["containers"][0]["args"]
        pod["containers"][0]["args"] = [each for each in arguments if each != "--webhook-mode=enabled"]
        del document["metadata"]["labels"]
    extra = {key: value for key, value in chart["spec"]["template"]["metadata"]["labels"].items() if "/" in key}
    assert extra.keys() == {f"app.kubernetes.io/{part}" for part in ("name", "instance", "component")}
    assert chart["spec"]["template"]["spec"] == base["spec"]["template"]["spec"]
    assert chart["spec"]["selector"] == base["spec"]["selector"]


def test_chart_and_kustomize_run_the_same_controller() -> None:
    _same_in_chart("controller", "Deployment")


def test_chart_and_kustomize_run_the_same_speaker() -> None:
    _same_in_chart("speaker", "DaemonSet")


def test_chart_and_kustomize_give_the_same_rights() -> None:
    assert rules(templated()) == rules(kustomized("base"))


def test_no_right_is_a_wildcard() -> None:
    for name, given in rules(kustomized("prometheus")).items():
        for rule in given:
            words = [word for field in rule.values() for word in field]
            assert "*" not in words, f"{name} has {rule}"


def test_secrets_are_written_by_name_only() -> None:
    writing = {"update", "patch", "delete", "deletecollection"}
    for name, given in rules(kustomized("default")).items():
        for rule in given:
            if "secrets" in rule.get("resources", ()) and writing & set(rule["verbs"]):
                assert rule.get("resourceNames"), f"{name} may write every Secret: {rule}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_renders(overlay: str) -> None:
    found = _by_name(kustomized(overlay))
    assert {"Deployment controller", "DaemonSet speaker", f"Namespace {NAMESPACE}"} <= found.keys()


def test_the_overlay_without_webhooks_says_so_to_the_controller() -> None:
    found = kustomized("without-webhooks")
    assert container(named(found, "Deployment", "controller"))["args"][-1] == "--webhook-mode=disabled"
    assert "ValidatingWebhookConfiguration" not in {each["kind"] for each in found}


@pytest.mark.parametrize("workload", [("Deployment", "controller"), ("DaemonSet", "speaker")], ids=lambda each: each[1])
def test_pods_have_the_least_they_need(workload: tuple[str, str]) -> None:
    pod = named(kustomized("base"), *workload)["spec"]["template"]["spec"]
    settings = pod["containers"][0]["securityContext"]
    speaks = workload[1] == "speaker"
    assert settings["capabilities"] == {"drop": ["ALL"], **({"add": ["NET_RAW"]} if speaks else {})}
    assert settings["readOnlyRootFilesystem"]
    assert settings["allowPrivilegeEscalation"] is False
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"].get("runAsNonRoot", False) is not speaks
    assert pod.get("hostNetwork", False) is speaks
    assert "limits" not in pod["containers"][0]["resources"]


def test_metallbs_chart_names_are_kept_on_request() -> None:
    found = templated("--set", "metallbChartNames=true")
    assert {each["metadata"]["name"] for each in found if each["kind"] in ("Deployment", "DaemonSet")} == {
        "metallb-controller",
        "metallb-speaker",
    }
    speaker = named(found, "DaemonSet", "metallb-speaker")
    assert speaker["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "metallb",
        "app.kubernetes.io/instance": "metallb",
        "app.kubernetes.io/component": "speaker",
    }
    assert speaker["spec"]["template"]["metadata"]["labels"]["component"] == "speaker"
    assert {"Role metallb-pod-lister", "Role metallb-controller"} <= rules(found).keys()
    assert {"ClusterRole metallb:speaker", "ClusterRole metallb:controller"} <= rules(found).keys()
    given = [rule for rule in rules(found)["Role metallb-controller"] if rule["resources"] == ["deployments"]]
    assert given[0]["resourceNames"] == ["metallb-controller"]
    assert "metallb-memberlist" in str(container(named(found, "Deployment", "metallb-controller"))["env"])


@pytest.mark.parametrize(
    ("release", "expected"), [("metallb", "metallb"), ("my-metallb", "my-metallb"), ("lb", "lb-metallb")]
)
def test_the_full_name_is_as_in_metallbs_chart(release: str, expected: str) -> None:
    found = templated("--set", "metallbChartNames=true", release=release)
    assert named(found, "DaemonSet", f"{expected}-speaker")


def test_an_overridden_name_means_chart_names() -> None:
    assert named(templated("--set", "fullnameOverride=edge"), "DaemonSet", "edge-speaker")


ALERTS = (
    "MetalLBStaleConfig",
    "MetalLBConfigNotLoaded",
    "MetalLBAddressPoolExhausted",
    "MetalLBAddressPoolUsage75Percent",
    "MetalLBAddressPoolUsage85Percent",
    "MetalLBAddressPoolUsage95Percent",
    "MetalLBBGPSessionDown",
)
SWITCHES = ("staleConfig", "configNotLoaded", "addressPoolExhausted", "addressPoolUsage", "bgpSessionDown")


def _alerts(*options: str) -> list[dict[str, str]]:
    found = templated("--set", "prometheus.prometheusRule.enabled=true", *options)
    (group,) = named(found, "PrometheusRule", "metallb")["spec"]["groups"]
    alerts: list[dict[str, str]] = group["rules"]
    return alerts


def test_all_of_metallbs_alerts_are_there() -> None:
    assert tuple(alert["alert"] for alert in _alerts()) == ALERTS


def test_alerts_ask_for_metrics_that_exist() -> None:
    names = {
        family.name
        for family in (
            *vars(controller_metrics).values(),
            *vars(store_metrics).values(),
            *vars(speaker_metrics).values(),
        )
        if isinstance(family, Family)
    }
    for alert in _alerts():
        asked = set(re.findall(r"\b(?:metallb|herald)_[a-z0-9_]+", alert["expr"]))
        assert asked, alert["alert"]
        assert asked <= names, alert["alert"]


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_alert_can_be_switched_off(switch: str) -> None:
    alerts = _alerts("--set", f"prometheus.prometheusRule.{switch}.enabled=false")
    assert 0 < len(alerts) < len(ALERTS)


def test_pools_can_be_left_out_of_the_alerts() -> None:
    alerts = _alerts("--set", "prometheus.prometheusRule.addressPoolExhausted.excludePools=lab-.*")
    (full,) = (alert for alert in alerts if alert["alert"] == "MetalLBAddressPoolExhausted")
    assert full["expr"].startswith('metallb_allocator_addresses_in_use_total{pool!~"lab-.*",job=~"metallb.*"} >=')


def test_an_alert_of_ones_own_is_appended() -> None:
    alerts = _alerts("--set-json", 'prometheus.prometheusRule.extraAlerts=[{"alert":"Mine","expr":"up == 0"}]')
    assert alerts[-1] == {"alert": "Mine", "expr": "up == 0"}


def test_a_pod_monitor_has_its_own_reader() -> None:
    found = templated("--set", "prometheus.podMonitor.enabled=true", *MONITOR)
    (endpoint,) = named(found, "PodMonitor", "metallb-speaker")["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "metallb-metrics-token", "key": "token"}
    assert named(found, "Secret", "metallb-metrics-token")["type"] == "kubernetes.io/service-account-token"
    readers = named(found, "ClusterRoleBinding", f"{NAMESPACE}:metrics-reader")["subjects"]
    assert [each["name"] for each in readers] == ["metallb-metrics-reader", "prometheus"]


def test_a_service_monitor_chooses_its_service() -> None:
    found = templated("--set", "prometheus.serviceMonitor.enabled=true", *MONITOR)
    for component in ("controller", "speaker"):
        service = named(found, "Service", f"metallb-{component}-monitor-service")
        chosen = named(found, "ServiceMonitor", f"metallb-{component}-monitor")["spec"]["selector"]["matchLabels"]
        assert chosen.items() <= service["metadata"]["labels"].items()


def test_crds_are_kept_when_the_chart_goes() -> None:
    found = [each for each in templated() if each["kind"] == "CustomResourceDefinition"]
    assert len(found) == len(list((DEPLOY / "crds").glob("metallb.io_*.yaml")))
    assert all(each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for each in found)


def test_nothing_that_the_controller_fills_stands_in_the_chart() -> None:
    found = templated()
    assert "data" not in named(found, "Secret", "metallb-webhook-cert")
    assert "caBundle" not in yaml.safe_dump(found)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_bfd_may_run_in_real_time_in_any_overlay_if_it_is_asked_for(overlay: str, tmp_path: Path) -> None:
    base = os.path.relpath(DEPLOY / "kustomize", tmp_path)
    wanted = {"resources": [f"{base}/{overlay}"], "components": [f"{base}/realtime-bfd"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(wanted), encoding="utf-8")
    found = documents(done(run("kubectl", "kustomize", tmp_path)))
    plain = kustomized(overlay)
    given = container(named(found, "DaemonSet", "speaker"))["securityContext"]["capabilities"]
    before = container(named(plain, "DaemonSet", "speaker"))["securityContext"]["capabilities"]
    assert (before["add"], given) == (["NET_RAW"], {"drop": ["ALL"], "add": ["NET_RAW", "SYS_NICE"]})
    container(named(found, "DaemonSet", "speaker"))["securityContext"]["capabilities"] = before
    assert _by_name(found) == _by_name(plain), "nothing else is different"


def test_the_patch_of_the_how_to_lets_routers_dial_as_the_value_of_the_chart_does(tmp_path: Path) -> None:
    text = (DEPLOY.parent / "docs" / "how-to" / "listen.md").read_text(encoding="utf-8")
    (patch,) = re.findall(r"^resources: \[\.\./default\]\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    base = os.path.relpath(DEPLOY / "kustomize" / "default", tmp_path)
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{base}]\n{patch}", encoding="utf-8")
    found = documents(done(run("kubectl", "kustomize", tmp_path)))
    chart = templated("--set", "speaker.bgpListen={:179}")
    for field in ("args", "ports", "securityContext"):
        patched, valued = (container(named(each, "DaemonSet", "speaker"))[field] for each in (found, chart))
        assert patched == valued
