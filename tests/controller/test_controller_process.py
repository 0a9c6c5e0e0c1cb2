"""The controller as a real process on a real folder, killed without mercy."""

import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

import yaml

PATIENCE_S = 60.0
POOL = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: prod, namespace: metallb-system}
spec: {addresses: [192.0.2.0/26]}
"""


def service(name: str, port: int = 80) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: LoadBalancer, ports: [{{port: {port}}}]}}
"""


@contextmanager
def controller(folder: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = [
        sys.executable,
        "-m",
        "herald.controller.process",
        "--config",
        str(folder),
        "--log-level",
        "info",
        *words,
    ]
    with (folder.parent / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def addresses(folder: Path) -> dict[str, str]:
    found = {}
    for path in (folder / ".herald" / "status").glob("service.*.yaml"):
        ingress = yaml.safe_load(path.read_text())["status"]["loadBalancer"].get("ingress", [])
        if ingress:
            found[path.name.split(".")[2]] = ingress[0]["ip"]
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def test_killed_at_any_moment_it_never_changes_an_address_nor_gives_one_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "pool.yaml").write_text(POOL)
    seen: dict[str, str] = {}
    for generation in range(5):
        for number in range(8):
            name = f"s{generation}-{number}"
            (folder / f"{name}.yaml").write_text(service(name))
        with controller(folder) as process:
            wanted = len(seen) + chance.randrange(1, 8)
            until(lambda wanted=wanted: len(addresses(folder)) >= wanted)
            time.sleep(chance.random() * 0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
        now = addresses(folder)
        assert now.items() >= seen.items()
        assert len(set(now.values())) == len(now)
        seen = now
    for path in (folder / ".herald" / "status").glob("service.*"):
        path.unlink()
    with controller(folder) as process:
        until(lambda: len(addresses(folder)) == 40)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert addresses(folder).items() >= seen.items()
    assert len(set(addresses(folder).values())) == 40


def test_a_half_written_manifest_at_the_start_costs_nobody_an_address(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "pool.yaml").write_text(POOL)
    (folder / "web.yaml").write_text(service("web"))
    with controller(folder):
        until(lambda: "web" in addresses(folder))
    before = addresses(folder)
    (folder / "pool.yaml").write_text(POOL[:-20])
    (folder / "web.yaml").write_text(service("web")[:-30])
    (folder / "new.yaml").write_text(service("new"))
    with controller(folder):
        until(lambda: b"HL200" in (tmp_path / "log").read_bytes())
        time.sleep(0.5)
        assert addresses(folder) == before
        (folder / "pool.yaml").write_text(POOL)
        (folder / "web.yaml").write_text(service("web"))
        until(lambda: "new" in addresses(folder))
    assert addresses(folder)["web"] == before["web"]
    assert addresses(folder)["new"] != before["web"]


def test_metrics_and_probes_are_served_on_loopback_where_a_port_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "pool.yaml").write_text(POOL)
    (folder / "web.yaml").write_text(service("web"))
    with closing(socket.create_server(("127.0.0.1", 0))) as one, closing(socket.create_server(("127.0.0.1", 0))) as two:
        port, health = one.getsockname()[1], two.getsockname()[1]
    with controller(folder, f"--port={port}", f"--health-probe-port={health}"):
        until(lambda: bool(addresses(folder)))
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            page = answer.read().decode()
        assert 'metallb_allocator_addresses_in_use_total{pool="prod"} 1' in page
        assert "metallb_k8s_client_config_loaded_bool 1" in page
        with urlopen(f"http://127.0.0.1:{health}/readyz") as answer:
            assert answer.status == 200
