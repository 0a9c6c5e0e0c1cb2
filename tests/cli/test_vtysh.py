"""`herald vtysh` against a show socket, and its layout against what a real FRR printed."""

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from frr_layout import EXTENDED, ROUTES, SESSIONS, recorded, recorded_json

from herald.cli.vtysh import documents, text
from herald.cli.vtysh.grammar import Command, NotUnderstoodError, Verb, parse
from herald.cli.vtysh.state import State, state
from herald.cli.vtysh.text import uptime
from herald.engine.show import ShowSocket, bind

ANSWERS: dict[str, Callable[[], Any]] = {
    "bgp summary": lambda: SESSIONS,
    "bgp routes": lambda: ROUTES,
    "bfd": lambda: {"sessions": [], "waiting": [], "dropped": {}},
}
STATE: State = state("node-1", SESSIONS, ROUTES)

UNKNOWN_TO_HERALD = {
    "lastUpdate",
    "bgpTimerLastRead",
    "bgpTimerLastWrite",
    "bgpInUpdateElapsedTimeMsecs",
    "bgpTimerConfiguredConditionalAdvertisementsSec",
    "extendedOptionalParametersLength",
    "addPath",
    "longLivedGracefulRestart",
    "longLivedGracefulRestartByPeer",
    "endOfRibSentAfterUpdate",
    "timers",
    "capabilitySent",
    "capabilityRecv",
    "minBtwnAdvertisementRunsTimerMsecs",
    "updateGroupId",
    "subGroupId",
    "packetQueueLength",
    "commAttriSentToNbr",
    "lastResetTimerMsecs",
    "lastResetDueTo",
    "lastResetCode",
    "portLocal",
    "nexthopLocal",
    "bgpConnection",
    "connectRetryTimer",
    "readThread",
    "writeThread",
}
"""Keys that FRR has and Herald leaves out."""
OURS = {"desc", "nbrDesc", "hostname"}
VERSIONS = {
    "tableVersion", "bgpTableVersion", "version", "ribCount", "ribMemory", "peerMemory", "peerUptime", "peerUptimeMsec",
    "peerUptimeEstablishedEpoch", "bgpTimerUpMsec", "bgpTimerUpString", "bgpTimerUpEstablishedEpoch", "nextHop",
    "nextHopGlobal", "nexthopGlobal", "portForeign", "localGrMode",
}  # fmt: skip
"""Keys whose values are of the moment, or of a thing that Herald has no notion of."""


async def vtysh(path: Path, *commands: str, typed: str | None = None) -> tuple[int | None, str]:
    """Exit code and what is printed."""
    words = [word for command in commands for word in ("-c", command)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "herald.cli.main", "vtysh", "--socket", str(path), *words, stdin=pipe, stdout=pipe
    )
    out, _ = await process.communicate((typed or "").encode())
    return process.returncode, out.decode()


