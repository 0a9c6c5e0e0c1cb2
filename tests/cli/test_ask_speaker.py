"""`--ask-speaker` on the folder of a plain host, against the engine's real show socket."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from herald.engine.show import ShowSocket, bind

FOLDER = """
apiVersion: v1
kind: List
items:
  - apiVersion: metallb.io/v1beta1
    kind: IPAddressPool
    metadata: {name: p, namespace: metallb-system}
    spec: {addresses: [192.0.2.100/32]}
  - apiVersion: metallb.io/v1beta1
    kind: L2Advertisement
    metadata: {name: l, namespace: metallb-system}
    spec: {SPEC}
  - apiVersion: v1
    kind: Service
    metadata: {name: web, namespace: default}
    spec: {type: LoadBalancer, ports: [{port: 80}]}
"""
SLICE = """
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: []
"""
NODE = """
---
apiVersion: v1
kind: Node
metadata: {name: node-1}
"""
ANSWERS: dict[str, Callable[[], Any]] = {
    "members": lambda: [
        {"name": "nc-a", "state": "alive", "interfaces": ["eth0"], "note": None},
        {"name": "nc-b", "state": "suspect", "interfaces": ["eth0"], "note": None},
        {"name": "nc-c", "state": "dead", "interfaces": None, "note": None},
    ]
}


async def herald(*words: str) -> tuple[int | None, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "herald.cli.main", *words, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    return process.returncode, " ".join(out.decode().split()), " ".join(err.decode().split())


def folder(tmp_path: Path, extra: str = "", spec: str = "") -> str:
    (tmp_path / "a.yaml").write_text(FOLDER.replace("{SPEC}", f"{{{spec}}}") + extra)
    return str(tmp_path)


async def test_without_a_node_in_the_folder_the_living_members_are_the_nodes_and_services_are_ready(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.sock"
    async with await ShowSocket("nc-a", ANSWERS).start(bind(path)):
        asked = ("-f", folder(tmp_path), "--ask-speaker", str(path))
        code, said, error = await herald("explain", "ip", "192.0.2.100", *asked)
        planned = await herald("plan", *asked, "-o", "json")
    assert (code, error) == (0, "")
    assert "nc-a" in said
    assert "nc-b" in said
    assert "nc-c" not in said
    assert "no Node" not in said
    (row,) = json.loads(planned[1])["layer2"]
    assert row["node"] in ("nc-a", "nc-b")


async def test_node_selectors_of_a_plain_host_choose_among_the_members_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    selectors = "nodeSelectors: [{matchLabels: {kubernetes.io/hostname: nc-b}}]"
    async with await ShowSocket("nc-a", ANSWERS).start(bind(path)):
        asked = ("-f", folder(tmp_path, spec=selectors), "--ask-speaker", str(path))
        _, planned, _ = await herald("plan", *asked, "-o", "json")
    assert [row["node"] for row in json.loads(planned)["layer2"]] == ["nc-b"]


async def test_a_selector_by_another_label_is_hinted_at_where_the_nodes_are_known_by_name_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    selectors = "nodeSelectors: [{matchLabels: {rack: r1}}]"
    async with await ShowSocket("nc-a", ANSWERS).start(bind(path)):
        asked = ("-f", folder(tmp_path, spec=selectors), "--ask-speaker", str(path))
        _, said, error = await herald("plan", *asked)
    assert "the nodes of --ask-speaker have no label but their name" in said + error


@pytest.mark.parametrize("extra", [SLICE, NODE], ids=["an EndpointSlice without endpoints", "Nodes, but no slice"])
async def test_what_the_folder_says_of_nodes_and_endpoints_counts(tmp_path: Path, extra: str) -> None:
    path = tmp_path / "s.sock"
    async with await ShowSocket("nc-a", ANSWERS).start(bind(path)):
        code, said, _ = await herald(
            "explain", "ip", "192.0.2.100", "-f", folder(tmp_path, extra), "--ask-speaker", str(path)
        )
    assert code == 1
    assert "NoReadyEndpoint" in said


@pytest.mark.parametrize(
    ("words", "code"),
    [(("plan",), 2), (("lint",), 2), (("explain", "ip", "192.0.2.100"), 3)],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
async def test_a_speaker_that_is_not_there_is_reported_under_the_name_of_the_command(
    tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    given = await herald(*words, "-f", folder(tmp_path), "--ask-speaker", "/nope")
    assert given[0] == code
    assert f"herald {words[0]}: no speaker runs behind /nope" in given[2]
    assert "name its socket with --ask-speaker" in given[2]


async def test_explain_without_anything_to_read_names_what_a_plain_host_has(tmp_path: Path) -> None:
    code, _, error = await herald("explain", "ip", "192.0.2.100")
    assert code == 3
    assert [word for word in ("--ask-speaker", "`herald show l2`", "`herald history`") if word not in error] == []
