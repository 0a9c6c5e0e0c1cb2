"""Where the programs come from, and what is said when one is not there."""

import subprocess
from pathlib import Path

import pytest

from herald.lab.kubernetes import binaries


def test_every_program_is_there_and_runs() -> None:
    for program, option in {
        "etcd": "--version",
        "kube-apiserver": "--version",
        "kube-proxy": "--version",
        "kubectl": "--help",
        "helm": "version",
    }.items():
        subprocess.run([binaries.find(program), option], check=True, capture_output=True)


def test_the_users_own_assets_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "kubectl"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert binaries.find("kubectl") == own
    assert binaries.find("helm").parent == binaries.cache_folder()


def test_a_missing_program_is_named_together_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(binaries.ProgramMissingError, match=rf"looked in {tmp_path}.*install-kubernetes"):
        binaries.find("etcd")


def test_nothing_is_built_when_everything_is_there() -> None:
    ended = subprocess.run([binaries.SCRIPT], check=True, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("", "")
