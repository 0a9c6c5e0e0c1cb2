"""How the sessions with a BGPPeer stand on all nodes, out of what their speakers have written to the API server.

For whoever has no access to the nodes: the plan says which nodes are to have a session, the BGPSessionStatus objects
say how each of them stands, since when, and why it is not up. Nodes of which the same is said are one line.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec

from herald.api.bgp_session_status import BGPSessionStatusStatus
from herald.cli.show_tables import duration
from herald.config.wording import counted
from herald.report.expectation import names
from herald.report.explain import Explanation, Section, State, Verdict

SILENT: Final = "Silent"
"""Not a state of a BGPSessionStatus: there is none, although the node is to have a session."""
UP: Final = "Established"
_ORDER: Final = ("Down", "NotPossible", "Unknown", SILENT, "Connecting", UP)
_WORDS: Final = {
    SILENT: "its speaker has said nothing of this session: it does not run, or only just started",
    "Unknown": "the controller has not heard of its speaker",
    "Connecting": "not yet up, and nothing went wrong so far",
}


def with_statuses(found: Explanation, statuses: Iterable[BGPSessionStatusStatus], now: datetime) -> Explanation:
    """What the plan says of the peer, with how its sessions stand; the verdict is theirs where one is not up."""
    said = {one.node: one for one in statuses if one.peer == found.name and one.node}
    if "nodes" not in found.facts:
        return found
    wanted = sorted({*found.facts["nodes"], *said})
    standing = [said.get(node) or BGPSessionStatusStatus(node=node, peer=found.name) for node in wanted]
    if not standing:
        return found
    ordered = sorted(standing, key=lambda one: (_ORDER.index(_state(one)), one.node))
    at = next((number for number, one in enumerate(found.sections) if one.title == "ROUTES"), len(found.sections))
    sections = (*found.sections[:at], Section("NOW", tuple(_lines(ordered, now))), *found.sections[at:])
    facts = {**found.facts, "statuses": [msgspec.to_builtins(one) for one in said.values()]}
    return replace(found, sections=sections, verdict=_verdict(found.verdict, ordered), facts=facts)


def _state(one: BGPSessionStatusStatus) -> str:
    return one.state or SILENT


def _lines(standing: list[BGPSessionStatusStatus], now: datetime) -> Iterable[str]:
    alike: dict[tuple[str, str, str], list[BGPSessionStatusStatus]] = {}
    for one in standing:
        alike.setdefault((_state(one), one.bfd, one.last_error), []).append(one)
    for (state, bfd, error), some in alike.items():
        text = f"{state} on {names(one.node for one in some)}{_how_long(some, now)}"
        if state == UP:
            text += f"; {_sent(some)}"
        if bfd:
            text += f"; BFD {bfd}"
        yield text + _because(state, error)


def _how_long(some: list[BGPSessionStatusStatus], now: datetime) -> str:
    ages = [max(0.0, (now - datetime.fromisoformat(one.since)).total_seconds()) for one in some if one.since]
    if not ages:
        return ""
    least, most = _whole(min(ages)), _whole(max(ages))
    return f" for {least}" if least == most else f" for {least} to {most}"


def _whole(seconds: float) -> str:
    """The objects know of whole seconds only."""
    return f"{int(seconds)}s" if seconds < 60 else duration(seconds)


def _sent(some: list[BGPSessionStatusStatus]) -> str:
    numbers = sorted({one.prefixes_sent for one in some})
    least, most = numbers[0], counted(numbers[-1], "prefix", "prefixes")
    return f"{most} sent" if len(numbers) == 1 else f"{least} to {most} sent by each"


def _because(state: str, error: str) -> str:
    if state == UP:
        return f"; last error: {error}" if error else ""
    words = error or _WORDS.get(state, "")
    return f": {words}" if words else ""


def _verdict(planned: Verdict, standing: list[BGPSessionStatusStatus]) -> Verdict:
    """`standing`: the worst first."""
    up = sum(_state(one) == UP for one in standing)
    all_of_them = counted(len(standing), "session")
    if up == len(standing):
        return replace(planned, message=f"{planned.message}; {all_of_them} up")
    first = standing[0]
    why = f"{first.node}{_because(_state(first), first.last_error)}"
    if not up:
        return Verdict(State.NOT_ANNOUNCED, f"none of {all_of_them} is up; {why}")
    is_planned = planned.state is not State.NOT_ANNOUNCED
    state = State.DEGRADED if is_planned else planned.state
    before = "" if is_planned else f"{planned.message}; "
    return Verdict(state, f"{before}{up} of {all_of_them} up; {why}")
