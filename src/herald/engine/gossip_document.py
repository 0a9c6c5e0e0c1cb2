"""What the show socket says of gossip, `members` and `gossip`; the shape stands in `herald.engine.show`."""

from collections.abc import Mapping
from typing import Any

from herald.engine.link import ClosedWay
from herald.engine.membership import Members, Notes
from herald.swim.gossip import GossipSnapshot
from herald.swim.member import MemberSnapshot


def members(present: Members, notes: Notes, snapshot: GossipSnapshot | None) -> list[Mapping[str, Any]]:
    """The document of `members`, see `herald.engine.show`: with gossip also those that died or left lately."""
    known = {one.name: one for one in snapshot.members} if snapshot is not None else {}
    document: list[Mapping[str, Any]] = []
    for name in sorted(present.keys() | known.keys()):
        names, note, one = present.get(name), notes.get(name), known.get(name)
        row = {
            "name": name,
            "interfaces": None if names is None else sorted(names),
            "note": None if note is None else note.hex(),
        }
        document.append(row if one is None else {**row, **_details(one, counts=name in present)})
    return document


def closed(one: ClosedWay) -> Mapping[str, Any]:
    """As it stands in the documents of `gossip` and `counters`."""
    return {
        "from": one.source,
        "to": one.target,
        "protocol": one.protocol,
        "port": one.port,
        "reason": one.reason,
    }


def _details(one: MemberSnapshot, *, counts: bool) -> Mapping[str, Any]:
    return {
        "state": "unconfirmed" if one.state.present and not counts else one.state.name.lower(),
        "since": round(one.age, 3),
        "incarnation": one.incarnation,
        "address": str(one.endpoint),
        "lastSeen": None if one.heard is None else round(one.heard, 3),
    }
