"""A whole speaker, supervisor and control and engine, on a folder of manifests: who may die without being missed."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from segment import Network, answers, arping, eventually, mac_of, one_service

pytestmark = pytest.mark.netns

VIP = "192.168.1.200"
MANIFESTS = one_service("n1")


class Speaker:
    """A supervisor in a namespace; it ends with the test."""

    def __init__(self, host: str, directory: Path) -> None:
        self.run_dir = directory / "run"
        config = directory / "config"
        config.mkdir()
        (config / "all.yaml").write_text(MANIFESTS)
        self.log = directory / "log"
        words = ["ip", "netns", "exec", host, sys.executable, "-m", "herald.speaker.supervisor", "--node-name", "n1"]
        words += ["--run-dir", str(self.run_dir), "--members-dir", str(directory / "members"), "--"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*words, "--config", str(config)], stdout=log, stderr=subprocess.STDOUT)

    def child(self, module: str) -> int | None:
        """The process that runs the module, if it does."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in map(int, children):
            if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    async def kill(self, module: str) -> None:
        """SIGKILL, and wait until the supervisor has started another."""
        before = self.child(module)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await eventually(lambda: self.child(module) not in (None, before), f"{module} is started again")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


async def test_control_and_engine_may_be_killed_and_the_node_goes_on_and_leaves_when_told(
    network: Network, tmp_path: Path
) -> None:
    node, client = network.host("node"), network.host("client")
    network.wire(node, "eth0", client, "eth0")
    speaker = Speaker(node, tmp_path)
    try:
        await eventually(lambda: "addressHeld" in speaker.log.read_text(), "control has decided", seconds=30)
        await answers(client, VIP, {mac_of(node)})
        await speaker.kill("herald.speaker.control")
        assert await arping(client, VIP, count=1) == {mac_of(node)}, "the engine answers with no control at all"
        await eventually(lambda: speaker.log.read_text().count('"controlConnected"') == 2, "a new control", seconds=30)
        assert speaker.log.read_text().count('"addressHeld"') == 1, "the same wish is no news"
        await speaker.kill("herald.engine")
        await eventually(lambda: speaker.log.read_text().count('"addressHeld"') == 2, "told anew", seconds=30)
        await answers(client, VIP, {mac_of(node)})
        speaker.process.terminate()
        assert await asyncio.to_thread(speaker.process.wait, 10) == 0
        assert (tmp_path / "members" / "n1").read_text() == "left"
        assert await arping(client, VIP, count=1) == set()
        assert list(speaker.run_dir.iterdir()) == []
    except BaseException:
        sys.stderr.write(speaker.log.read_text())
        raise
    finally:
        speaker.close()
