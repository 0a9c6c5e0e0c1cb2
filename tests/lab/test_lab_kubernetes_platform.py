"""What the lab's kubelet makes of the shipped manifests, and which pods `kubectl logs` and `exec` mean."""

from pathlib import Path

import pytest

from herald.lab.kubernetes import kubelet
from herald.lab.kubernetes.pod import Pod, template
from herald.lab.kubernetes_platform import HOST, KubernetesPlatform
from herald.lab.place import Place, at
from herald.lab.scenario import Scenario
from herald.lab.scenarios import SCENARIOS

PODS = [
    Pod("controller", "controller-0", HOST, "", Path("/x/controller-0")),
    Pod("speaker", "speaker-node-1", "node-1", "192.168.1.10", Path("/run/lab/pods/speaker-node-1")),
    Pod("speaker", "speaker-node-2", "node-2", "", Path("/x/speaker-node-2")),
]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("component=speaker", ["speaker-node-1", "speaker-node-2"]),
        ("app=metallb,component=controller", ["controller-0"]),
        ("app==metallb", ["controller-0", "speaker-node-1", "speaker-node-2"]),
        ("app=other", []),
    ],
)
def test_a_selector_selects_by_the_labels_of_the_manifests(selector: str, names: list[str]) -> None:
    assert [pod.name for pod in kubelet.selected(PODS, selector)] == names


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("deploy/controller", ["controller-0"]),
        ("deployment/controller", ["controller-0"]),
        ("ds/speaker", ["speaker-node-1"]),
        ("speaker-node-2", ["speaker-node-2"]),
        ("pod/speaker-node-2", ["speaker-node-2"]),
        ("deploy/speaker", []),
        ("ds/other", []),
    ],
)
def test_a_pod_is_named_by_itself_or_by_its_workload(target: str, names: list[str]) -> None:
    assert [pod.name for pod in kubelet.named(PODS, target)] == names


@pytest.mark.parametrize(("count", "expected"), [(2, "bc"), (0, ""), (9, "abc"), (-1, "abc")])
def test_the_last_lines_of_a_log(count: int, expected: str) -> None:
    assert "".join(kubelet.last(iter("abc"), count)) == expected


def test_a_pod_gets_arguments_and_environment_of_the_manifests() -> None:
    command = PODS[1].command(Path("/run/lab"), ("10.96.0.1", 443), {"/etc/ml_secret_key": "/run/lab/memberlist"})
    environment = {word for word in command if "=" in word and not word.startswith("-")}
    assert environment >= {
        "METALLB_NODE_NAME=node-1",
        "METALLB_POD_NAME=speaker-node-1",
        "METALLB_ML_BIND_ADDR=192.168.1.10",
        "METALLB_ML_LABELS=app=metallb,component=speaker",
        "METALLB_ML_SECRET_KEY_PATH=/run/lab/memberlist",
        "KUBERNETES_SERVICE_HOST=10.96.0.1",
    }
    arguments = template("speaker")["spec"]["containers"][0]["args"]
    assert list(command[-len(arguments) :]) == arguments


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_control_plane_has_an_address_of_its_own_on_the_nodes_segment(scenario: Scenario) -> None:
    adapted = KubernetesPlatform.adapted(scenario.blueprint)
    addresses = [str(one.ip) for host in adapted.topology.hosts for link in host.interfaces for one in link.addresses]
    assert len(addresses) == len(set(addresses))
    assert adapted.topology.host(HOST).interfaces[0].on == scenario.blueprint.segment


@pytest.mark.parametrize("name", ["", "k1"])
def test_a_place_is_found_by_its_directory(name: str) -> None:
    assert at(Place(name).directory) == Place(name)
