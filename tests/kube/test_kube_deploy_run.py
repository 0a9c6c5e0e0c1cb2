"""What the shipped pods would start, started: the words of the containers are understood, and the controller works."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from deploy_rendering import Document, container, kustomized, named, templated
from rights import NAMESPACE, Granted
from shared_cluster import Shared
from webhook_server import free_port

from herald.cli.controller import controller
from herald.cli.speaker import speaker
from herald.lab.kubernetes.client import RequestRefusedError

EVERYTHING = (
    "loadBalancerClass=example.com/herald,tls.minVersion=VersionTLS12,tls.cipherSuites=TLS_AES_128_GCM_SHA256,"
    "tls.curvePreferences=29,tls.controllerMetricsTLSSecret=a,tls.speakerMetricsTLSSecret=b,prometheus.metricsPort=0,"
    "speaker.ignoreExcludeLB=true,speaker.wanConfig=true,controller.webhookMode=onlywebhook,"
    "controller.livenessProbe.port=1,controller.readinessProbe.port=1,"
    "speaker.livenessProbe.port=2,speaker.readinessProbe.port=2"
)
PATIENCE_S = 30.0


def _environment(workload: Document) -> dict[str, str]:
    """What the container finds; what the kubelet would put in is the value of its field."""
    fields = {"spec.nodeName": "n1", "metadata.name": "controller-0", "status.hostIP": "192.0.2.1"}
    fields["status.podIP"] = fields["status.hostIP"]
    return {
        each["name"]: each["value"] if "value" in each else fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
        for each in container(workload)["env"]
    }


@pytest.mark.parametrize("source", ["kustomize", "chart", "chart with everything set"])
@pytest.mark.parametrize(
    ("kind", "name", "command"), [("Deployment", "controller", controller), ("DaemonSet", "speaker", speaker)]
)
def test_the_words_of_the_containers_are_understood(
    source: str, kind: str, name: str, command: click.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--set", EVERYTHING) if source == "chart with everything set" else ()
    found = kustomized("base") if source == "kustomize" else templated(*options)
    workload = named(found, kind, name)
    for variable, value in _environment(workload).items():
        monkeypatch.setenv(variable, value)
    first, *words = container(workload)["args"]
    assert first == name
    context = command.make_context(name, list(words))
    assert context.params["log_level"] == "info"
    assert context.params["pod_name"] == "controller-0"


@pytest.fixture
def granted(shared: Shared) -> Granted:
    return Granted(shared.with_crds())


@pytest.fixture
def log(granted: Granted, tmp_path: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The controller's process, started as its pod would be; gives its log."""
    workload = named(kustomized("base"), "Deployment", "controller")
    pod: dict[str, Any] = {
        "metadata": {"name": "controller-0"},
        "spec": {"containers": [{"name": "c", "image": "herald"}]},
    }
    pod["spec"]["serviceAccountName"] = "controller"
    granted.server.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
    free = [f"--port={free_port()}", f"--health-probe-port={free_port()}"]
    words = [each for each in container(workload)["args"] if not each.startswith("--port")]
    command = [
        sys.executable,
        "-m",
        "herald.cli.main",
        *words,
        *free,
        f"--kubeconfig={granted.kubeconfig('controller')}",
    ]
    path = tmp_path / "log"
    with path.open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | _environment(workload), stdout=output, stderr=output)
        yield lambda: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def _until(what: Callable[[], bool], told: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if what():
                return
        except RequestRefusedError:
            pass  # not there yet
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def test_a_new_installation_comes_up_by_itself(granted: Granted, log: Callable[[], list[dict[str, Any]]]) -> None:
    server = granted.server
    secrets = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    ours = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}"

    def has_certificate() -> bool:
        return "tls.crt" in server.request("GET", f"{secrets}/metallb-webhook-cert").get("data", {})

    def has_state() -> bool:
        status = server.request("GET", f"{ours}/configurationstates/controller").get("status", {})
        return bool(status.get("result") == "Valid")

    _until(has_certificate, log)
    _until(has_state, log)
    _until(lambda: "secretkey" in server.request("GET", f"{secrets}/memberlist")["data"], log)
    owner = server.request("GET", f"{secrets}/memberlist")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("Deployment", "controller")
    lease = server.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/metallb-controller")
    assert lease["spec"]["holderIdentity"] == "controller-0"
    assert [line for line in log() if "forbidden" in json.dumps(line)] == []