async def answered(path: Path, *commands: str, typed: str | None = None) -> tuple[int | None, str]:
    """The same, with a speaker behind the socket."""
    server = await ShowSocket("node-1", ANSWERS).start(bind(path))
    try:
        return await vtysh(path, *commands, typed=typed)
    finally:
        server.close()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("show ip bgp", Command(Verb.TABLE, 4)),
        ("sh ip bgp", Command(Verb.TABLE, 4)),
        ("show bgp", Command(Verb.TABLE, 6)),
        ("sh ip bgp sum", Command(Verb.SUMMARY, 4)),
        ("show bgp summary json", Command(Verb.SUMMARY, None, None, json=True)),
        ("show bgp sum jso", Command(Verb.SUMMARY, None, None, json=True)),
        ("sh bg ipv4 uni sum", Command(Verb.SUMMARY, 4)),
        ("show bgp vrf all summary", Command(Verb.SUMMARY)),
        ("show bgp ipv4 unicast 192.0.2.7/32", Command(Verb.ENTRY, 4, "192.0.2.7/32")),
        ("show bgp ipv6 unicast 2001:db8::7", Command(Verb.ENTRY, 6, "2001:db8::7")),
        ("show ip bgp 192.0.2.7 json", Command(Verb.ENTRY, 4, "192.0.2.7", json=True)),
        ("show bgp neighbors", Command(Verb.NEIGHBORS)),
        ("show bgp neighbors 192.0.2.1 advertised-routes", Command(Verb.ADVERTISED, None, "192.0.2.1")),
        ("show bgp ipv4 unicast neigh 192.0.2.1 adv", Command(Verb.ADVERTISED, 4, "192.0.2.1")),
        ("show bgp neighbors eth0", Command(Verb.NEIGHBORS, None, "eth0")),
        ("show bgp ipv4 unicast neighbors eth0 adv json", Command(Verb.ADVERTISED, 4, "eth0", json=True)),
        ("show bfd peers brief", Command(Verb.BFD_BRIEF)),
        ("show bfd vrf default peers", Command(Verb.BFD_PEERS)),
        ("show version", Command(Verb.VERSION)),
        ("sh run", Command(Verb.RUNNING_CONFIG)),
        ("terminal length 0", Command(Verb.NOTHING, None, "0")),
        ("", Command(Verb.NOTHING)),
    ],
)
def test_commands_are_understood_as_frr_does(line: str, expected: Command) -> None:
    assert parse(line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("shoo ip bgp", "% Unknown command: shoo ip bgp"),
        ("show ip bgp foo", "% Unknown command: show ip bgp foo"),
        ("show ip bgp summary foo", "% Unknown command: show ip bgp summary foo"),
        ("show ip bgp 300.1.1.1/32", "% Unknown command: show ip bgp 300.1.1.1/32"),
        ("show version json", "% Unknown command: show version json"),
        ("show", "% Command incomplete: show"),
        ("show ip", "% Command incomplete: show ip"),
        ("show b", "% Ambiguous command: show b"),
        ("clear bgp *", "% Unknown command: clear bgp *"),
        ("configure terminal", "% Unknown command: configure terminal"),
    ],
)
def test_what_is_not_known_is_refused_in_the_words_of_frr(line: str, words: str) -> None:
    with pytest.raises(NotUnderstoodError) as refused:
        parse(line)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("show ip bgp", "table.txt"),
        ("show bgp ipv6 unicast", "table6.txt"),
        ("show bgp summary", "summary.txt"),
        ("show bgp ipv4 unicast 192.168.1.201/32", "entry.txt"),
        ("show ip bgp 192.168.1.201", "entry.txt"),
        ("show bgp ipv6 unicast 2001:db8:1::200/128", "entry6.txt"),
        ("show bfd peers brief", "bfd_brief.txt"),
    ],
)
async def test_a_table_has_the_layout_of_frr_to_the_column(tmp_path: Path, command: str, name: str) -> None:
    code, out = await answered(tmp_path / "s", command)
    assert code == 0
    assert comparable(out) == comparable(recorded(name))


def comparable(text: str) -> str:
    """Without what Herald has no notion of (versions, memory, times of change) and with one name for descriptions."""
    text = re.sub(r"(table version is|table version|, version) \d+", r"\1 0", text)
    text = re.sub(r"RIB entries \d+, using \d+ bytes", "RIB entries, using bytes", text)
    text = re.sub(r"using \d+ KiB", "using KiB", text)
    text = re.sub(r" (N/A|internet|away|six)$", " DESC", text, flags=re.MULTILINE)
    text = re.sub(r"^ +Last update: .*\n?", "", text, flags=re.MULTILINE)
    return text.rstrip("\n")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("show ip bgp json", "table.json"),
        ("show bgp summary json", "summary.json"),
        ("show bgp ipv4 unicast 192.168.1.201/32 json", "entry.json"),
        ("show bgp neighbors 10.50.0.1 json", "neighbor.json"),
        ("show ip bgp neighbors 10.50.0.1 advertised-routes json", "advertised.json"),
        ("show bgp ipv6 unicast neighbors 2001:db8:50::1 advertised-routes json", "advertised6.json"),
    ],
)
async def test_a_document_has_the_keys_of_frr_and_equal_values(tmp_path: Path, command: str, name: str) -> None:
    import json

    code, out = await answered(tmp_path / "s", command)
    assert code == 0
    assert differences(json.loads(out), recorded_json(name), "$") == []


