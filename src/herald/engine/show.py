"""The show socket: what `herald show` asks the running engine, over a Unix socket that only its owner may use.

One connection carries one question and one answer, a line of JSON each:

    {"show": "l2"}
    {"node": "n1", "show": "l2", "data": …}          or    {"error": "…"}

The `data` of each question (names as in JSON; `null` where nothing is known, seconds as numbers, never a secret):

    members        [{name, interfaces: [word], note}]   the live speakers, their usable interfaces (the words of
                    `herald.net.usable_names`: `eth0`, or `eth0/4` for one that has IPv4 only), and what control tells
                    there (`herald.announcement.told`), hexadecimal, null if not Herald's; with gossip also those
                    that died or left lately, and of each more: {…, state: alive, suspect, dead or left, since,
                    incarnation, address, lastSeen}
                    `since`: how long in this state; `lastSeen`: how long since it answered a ping of this node;
                    state `unconfirmed`: others say that it is there, and it has not answered yet
                    `starting: true` with those that answer for nothing new: they start, or their control is away;
                    this node itself then has `away`: why
                    those that are watched closely also have fastFailover: {bfd: Up, Down or Init, phase: watched,
                    asked or dead, falseAlarms, deaths, calm, problem}
                    `falseAlarms`: silent by BFD, and answered by gossip; `deaths`: taken for dead at once; `calm`: for
                    so many seconds gossip alone decides; `problem`: why BFD does not watch it, or null
                    while the folder of the heartbeats cannot be used all have stale: {problem, since}: why not, and
                    for how long the members have only been as they were last seen
    gossip         {health, news, sendFailures, dropped: {reason: count},
                    unreachable: [{from, to, protocol, port, reason}]}, or null without gossip
                    `unreachable`: ways from and to this node on which gossip does not arrive, `protocol` udp or tcp
                    `health`: 0 is well, more is slower to accuse; `news`: what waits to be passed on
    interfaces     [{name, index, mac, up, carrier, addresses: [text], verdict, answering, ndpVerdict,
                    ndpAnswering}]
    l2             {holdings:  [{ip, interfaces: [name] or null for all, answeredOn: [name], reason, requests,
                                answers}],
                    conflicts: [{ip, interface, mac, firstSeen, lastSeen}], conflictsNotKept,
                    groups: {interface: [solicited-node group]}, dropped: {reason: frames},
                    gratuitous: {pending, framesSent}, sendFailures,
                    inUse: [{ip, interface, mac}], whoever keeps an address from being announced,
                    selfProbe: [{interface, protocol, failures, mute, lastLeft}]}
                    `firstSeen`, `lastSeen`: how long since the claim was heard for the first and for the last time; it
                    is kept for 300 s after the last
                    `failures`: in a row; `lastLeft`: how long since a probe was seen to leave, or null
    history        see `herald.engine.history`
    counters       see `herald.engine.counters`
    bfd            see `herald.engine.bfd_document`
    bgp summary    see `herald.engine.bgp_document`
    bgp listen     {at: [where], shut: [why not], accepted, refused: {reason: connections}}, or null without
    bgp routes     see `herald.engine.bgp_document`
"""

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from herald.engine.membership import Members, Notes
from herald.layer2.conflict import Claim
from herald.layer2.responder import HoldingSnapshot
from herald.layer2.self_probe import WaySnapshot
from herald.layer2.snapshot import JudgedInterface, Layer2Snapshot
from herald.net.interface import mac_text

LONGEST_QUESTION: Final = 4096
PATIENCE: Final = 5.0
"""Seconds that a question may take to come in, and an answer to go out."""

Document = Any
Answer = Callable[[], Document]
Pieces = Callable[[], Iterator[str]]
"""Gives a document as text, in pieces that each take a millisecond at most."""

_log: Final = logging.getLogger("herald.engine.show")


