"""`herald show` against the engine's real show socket."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from herald.announcement.told import compose, encode
from herald.cli import show_tables
from herald.cli.main import main
from herald.cli.show_tables import duration
from herald.cluster.meta import NodeName
from herald.engine.show import ShowSocket, bind
from herald.report.table import Note, Table, Tone

SESSION: dict[str, Any] = {
    "peer": "tor",
    "endpoint": "192.168.1.1:179",
    "state": "Established",
    "since": 3723.0,
    "remoteASN": 64501,
    "holdTime": 90,
    "keepaliveTime": 30,
    "flaps": 2,
    "lastError": None,
    "pinnedError": None,
    "families": [{"advertised": 3, "pending": 1, "received": 5}, {"advertised": 4, "pending": 0, "received": 0}],
}
ROUTE = {
    "peer": "tor",
    "prefix": "192.0.2.7/32",
    "localPref": None,
    "communities": ["64500:100"],
    "largeCommunities": [],
    "prepend": [64500, 64500],
    "established": False,
}
LAYER2 = {
    "holdings": [
        {"ip": "192.0.2.7", "interfaces": None, "answeredOn": ["eth0"], "reason": None, "requests": 12, "answers": 11},
        {
            "ip": "192.0.2.8",
            "interfaces": ["eth9"],
            "answeredOn": [],
            "reason": "no such interface",
            "requests": 0,
            "answers": 0,
        },
    ],
    "conflicts": [
        {"ip": "192.0.2.7", "interface": "eth0", "mac": "02:00:00:00:00:09", "firstSeen": 272.4, "lastSeen": 3.1}
    ],
}
ANSWERS: dict[str, Callable[[], Any]] = {
    "members": lambda: [
        {"name": "node-1", "interfaces": ["eth0", "eth1"]},
        {"name": "node-2", "interfaces": []},
        {"name": "node-3", "interfaces": None},
    ],
    "l2": lambda: LAYER2,
    "bgp summary": lambda: [SESSION],
    "bgp routes": lambda: [ROUTE],
}


async def herald_show(path: Path, *words: str) -> tuple[int | None, str, str]:
    command = [sys.executable, "-m", "herald.cli.main", "show", *words, "--socket", str(path)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("bgp", "summary"), ["tor", "192.168.1.1:179", "64501", "Established", "1h 2m", "90/30", " 7 "]),
        (("bgp", "routes"), ["192.0.2.7/32", "64500 64500", "64500:100", "down"]),
        (("l2",), ["192.0.2.7", "all", "eth0", "nowhere", "no such interface", "00:09  4m 32s ago  3.1s ago"]),
        (("members",), ["node-1  eth0 eth1", "node-2  none", "node-3  not known", "3 alive"]),
    ],
    ids=["bgp summary", "bgp routes", "l2", "members"],
)
async def test_answers_are_shown_as_a_table_and_as_json(
    tmp_path: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    path = tmp_path / "show.sock"
    async with await ShowSocket("node-1", ANSWERS).start(bind(path)):
        code, table, _ = await herald_show(path, *words)
        assert code == 0
        assert [text for text in expected if text not in table] == []
        code, document, _ = await herald_show(path, *words, "-o", "json")
        assert code == 0
        assert json.loads(document) == {"node": "node-1", "show": " ".join(words), "data": ANSWERS[" ".join(words)]()}


async def test_a_question_that_the_speaker_does_not_know_is_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "show.sock"
    async with await ShowSocket("node-1", {"l2": lambda: LAYER2}).start(bind(path)):
        code, _, error = await herald_show(path, "members")
    assert code == 2
    assert "cannot show members" in error


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4s"), (59, "59s"), (61, "1m 1s"), (3723, "1h 2m"), (90061, "1d 1h")],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


async def herald(*words: str, **environment: str) -> tuple[int | None, str, str]:
    command = [sys.executable, "-m", "herald.cli.main", *words]
    pipe = asyncio.subprocess.PIPE
    inherited = {key: value for key, value in os.environ.items() if key not in ("HERALD_SOCKET", "METALLB_NODE_NAME")}
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env={**inherited, **environment})
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_environment_names_the_socket_and_what_is_typed_counts_before_it(tmp_path: Path) -> None:
    path = tmp_path / "show.sock"
    question = ("show", "members", "-o", "json")
    async with await ShowSocket("node-1", ANSWERS).start(bind(path)):
        code, out, _ = await herald(*question, HERALD_SOCKET=str(path), METALLB_NODE_NAME="another")
        assert (code, json.loads(out)["node"]) == (0, "node-1")
        code, out, _ = await herald(*question, "--socket", str(path), HERALD_SOCKET="/nowhere")
        assert (code, json.loads(out)["node"]) == (0, "node-1")
        code, _, error = await herald(*question, "--node-name", "another", HERALD_SOCKET=str(path))
        assert code == 2
        assert "no speaker runs behind /run/herald/another.sock" in error


@pytest.mark.parametrize("name", ["a b", "", "Vm", "a_b", "-a", "a.", "x" * 254])
@pytest.mark.parametrize("command", ["speaker", "standalone"])
def test_a_node_name_that_kubernetes_would_not_take_is_refused_with_2(tmp_path: Path, command: str, name: str) -> None:
    ran = CliRunner().invoke(main, [command, "--config", str(tmp_path), "--node-name", name])
    assert ran.exit_code == 2
    assert "cannot be the name of a node: lower-case letters" in ran.stderr


def all_commands(command: click.Command, *words: str) -> Iterator[str]:
    yield " ".join(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from all_commands(found, *words, name)


def test_no_help_text_is_cut_and_every_command_has_an_example() -> None:
    without, cut = [], []
    for words in all_commands(main):
        shown = CliRunner().invoke(main, [*words.split(), "--help"]).stdout
        without += [words] if "Example" not in shown else []
        cut += [words] if "..." in shown.replace("[ARGS]...", "") else []
    assert (without, cut) == ([], [])


def test_the_default_format_is_spelled_as_it_is_typed() -> None:
    assert "[default: table]" in CliRunner().invoke(main, ["show", "l2", "--help"]).stdout


def test_members_that_gossip_are_shown_with_their_state_and_only_the_live_ones_are_counted() -> None:
    node = {"interfaces": ["eth0"], "since": 75.2, "incarnation": 3, "address": "10.0.0.1:7946", "lastSeen": 0.04}
    known = [
        {**node, "name": "node-1", "state": "alive", "lastSeen": None},
        {**node, "name": "node-2", "state": "suspect"},
        {**node, "name": "node-3", "state": "dead", "interfaces": None},
        {**node, "name": "node-4", "state": "alive", "interfaces": [], "starting": True},
    ]
    table, note = show_tables.members(known, [])
    assert isinstance(table, Table)
    assert [[cell.text for cell in line] for line in table.rows] == [
        ["node-1", "alive", "1m 15s", "10.0.0.1:7946", "-", "3", "eth0"],
        ["node-2", "suspect", "1m 15s", "10.0.0.1:7946", "0.0s ago", "3", "eth0"],
        ["node-3", "dead", "1m 15s", "10.0.0.1:7946", "0.0s ago", "3", "-"],
        ["node-4", "alive", "1m 15s", "10.0.0.1:7946", "0.0s ago", "3", "none: it is starting, or its control is away"],
    ]
    assert note == Note("3 alive, as this node sees it.", Tone.FAINT)
    way = {"from": "node-1", "to": "node-2", "protocol": "udp", "port": 7946, "reason": "no ping is answered"}
    _, blocked, _ = show_tables.members(known, [way])
    assert isinstance(blocked, Table)
    assert [cell.text for cell in blocked.rows[0]] == ["node-1", "node-2", "udp/7946", "no ping is answered"]


def test_a_node_whose_control_is_away_says_so_itself() -> None:
    why = "connected, and silent for 10 s"
    table, _ = show_tables.members([{"name": "node-1", "interfaces": ["eth0"], "note": "", "away": why}], [])
    assert isinstance(table, Table)
    assert table.rows[0][-1].text == "none: its control is away (connected, and silent for 10 s)"


def test_members_that_are_only_known_from_before_are_shown_with_why() -> None:
    stale = {"problem": "/srv/.herald/members cannot be read: No such file or directory", "since": 75.2}
    known = [{"name": name, "interfaces": ["eth0"], "note": "", "stale": stale} for name in ("node-1", "node-2")]
    _, why, count = show_tables.members(known, [])
    assert isinstance(why, Note)
    assert why.text.startswith("As last seen 1m 15s ago, and nobody is taken for gone: /srv/.herald/members cannot")
    assert count == Note("2 alive, as this node sees it.", Tone.FAINT)


def test_routers_beside_an_unnumbered_peer_are_noted() -> None:
    ends = {"interface": "eth0"}
    found = {"neighbor": "fe80::1", "others": ["fe80::2", "fe80::3"]}
    pieces = show_tables.bgp_summary([SESSION | {"neighbor": ends, "discovery": found}])
    notes = [piece for piece in pieces if isinstance(piece, Note)]
    assert [note.text for note in notes] == [
        "tor on eth0: several routers advertise themselves there; the peer is fe80::1, not fe80::2, fe80::3"
    ]


def test_what_speakers_keep_and_whom_they_find_unsteady_is_shown_if_there_is_any() -> None:
    kept, found = compose([ip_address("10.0.0.1")], (), 100), compose((), [NodeName("node-1")], 100)
    notes = {"node-1": encode(kept).hex(), "node-2": encode(found).hex(), "node-3": None}
    known = [{"name": name, "interfaces": None, "note": note} for name, note in notes.items()]
    _, told, _ = show_tables.members(known, [])
    assert isinstance(told, Table)
    assert [[cell.text for cell in line] for line in told.rows] == [
        ["node-1", "1", "-", "-", "stands aside"],
        ["node-2", "0", "-", "node-1", "-"],
        ["node-3", "not Herald's", "-", "-", "-"],
    ]
    assert len(list(show_tables.members([{"name": "node-1", "interfaces": None, "note": ""}], []))) == 2
