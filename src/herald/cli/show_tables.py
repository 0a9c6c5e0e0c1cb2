"""Answers of a speaker as tables. Their documents are described in `herald.engine.show`."""

from collections.abc import Iterable
from typing import Any

from herald.announcement.told import decode, name_digest, told_by
from herald.cluster.meta import NodeName
from herald.net.usable_names import for_people
from herald.report.table import Cell, Note, Piece, Table, Tone, row

Document = dict[str, Any]
_UP = "established"
_STATES = {"alive": Tone.GOOD, "suspect": Tone.WARNING, "dead": Tone.BAD}
_PRESENT = ("alive", "suspect")


def bgp_summary(sessions: list[Document]) -> Iterable[Piece]:
    """One row per session; what went wrong stands last."""
    header = (
        "PEER",
        "ADDRESS",
        "AS",
        "STATE",
        "SINCE",
        "HOLD/KEEPALIVE",
        "SENT",
        "PENDING",
        "RECEIVED",
        "FLAPS",
        "LAST ERROR",
    )
    rows = tuple(_session(each) for each in sessions)
    yield Table("BGP sessions", header, rows, "none: no BGPPeer selects this node")
    for each in sessions:
        found = each.get("discovery") or {}
        if found.get("others"):
            others = ", ".join(found["others"])
            where = f"{each['peer']} on {each['neighbor']['interface']}"
            words = f"several routers advertise themselves there; the peer is {found['neighbor']}, not {others}"
            yield Note(f"{where}: {words}", Tone.WARNING)


def _session(each: Document) -> tuple[Cell, ...]:
    established = str(each["state"]).lower() == _UP
    families = each["families"]
    return row(
        each["peer"],
        each["endpoint"],
        _text(each["remoteASN"]),
        Cell(each["state"], Tone.GOOD if established else Tone.BAD),
        duration(each["since"]),
        f"{_text(each['holdTime'])}/{_text(each['keepaliveTime'])}",
        str(sum(family["advertised"] for family in families)),
        str(sum(family["pending"] for family in families)),
        str(sum(family["received"] for family in families)),
        str(each["flaps"]),
        _text(each.get("waitsFor") or each["pinnedError"] or each["lastError"]),
    )


def bgp_routes(routes: list[Document]) -> Iterable[Piece]:
    """One row per peer and prefix."""
    header = ("PEER", "PREFIX", "LOCAL PREF", "PREPEND", "MED", "SESSION", "COMMUNITIES")
    yield Table("BGP routes", header, tuple(_route(each) for each in routes), "none: nothing is announced by BGP here")


def _route(each: Document) -> tuple[Cell, ...]:
    communities = [*each["communities"], *each["largeCommunities"], *each.get("extendedCommunities", ())]
    if each.get("linkBandwidth") is not None:
        communities.append(f"bandwidth {each['linkBandwidth']} Mbit/s")
    return row(
        each["peer"],
        each["prefix"],
        _text(each["localPref"]),
        " ".join(map(str, each["prepend"])) or "-",
        _text(each.get("med")),
        Cell("up", Tone.GOOD) if each["established"] else Cell("down", Tone.BAD),
        " ".join(communities) or "-",
    )


def bfd(answer: Document) -> Iterable[Piece]:
    """One row per session; times are what holds now, not what is configured."""
    header = (
        "PEER", "ADDRESS", "HOPS", "STATE", "SINCE", "SENDS EVERY", "DOWN AFTER", "ECHO", "PACKETS IN/OUT", "FLAPS",
        "LAST DOWN",
    )  # fmt: skip
    rows = tuple(_bfd_session(each) for each in answer["sessions"])
    none = "none: no BGPPeer of this node has a bfdProfile, and no L2Advertisement has fastFailover"
    yield Table("BFD sessions", header, rows, none)
    for name in answer["waiting"]:
        yield Note(f"{name}: begins when its BGP session is up", Tone.FAINT)
    for each in answer["sessions"]:
        if each["problem"]:
            yield Note(f"{_watched_end(each)}: {each['problem']}", Tone.WARNING)
    if answer.get("failover", {}).get("fenced"):
        why = "this node was away, and others may have taken its addresses: it answers nothing until they agree"
        yield Note(why, Tone.WARNING)


