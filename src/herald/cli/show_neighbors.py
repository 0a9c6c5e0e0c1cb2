"""One BGP session after the other, with all that both ends have said: `herald show bgp neighbors`."""

from collections.abc import Iterable, Iterator
from typing import Any

from herald.cli.show_tables import duration
from herald.config.wording import counted
from herald.report.table import Cell, Note, Piece, Table, Tone, row

Document = dict[str, Any]


def neighbors(sessions: list[Document]) -> Iterable[Piece]:
    """The pieces of every session; a note where there is none."""
    if not sessions:
        yield Note("No BGP session: no BGPPeer selects this node.")
    for each in sessions:
        yield from _session(each)


def _session(each: Document) -> Iterator[Piece]:
    asn = "?" if each["remoteASN"] is None else each["remoteASN"]
    title = f"{each['peer']}, {each['endpoint']}, AS {asn}: {each['state']} for {duration(each['since'])}"
    yield Table(title, ("CAPABILITY", "OFFERED", "RECEIVED"), tuple(_capabilities(each["capabilities"])))
    header = ("FAMILY", "AGREED", "WANTED", "SENT", "PENDING", "RECEIVED", "NEXT HOP", "END OF TABLE", "WHY NOT")
    yield Table(f"{each['peer']}: routes", header, tuple(_family(family) for family in each["families"]))
    for text, tone in _notes(each):
        yield Note(f"{each['peer']}: {text}", tone)


def _capabilities(both: Document) -> Iterator[tuple[Cell, ...]]:
    offered, received = (dict(map(_name_and_value, both[way])) for way in ("offered", "received"))
    for name in dict.fromkeys((*offered, *received)):
        yield row(name, *(_said(side, name) for side in (offered, received)))


def _name_and_value(text: str) -> tuple[str, str]:
    """A capability's text in two: `four-octet-as`, `64500`; a family belongs to the name."""
    name, _, value = text.partition(" ")
    return (text, "") if name == "multiprotocol" else (name, value)


def _said(side: dict[str, str], name: str) -> Cell:
    return Cell(side[name] or "yes", Tone.GOOD) if name in side else Cell("-", Tone.FAINT)


def _family(family: Document) -> tuple[Cell, ...]:
    ends = [word for word, key in (("sent", "endOfRIBSent"), ("received", "endOfRIBReceived")) if family[key]]
    return row(
        family["family"],
        Cell("yes", Tone.GOOD) if family["negotiated"] else Cell("no", Tone.FAINT),
        *(str(family[key]) for key in ("wanted", "advertised", "pending", "received")),
        family["nextHop"] or "-",
        ", ".join(ends) or "-",
        family["reason"] or "-",
    )


def _notes(each: Document) -> Iterator[tuple[str, Tone]]:
    if each["waitsFor"] is not None:
        yield each["waitsFor"], Tone.WARNING
    if each["dialledBy"] == "peer":
        yield "the peer has dialled this connection", Tone.PLAIN
    if each["turnedAway"]:
        yield f"{counted(each['turnedAway'], 'connection')} of the peer turned away", Tone.PLAIN
    if each["holdTime"] is not None:
        times = f"hold time {each['holdTime']} s, a keepalive every {each['keepaliveTime']:g} s"
        yield times if each["holdTime"] else "no hold time: silence of the peer is not noticed", Tone.PLAIN
    if each["gracefulRestart"] is not None:
        yield _restart(each["gracefulRestart"]), Tone.PLAIN
    if each["shortSessions"] > 1:
        count = each["shortSessions"]
        yield f"it flaps: the last {count} sessions fell soon after they came up; waits grow up to 2 minutes", Tone.BAD
    if each["lastError"] is not None:
        yield f"last error, {duration(each['lastErrorAge'])} ago: {each['lastError']}", Tone.WARNING
    if each["pinnedError"] not in (None, each["lastError"]):
        yield f"first error since it was up: {each['pinnedError']}", Tone.WARNING


def _restart(agreed: Document) -> str:
    if not agreed["kept"]:
        return "it forgets our routes when the session is lost (no graceful restart)"
    words = "also for a NOTIFICATION" if agreed["notification"] else "but not for a NOTIFICATION"
    seconds = agreed["offered"]["restartTime"]
    return f"it keeps our routes of {' and '.join(agreed['kept'])} for {seconds} s when the session is lost, {words}"
