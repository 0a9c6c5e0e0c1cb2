"""Herald and MetalLB, each as its manifests start it, on the same stand.

MetalLB is built from its Go module at the version that tools/metallb pins, once, into a cache folder outside the tree.
It runs its native BGP. Its webhooks are off, as are Herald's: no Service passes through them.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.kube_stand import NAMESPACE, NODE, Stand
from herald.api import crd
from herald.lab.process import Process

ROOT = Path(__file__).parents[1]
BASE = ROOT / "deploy" / "kustomize" / "base"
SCRIPT = ROOT / "scripts" / "install-metallb"
BUILD_WITHIN_S = 1_800
CONTROLLER_PROBES, SPEAKER_PROBES = 17473, 17474
TOO_NARROW = re.compile(r"^ +format: int32\n(?= +maximum: 4294967295$)", re.MULTILINE)


class CannotBuildError(Exception):
    """The peer cannot be built here; the message says why."""


class Herald:
    """From this tree, with the rights that are shipped."""

    name = "Herald"

    def install(self, stand: Stand) -> None:
        """CRDs, service accounts, roles."""
        # Webhooks are off, so there is nobody to convert BGPPeers, and the API server would ask without end.
        documents = [_without_conversion(document) for document in yaml.safe_load_all(crd.dump_yaml())]
        stand.server.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(documents))
        for name in ("service-accounts", "roles", "bindings"):
            stand.server.kubectl("apply", "-f", str(BASE / f"{name}.yaml"))

    def controller(self, stand: Stand) -> Process:
        """`herald controller`."""
        more = ["--webhook-mode", "disabled"]
        return self._start(stand, "controller", CONTROLLER_PROBES, more)

    def speaker(self, stand: Stand) -> Process:
        """`herald speaker`."""
        more = ["--node-name", NODE, "--show-socket", str(stand.place.directory / "show.sock")]
        return self._start(stand, "speaker", SPEAKER_PROBES, more)

    def _start(self, stand: Stand, name: str, probes: int, more: list[str]) -> Process:
        kubeconfig = stand.server.service_account_kubeconfig(NAMESPACE, name)
        argv = [sys.executable, "-m", "herald.cli.main", name, "--kubeconfig", str(kubeconfig)]
        argv += ["--namespace", NAMESPACE, "--pod-name", f"{name}-0", "--port", "0", "--log-level", "warn"]
        return stand.start(name, [*argv, "--health-probe-port", str(probes), *more])


def _without_conversion(document: dict[str, Any]) -> dict[str, Any]:
    spec = {key: value for key, value in document["spec"].items() if key != "conversion"}
    return document | {"spec": spec}


class MetalLB:
    """Built from its Go module; it runs as administrator."""

    name = "MetalLB 0.15.2"

    def __init__(self) -> None:
        self._programs, self._crds = _build()

    def install(self, stand: Stand) -> None:
        """Its own CRDs."""
        # A 32-bit format beside a maximum of 2³²-1 is refused by current API servers; MetalLB 0.16.1 left it away.
        text = "---\n".join(path.read_text() for path in sorted(self._crds.glob("*.yaml")))
        stand.server.kubectl("apply", "--server-side", "-f", "-", stdin=TOO_NARROW.sub("", text))

    def controller(self, stand: Stand) -> Process:
        """Its controller."""
        return self._start(stand, "controller", ["--webhook-mode=disabled", "--port=7473"], {})

    def speaker(self, stand: Stand) -> Process:
        """Its speaker, alone on its node and so without memberlist."""
        pod = {"METALLB_NODE_NAME": NODE, "METALLB_POD_NAME": "speaker-0", "METALLB_HOST": "127.0.0.1"}
        return self._start(stand, "speaker", ["--port=7474"], pod | {"METALLB_BGP_TYPE": "native"})

    def _start(self, stand: Stand, name: str, more: list[str], environment: dict[str, str]) -> Process:
        given = {"KUBECONFIG": str(stand.server.admin_kubeconfig), "METALLB_NAMESPACE": NAMESPACE, **environment}
        words = ["env", *(f"{key}={value}" for key, value in given.items())]
        return stand.start(name, [*words, str(self._programs / name), "--log-level=warn", *more])


def _build() -> tuple[Path, Path]:
    """The folder of the programs, and that of the CRDs. CannotBuildError says what is missing."""
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False, timeout=BUILD_WITHIN_S)
    if done.returncode != 0:
        raise CannotBuildError(f"{SCRIPT.name}: {(done.stderr or done.stdout).strip()}")
    folder = Path(done.stdout.splitlines()[-1])
    return folder, folder / "crds"