def _watched_end(each: Document) -> str:
    return ", ".join(each["peers"]) or f"node {each['node']}"


def _bfd_session(each: Document) -> tuple[Cell, ...]:
    up, echo = each["state"] == "Up", each["echo"]
    trip = echo["roundTrip"]
    looped = "looped" if trip is None else f"looped, {trip:.2f} ms"
    every, detection = each["sendingEvery"], each["detectionTime"]
    return row(
        _watched_end(each),
        each["address"],
        "multi" if each["multihop"] else "single",
        Cell(each["state"], Tone.GOOD if up else Tone.BAD),
        duration(each["since"]),
        "-" if every is None else f"{every:g} ms",
        f"{detection:g} ms" if detection else "-",
        looped if echo["looped"] else "not looped" if echo["running"] else "-",
        f"{each['packetsIn']}/{each['packetsOut']}",
        str(each["downs"]),
        each["downDiagnostic"] if each["downs"] else "-",
    )


def layer2(answer: Document) -> Iterable[Piece]:
    """The addresses answered for, and whoever else claims one of them."""
    rows = tuple(_holding(each) for each in answer["holdings"])
    header = ("ADDRESS", "WANTED ON", "ANSWERED ON", "REQUESTS", "ANSWERS", "WHY NOT")
    yield Table("Addresses this node answers for", header, rows, "none: another node leads, or nothing is announced")
    conflicts = tuple(_conflict(each) for each in answer["conflicts"])
    columns = ("ADDRESS", "INTERFACE", "MAC", "FIRST SEEN", "LAST SEEN")
    yield Table("Also claimed by somebody else", columns, conflicts)
    in_use = tuple(row(Cell(one["ip"], Tone.BAD), one["interface"], one["mac"]) for one in answer.get("inUse", ()))
    yield Table("Not announced, because somebody uses it", ("ADDRESS", "INTERFACE", "MAC"), in_use)
    mute = tuple(
        row(Cell(each["interface"], Tone.BAD), each["protocol"], str(each["failures"]))
        for each in answer.get("selfProbe", ())
        if each["mute"]
    )
    yield Table("Mute: what is sent does not leave", ("INTERFACE", "PROTOCOL", "FAILED PROBES"), mute)


def _conflict(each: Document) -> tuple[Cell, ...]:
    """What has been silent for a while may be over: it is kept for minutes."""
    seen = (f"{duration(each[name])} ago" if name in each else "-" for name in ("firstSeen", "lastSeen"))
    return row(Cell(each["ip"], Tone.BAD), each["interface"], each["mac"], *seen)


def _holding(each: Document) -> tuple[Cell, ...]:
    wanted = each["interfaces"]
    answered = " ".join(each["answeredOn"])
    return row(
        each["ip"],
        "all" if wanted is None else " ".join(wanted),
        Cell(answered, Tone.GOOD) if answered else Cell("nowhere", Tone.BAD),
        str(each["requests"]),
        str(each["answers"]),
        _text(each["reason"]),
    )


def members(known: list[Document], unreachable: list[Document]) -> Iterable[Piece]:
    """One node a line, with the interfaces that count for it in elections; with gossip, how and where it is."""
    alive = sum(each.get("state", "alive") in _PRESENT for each in known)
    if any("state" in each for each in known):
        header = ("NODE", "STATE", "FOR", "ADDRESS", "LAST ANSWER", "INCARNATION", "USABLE INTERFACES")
        yield Table("Speakers", header, tuple(_gossiping(each) for each in known))
    else:
        yield Table(
            "Live speakers", ("NODE", "USABLE INTERFACES"), tuple(row(each["name"], _usable(each)) for each in known)
        )
    watched = tuple(_watched(each["name"], each["fastFailover"]) for each in known if "fastFailover" in each)
    if watched:
        columns = ("NODE", "BFD", "IS", "FALSE ALARMS", "TAKEN FOR DEAD", "GOSSIP DECIDES BECAUSE")
        yield Table("Watched for fast failover", columns, watched)
    yield from _told(known)
    if unreachable:
        ways = tuple(_unreachable(each) for each in unreachable)
        yield Table("Unreachable: gossip does not arrive", ("FROM", "TO", "PORT", "WHY"), ways)
    yield from _stale(known)
    yield Note(f"{alive} alive, as this node sees it.", Tone.FAINT)


