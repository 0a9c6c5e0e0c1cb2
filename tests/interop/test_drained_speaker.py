"""A whole speaker on a folder, and a real router: updated without a trace, drained in good order, back in service."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from frr_router import HERALD, ROUTER, FrrRouter, eventually, frr_beside_herald

pytestmark = [pytest.mark.netns, pytest.mark.interop]

VIP = "192.168.1.200/32"
FRR = f"""
hostname router
router bgp 64501
 bgp router-id 10.50.0.1
 no bgp ebgp-requires-policy
 neighbor {HERALD} remote-as 64500
 neighbor {HERALD} passive
"""
MANIFESTS = f"""
apiVersion: v1
kind: Node
metadata: {{name: n1}}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: p, namespace: metallb-system}}
spec: {{addresses: ["192.168.1.200-192.168.1.210"]}}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: a, namespace: metallb-system}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: router, namespace: metallb-system}}
spec:
  myASN: 64500
  peerASN: 64501
  peerAddress: {ROUTER}
  gracefulRestart: {{enabled: true, restartTime: 60s}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
status: {{loadBalancer: {{ingress: [{{ip: 192.168.1.200}}]}}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: default, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
endpoints: [{{addresses: [10.1.1.1], conditions: {{ready: true}}, nodeName: n1}}]
"""


class Place:
    """The router, and a speaker that can be started and ended beside it."""

    def __init__(self, router: FrrRouter, directory: Path) -> None:
        self.router = router
        self.config = directory / "config"
        self.config.mkdir()
        (self.config / "all.yaml").write_text(MANIFESTS)
        self._directory = directory
        self._environment = {**os.environ, "XDG_RUNTIME_DIR": str(directory)}
        self._socket = directory / "herald" / "n1.sock"
        self._socket.parent.mkdir()
        self._speaker: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        within = ["ip", "netns", "exec", self.router.herald_namespace]
        words = [sys.executable, "-m", "herald.speaker.supervisor", "--node-name", "n1"]
        words += ["--run-dir", str(self._directory / "run"), "--show-socket", str(self._socket)]
        words += ["--members-dir", str(self._directory / "members"), "--", "--config", str(self.config)]
        with (self._directory / "log").open("ab") as log:
            self._speaker = subprocess.Popen([*within, *words], stdout=log, stderr=subprocess.STDOUT)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self._speaker is not None
        self._speaker.send_signal(number)
        self._speaker.wait(20)

    def close(self) -> None:
        if self._speaker is not None and self._speaker.poll() is None:
            self.end()

    @property
    def log(self) -> str:
        return (self._directory / "log").read_text()

    def drain(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "herald.cli.main", "drain", "n1", "--config", str(self.config), *words]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)

    def path(self) -> Any:
        """The router's route, or nothing."""
        paths = self.router.show(f"bgp ipv4 unicast {VIP}").get("paths", [])
        return paths[0] if paths else {}

    @property
    def is_fresh(self) -> bool:
        return bool(self.path()) and not self.path().get("stale")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with frr_beside_herald() as router:
        router.start(FRR)
        made = Place(router, tmp_path)
        try:
            yield made
        finally:
            made.close()


async def seen_during(place: Place, work: asyncio.Future[Any]) -> list[Any]:
    """What the router has, look by look, while the work goes on."""
    looks = []
    while not work.done():
        looks.append(await asyncio.to_thread(place.path))
    return looks


async def test_a_speaker_that_is_updated_leaves_no_trace_in_the_router(place: Place) -> None:
    place.start()
    await asyncio.to_thread(eventually, lambda: place.is_fresh, "the route is there", 30)

    def update() -> None:
        place.end()
        eventually(lambda: place.path().get("stale"), "the router keeps the route")
        place.start()
        eventually(lambda: place.is_fresh, "it is fresh again", 30)

    looks = await seen_during(place, asyncio.ensure_future(asyncio.to_thread(update)))
    assert len(looks) > 10
    assert all(looks), "at no moment the route was away"
    assert {hop["ip"] for look in looks for hop in look["nexthops"]} == {HERALD}
    assert "that offer graceful restart keep our routes" in place.log


async def test_a_drained_node_marks_withdraws_and_comes_back_when_told(place: Place) -> None:
    place.start()
    await asyncio.to_thread(eventually, lambda: place.is_fresh, "the route is there", 30)
    drained = asyncio.ensure_future(asyncio.to_thread(place.drain, "--wait", "2s", "--timeout", "20s"))
    looks = await seen_during(place, drained)
    result = drained.result()
    assert (result.returncode, result.stderr) == (0, "")
    assert "It may be rebooted." in result.stdout
    stages = [look.get("community", {}).get("string", "plain") if look else "gone" for look in looks]
    assert [stage for number, stage in enumerate(stages) if stages[number - 1 : number] != [stage]] in (
        ["plain", "graceful-shutdown", "gone"],
        ["plain", "graceful-shutdown"],
    )
    await asyncio.to_thread(eventually, lambda: place.path() == {}, "the router has taken the route away")
    assert place.router.neighbor()["bgpState"] == "Established"

    place.end()
    eventually(lambda: place.router.neighbor()["bgpState"] != "Established", "the session is over")
    assert place.router.neighbor()["lastNotificationReason"].startswith("Cease")
    place.start()
    await asyncio.to_thread(
        eventually, lambda: place.router.neighbor()["bgpState"] == "Established", "the speaker is back", 30
    )
    assert place.path() == {}, "a drained node announces nothing, also after a reboot"
    assert place.drain("--undo").returncode == 0
    await asyncio.to_thread(eventually, lambda: place.is_fresh, "the route is back", 30)
    assert "community" not in place.path()
