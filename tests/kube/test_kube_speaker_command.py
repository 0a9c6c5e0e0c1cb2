"""`herald speaker` as the DaemonSet starts it: flags and environment, gossip, probes, metrics, a clean end."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from speaker_stand import (
    APPLY_CRDS,
    L2,
    NAMESPACE,
    NODE,
    Cluster,
    Network,
    answers,
    arping,
    comes_true,
    ip,
    mac_of,
)

from herald.lab.kubernetes.api_server import ApiServer

pytestmark = [pytest.mark.netns, pytest.mark.kube]

VIP = "10.50.0.200"
API, HERALD = "10.50.0.1", "10.50.0.2"
HEALTH = "http://127.0.0.1:17472"
METRICS = "https://127.0.0.1:9120/metrics"


class Speaker:
    """The command in the node's namespace, in a pod's environment."""

    def __init__(self, host: str, kubeconfig: Path, directory: Path) -> None:
        self.host = host
        self.log = directory / "speaker.log"
        self._words = ["ip", "netns", "exec", host]
        (directory / "secret").mkdir()
        (directory / "secret" / "secretkey").write_text("0123456789abcdef0123456789abcdef")
        environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(directory),
            "METALLB_NODE_NAME": NODE,
            "METALLB_POD_NAME": "speaker-1",
            "METALLB_NAMESPACE": NAMESPACE,
            "METALLB_HOST": HERALD,
            "METALLB_ML_BIND_ADDR": HERALD,
            "METALLB_ML_BIND_PORT": "7946",
            "METALLB_ML_LABELS": "app=metallb,component=speaker",
            "METALLB_ML_SECRET_KEY_PATH": str(directory / "secret"),
            "METALLB_BGP_TYPE": "frr",
        }
        command = [sys.executable, "-m", "herald.cli.main", "speaker", "-port=9120", "--log-level", "info"]
        command += ["--kubeconfig", str(kubeconfig), "--show-socket", str(directory / "show.sock")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self._words, *command], stdout=log, stderr=subprocess.STDOUT, env=environment
            )

    def curl(self, *words: str) -> tuple[str, str]:
        """Status and body of a request from inside of the namespace."""
        command = [*self._words, "curl", "-sk", "-w", "\n%{http_code}", "--max-time", "5", *words]
        body, _, code = subprocess.run(command, capture_output=True, text=True, check=False).stdout.rpartition("\n")
        return code, body

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.close()


async def test_the_command_of_the_daemonset_announces_is_probed_and_scraped_and_leaves(
    network: Network, tmp_path: Path
) -> None:
    node, peer = network.host("node"), network.host("api")
    network.wire(node, "eth0", peer, "eth0")
    ip("-n", node, "addr", "add", f"{HERALD}/24", "dev", "eth0")
    ip("-n", peer, "addr", "add", f"{API}/24", "dev", "eth0")
    with ApiServer(address=API, namespace=peer) as server:
        server.kubectl(*APPLY_CRDS[0], stdin=APPLY_CRDS[1])
        server.wait_crds_served()
        cluster = Cluster(server)
        cluster.add_service("web", VIP)
        speaker = Speaker(node, server.service_account_kubeconfig(NAMESPACE, "speaker"), tmp_path)
        try:
            await comes_true(lambda: speaker.curl(f"{HEALTH}/readyz")[0] == "200", "ready", seconds=40.0)
            assert speaker.curl(f"{HEALTH}/healthz")[0] == "200"
            await answers(peer, VIP, {mac_of(node)})
            await comes_true(lambda: (cluster.status(L2) or {}).get("node") == NODE, "the status")
            assert speaker.curl(METRICS)[0] == "401"
            server.kubectl("create", "clusterrole", "scraper", "--verb=get", "--non-resource-url=/metrics")
            server.kubectl(
                "create", "clusterrolebinding", "scraper", "--clusterrole=scraper", "--serviceaccount=default:default"
            )
            token = server.token("default", "default")
            code, page = speaker.curl("-H", f"Authorization: Bearer {token}", METRICS)
            assert code == "200"
            wanted = f'metallb_speaker_announced{{service="default/web",protocol="layer2",node="{NODE}",ip="{VIP}"}} 1'
            assert wanted in page
            log = speaker.log.read_text()
            assert "METALLB_BGP_TYPE=frr" in log
            assert "--host" not in log
            speaker.process.terminate()
            assert await asyncio.to_thread(speaker.process.wait, 10) == 0
            assert await arping(peer, VIP, count=1) == set()
        except BaseException:
            sys.stderr.write(speaker.log.read_text())
            raise
        finally:
            speaker.close()
