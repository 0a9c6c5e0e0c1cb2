"""Values of the chart that helm must refuse, and what it says then."""

import json

import pytest
import yaml
from deploy_rendering import CHART, done, run, template

from herald.layer2.refresh_interval import parse_refresh

UNKNOWN = {
    "speaker.tolerateMasters=true": "unknown value speaker.tolerateMasters; did you mean speaker.tolerateMaster?",
    "speker.enabled=true": "unknown value speker; did you mean speaker?",
    "speaker.mlBindPort=7000": "unknown value speaker.mlBindPort; did you mean speaker.memberlist.mlBindPort?",
    "webhookMode=disabled": "unknown value webhookMode; did you mean controller.webhookMode?",
    "controller.image.repo=x": "unknown value controller.image.repo; did you mean controller.image.repository?",
    "controller.loglevel=debug": "unknown value controller.loglevel; did you mean controller.logLevel?",
    "crds.validationFailurePolcy=Fail": "did you mean crds.validationFailurePolicy?",
    "frr-k8s.enabled=false,frrk8.enabled=false": "unknown value frrk8; did you mean frrk8s?",
    "qqqqq=1": "unknown value qqqqq",
    "configInline.peers=1": "value configInline: it went with MetalLB 0.13",
    "psp.create=false": "value psp: PodSecurityPolicies are gone",
    "prometheus.secureMetricsPort=9120": "value prometheus.secureMetricsPort: Herald serves its metrics by HTTPS",
    "prometheus.speakerMetricsTLSSecret=x": "it is tls.speakerMetricsTLSSecret now",
}
CONTRADICTIONS = {
    "frrk8s.enabled=true": "frrk8s.enabled=true: Herald speaks BGP itself",
    "frrk8s.external=true": "frrk8s.external=true: Herald speaks BGP itself",
    "speaker.frr.enabled=true": "speaker.frr.enabled=true: Herald speaks BGP itself",
    "prometheus.podMonitor.enabled=true,prometheus.serviceMonitor.enabled=true,prometheus.rbacPrometheus=false": (
        "everything would be scraped twice"
    ),
    "prometheus.podMonitor.enabled=true": "Set prometheus.serviceAccount and prometheus.namespace",
    "prometheus.serviceMonitor.enabled=true,prometheus.rbacPrometheus=false,prometheus.metricsPort=0": (
        "there are no metrics to scrape"
    ),
    "speaker.memberlist.enabled=false,speaker.nodeSelector.edge=yes": "every node must run a speaker",
    "tls.cipherSuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "Set tls.minVersion to VersionTLS12",
    "networkpolicies.defaultDeny=true": "it would cut the controller off",
    "speaker.readinessProbe.port=1234": "one port answers both probes. Set it to that of livenessProbe, 17472",
    "speaker.livenessProbe.enabled=false,speaker.readinessProbe.port=1234": "one port answers both probes",
    "tls.curvePreferences=29\\,23": "holds to one curve or to all of them",
    "tls.curvePreferences=4588": "4588 is none of 23, 24, 25 and 29",
    "controller.livenessProbe.port=9120,controller.readinessProbe.port=9120": "prometheus.metricsPort is the same",
    "speaker.memberlist.mlBindPort=9120": "another port of the speaker is the same",
    "controller.image.repository=registry.local/metallb/controller": "that is MetalLB's image",
    "speaker.command=/speaker": "that is MetalLB's program",
    "speaker.wanConfig=true,speaker.memberlist.mlProfile=lan": "they say different times",
    "speaker.bgpListen[0]=:7946": "speaker.bgpListen, port 7946: another port of the speaker is the same",
    "controller.replicas=0": "Set controller.enabled to false",
    "speaker.gratuitousARPInterval=48h": "speaker.gratuitousARPInterval=48h: it is not from 1s to 24h",
    "speaker.selfProbeInterval=500ms": "speaker.selfProbeInterval=500ms: it is not from 1s to 24h",
}
OUT_OF_RANGE = {
    "controller.webhookMode=on": "/controller/webhookMode",
    "controller.logLevel=loud": "/controller/logLevel",
    "speaker.memberlist.mlBindPort=70000": "/speaker/memberlist/mlBindPort",
    "speaker.tolerateMaster=perhaps": "/speaker/tolerateMaster",
    "speaker.bgpDebounceTimeout=0": "/speaker/bgpDebounceTimeout",
    "crds.validationFailurePolicy=Warn": "/crds/validationFailurePolicy",
    "speaker.memberlist.mlProfile=metallb": "/speaker/memberlist/mlProfile",
    "speaker.gratuitousARPInterval=often": "/speaker/gratuitousARPInterval",
    "speaker.selfProbeInterval=-1": "/speaker/selfProbeInterval",
    "speaker.selfProbeInterval=86401": "/speaker/selfProbeInterval",
    "speaker.bgpListen[0]=router": "/speaker/bgpListen/0",
    "speaker.bgpListen[0]=router:179": "/speaker/bgpListen/0",
    "speaker.bgpListen[0]=:0": "/speaker/bgpListen/0",
    "speaker.bgpListen[0]=:65536": "/speaker/bgpListen/0",
    "speaker.bgpListen[0]=fd00::2:179": "/speaker/bgpListen/0",
    "speaker.realtimeBFD=fast": "/speaker/realtimeBFD",
    "tls.minVersion=1.2": "/tls/minVersion",
    "controller.image.tag=9": "/controller/image/tag",
    "tls.curvePreferences=X25519": "/tls/curvePreferences",
    "speaker.memberlist.mlSecretKeyPath=etc": "/speaker/memberlist/mlSecretKeyPath",
}
RENDERED = {
    "loadBalancerClass=example.com/herald": "--lb-class=example.com/herald",
    "controller.webhookMode=onlywebhook": "--webhook-mode=onlywebhook",
    "speaker.ignoreExcludeLB=true": "--ignore-exclude-lb",
    "speaker.wanConfig=true": "--ml-wan-config",
    "speaker.memberlist.mlProfile=lan": "--ml-profile=lan",
    "speaker.gratuitousARPInterval=1h30m": "--gratuitous-arp-interval=1h30m",
    "speaker.gratuitousARPInterval=600": "--gratuitous-arp-interval=600",
    "speaker.selfProbeInterval=0": "--self-probe-interval=0",
    "speaker.probeBeforeAnnouncing=true": "--probe-before-announcing",
    "speaker.bgpListen[0]=10.0.0.2:179,speaker.bgpListen[1]=[fd00::2]:179": '- "--bgp-listen=[fd00::2]:179"',
    "speaker.bgpListen[0]=:179": "add: [NET_RAW, NET_BIND_SERVICE]",
    "speaker.bgpListen[0]=:1024,speaker.bgpListen[1]=:65535": "add: [NET_RAW]",
    "speaker.bgpListen[0]=:1179,speaker.bgpListen[1]=:1023": "add: [NET_RAW, NET_BIND_SERVICE]",
    "speaker.realtimeBFD=true": "add: [NET_RAW, SYS_NICE]",
    "speaker.realtimeBFD=true,speaker.bgpListen[0]=:179": "add: [NET_RAW, NET_BIND_SERVICE, SYS_NICE]",
    "speaker.livenessProbe.port=1111,speaker.readinessProbe.port=1111": "--health-probe-port=1111",
    "tls.minVersion=VersionTLS12,tls.cipherSuites=TLS_A": "--tls-cipher-suites=TLS_A",
    "tls.curvePreferences=23\\,24\\,25\\,29": "--tls-curve-preferences=23,24,25,29",
    "tls.curvePreferences=29": "--tls-curve-preferences=29",
    "tls.speakerMetricsTLSSecret=mine": "--metrics-cert-dir=/etc/metrics",
    "prometheus.metricsPort=0": "--port=0",
    "speaker.secretName=mine": "secretName: mine",
    "speaker.memberlist.mlBindAddrOverride=10.0.0.1": 'value: "10.0.0.1"',
    "controller.podDisruptionBudget.enabled=true": "kind: PodDisruptionBudget",
    "networkpolicies.enabled=true,networkpolicies.apiPort=443": "port: 443",
    "networkpolicies.enabled=true,networkpolicies.defaultDeny=true": "name: default-deny",
    "crds.validationFailurePolicy=Fail": "failurePolicy: Fail",
    "controller.image.tag=v9": "image: ghcr.io/herald-lb/herald:v9",
    "controller.extraContainers[0].name=mine": "- name: mine",
    "imagePullSecrets[0].name=mine": "- name: mine",
    "speaker.labels.tier=edge": "tier: edge",
    "prometheus.scrapeAnnotations=true": "prometheus.io/scheme: https",
}


