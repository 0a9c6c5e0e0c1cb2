"""`herald drain` on a folder and on a small API server of the test."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from herald.cli.main import main
from herald.config.findings import ObjectKey
from herald.store import status_file

NODES = """
{apiVersion: v1, kind: Node, metadata: {name: node-1, annotations: {a: b}}}
---
{apiVersion: v1, kind: Node, metadata: {name: node-2}}
"""
STATUS = Path(".herald/status") / status_file.file_name(ObjectKey("Node", "", "node-1"))


def folder(directory: Path, manifests: str = NODES) -> Path:
    config = directory / "config"
    config.mkdir()
    (config / "nodes.yaml").write_text(manifests)
    return config


async def herald_drain(*words: str, run_dir: Path, **extra: str) -> tuple[int | None, str, str]:
    command = [sys.executable, "-m", "herald.cli.main", "drain", *words]
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(run_dir), "HOME": str(run_dir), **extra}
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def annotations(config: Path) -> Any:
    return yaml.safe_load((config / STATUS).read_text())["metadata"]["annotations"]


def test_a_node_of_a_folder_is_marked_and_its_manifest_left_alone(tmp_path: Path) -> None:
    config = folder(tmp_path)
    words = ["drain", "node-1", "--config", str(config), "--wait", "0s", "--timeout", "0s"]
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, "cannot be told from here" in result.output) == (1, True)
    assert annotations(config) == {"herald.metallb.io/drain": "0s"}
    assert "status" not in yaml.safe_load((config / STATUS).read_text())
    assert (config / "nodes.yaml").read_text() == NODES
    result = CliRunner().invoke(main, ["drain", "node-1", "--config", str(config), "--undo"])
    assert (result.exit_code, result.output) == (0, "node-1 is back in service.\n")
    assert annotations(config) == {"herald.metallb.io/drain": None}


@pytest.mark.parametrize(
    ("manifests", "node", "words"),
    [
        (NODES, "node-3", 'has no Node "node-3"; did you mean "node-'),
        (
            "{apiVersion: v1, kind: Namespace, metadata: {name: x}}",
            "edge-1",
            "labels: {kubernetes.io/hostname: edge-1}",
        ),
    ],
    ids=["another-node", "no-node-at-all"],
)
def test_a_node_that_is_not_there_cannot_be_drained(tmp_path: Path, manifests: str, node: str, words: str) -> None:
    config = folder(tmp_path, manifests)
    result = CliRunner().invoke(main, ["drain", node, "--config", str(config)])
    assert result.exit_code == 2
    assert words in result.output
    assert not (config / ".herald").exists()


@pytest.mark.parametrize("time", ["soon", "-1s", "2h"])
def test_a_time_that_is_none_is_refused(tmp_path: Path, time: str) -> None:
    result = CliRunner().invoke(main, ["drain", "node-1", "--config", str(folder(tmp_path)), "--wait", time])
    assert result.exit_code == 2
    assert "Invalid value for '--wait'" in result.output


@asynccontextmanager
async def api_server(statuses: list[list[Any]]) -> AsyncIterator[tuple[str, list[Any]]]:
    """Knows node-1, and says by turns what it announces. Gives its URL and the patches it has taken."""
    patches: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0)
        body = await reader.readexactly(length)
        status, answer = 200, {"items": []}
        if method == "PATCH" and path.startswith("/api/v1/nodes/node-1?"):
            patches.append(json.loads(body))
        elif method == "PATCH":
            status, answer = 404, {"code": 404, "reason": "NotFound", "message": "no such node"}
        elif path == "/api/v1/nodes":
            answer = {"items": [{"metadata": {"name": "node-1"}}]}
        elif path.endswith("servicebgpstatuses"):
            answer = {"items": statuses.pop(0) if len(statuses) > 1 else statuses[0]}
        content = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n".encode()
        )
        writer.write(b"Connection: close\r\n\r\n" + content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", patches


def kubeconfig(directory: Path, url: str) -> str:
    path = directory / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": url}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    return str(path)


def announces(node: str) -> Any:
    return {"status": {"node": node, "serviceNamespace": "default", "serviceName": "web"}}


async def test_a_node_of_a_cluster_is_marked_and_waited_for(tmp_path: Path) -> None:
    async with api_server([[announces("node-1"), announces("node-2")], [announces("node-2")]]) as (url, patches):
        words = ("node-1", "--kubeconfig", kubeconfig(tmp_path, url), "--wait", "100ms")
        code, out, err = await herald_drain(*words, run_dir=tmp_path)
        assert (code, err) == (0, "")
        assert out.endswith("node-1 is drained: nothing is announced from it. It may be rebooted.\n")
        assert patches == [{"metadata": {"annotations": {"herald.metallb.io/drain": "0.1s"}}}]
        code, _, _ = await herald_drain("node-1", "--undo", *words[1:3], run_dir=tmp_path)
        assert (code, patches[-1]) == (0, {"metadata": {"annotations": {"herald.metallb.io/drain": None}}})


async def test_what_is_still_announced_at_the_end_is_named(tmp_path: Path) -> None:
    async with api_server([[announces("node-1")]]) as (url, _):
        words = ("node-1", "--kubeconfig", kubeconfig(tmp_path, url), "--wait", "0s", "--timeout", "0s")
        code, _, err = await herald_drain(*words, run_dir=tmp_path)
    assert code == 1
    assert "node-1 still announces default/web by bgp" in err


async def test_a_node_that_the_cluster_has_not_is_named_with_the_nearest(tmp_path: Path) -> None:
    async with api_server([[]]) as (url, _):
        code, _, err = await herald_drain("node-9", "--kubeconfig", kubeconfig(tmp_path, url), run_dir=tmp_path)
    assert (code, err) == (2, 'herald drain: the cluster has no Node "node-9"; did you mean "node-1"?\n')


@asynccontextmanager
async def speaker(path: Path, answers: dict[str, list[Any]], node: str = "node-1") -> AsyncIterator[None]:
    """Says by turns what is in `answers`, and the last for ever; that of `node`, which is alive."""
    answers.setdefault("members", [[{"name": node}]])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turns = answers[json.loads(await reader.readline())["show"]]
        answer = turns.pop(0) if len(turns) > 1 else turns[0]
        writer.write(json.dumps({"node": node, "data": answer}).encode() + b"\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield


async def test_the_speaker_behind_a_named_socket_is_asked(tmp_path: Path) -> None:
    answers: dict[str, list[Any]] = {
        "l2": [{"holdings": []}],
        "bgp routes": [[{"prefix": "203.0.113.10/32"}]],
        "history": [[]],
        "gossip": [None],
    }
    path = tmp_path / "s"
    async with speaker(path, answers):
        words = ("node-1", "--config", str(folder(tmp_path)), "--wait", "0s", "--timeout", "0s", "--socket", str(path))
        code, _, err = await herald_drain(*words, run_dir=tmp_path)
        assert (code, "node-1 still announces 203.0.113.10/32 by bgp" in err) == (1, True)
        answers["bgp routes"] = [[]]
        code, out, _ = await herald_drain(*words, run_dir=tmp_path)
        assert (code, "node-1 is drained" in out) == (0, True)


DRAINED = "node-1: drained (annotation herald.metallb.io/drain); `herald drain --undo` ends that"
VIP, OTHER = "192.0.2.100", "192.0.2.101"


def released(ip: str, heard: str | None, cause: str = DRAINED) -> Any:
    return {"ip": ip, "what": "released", "cause": cause, "heard": heard}


@pytest.mark.parametrize(
    ("held", "moves", "named"),
    [
        pytest.param([VIP], [released(VIP, "02:00:00:00:00:02")], None, id="it is heard who has it"),
        pytest.param([VIP], [released(VIP, None), released(VIP, "02:00:00:00:00:02")], VIP, id="heard, but long ago"),
        pytest.param([VIP, OTHER], [released(VIP, "02:00:00:00:00:02"), released(OTHER, None)], OTHER, id="one of two"),
        pytest.param([VIP], [], VIP, id="no story"),
        pytest.param([], [released(VIP, None)], VIP, id="drained before"),
        pytest.param([], [released(VIP, None, "the Service is gone")], None, id="nobody is meant to have it"),
    ],
)
async def test_what_nobody_was_heard_to_take_is_named_and_not_called_drained(
    tmp_path: Path, held: list[str], moves: list[Any], named: str | None
) -> None:
    holdings = [{"ip": ip} for ip in held]
    answers: dict[str, list[Any]] = {
        "l2": [{"holdings": holdings}, {"holdings": holdings}, {"holdings": []}],
        "bgp routes": [[]],
        "history": [moves],
    }
    path = tmp_path / "s"
    async with speaker(path, answers):
        words = ("node-1", "--config", str(folder(tmp_path)), "--wait", "0s", "--socket", str(path))
        code, out, err = await herald_drain(*words, run_dir=tmp_path)
    if named is None:
        assert (code, err, "node-1 is drained" in out) == (0, "", True)
    else:
        assert (code, "is drained" in out) == (1, False)
        assert f"nobody was heard to answer instead for {named}. " in err
        assert "herald drain --undo node-1" in err


@pytest.mark.parametrize(
    ("gossip", "has", "has_not"),
    [({"health": 0}, "stop Herald on the host", "add a Node"), (None, "add a Node for each", "would be seen by no")],
    ids=["gossip", "heartbeats"],
)
async def test_hosts_apart_are_not_told_to_add_a_node(tmp_path: Path, gossip: Any, has: str, has_not: str) -> None:
    path, config = tmp_path / "s", folder(tmp_path, "{apiVersion: v1, kind: Namespace, metadata: {name: x}}")
    async with speaker(path, {"gossip": [gossip], "l2": [{"holdings": []}], "history": [[]]}, "edge-1"):
        words = ("edge-1", "--config", str(config), "--socket", str(path))
        code, _, err = await herald_drain(*words, run_dir=tmp_path)
    assert (code, has in err, has_not in err) == (2, True, False)
    assert not (config / ".herald").exists()


async def test_the_speaker_behind_the_socket_of_the_environment_is_asked_if_it_is_the_one(tmp_path: Path) -> None:
    answers: dict[str, list[Any]] = {"l2": [{"holdings": []}], "bgp routes": [[]], "history": [[]]}
    words = ("node-1", "--config", str(folder(tmp_path)), "--wait", "0s")
    mine, other = tmp_path / "s1", tmp_path / "s2"
    async with speaker(mine, dict(answers)), speaker(other, dict(answers), "node-2"):
        code, out, err = await herald_drain(*words, run_dir=tmp_path, HERALD_SOCKET=str(mine))
        assert (code, err, "node-1 is drained" in out) == (0, "", True)
        code, _, err = await herald_drain(*words, run_dir=tmp_path, HERALD_SOCKET=str(other))
        assert (code, f"no speaker of node-1 answers at {other}, " in err) == (1, True)


async def test_where_nobody_can_tell_the_command_says_so_at_once_and_names_the_option(tmp_path: Path) -> None:
    config = folder(tmp_path)
    words = ("node-1", "--config", str(config), "--wait", "1h", "--timeout", "1h")
    code, _, err = await asyncio.wait_for(herald_drain(*words, run_dir=tmp_path), 60)
    assert code == 1
    assert "cannot be told from here" in err
    assert "/herald/node-1.sock" in err
    assert "name its socket with --socket PATH or HERALD_SOCKET" in err
    assert annotations(config) == {"herald.metallb.io/drain": "3600s"}


def test_a_cluster_has_no_socket_that_could_be_named() -> None:
    result = CliRunner().invoke(main, ["drain", "node-1", "--socket", "/run/x.sock"])
    assert (result.exit_code, "--socket is for --config DIR" in result.output) == (2, True)
