"""`show bfd …` of vtysh against what a real FRR 8.4.4 printed, and `herald show bfd`."""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from frr_layout import recorded, recorded_json

from herald.cli.show_tables import bfd as table
from herald.cli.vtysh import bfd
from herald.engine.show import ShowSocket, bind

OF_THE_MOMENT = re.compile(r"\d+ (second\(s\)|packets)|(events|notifications): \d+|Peer Type: \w+")


def _as_herald_tells(frr: dict[str, Any], counted: dict[str, Any]) -> dict[str, Any]:
    """A session as the engine's document has it, from FRR's document of the same session."""
    heard = frr["remote-id"] != 0
    remote = {
        "state": "Up",
        "diagnostic": "no diagnostic",
        "detectMultiplier": frr["remote-detect-multiplier"],
        "transmitInterval": float(frr["remote-transmit-interval"]),
        "receiveInterval": float(frr["remote-receive-interval"]),
        "echoInterval": float(frr["remote-echo-receive-interval"]),
        "demand": False,
    }
    return {
        "peers": [f"peer {frr['peer']}"],
        "address": frr["peer"],
        "localAddress": frr.get("local"),
        "interface": frr.get("interface"),
        "vrf": None,
        "multihop": frr["multihop"],
        "minimumTTL": frr.get("minimum-ttl", 255),
        "passive": frr["passive-mode"],
        "state": frr["status"].capitalize(),
        "since": frr.get("uptime", frr.get("downtime")) + 0.3,
        "diagnostic": "no diagnostic",
        "downDiagnostic": "no diagnostic",
        "discriminator": frr["id"],
        "remoteDiscriminator": frr["remote-id"],
        "detectMultiplier": frr["detect-multiplier"],
        "transmitInterval": frr["transmit-interval"],
        "receiveInterval": frr["receive-interval"],
        "echoInterval": frr["echo-receive-interval"],
        "sendingEvery": 50.0 if heard else None,
        "detectionTime": 150.0 if heard else 0.0,
        "remote": remote if heard else None,
        "echo": {"running": False, "looped": False, "sent": 0, "received": 0, "roundTrip": None},
        "packetsIn": counted["control-packet-input"],
        "packetsOut": counted["control-packet-output"],
        "ups": counted["session-up"],
        "downs": counted["session-down"],
        "problem": None,
    }


THEIRS = recorded_json("bfd_peers.json")
COUNTED = recorded_json("bfd_counters.json")
SESSIONS = [_as_herald_tells(*pair) for pair in zip(THEIRS, COUNTED, strict=True)]
ONE_WAY = re.compile(r"Echo transmission interval: \w+")  # Herald sends echoes at the interval at which it takes them


def paragraphs(text: str) -> list[str]:
    """One for each peer, without what is of the moment."""
    cut = ONE_WAY.sub("", OF_THE_MOMENT.sub("", text)).strip("\n")
    return sorted(cut.partition("\n")[2].split("\n\n"))


def test_peers_have_the_layout_of_frr() -> None:
    theirs, ours = recorded("bfd_peers.txt"), bfd.peers(SESSIONS)
    assert ours.startswith("BFD Peers:\n\tpeer ")
    assert paragraphs(ours) == paragraphs(theirs)


def test_one_peer_has_the_layout_of_frr() -> None:
    (up,) = (one for one in SESSIONS if one["state"] == "Up")
    assert paragraphs(bfd.peer(up)) == paragraphs(recorded("bfd_peer.txt"))


def test_counters_have_the_layout_of_frr() -> None:
    assert paragraphs(bfd.counters(SESSIONS)) == paragraphs(recorded("bfd_counters.txt"))


def test_the_brief_table_has_the_layout_of_frr_to_the_column() -> None:
    assert sorted(bfd.brief(SESSIONS).splitlines()) == sorted(recorded("bfd_brief_peers.txt").strip("\n").splitlines())


def test_the_documents_are_those_of_frr() -> None:
    ours_alone = {"echo-transmit-interval"}
    for ours, theirs in zip(map(bfd.document, SESSIONS), THEIRS, strict=True):
        assert {key: value for key, value in ours.items() if key not in ours_alone} == {
            key: value for key, value in theirs.items() if key not in ours_alone
        }
    told = [{**bfd.counters_document(one), "zebra-notifications": 0} for one in SESSIONS]
    assert told == [{**one, "zebra-notifications": 0} for one in COUNTED]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.9, "3 second(s)"), (3723, "1 hour(s), 2 minute(s), 3 second(s)"), (86400, "1 day(s), 0 second(s)")],
)
def test_times_are_written_as_frr_writes_them(seconds: float, text: str) -> None:
    up = {**SESSIONS[-1], "since": seconds}
    assert f"time: {text}\n" in bfd.peer(up)


async def herald(path: Path, *words: str) -> tuple[int | None, str]:
    answers = {"bfd": lambda: {"sessions": SESSIONS, "waiting": ["late"], "dropped": {}}}
    async with await ShowSocket("node-1", answers).start(bind(path)):
        argv = [sys.executable, "-m", "herald.cli.main", *words, "--socket", str(path)]
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return process.returncode, out.decode()


async def test_vtysh_asks_the_speaker(tmp_path: Path) -> None:
    code, out = await herald(tmp_path / "s", "vtysh", "-c", "show bfd peers json", "-c", "show bfd peer 10.60.0.2")
    assert code == 0
    first, _, second = out.partition("\n]\n")
    assert [one["peer"] for one in json.loads(f"{first}]")] == ["10.60.0.2", "10.60.0.9", "10.99.0.1", "2001:db8:60::9"]
    assert second.startswith("BFD Peer:\n\tpeer 10.60.0.2 local-address 10.60.0.1 vrf default interface eth0\n")
    assert (await herald(tmp_path / "s", "vtysh", "-c", "show bfd peer 9.9.9.9"))[0] == 1


async def test_show_has_a_row_for_each_session(tmp_path: Path) -> None:
    code, out = await herald(tmp_path / "s", "show", "bfd")
    assert code == 0
    for words in ("peer 10.60.0.2", "multi", "50 ms", "150 ms", "late: begins when its BGP session is up"):
        assert words in out


def test_a_problem_is_told_below_the_table() -> None:
    problem = {**SESSIONS[0], "problem": "the port is taken"}
    pieces = list(table({"sessions": [problem], "waiting": []}))
    assert "the port is taken" in str(pieces[1])
