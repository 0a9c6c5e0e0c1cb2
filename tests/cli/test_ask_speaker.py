"""`--ask-speaker` on the folder of a plain host, against the engine's real show socket."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from herald.announcement.told import compose, encode
from herald.cluster.meta import NodeName
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
    ],
    "l2": lambda: {"holdings": [], "inUse": []},
}
VIP, OWNER, OTHER = "192.0.2.100", "nc-b", "nc-a"


def holding(*on: str, reason: str | None = None) -> dict[str, Any]:
    return {"ip": VIP, "interfaces": None, "answeredOn": list(on), "reason": reason, "requests": 0, "answers": 0}


def layer2(*holdings: Any, in_use: tuple[Any, ...] = ()) -> dict[str, Callable[[], Any]]:
    """The answers of a speaker that has these."""
    return ANSWERS | {"l2": lambda: {"holdings": list(holdings), "inUse": list(in_use)}}


async def explained(
    tmp_path: Path, subject: str, name: str, speaker: str, answers: dict[str, Callable[[], Any]]
) -> tuple[int | None, str]:
    """What `herald explain` says of the folder in `tmp_path`."""
    path = tmp_path / "s.sock"
    async with await ShowSocket(speaker, answers).start(bind(path)):
        code, said, error = await herald("explain", subject, name, "-f", str(tmp_path), "--ask-speaker", str(path))
    assert error == ""
    return code, said


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


USED = {"ip": VIP, "interface": "eth0", "mac": "02:00:00:00:00:99"}


@pytest.mark.parametrize(
    ("speaker", "answers", "code", "words"),
    [
        pytest.param(OWNER, layer2(holding("eth0")), 0, f"Announced: {OWNER} answers in Layer 2", id="it answers"),
        pytest.param(OTHER, layer2(), 0, f"Announced: {OWNER} answers in Layer 2", id="another one is asked"),
        pytest.param(
            OWNER,
            layer2(holding(reason="in use"), in_use=(USED,)),
            1,
            f"Not announced: {OWNER} does not answer for {VIP}: 02:00:00:00:00:99 on eth0 uses it",
            id="kept back, somebody uses it",
        ),
        pytest.param(
            OWNER,
            layer2(holding(reason="no carrier")),
            1,
            f"Not announced: {OWNER} does not answer for {VIP}: no carrier",
            id="it cannot",
        ),
        pytest.param(OWNER, layer2(), 1, "its speaker does not have the address", id="it was not told to"),
        pytest.param(
            OTHER,
            layer2(holding("eth0")),
            2,
            f"but {OTHER} answers for {VIP} at the moment",
            id="it answers and is not to",
        ),
    ],
)
async def test_the_verdict_is_what_the_asked_speaker_does(
    tmp_path: Path, speaker: str, answers: dict[str, Callable[[], Any]], code: int, words: str
) -> None:
    folder(tmp_path)
    given, said = await explained(tmp_path, "svc", "web", speaker, answers)
    assert (given, words in said) == (code, True), said
    node, told = await explained(tmp_path, "node", speaker, speaker, answers)
    if code:
        assert (node, f"NOW {speaker} " in told, VIP in told) == (2, True, True), told


async def test_of_an_object_that_was_edited_wrongly_a_running_speaker_keeps_the_last_valid_version(
    tmp_path: Path,
) -> None:
    folder(tmp_path, spec="spread: odd")
    code, said = await explained(tmp_path, "svc", "web", OWNER, layer2(holding("eth0")))
    assert (code, f"{OWNER} answers for {VIP} at the moment" in said) == (2, True), said
    assert "A running speaker keeps its last valid version of this L2Advertisement" in said
    assert "This L2Advertisement is left out" not in said
    code, said = await explained(tmp_path, "svc", "web", OTHER, layer2())
    assert (code, "a running speaker keeps the last valid version of what was edited wrongly" in said) == (1, True)
    code, said = await explained(tmp_path, "node", OWNER, OWNER, layer2(holding("eth0")))
    assert (code, f"{OWNER} answers for {VIP}" in said) == (2, True), said


NODES = "".join(
    f"---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{kubernetes.io/hostname: {name}}}}}\n"
    for name in (OWNER, OTHER)
)
READY = """---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], nodeName: nc-a}]
"""


@pytest.mark.parametrize("asks", [True, False], ids=["with a speaker", "from the folder alone"])
async def test_a_node_that_was_drained_on_the_folder_is_drained_in_what_is_explained(
    tmp_path: Path, asks: bool
) -> None:
    folder(tmp_path, NODES + READY)
    drained = await herald("drain", OWNER, "--config", str(tmp_path), "--wait", "0s", "--timeout", "0s")
    assert "is marked" in drained[2]
    path = tmp_path / "s.sock"
    async with await ShowSocket(OTHER, layer2(holding("eth0"))).start(bind(path)):
        words = ("-f", str(tmp_path), *(("--ask-speaker", str(path)) if asks else ()))
        service = await herald("explain", "svc", "web", *words)
        node = await herald("explain", "node", OWNER, *words)
    assert (service[0], service[2]) == (0, "")
    assert f"Announced: {OTHER} answers in Layer 2" in service[1]
    assert f"not {OWNER}. NodeDrained: " in service[1]
    assert "ELIGIBLE no. NodeDrained: " in node[1]


async def test_a_status_that_cannot_be_read_is_warned_of_and_does_not_count(tmp_path: Path) -> None:
    folder(tmp_path, NODES + READY)
    statuses = tmp_path / ".herald" / "status"
    statuses.mkdir(parents=True)
    (statuses / f"node..{OWNER}.yaml").write_text("metadata: [")
    (statuses / "notes.txt").write_text("no status")
    code, said, error = await herald("explain", "svc", "web", "-f", str(tmp_path))
    assert (code, f"{OWNER} answers in Layer 2" in said) == (0, True)
    assert f"node..{OWNER}.yaml cannot be read, so it does not count" in error


async def test_a_node_that_stands_aside_for_flapping_is_said_to_once_for_each_subject(tmp_path: Path) -> None:
    note = encode(compose((), [NodeName(OWNER)], 400)).hex()
    members = [{**row, "note": note if row["name"] == OTHER else ""} for row in ANSWERS["members"]()[:2]]
    answers = layer2(holding("eth0")) | {"members": lambda: members}
    folder(tmp_path, spec="flapDamping: true")
    code, said = await explained(tmp_path, "svc", "web", OTHER, answers)
    assert (code, said.count("NodeDamped")) == (0, 1), said
    assert f"{OTHER} answers in Layer 2" in said
    code, said = await explained(tmp_path, "node", OWNER, OTHER, answers)
    assert (code, "nothing is left" in said, "ELIGIBLE not in Layer 2" in said) == (1, False, True), said
    assert "VERDICT Not announced: NodeDamped: " in said
