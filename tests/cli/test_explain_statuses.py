"""`herald explain peer --live`: what the speakers have written of their sessions, beside what the plan says."""

from datetime import UTC, datetime

import pytest

from herald.api.bgp_session_status import BGPSessionStatusStatus, SessionState
from herald.cli.explain_statuses import with_statuses
from herald.report.explain import Explanation, Section, State, Verdict

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REFUSED = "connection refused by 10.0.0.1:179 (nobody listens; start BGP)"
SILENT = "its speaker has said nothing of this session: it does not run, or only just started"
DEAD = "the controller has not heard of its speaker"
PLANNED = Verdict(State.ANNOUNCED, "2 routes from node-1, node-2")
SECTIONS = (Section("SESSIONS", ("from node-1, node-2",)), Section("ROUTES", ("1 from each of node-1, node-2",)))


def planned(*nodes: str, verdict: Verdict = PLANNED) -> Explanation:
    return Explanation("peer", "tor", "BGPPeer tor", SECTIONS, verdict, {"nodes": list(nodes)})


def said(
    node: str, state: SessionState, error: str = "", since: str = "2026-01-02T03:00:00Z", sent: int = 0, bfd: str = ""
) -> BGPSessionStatusStatus:
    address = "10.0.0.1:179"
    return BGPSessionStatusStatus(
        node=node,
        peer="tor",
        address=address,
        state=state,
        since=since,
        last_error=error,
        prefixes_sent=sent,
        bfd=bfd,
    )


def shown(found: Explanation) -> tuple[str, ...]:
    return next(one.lines for one in found.sections if one.title == "NOW")


UP_1, UP_2 = said("node-1", "Established", sent=1), said("node-2", "Established", sent=3)
CASES = {
    "all up": (
        (UP_1, UP_2),
        ("Established on node-1, node-2 for 4m 5s; 1 to 3 prefixes sent by each",),
        "Announced: 2 routes from node-1, node-2; 2 sessions up",
    ),
    "one down": (
        (UP_1, said("node-2", "Down", REFUSED, "2026-01-02T03:04:00Z")),
        (f"Down on node-2 for 5s: {REFUSED}", "Established on node-1 for 4m 5s; 1 prefix sent"),
        f"Announced (degraded): 1 of 2 sessions up; node-2: {REFUSED}",
    ),
    "none up, for one cause": (
        (said("node-1", "Down", REFUSED), said("node-2", "Down", REFUSED, "2026-01-01T03:00:00Z")),
        (f"Down on node-1, node-2 for 4m 5s to 1d 0h: {REFUSED}",),
        f"Not announced: none of 2 sessions is up; node-1: {REFUSED}",
    ),
    "one of which nobody speaks": (
        (UP_1,),
        (
            f"Silent on node-2: {SILENT}",
            "Established on node-1 for 4m 5s; 1 prefix sent",
        ),
        f"Announced (degraded): 1 of 2 sessions up; node-2: {SILENT}",
    ),
    "one whose node is dead": (
        (UP_1, said("node-2", "Unknown")),
        (
            f"Unknown on node-2 for 4m 5s: {DEAD}",
            "Established on node-1 for 4m 5s; 1 prefix sent",
        ),
        f"Announced (degraded): 1 of 2 sessions up; node-2: {DEAD}",
    ),
    "up again, with BFD": (
        (UP_1, said("node-2", "Established", REFUSED, sent=1, bfd="Up")),
        (
            "Established on node-1 for 4m 5s; 1 prefix sent",
            f"Established on node-2 for 4m 5s; 1 prefix sent; BFD Up; last error: {REFUSED}",
        ),
        "Announced: 2 routes from node-1, node-2; 2 sessions up",
    ),
}


@pytest.mark.parametrize(("told", "lines", "verdict"), CASES.values(), ids=CASES)
def test_nodes_of_which_the_same_is_said_are_one_line_and_the_worst_is_the_verdict(
    told: tuple[BGPSessionStatusStatus, ...], lines: tuple[str, ...], verdict: str
) -> None:
    found = with_statuses(planned("node-1", "node-2"), told, NOW)
    assert shown(found) == lines
    assert str(found.verdict) == verdict
    assert [one.title for one in found.sections] == ["SESSIONS", "NOW", "ROUTES"]


def test_programs_get_what_the_objects_say() -> None:
    document = with_statuses(planned("node-1"), (said("node-1", "Down", REFUSED),), NOW).to_json()
    (one,) = document["statuses"]
    assert (one["node"], one["state"], one["lastError"], one["since"]) == (
        "node-1",
        "Down",
        REFUSED,
        "2026-01-02T03:00:00Z",
    )


def test_where_the_nodes_may_not_be_read_those_count_that_speak() -> None:
    none = Verdict(State.NOT_ANNOUNCED, "there is no Node in the input")
    found = with_statuses(planned(verdict=none), (said("node-1", "Down", REFUSED),), NOW)
    assert str(found.verdict) == f"Not announced: none of 1 session is up; node-1: {REFUSED}"


def test_a_session_that_is_up_makes_no_routes() -> None:
    silent = Verdict(State.NOT_ANNOUNCED, "it hears no route from anybody")
    found = with_statuses(planned("node-1", verdict=silent), (UP_1,), NOW)
    assert str(found.verdict) == "Not announced: it hears no route from anybody; 1 session up"


def test_what_is_said_of_another_peer_and_a_peer_that_is_not_there_change_nothing() -> None:
    unknown = Explanation("peer", "tor", "BGPPeer tor", (), Verdict(State.NOT_ANNOUNCED, "there is none"))
    assert with_statuses(unknown, (UP_1,), NOW) == unknown
    found = with_statuses(planned("node-1"), (BGPSessionStatusStatus(node="node-1", peer="other", state="Down"),), NOW)
    assert shown(found)[0].startswith("Silent on node-1")
