"""Run kubectl or helm against a cluster."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from herald.lab.kubernetes import binaries
from herald.lab.process import Result, inside


def run(
    program: str,
    args: Sequence[str],
    *,
    kubeconfig: Path,
    home: Path,
    namespace: str | None,
    stdin: str | None,
    within: float,
) -> Result:
    """Run a program to its end, at most `within` seconds. `home` is where it keeps what it remembers."""
    argv = inside(namespace, [str(binaries.find(program)), *args])
    environment = os.environ | {"KUBECONFIG": str(kubeconfig), "HOME": str(home)}
    began = time.monotonic()
    try:
        ended = subprocess.run(
            argv, input=stdin or "", capture_output=True, text=True, env=environment, timeout=within, check=False
        )
    except subprocess.TimeoutExpired:
        return Result(argv, None, "", "", time.monotonic() - began)
    return Result(argv, ended.returncode, ended.stdout, ended.stderr, time.monotonic() - began)