def _said(table: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("values", "words"), table.items(), ids=table.keys())


@_said(UNKNOWN)
def test_an_unknown_value_is_refused_with_a_suggestion(values: str, words: str) -> None:
    result = template("--set", values)
    assert not result.ok
    assert words in result.stderr


@_said(CONTRADICTIONS)
def test_a_contradiction_is_refused_and_says_what_to_do(values: str, words: str) -> None:
    result = template("--set", values)
    assert not result.ok
    assert words in result.stderr


@_said(OUT_OF_RANGE)
def test_the_schema_refuses_what_is_out_of_range(values: str, words: str) -> None:
    result = template("--set", values)
    assert not result.ok
    assert f"at '{words}'" in result.stderr


@_said(RENDERED)
def test_a_value_does_what_it_says(values: str, words: str) -> None:
    assert words in done(template("--set", values))


INTERVALS = (
    "0",
    "0s",
    "0.5s",
    "1",
    "999ms",
    "1000ms",
    "0.5s500ms",
    "24h",
    "23h60m",
    "24h1ms",
    "86400",
    "86401",
    "9h9x",
)


@pytest.mark.parametrize("text", INTERVALS)
def test_an_interval_is_refused_if_and_only_if_the_speaker_would_refuse_it(text: str) -> None:
    try:
        parse_refresh(text)
        is_possible = True
    except ValueError:
        is_possible = False
    names = ("gratuitousARPInterval", "selfProbeInterval")
    as_text = [word for name in names for word in ("--set-string", f"speaker.{name}={text}")]
    assert template(*as_text).ok == is_possible


