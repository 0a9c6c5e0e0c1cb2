"""`kubectl delete pod` in a lab: what kubelet, Deployment and DaemonSet would do about it.

The container is told to end and given the time that its manifest allows; its object goes; then one of the same name is
made (a workload controller would choose another name), and its container started. There is no garbage collector.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from herald.lab import process
from herald.lab.kubernetes.pod import NAMESPACE, Pod, template
from herald.lab.launch import Launch
from herald.lab.place import Place

FILE = "launch.json"
KEPT = ("name", "namespace", "labels")
POLL_S = 0.05


def remember(launch: Launch, folder: Path) -> None:
    """Keep in the folder of a pod how its container is started."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps({"argv": launch.argv, "host": launch.host}))


def delete(place: Place, pods: Sequence[Pod]) -> int:
    """All of them at once, as kubectl does; prints what kubectl prints."""
    found = {pod.name: _get(place, pod.name) for pod in pods}
    running = {pod.name: pid for pod in pods if (pid := place.process(pod.name)) is not None}
    for pid in running.values():
        os.kill(pid, signal.SIGTERM)
    for pod in pods:
        pid = running.get(pod.name)
        if pid is not None and not _has_ended(pid, template(pod.component)["spec"]["terminationGracePeriodSeconds"]):
            asyncio.run(process.kill_all([pid], grace=0.0))
        _kubectl(place, "delete", "pod", pod.name, "-n", NAMESPACE, "--grace-period=0", "--force")
        print(f'pod "{pod.name}" deleted from {NAMESPACE} namespace')  # noqa: T201
        _make(place, found[pod.name])
        kept = json.loads((pod.folder / FILE).read_text())
        Launch(pod.name, tuple(kept["argv"]), kept["host"]).start(place)
    return 0


def _has_ended(pid: int, within: float) -> bool:
    began, deadline = process.start_time(pid), time.monotonic() + within
    while began is not None and process.start_time(pid) == began:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _get(place: Place, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_kubectl(place, "get", "pod", name, "-n", NAMESPACE, "-o", "json"))
    return found


def _make(place: Place, before: dict[str, Any]) -> None:
    """The same pod with another uid, running and ready at once, as it was made at first."""
    metadata = {key: before["metadata"][key] for key in KEPT if key in before["metadata"]}
    body = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": before["spec"]})
    _kubectl(place, "create", "-f", "-", stdin=body)
    status = json.dumps({"status": before["status"]})
    _kubectl(
        place, "patch", "pod", metadata["name"], "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", status
    )


def _kubectl(place: Place, *words: str, stdin: str = "") -> str:
    """By the real one, which says what went wrong. Raises SystemExit."""
    argv = [str(place.directory / "bin" / "kubectl"), *words]
    environment = {**os.environ, "HERALD_LAB_KUBELET": "yes"}
    done = subprocess.run(argv, env=environment, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout  # that --force is no way to end a pod is said on standard error