def _stale(known: list[Document]) -> Iterable[Piece]:
    """That the heartbeats cannot be exchanged, if it is so."""
    stale = next((each["stale"] for each in known if "stale" in each), None)
    if stale is not None:
        text = f"As last seen {duration(stale['since'])} ago, and nobody is taken for gone: {stale['problem']}"
        yield Note(text, Tone.WARNING)


def _told(known: list[Document]) -> Iterable[Piece]:
    """What speakers tell each other for `failback` and `flapDamping`, if any of them does."""
    notes = {
        NodeName(each["name"]): None if each["note"] is None else decode(bytes.fromhex(each["note"]))
        for each in known
        if "note" in each and each.get("state", "alive") in _PRESENT
    }
    if not any(note is not None and (note.claims or note.damped) for note in notes.values()):
        return
    damped = told_by(notes).damped
    rows = []
    for node, note in notes.items():
        kept = "not Herald's" if note is None else str(len(note.claims.marks))
        found = [other for other in notes if note is not None and name_digest(other) in note.damped]
        state = Cell("stands aside", Tone.BAD) if node in damped else "-"
        weight = "yes" if note is not None and note.claims.yields else "-"
        rows.append(row(node, kept, weight, ", ".join(found) or "-", state))
    columns = ("NODE", "KEEPS", "YIELDS", "FINDS UNSTEADY", "FLAP DAMPING")
    yield Table("Told for failback and flapDamping", columns, tuple(rows))


def _unreachable(each: Document) -> tuple[Cell, ...]:
    port = Cell(f"{each['protocol']}/{each['port']}", Tone.BAD)
    return row(each["from"], each["to"], port, each["reason"])


def _watched(name: str, each: Document) -> tuple[Cell, ...]:
    calm = f"it was taken for dead wrongly; for another {duration(each['calm'])}" if each["calm"] else None
    return row(
        name,
        Cell(each["bfd"], Tone.GOOD if each["bfd"] == "Up" else Tone.BAD),
        Cell(each["phase"] or "-", Tone.BAD if each["phase"] == "dead" else Tone.PLAIN),
        str(each["falseAlarms"]),
        str(each["deaths"]),
        each["problem"] or calm or "-",
    )


def _gossiping(each: Document) -> tuple[Cell, ...]:
    if "state" not in each:  # gossip has not begun
        return row(each["name"], "-", "-", "-", "-", "-", _usable(each))
    heard = each["lastSeen"]
    return row(
        each["name"],
        Cell(each["state"], _STATES.get(each["state"], Tone.PLAIN)),
        duration(each["since"]),
        each["address"],
        "-" if heard is None else f"{duration(heard)} ago",
        str(each["incarnation"]),
        _usable(each) if each["state"] in _PRESENT else "-",
    )


def _usable(each: Document) -> str | Cell:
    names = each["interfaces"]
    if each.get("away"):
        return Cell(f"none: its control is away ({each['away']})", Tone.BAD)
    if each.get("starting"):
        return Cell("none: it is starting, or its control is away", Tone.FAINT)
    if names is None:
        return "not known"
    return for_people(frozenset(names)) if names else Cell("none", Tone.BAD)


def duration(seconds: float) -> str:
    """Two units at most: `3d 4h`, `5m 6s`, `0.4s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {whole % 60}s" if minutes else f"{whole}s"


def _text(value: object) -> str:
    return "-" if value is None else str(value)