def test_each_port_that_routers_dial_is_a_port_of_the_container_once() -> None:
    """On the host's network it is a port of the node, which the scheduler gives to one pod."""
    text = done(template("--set", "speaker.bgpListen={10.0.0.2:179,[fd00::2]:179,:1179}"))
    found = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text) if each}
    (container,) = found["DaemonSet", "speaker"]["spec"]["template"]["spec"]["containers"]
    named = [port for port in container["ports"] if port["name"].startswith("bgp")]
    assert named == [{"name": "bgp-179", "containerPort": 179}, {"name": "bgp-1179", "containerPort": 1179}]


def test_a_cluster_that_does_not_check_the_rules_of_the_custom_resources_is_refused() -> None:
    assert "which is incompatible with Kubernetes v1.24" in template("--kube-version", "1.24.17").stderr
    assert template("--kube-version", "1.25.0").ok


def test_whatever_the_policy_deletions_wait_for_nobody() -> None:
    documents = yaml.safe_load_all(done(template("--set", "crds.validationFailurePolicy=Fail")))
    (found,) = (each for each in documents if each and each["kind"] == "ValidatingWebhookConfiguration")
    by_policy = {policy: [] for policy in ("Fail", "Ignore")}
    for hook in found["webhooks"]:
        by_policy[hook["failurePolicy"]] += [operation for rule in hook["rules"] for operation in rule["operations"]]
    assert set(by_policy["Fail"]) == {"CREATE", "UPDATE"}
    assert set(by_policy["Ignore"]) == {"DELETE"}


def test_all_mistakes_are_told_at_once() -> None:
    result = template("--set", "speaker.tolerateMasters=true,crd.enabled=true")
    assert result.stderr.count("unknown value") == 2


def test_values_schema_and_defaults_know_the_same_names() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    known = json.loads((CHART / "files" / "known-values.json").read_text(encoding="utf-8"))

    def compare(values: object, names: object, path: str) -> None:
        if isinstance(names, dict):
            assert isinstance(values, dict), path
            assert values.keys() == names.keys() - {"global"}, path or "at the top"
            for name in values:
                compare(values[name], names[name], f"{path}.{name}")

    compare(defaults, known, "")


def test_lint_passes_and_finds_unknown_values_too() -> None:
    assert done(run("helm", "lint", CHART, "--strict"))
    assert "did you mean" in run("helm", "lint", CHART, "--set", "speaker.tolerateMasters=true").stderr


def test_values_for_frr_alone_change_nothing() -> None:
    idle = "speaker.bgpDebounceTimeout=500,speaker.reloader.resources.limits.memory=1Mi,frrk8s.namespace=frr"
    assert done(template("--set", idle)) == done(template())


def test_no_webhooks_leaves_no_trace_of_them() -> None:
    text = done(template("--set", "controller.webhookMode=disabled"))
    assert "ValidatingWebhookConfiguration" not in text
    assert "webhook-server" not in text
    assert "serving-certs" not in text
    assert "/convert" not in text
