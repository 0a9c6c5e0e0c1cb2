"""What the lab's kubelet makes of the shipped manifests, and which pods `kubectl logs` and `exec` mean."""

from datetime import UTC, datetime
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


LOG = ['{"ts":"2026-11-21T08:00:00.000Z"}\n', "no JSON\n", '{"ts":"2026-11-21T08:00:30.000Z"}\n']
NOW = datetime(2026, 11, 21, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param((), LOG, id="as it is"),
        pytest.param(("--since=45s",), LOG[2:], id="since"),
        pytest.param(("--since=1m",), LOG, id="since the first line, the second being of its time"),
        pytest.param(("--prefix",), [f"[pod/x/speaker] {line}" for line in LOG], id="prefix"),
        pytest.param(
            ("--timestamps", "--since=1m"),
            [f"2026-11-21T08:00:{second}.000Z {line}" for second, line in zip(("00", "00", "30"), LOG, strict=True)],
            id="timestamps",
        ),
    ],
)
def test_what_kubectl_logs_puts_before_lines_and_leaves_away(words: tuple[str, ...], shown: list[str]) -> None:
    options = kubelet.parser().parse_args(["/x", "-n", "metallb-system", "logs", "speaker-node-1", *words])
    assert options.namespace == "metallb-system"
    assert list(kubelet.dressed(LOG, options, "pod/x/speaker", NOW)) == shown


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("5m", 300), ("10ms", 0.01)])
def test_a_duration_is_read_as_kubectl_reads_it(text: str, seconds: float) -> None:
    assert kubelet.duration(text).total_seconds() == seconds


@pytest.mark.parametrize("words", [("-n", "a", "logs", "x"), ("logs", "-n", "a", "x"), ("logs", "x", "--namespace=a")])
def test_the_namespace_stands_before_or_after_the_verb(words: tuple[str, ...]) -> None:
    assert kubelet.parser().parse_args(["/x", *words]).namespace == "a"


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
