"""Where the programs of a Kubernetes control plane are.

`KUBEBUILDER_ASSETS`, when set, is looked at first: the folder with etcd, kube-apiserver and kubectl that others in this
ecosystem use as well. What is not there comes from the folder outside the tree that `scripts/install-kubernetes` fills.
"""

import os
import subprocess
from pathlib import Path

VARIABLE = "KUBEBUILDER_ASSETS"
SCRIPT = Path(__file__).parents[4] / "scripts" / "install-kubernetes"
"""Builds the programs. Only a checkout has it; an installed Herald needs KUBEBUILDER_ASSETS."""


class ProgramMissingError(Exception):
    """A program of the control plane is not on this machine."""

    def __init__(self, program: str, looked_in: list[Path]) -> None:
        told = ", ".join(str(folder) for folder in looked_in) or f"{VARIABLE}, which is not set"
        remedy = "build it with scripts/install-kubernetes" if SCRIPT.exists() else f"set {VARIABLE} to its folder"
        super().__init__(f"{program} is missing (looked in {told}): {remedy}")


def find(program: str) -> Path:
    """The path of `etcd`, `kube-apiserver`, `kubectl`, `kube-proxy` or `helm`; ProgramMissingError without it."""
    folders = [Path(assets)] if (assets := os.environ.get(VARIABLE)) else []
    for folder in folders:
        if os.access(folder / program, os.X_OK):
            return folder / program
    if SCRIPT.exists():
        folders.append(cache_folder())
        if os.access(folders[-1] / program, os.X_OK):
            return folders[-1] / program
    raise ProgramMissingError(program, folders)


def cache_folder() -> Path:
    """The folder that `scripts/install-kubernetes` fills, named by the versions pinned in tools/; it may not exist."""
    # The exit code only says whether everything is there, which `find` sees for itself.
    told = subprocess.run([SCRIPT, "--print"], capture_output=True, text=True, check=False)
    if not told.stdout.strip():
        raise OSError(f"{SCRIPT} --print: exit code {told.returncode}: {told.stderr.strip()}")
    return Path(told.stdout.splitlines()[0])
