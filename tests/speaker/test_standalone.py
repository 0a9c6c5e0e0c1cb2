"""`herald standalone` as a user starts it, in a network namespace: manifests in, an address held, and kept."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.netns

HERALD = [sys.executable, "-m", "herald.cli.main"]
PATIENCE_S = 60.0
STARTED = ("speakerStarted", "controllerStarted", "engineStarted", "controlStarted")
MANIFESTS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: prod, namespace: metallb-system}
spec: {addresses: [192.0.2.200-192.0.2.210]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: l2, namespace: metallb-system}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""


def herald(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*HERALD, *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"h{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    for words in ("link set lo up", "link add eth0 type veth peer name far", "link set far up", "link set eth0 up"):
        subprocess.run(["ip", "-n", name, *words.split()], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


class Host:
    """A host that runs `herald standalone`."""

    def __init__(self, namespace: str, folder: Path, *words: str) -> None:
        self.namespace = namespace
        self.config = folder / "config"
        self.config.mkdir()
        self.socket = folder / "show.sock"
        self.log = folder / "log"
        options = ["--config", str(self.config), "--node-name", "host-1", "--show-socket", str(self.socket)]
        with self.log.open("wb") as log:
            command = ["ip", "netns", "exec", namespace, *HERALD, "standalone", *options, *words]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def show(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [*HERALD, "show", *words, "--socket", str(self.socket), "-o", "json"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def answers_for(self) -> list[str] | None:
        """None while nobody answers the question."""
        shown = self.show("l2")
        return [each["ip"] for each in json.loads(shown.stdout)["data"]["holdings"]] if shown.returncode == 0 else None

    def events(self, name: str) -> list[dict[str, object]]:
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == name]

    def fetched(self, port: int, path: str) -> str:
        """What is served on loopback; empty while nothing is."""
        code = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}{path}').read().decode())"
        command = ["ip", "netns", "exec", self.namespace, sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)


@pytest.fixture
def host(namespace: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    running = Host(namespace, tmp_path, *getattr(request, "param", ()))
    try:
        yield running
    finally:
        running.process.send_signal(signal.SIGTERM)
        try:
            running.process.wait(10)
        finally:
            running.process.kill()
            running.process.wait()


def test_a_plain_host_answers_for_the_address_and_keeps_it_whatever_dies(host: Host) -> None:
    (host.config / "all.yaml").write_text(MANIFESTS)
    host.until(lambda: host.answers_for() == ["192.0.2.200"])
    assert [line["ips"] for line in host.events("serviceAnnounced")] == [["192.0.2.200"]]

    control = int(str(host.events("controlStarted")[-1]["pid"]))
    os.kill(control, signal.SIGKILL)
    host.until(lambda: len(host.events("serviceAnnounced")) == 2)
    assert host.answers_for() == ["192.0.2.200"]
    assert host.events("addressReleased") == []

    (host.config / "all.yaml").write_text(MANIFESTS[:-30])
    host.until(lambda: any(line["rule"] == "HL200" for line in host.events("problem")))
    assert host.answers_for() == ["192.0.2.200"]

    (host.config / "all.yaml").write_text(MANIFESTS.replace("LoadBalancer", "ClusterIP"))
    host.until(lambda: host.answers_for() == [])
    assert host.events("serviceWithdrawn")[-1]["protocol"] == "layer2"

    host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(10) == 0
    assert not host.socket.exists()
    assert [path.name for path in (host.config / ".herald").glob("*.lock")] == []
    assert len(host.events("controlLost")) == 1, "the one that was killed, and no other"


def test_how_the_host_accepts_what_arrives_is_said_once_for_each_address(host: Host) -> None:
    (host.config / "all.yaml").write_text(MANIFESTS)
    host.until(lambda: host.answers_for() == ["192.0.2.200"])
    (host.config / "all.yaml").write_text(MANIFESTS.replace("LoadBalancer", "ClusterIP"))
    host.until(lambda: host.answers_for() == [])
    (host.config / "all.yaml").write_text(MANIFESTS)
    host.until(lambda: host.answers_for() == ["192.0.2.200"])
    said = host.events("hostAcceptance")
    assert [(line["ip"], line["level"]) for line in said] == [("192.0.2.200", "info")]
    assert "`ip address add 192.0.2.200/32 dev lo`" in str(said[0]["msg"])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["standalone", "--node-name", "host-1"], "a controller of this folder runs already: pid {pid} "),
        (["standalone", "--node-name", "host-2"], "a controller of this folder runs already: pid {pid} "),
        (["controller"], "a controller of this folder runs already: pid {pid} "),
        (["speaker", "--node-name", "host-1"], "a speaker of node host-1 on this folder runs already: pid {pid} "),
    ],
    ids=" ".join,
)
def test_what_would_get_in_the_way_of_the_one_that_runs_ends_with_2_and_names_it(
    host: Host, words: list[str], reason: str
) -> None:
    host.until(lambda: host.answers_for() == [])
    ran = herald(*words, "--config", str(host.config))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"herald {words[0]}: {reason.format(pid=host.process.pid)}")
    assert host.answers_for() == []


def test_a_speaker_on_another_folder_does_not_take_over_the_show_socket(host: Host, tmp_path: Path) -> None:
    host.until(lambda: host.answers_for() == [])
    (tmp_path / "other").mkdir()
    words = ["--config", str(tmp_path / "other"), "--node-name", "host-1", "--show-socket", str(host.socket)]
    ran = herald("speaker", *words)
    assert ran.returncode == 2
    assert f"another speaker answers at {host.socket} already" in ran.stderr


@pytest.mark.parametrize("signalled", ["parent", "everybody"])
def test_a_planned_stop_of_a_host_warns_of_nothing(host: Host, signalled: str) -> None:
    (host.config / "all.yaml").write_text(MANIFESTS)
    host.until(lambda: host.answers_for() == ["192.0.2.200"])
    pids = [host.process.pid]
    if signalled == "everybody":
        pids += [int(str(line["pid"])) for name in STARTED for line in host.events(name)]
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    assert host.process.wait(10) == 0
    lines = (json.loads(line) for line in host.log.read_text().splitlines())
    assert [line for line in lines if line["level"] in ("warn", "error")] == []


@pytest.mark.parametrize("command", ["standalone", "speaker"])
def test_without_cap_net_raw_it_ends_with_2_before_anything_is_started(tmp_path: Path, command: str) -> None:
    less = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]
    words = [*less, *HERALD, command, "--config", str(tmp_path), "--node-name", "host-1"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"herald {command}: the capability CAP_NET_RAW is missing")
    assert ran.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_show_without_a_speaker_says_so_and_exits_2(tmp_path: Path) -> None:
    command = [*HERALD, "show", "members", "--socket", str(tmp_path / "none.sock")]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 2
    assert "no speaker runs behind" in shown.stderr


SERVED = ("--port=9120", "--health-probe-port=9121", "--controller-port=9122", "--controller-health-probe-port=9123")


@pytest.mark.parametrize("host", [SERVED], indirect=True, ids=["all four ports"])
def test_speaker_and_controller_of_a_plain_host_each_serve_their_metrics_and_probes(host: Host) -> None:
    (host.config / "all.yaml").write_text(MANIFESTS)
    host.until(lambda: host.answers_for() == ["192.0.2.200"])
    host.until(lambda: "metallb_speaker_announced{" in host.fetched(9120, "/metrics"))
    host.until(lambda: "metallb_allocator_addresses_in_use_total{" in host.fetched(9122, "/metrics"))
    assert "metallb_allocator" not in host.fetched(9120, "/metrics")
    host.until(lambda: "ok" in host.fetched(9121, "/readyz") and "ok" in host.fetched(9123, "/readyz"))
