"""The difference between two plans for people: who gains, loses or moves what."""

from herald.bgp.route import Route
from herald.report.diff import Difference, Effect, Expected, PlanDiff, ips_of
from herald.report.expectation import names
from herald.report.plan import BGPRow, Layer2Row, ServiceRow
from herald.report.plan_table import attributes, problem_entries
from herald.report.table import Cell, Note, Piece, Table, Tone, row

_TONES = {Effect.GAINS: Tone.GOOD, Effect.LOSES: Tone.BAD, Effect.CHANGES: Tone.WARNING}
_WORDS = {Effect.GAINS: "gains", Effect.LOSES: "loses", Effect.CHANGES: "moves"}


def diff_tables(found: PlanDiff) -> tuple[Piece, ...]:
    """All differences, in reading order, or one line that there is none."""
    if not found:
        return (Note("Nothing changes: every Service keeps its address, its owner and its routes."),)
    return (
        Table(
            "ADDRESSES",
            ("EFFECT", "SERVICE", "BEFORE", "AFTER", "WHY"),
            tuple(_address(difference, found) for difference in found.addresses),
        ),
        Table("LAYER 2", ("EFFECT", "ADDRESS", "BEFORE", "AFTER", "SERVICE"), tuple(map(_owner, found.owners))),
        Table("BGP", ("EFFECT", "NODE", "PEER", "PREFIX", "ATTRIBUTES", "SERVICES"), tuple(map(_route, found.routes))),
        Table("EXPECTED", ("EFFECT", "SERVICE", "BEFORE", "AFTER"), tuple(map(_expected, found.expected))),
        problem_entries(found.new_problems, title="NEW PROBLEMS"),
        problem_entries(found.gone_problems, title="PROBLEMS THAT ARE GONE"),
    )


def _effect(effect: Effect, words: dict[Effect, str] = _WORDS) -> Cell:
    return Cell(words[effect], _TONES[effect])


def _address(difference: Difference[ServiceRow], found: PlanDiff) -> tuple[Cell, ...]:
    why = found.reasons.get(difference.row.service, "")
    gone = difference.after is None and not why
    return row(
        _effect(difference.effect),
        str(difference.row.service),
        ", ".join(ips_of(difference.before)) or "-",
        ", ".join(ips_of(difference.after)) or "-",
        "the Service is gone" if gone else why,
    )


def _owner(difference: Difference[Layer2Row]) -> tuple[Cell, ...]:
    entry = difference.row
    before, after = _where(difference.before), _where(difference.after)
    return row(_effect(difference.effect), str(entry.ip), before, after, str(entry.service))


def _where(entry: Layer2Row | None) -> str:
    if entry is None:
        return "-"
    return entry.node if entry.interfaces is None else f"{entry.node} ({', '.join(entry.interfaces)})"


def _route(difference: Difference[BGPRow]) -> tuple[Cell, ...]:
    entry = difference.row
    return row(
        _effect(difference.effect, {**_WORDS, Effect.CHANGES: "changes"}),
        entry.node,
        entry.peer,
        str(entry.route.prefix),
        _attributes(difference),
        names(map(str, entry.services)),
    )


def _expected(difference: Difference[Expected]) -> tuple[Cell, ...]:
    before, after = ("nobody" if entry is None else entry.words for entry in (difference.before, difference.after))
    effect = _effect(difference.effect, {**_WORDS, Effect.CHANGES: "changes"})
    return row(effect, str(difference.row.service), before, after)


def _attributes(difference: Difference[BGPRow]) -> str:
    if difference.before is None or difference.after is None:
        return attributes(difference.row.route)
    return f"{_text(difference.before.route)} → {_text(difference.after.route)}"


def _text(route: Route) -> str:
    found = attributes(route)
    return "no attributes" if found == "-" else found
