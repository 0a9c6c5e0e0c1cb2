"""A speaker as a pod of a real cluster, and a real router: drained, stopped with its host, replaced."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from speaker_stand import APPLY_CRDS, HERALD, NAMESPACE, NODE, ROUTER, Cluster, Network, comes_true, ip

from herald.lab.kubernetes.api_server import ApiServer

sys.path.append(str(Path(__file__).parents[1] / "interop"))

from frr_router import FrrRouter

pytestmark = [pytest.mark.netns, pytest.mark.kube, pytest.mark.interop]

VIP = "10.50.0.200"
FRR = f"""
hostname router
router bgp 64501
 bgp router-id {ROUTER}
 no bgp ebgp-requires-policy
 neighbor {HERALD} remote-as 64500
 neighbor {HERALD} passive
"""


class Stand:
    """The router, the cluster, and the command as the DaemonSet starts it."""

    def __init__(self, server: ApiServer, router: FrrRouter, node: str, directory: Path) -> None:
        self.server = server
        self._router = router
        self._node = node
        self._directory = directory
        self._account = server.service_account_kubeconfig(NAMESPACE, "speaker")
        self._speaker: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self._directory / "log").read_text()

    def start(self) -> None:
        command = [sys.executable, "-m", "herald.cli.main", "speaker", "--node-name", NODE, "--pod-name", "speaker-1"]
        command += ["--namespace", NAMESPACE, "--kubeconfig", str(self._account), "--port", "0"]
        command += ["--show-socket", str(self._directory / "show.sock")]
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(self._directory)}
        with (self._directory / "log").open("ab") as log:
            words = ["ip", "netns", "exec", self._node, *command]
            self._speaker = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=environment)

    def end(self) -> None:
        if self._speaker is not None and self._speaker.poll() is None:
            self._speaker.terminate()
            self._speaker.wait(10)

    def drain(self, *words: str) -> subprocess.CompletedProcess[str]:
        within = ["ip", "netns", "exec", self._router.namespace]
        command = [*within, sys.executable, "-m", "herald.cli.main", "drain", NODE]
        command += ["--kubeconfig", str(self.server.admin_kubeconfig)]
        return subprocess.run([*command, *words], capture_output=True, text=True, check=False)

    def state(self) -> str:
        """The router's route: `gone`, `stale`, `marked` or `plain`."""
        paths: list[Any] = self._router.show(f"bgp ipv4 unicast {VIP}/32").get("paths", [])
        if not paths:
            return "gone"
        if paths[0].get("stale"):
            return "stale"
        return "marked" if "graceful-shutdown" in paths[0].get("community", {}).get("string", "") else "plain"

    async def until(self, state: str) -> None:
        await comes_true(lambda: self.state() == state, f"the route is {state}", seconds=40.0)


@contextmanager
def a_router(namespace: str, node: str) -> Iterator[FrrRouter]:
    directory = Path(tempfile.mkdtemp(prefix="herald-frr-", dir="/tmp"))
    directory.chmod(0o755)
    shutil.chown(directory, "frr", "frr")
    router = FrrRouter(namespace, node, directory)
    try:
        router.start(FRR)
        yield router
    finally:
        if hasattr(router, "process"):
            router.stop()
        shutil.rmtree(directory)


async def test_a_node_is_drained_and_a_speaker_knows_whether_it_is_replaced_or_stopped_with_its_host(
    tmp_path: Path,
) -> None:
    network = Network()
    try:
        node, beside = network.host("node"), network.host("api")
        network.wire(node, "eth0", beside, "eth0")
        ip("-n", node, "addr", "add", f"{HERALD}/24", "dev", "eth0")
        ip("-n", beside, "addr", "add", f"{ROUTER}/24", "dev", "eth0")
        with ApiServer(address=ROUTER, namespace=beside) as server, a_router(beside, node) as router:
            server.kubectl(*APPLY_CRDS[0], stdin=APPLY_CRDS[1])
            server.wait_crds_served()
            cluster = Cluster(server)
            wanted = '{"spec": {"gracefulRestart": {"enabled": true, "restartTime": "60s"}}}'
            server.kubectl("patch", "bgppeer", "tor", "-n", NAMESPACE, "--type", "merge", "-p", wanted)
            cluster.add_service("web", VIP)
            stand = Stand(server, router, node, tmp_path)
            try:
                await _walk(stand)
            except BaseException:
                sys.stderr.write(stand.log)
                raise
            finally:
                stand.end()
    finally:
        network.close()


async def _walk(stand: Stand) -> None:
    stand.start()
    await stand.until("plain")

    drained = asyncio.ensure_future(asyncio.to_thread(stand.drain, "--wait", "2s"))
    seen = []
    while not drained.done():
        seen.append(await asyncio.to_thread(stand.state))
    assert (drained.result().returncode, drained.result().stderr) == (0, "")
    assert [state for number, state in enumerate(seen) if seen[number - 1 : number] != [state]][:2] == [
        "plain",
        "marked",
    ]
    assert stand.state() == "gone"
    assert stand.drain("--undo").returncode == 0
    await stand.until("plain")

    await asyncio.to_thread(stand.end)
    await stand.until("gone")
    assert "told to forget our routes: the speaker stops and its pod stays" in stand.log

    stand.start()
    await stand.until("plain")
    stand.server.kubectl("delete", "pod", "speaker-1", "-n", NAMESPACE, "--grace-period=60", "--wait=false")
    await comes_true(lambda: "deletionTimestamp" in stand.server.kubectl(*POD), "the pod is being deleted")
    await asyncio.to_thread(stand.end)
    await stand.until("stale")
    assert "graceful restart keep our routes: the speaker is replaced" in stand.log
    stand.start()
    await stand.until("plain")


POD = ("get", "pod", "speaker-1", "-n", NAMESPACE, "-o", "yaml")