def differences(ours: Any, theirs: Any, where: str) -> list[str]:
    """Where the two are different; keys that one of them cannot have are left out."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        missing = [f"{where}.{key} missing" for key in theirs.keys() - ours.keys() - UNKNOWN_TO_HERALD]
        invented = [f"{where}.{key} invented" for key in ours.keys() - theirs.keys() - OURS]
        both = (ours.keys() & theirs.keys()) - VERSIONS - UNKNOWN_TO_HERALD
        inner = [text for key in sorted(both) for text in differences(ours[key], theirs[key], f"{where}.{key}")]
        return missing + invented + inner
    if isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        pairs = zip(ours, theirs, strict=True)
        return [text for number, (a, b) in enumerate(pairs) for text in differences(a, b, f"{where}[{number}]")]
    return [] if ours == theirs else [f"{where}: {ours!r}, not {theirs!r}"]


EXTENDED_STATE: State = state("node-1", SESSIONS, [*ROUTES, EXTENDED])


def test_extended_communities_and_a_bandwidth_are_shown_as_frr_shows_them() -> None:
    (found,) = (entry for entry in EXTENDED_STATE.table(4) if str(entry.prefix) == EXTENDED["prefix"])
    ours = documents.entry(EXTENDED_STATE, found)
    assert differences(ours["paths"], recorded_json("entry_extended.json")["paths"], "$") == []
    assert comparable(text.entry(EXTENDED_STATE, found)) == comparable(recorded("entry_extended.txt"))


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({"linkBandwidth": 100}, "LB:64500:12500000 (100.000 Mbps)"),
        ({"linkBandwidth": 1500}, "LB:64500:187500000 (1.500 Gbps)"),
        ({"linkBandwidth": None}, ""),
        ({"extendedCommunities": ["generic:0x430cfde8:0x00000001"]}, "UNK:67, 12"),
    ],
    ids=["Mbit/s", "Gbit/s", "none", "one without a name"],
)
def test_an_extended_community_in_the_words_of_frr(more: dict[str, Any], shown: str) -> None:
    changed = state("node-1", SESSIONS, [EXTENDED | {"extendedCommunities": [], "linkBandwidth": None} | more])
    assert changed.table(4)[0].paths[0].extended_communities == shown


def test_peers_that_get_other_extended_communities_have_paths_of_their_own() -> None:
    other = EXTENDED | {"peer": "internet", "linkBandwidth": 4000}
    (found,) = state("node-1", SESSIONS, [EXTENDED, other]).table(4)
    assert len(found.paths) == 2


def test_roles_are_shown_as_frr_shows_them() -> None:
    said = SESSIONS[0]["capabilities"]
    one = SESSIONS[0] | {
        "neighbor": SESSIONS[0]["neighbor"] | {"role": "customer"},
        "capabilities": {way: [*said[way], f"bgp-role {role}"] for way, role in OUR_ROLES.items()},
    }
    shown = state("node-1", [one], ROUTES)
    (document,) = documents.neighbors(shown, shown.neighbors).values()
    assert (document["localRole"], document["remoteRole"]) == ("customer", "provider")
    assert document["neighborCapabilities"]["role"] == "advertisedAndReceived"
    lines = text.neighbor(shown, shown.neighbors[0]).splitlines()
    assert {"  Local Role: customer", "  Remote Role: provider", "    Role: advertised and received"} <= set(lines)


OUR_ROLES = {"offered": "customer", "received": "provider"}


async def test_every_line_about_a_neighbor_is_one_that_frr_prints(tmp_path: Path) -> None:
    _, out = await answered(tmp_path / "s", "show bgp neighbors 10.50.0.1")
    ours_only = {
        " Description: internet",
        "  4 sent prefixes, 4 wanted",
        "  Last reset never",
        "    Local GR Mode: Helper",
        "Local host: 10.50.0.2",
        "Foreign host: 10.50.0.1, Foreign port: 179",
    }
    of_the_moment = re.compile(r"up for \d\d:\d\d:\d\d")
    theirs = {of_the_moment.sub("up for", line) for line in recorded("neighbor.txt").splitlines()}
    lines = {of_the_moment.sub("up for", line) for line in out.splitlines()}
    assert lines - theirs - ours_only == set()
    assert "  BGP state = Established, up for" in lines
    assert "    Updates:                3          3" in lines


async def test_the_advertised_routes_show_the_next_hop_that_the_peer_is_told(tmp_path: Path) -> None:
    _, out = await answered(tmp_path / "s", "show ip bgp neighbors 10.50.0.1 advertised-routes")
    expected = recorded("advertised.txt").replace("0.0.0.0  ", "10.50.0.2")
    assert comparable(out) == comparable(expected)


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        ("show ip bgp 9.9.9.9/32", 0, "% Network not in table\n"),
        ("show ip bgp 9.9.9.9/32 json", 0, "{\n}\n"),
        ("show bgp neighbors 1.2.3.4", 0, "% No such neighbor in this view/vrf\n\n"),
        ("show bgp neighbors 1.2.3.4 json", 0, '{\n  "bgpNoSuchNeighbor": true\n}\n'),
        ("show ip bgp neighbors 10.50.0.9 advertised-routes", 0, ""),
        ("show bfd peers", 0, "BFD Peers:\n"),
        ("show bfd peers json", 0, "[]\n"),
        ("show bfd peer 1.2.3.4", 1, "% Unable to find 'peer 1.2.3.4'\n"),
        ("show ip bgp foo", 1, "% Unknown command: show ip bgp foo\n"),
    ],
)
async def test_what_is_not_there_is_said_as_frr_says_it(tmp_path: Path, command: str, code: int, expected: str) -> None:
    assert await answered(tmp_path / "s", command) == (code, expected)


async def test_several_commands_are_answered_in_turn_until_one_fails(tmp_path: Path) -> None:
    code, out = await answered(tmp_path / "s", "show bfd peers", "bogus", "show version")
    assert (code, out) == (1, "BFD Peers:\n% Unknown command: bogus\n")


async def test_commands_come_from_standard_input_too(tmp_path: Path) -> None:
    code, out = await answered(tmp_path / "s", typed="show bfd peers\nshow ip bgp 9.9.9.9\n")
    assert (code, out) == (0, "BFD Peers:\n% Network not in table\n")


async def test_without_a_speaker_it_says_so_and_ends_with_2(tmp_path: Path) -> None:
    code, out = await vtysh(tmp_path / "nobody", "show ip bgp")
    assert (code, out) == (2, "")


def unnumbered(found: str | None) -> State:
    """The first recorded session as one by interface."""
    ends = SESSIONS[0]["neighbor"] | {"interface": "eth0", "address": found}
    return state("node-1", [SESSIONS[0] | {"neighbor": ends}, *SESSIONS[1:]], ROUTES)


@pytest.mark.parametrize(("found", "words"), [("fe80::1", "fe80::1"), (None, "None")], ids=["found", "nobody yet"])
def test_an_unnumbered_peer_goes_by_its_interface_as_frr_has_it(found: str | None, words: str) -> None:
    known = unnumbered(found)
    assert [one.address for one in known.neighbors][-1] == "eth0", "after those with an address"
    (one,) = (one for one in known.neighbors if one.is_unnumbered)
    assert text.neighbor(known, one).startswith(f"BGP neighbor on eth0: {words}, remote AS 64501, ")
    (table,) = documents.summary(known, (4,)).values()
    assert table["peers"]["eth0"]["idType"] == "interface"
    assert "eth0" in documents.neighbors(known, (one,))


def test_peers_that_are_sent_different_attributes_have_paths_of_their_own() -> None:
    other = {**ROUTES[0], "peer": "internet", "prefix": "10.0.0.0/24", "localPref": 7}
    (entry,) = state("n", SESSIONS, [{**other, "peer": "away", "localPref": None}, other]).table(4)
    assert [[one.name for one in path.neighbors] for path in entry.paths] == [["away"], ["internet"]]
    assert [one.name for one in entry.told] == ["internet"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "never"),
        (3.9, "00:00:03"),
        (86_399, "23:59:59"),
        (86_400 + 7_380, "1d02h03m"),
        (604_800 * 2 + 86_400 + 10_800, "02w1d03h"),
        (31_536_000 + 604_800 * 2 + 86_400 * 3, "01y02w3d"),
    ],
)
def test_an_uptime_is_shortened_as_frr_does(seconds: float | None, words: str) -> None:
    assert uptime(seconds) == words
