"""The container file: its build steps are run here as they stand, in a plain folder instead of an image."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import herald

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "Containerfile"
UV = ROOT / ".uv" / "bin" / "uv"
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all")
UNPRIVILEGED = (*NOBODY, "--inh-caps", "-all", "--no-new-privs")
"""As the controller's container runs: nobody, without any capability and without a way to one."""

Instruction = tuple[str, str]


def _stages() -> list[list[Instruction]]:
    """The instructions of each stage, from its FROM on; ARGs before the first FROM are left out."""
    joined = FILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    stages: list[list[Instruction]] = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((word, re.sub(r"\s+", " ", rest.strip())))
    return stages


def _all(stage: list[Instruction], word: str) -> list[str]:
    return [rest for each, rest in stage if each == word]


def _environment(stage: list[Instruction]) -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in _all(stage, "ENV") for pair in shlex.split(rest))


def _sources(stage: list[Instruction]) -> list[str]:
    """What is copied from the context."""
    copies = [[word for word in shlex.split(rest) if not word.startswith("--")] for rest in _all(stage, "COPY")]
    own = [words for words, rest in zip(copies, _all(stage, "COPY"), strict=True) if "--from=" not in rest]
    return [source for words in own for source in words[:-1]]


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    for source in [source for stage in _stages() for source in _sources(stage)]:
        assert (ROOT / source).exists(), source
        assert Path(source).parts[0] in allowed, f"{source} is not in the context"


def test_docker_and_podman_ignore_the_same() -> None:
    assert (ROOT / "deploy/Containerfile.dockerignore").read_text() == (ROOT / ".containerignore").read_text()


def test_every_word_is_an_instruction() -> None:
    known = {"FROM", "ARG", "RUN", "COPY", "ENV", "LABEL", "USER", "WORKDIR", "ENTRYPOINT"}
    assert {word for stage in _stages() for word, _ in stage} == known


def test_the_image_is_nobodys_and_of_this_version() -> None:
    last = _stages()[-1]
    assert _all(last, "USER") == ["65534:65534"]
    assert _all(last, "ARG") == [f"VERSION={herald.__version__}"]
    assert _all(last, "ENTRYPOINT") == ['["herald"]']


def test_nothing_forbids_byte_code() -> None:
    assert "PYTHONDONTWRITEBYTECODE" not in FILE.read_text(encoding="utf-8")


def test_uv_is_the_one_of_this_repository() -> None:
    told = subprocess.run([UV, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert f"UV_VERSION={told}" in _all(_stages()[0], "ARG")


def test_the_build_steps_make_a_herald_that_runs(tmp_path: Path) -> None:
    build, prefix = _stages()[0], tmp_path / "opt"
    context = tmp_path / "build"
    for source in _sources(build):
        target = context / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    environment = {key: value.replace("/opt/herald", str(prefix)) for key, value in _environment(build).items()}
    own = {"PATH": f"{UV.parent}:{os.environ['PATH']}", "HOME": os.environ["HOME"], "UV_PYTHON": sys.executable}
    # The machine's own certificates count, so that it works behind a proxy that re-signs.
    own["UV_SYSTEM_CERTS"] = "1"
    for step in _all(build, "RUN")[1:]:  # the first installs uv
        words = step.replace("/opt/herald", str(prefix))
        ended = subprocess.run(
            ["sh", "-c", words], cwd=context, env=own | environment, capture_output=True, text=True, timeout=110
        )
        assert ended.returncode == 0, ended.stderr
    package = next(prefix.glob("lib/python3*/site-packages/herald"))
    assert list((package / "engine" / "__pycache__").glob("*.pyc")), "byte code is made at build"
    printed = subprocess.run(
        [prefix / "bin" / "herald", "manifests"], capture_output=True, text=True, check=True
    ).stdout
    assert {"DaemonSet", "Deployment"} <= {each["kind"] for each in yaml.safe_load_all(printed)}


@pytest.mark.netns
@pytest.mark.parametrize(
    ("groups", "exit_code"), [("0 2147483647", 0), ("1 0", 2)], ids=["as in the pod", "without its sysctl"]
)
def test_ping_works_in_the_controllers_pod_without_a_capability(tmp_path: Path, groups: str, exit_code: int) -> None:
    script = f"ip link set lo up; echo '{groups}' >/proc/sys/net/ipv4/ping_group_range; exec \"$@\""
    found = shutil.which("ping")
    assert found is not None, "iputils-ping is missing: run scripts/install-tools lab"
    # As the image has it: without the file capability of the package.
    ping = tmp_path / "ping"
    subprocess.run(["install", "-m", "0755", found, ping], check=True)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    command = ["unshare", "--net", "sh", "-c", script, "sh", *UNPRIVILEGED, str(ping), "-c", "1", "127.0.0.1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == exit_code, ended.stderr


def test_the_pods_sysctl_is_the_one_that_was_tried() -> None:
    text = (ROOT / "deploy/kustomize/base/controller.yaml").read_text(encoding="utf-8")
    sysctls = yaml.safe_load(text)["spec"]["template"]["spec"]["securityContext"]["sysctls"]
    assert sysctls == [{"name": "net.ipv4.ping_group_range", "value": "0 2147483647"}]


def test_vtysh_hands_its_words_on(tmp_path: Path) -> None:
    stand_in = tmp_path / "herald"
    stand_in.write_text('#!/bin/sh\nprintf "%s|" "$@"\n', encoding="utf-8")
    stand_in.chmod(0o755)
    command = [ROOT / "deploy" / "vtysh", "-c", "show ip bgp"]
    told = subprocess.run(
        command, capture_output=True, text=True, env={"PATH": f"{tmp_path}:/bin:/usr/bin"}, check=True
    )
    assert told.stdout == "vtysh|-c|show ip bgp|"