class ShowSocket:
    """Answers the questions given as tables of their names; what is in `long` is made while other work goes on."""

    def __init__(self, node: str, answers: Mapping[str, Answer], long: Mapping[str, Pieces] | None = None) -> None:
        self._node = node
        self._answers = answers
        self._long = long or {}

    async def start(self, listening: socket.socket) -> asyncio.Server:
        """Answer from now on; `listening` is what `bind` gives."""
        return await asyncio.start_unix_server(self._serve, sock=listening, limit=LONGEST_QUESTION)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                for piece in self._answer(await reader.readline()):
                    writer.write(piece.encode())
                    await writer.drain()
                    await asyncio.sleep(0)
        except (OSError, ValueError) as error:  # asked in no time, or gone before the answer; ValueError: line too long
            _log.debug("question dropped: %s", error, extra={"event": "showDropped"})
        finally:
            writer.close()

    def _answer(self, question: bytes) -> Iterator[str]:
        """The line of the answer, in pieces."""
        try:
            asked = json.loads(question)
        except ValueError:
            yield _line({"error": "the question is not JSON"})
            return
        what = asked.get("show") if isinstance(asked, dict) else None
        if isinstance(what, str) and what in self._long:
            yield _line({"node": self._node, "show": what, "data": 0}).removesuffix("0}\n")
            yield from self._long[what]()
            yield "}\n"
        elif isinstance(what, str) and what in self._answers:
            yield _line({"node": self._node, "show": what, "data": self._answers[what]()})
        else:
            known = ", ".join(sorted(self._answers.keys() | self._long.keys()))
            yield _line({"error": f'"show" must be one of {known}'})


def _line(document: Document) -> str:
    return json.dumps(document) + "\n"


def bind(path: Path) -> socket.socket:
    """A socket at `path` for its owner only, in the place of one that a dead engine left. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind(str(path))
    path.chmod(0o600)
    return bound


def members(known: Members, notes: Notes) -> Document:
    """The document of `members`, sorted by name."""
    return [
        {
            "name": node,
            "interfaces": None if names is None else sorted(names),
            "note": None if (note := notes.get(node)) is None else note.hex(),
        }
        for node, names in sorted(known.items())
    ]


def watched(known: Document, watched_nodes: Mapping[str, Document]) -> Document:
    """The document of `members` with what is known of those that are watched closely."""
    return [
        {**row, "fastFailover": watched_nodes[row["name"]]} if row["name"] in watched_nodes else row for row in known
    ]


def interfaces(judged: tuple[JudgedInterface, ...]) -> Document:
    """The document of `interfaces`."""
    return [
        {
            "name": one.interface.name,
            "index": one.interface.index,
            "mac": mac_text(one.interface.mac) if one.interface.mac else None,
            "up": one.interface.up,
            "carrier": one.interface.carrier,
            "addresses": [str(address) for address in one.interface.addresses],
            "verdict": one.verdict.value,
            "answering": one.reading,
            "ndpVerdict": one.ndp_verdict.value,
            "ndpAnswering": one.ndp_reading,
        }
        for one in judged
    ]


def layer2(snapshot: Layer2Snapshot) -> Document:
    """The document of `l2`."""
    responder = snapshot.responder
    return {
        "holdings": [_holding(one) for one in responder.holdings],
        "conflicts": [_conflict(one, snapshot.now) for one in responder.claims],
        "conflictsNotKept": responder.conflicts_turned_away,
        "groups": {name: [str(group) for group in groups] for name, groups in snapshot.groups.items()},
        "dropped": {reason.value: count for reason, count in responder.dropped.items()},
        "gratuitous": {"pending": snapshot.announcer.pending, "framesSent": snapshot.announcer.frames_sent},
        "sendFailures": snapshot.send_failures,
        "inUse": [
            {"ip": str(one.address), "interface": one.interface, "mac": mac_text(one.mac)} for one in snapshot.in_use
        ],
        "selfProbe": [_self_probe(one, snapshot.now) for one in snapshot.self_probes],
    }


def _conflict(claim: Claim, now: float) -> Document:
    one = claim.conflict
    return {
        "ip": str(one.address),
        "interface": one.interface,
        "mac": mac_text(one.mac),
        "firstSeen": round(now - claim.first, 3),
        "lastSeen": round(now - claim.last, 3),
    }


def _self_probe(one: WaySnapshot, now: float) -> Document:
    return {
        "interface": one.interface,
        "protocol": "ARP" if one.version == 4 else "NDP",
        "failures": one.failures,
        "mute": one.is_mute,
        "lastLeft": None if one.left_at is None else round(now - one.left_at, 3),
    }


def _holding(one: HoldingSnapshot) -> Document:
    wanted = one.holding.interfaces
    return {
        "ip": str(one.holding.address),
        "interfaces": None if wanted is None else sorted(wanted),
        "answeredOn": sorted(one.links),
        "reason": one.unanswered.value if one.unanswered else None,
        "requests": one.requests,
        "answers": one.answers,
    }
