"""Which status objects follow from decisions and facts, and how they stand on the wire."""

from dataclasses import replace

import msgspec
import pytest

from herald.announcement.reason import Code, Protocol, because
from herald.announcement.sessions import Session, sessions_of
from herald.api.bgp_peer import BGPPeer, BGPPeerSpec
from herald.api.bgp_session_status import BGPSessionStatus
from herald.api.configuration_state import ConfigurationState
from herald.api.decode import decode
from herald.api.service_bgp_status import ServiceBGPStatus
from herald.api.service_l2_status import ServiceL2Status
from herald.bgp.parameters import PeerParameters
from herald.cluster.meta import NodeName, ObjectMeta, is_dns_subdomain
from herald.config.compile import compile_config
from herald.config.problem import Problem, Severity
from herald.config.resources import Resources
from herald.engine.link import SessionFact
from herald.net.ip_family import parse_address
from herald.speaker import own_objects, status_document
from herald.speaker.happening import bfd_event, session_event
from herald.speaker.status_object import (
    Answering,
    Claim,
    Essence,
    Found,
    Judgement,
    SessionReport,
    StatusKind,
    label_value,
    labels,
    object_name,
)
from herald.speaker.status_wish import LONGEST_MESSAGE, is_news, judgement, session_reports

NODE = NodeName("node-1")
NOW = "2026-11-21T12:00:00Z"
LATER = "2026-11-21T12:00:30Z"
UP = SessionReport("tor", "10.0.0.1:179", "Established", NOW, prefixes_sent=3)
TYPES = {
    StatusKind.CONFIGURATION: ConfigurationState,
    StatusKind.SESSION: BGPSessionStatus,
    StatusKind.LAYER2: ServiceL2Status,
    StatusKind.BGP: ServiceBGPStatus,
}
CLAIM = Claim("192.0.2.7", "eth0", "02:00:00:00:c0:de")
OTHER = Claim("2001:db8::7", "eth1", "02:00:00:00:c0:de", "node-2", NOW)
OBJECTS: list[tuple[StatusKind, str, Essence]] = [
    (StatusKind.CONFIGURATION, "", Judgement()),
    (StatusKind.CONFIGURATION, "", Judgement("configuration error: one\ntwo")),
    (StatusKind.CONFIGURATION, "", Judgement(unreachable="a → b udp/7946 unreachable: no ping is answered")),
    (StatusKind.CONFIGURATION, "", Judgement("configuration error: one", "a → b udp/7946 unreachable: silence")),
    (StatusKind.SESSION, "tor", UP),
    (StatusKind.SESSION, "tor", SessionReport("tor", "", "NotPossible", last_error="spec.vrf red")),
    (StatusKind.LAYER2, "default/web", Answering()),
    (StatusKind.LAYER2, "default/web", Answering(("eth0", "eth1"))),
    (StatusKind.LAYER2, "default/web", Answering((), (("192.0.2.7", "what is sent does not leave"),), (CLAIM, OTHER))),
    (StatusKind.BGP, "default/web", ("tor-a", "tor-b")),
]


@pytest.mark.parametrize(("kind", "subject", "essence"), OBJECTS, ids=lambda value: getattr(value, "value", None))
def test_what_is_written_is_what_the_api_knows_and_reads_back_as_the_same(
    kind: StatusKind, subject: str, essence: Essence
) -> None:
    status = status_document.write(NODE, subject, essence, NOW)
    assert status_document.read(kind, status) == essence
    assert status_document.names_subject(kind, NODE, subject, status)
    api_version = own_objects.kind_of(kind).api_version
    metadata = {"name": "x", "namespace": "metallb-system"}
    written = {"apiVersion": api_version, "kind": kind.value, "metadata": metadata, "status": status}
    decoded = decode(written, "a test")
    assert decoded.findings == ()
    assert isinstance(decoded.object, TYPES[kind])


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        pytest.param(StatusKind.CONFIGURATION, {}, id="no conditions"),
        pytest.param(StatusKind.CONFIGURATION, {"conditions": [{}, {}]}, id="two conditions"),
        pytest.param(StatusKind.CONFIGURATION, {"conditions": [7]}, id="a number for a condition"),
        pytest.param(StatusKind.SESSION, {}, id="no session"),
        pytest.param(StatusKind.LAYER2, {"interfaces": [{}]}, id="an interface without a name"),
        pytest.param(StatusKind.LAYER2, {"conflicts": [{"ip": "192.0.2.7"}]}, id="a claim of nobody"),
    ],
)
def test_a_status_that_no_speaker_writes_has_no_essence(kind: StatusKind, status: dict[str, object]) -> None:
    assert status_document.read(kind, status) is None


def test_metallbs_own_verdict_is_taken_for_ours_where_it_says_the_same() -> None:
    condition = {"type": "configReconcilerValid", "status": "True", "reason": "Reconciled", "message": ""}
    status = {"result": "Valid", "errorSummary": "", "conditions": [{**condition, "lastTransitionTime": NOW}]}
    assert status_document.read(StatusKind.CONFIGURATION, status) == Judgement()


@pytest.mark.parametrize(
    ("before", "now", "times"),
    [
        pytest.param(Judgement(), Judgement("wrong"), [LATER], id="the configuration is wrong now"),
        pytest.param(Judgement("wrong"), Judgement("quite wrong"), [NOW], id="and for another reason"),
        pytest.param(Judgement("wrong"), Judgement(), [LATER], id="and right again"),
        pytest.param(Judgement(), Judgement("", "a way"), [NOW, LATER], id="a way is closed"),
        pytest.param(Judgement("", "a way"), Judgement("", "two"), [NOW, NOW], id="and another one"),
        pytest.param(Judgement("", "a way"), Judgement("wrong", "a way"), [LATER, NOW], id="beside it"),
        pytest.param(Judgement("", "a way"), Judgement(), [NOW], id="and open again"),
    ],
)
def test_a_condition_keeps_its_time_while_its_status_stays(before: Judgement, now: Judgement, times: list[str]) -> None:
    stands = status_document.write(NODE, "", before, NOW)
    found = status_document.read(StatusKind.CONFIGURATION, stands)
    assert isinstance(found, Judgement)
    assert found == before
    written = status_document.write(NODE, "", now.dated(found, LATER), LATER)
    assert [condition["lastTransitionTime"] for condition in written["conditions"]] == times
    assert status_document.read(StatusKind.CONFIGURATION, written) == now


def raw(**metadata: object) -> bytes:
    """A ServiceBGPStatus of this node, as the API server sends it, with other metadata."""
    kept = {"name": "bgp-x", "labels": labels(StatusKind.BGP, NODE, "default/web"), "ownerReferences": [{"uid": "u1"}]}
    status = status_document.write(NODE, "default/web", ("tor",), NOW)
    return msgspec.json.encode({"metadata": {**kept, **metadata}, "status": status})


@pytest.mark.parametrize(
    ("metadata", "owner", "expected"),
    [
        pytest.param({}, "u1", ("default/web", Found("bgp-x", ("tor",))), id="as it is to be"),
        pytest.param({}, None, ("default/web", Found("bgp-x", ("tor",))), id="no owner is asked for"),
        pytest.param({}, "u2", ("default/web", Found("bgp-x", ("tor",), is_exact=False)), id="of a pod before"),
        pytest.param({"labels": {"metallb.io/node": "node-1"}}, "u1", None, id="labels are missing"),
    ],
)
def test_an_object_is_found_by_its_labels(metadata: dict[str, object], owner: str | None, expected: object) -> None:
    assert own_objects.read(StatusKind.BGP, NODE, owner, raw(**metadata)) == expected


def test_an_object_whose_status_names_another_service_is_not_exact() -> None:
    found = own_objects.read(StatusKind.BGP, NODE, None, raw(labels=labels(StatusKind.BGP, NODE, "default/other")))
    assert found == ("default/other", Found("bgp-x", ("tor",), is_exact=False))


def test_names_and_labels_fit_however_long_the_node_is_called() -> None:
    long, other = NodeName("n" * 253), NodeName("n" * 252 + "m")
    for kind in StatusKind:
        subject = "default/web" if kind in (StatusKind.LAYER2, StatusKind.BGP) else "p" * 253
        assert len(object_name(kind, long, subject)) <= 253
        assert object_name(kind, long, subject) != object_name(kind, other, subject)
        assert all(len(value) <= 63 for value in labels(kind, long, subject).values())
    assert label_value(long) != label_value(other)
    assert label_value("node-1") == "node-1"


def session(*names: str) -> Session:
    """The one session that BGPPeers of these names mean, the first being the oldest."""
    peers = tuple(
        BGPPeer(
            metadata=ObjectMeta(name=name, namespace="metallb-system", creation_timestamp=f"202{age}-01-01T00:00:00Z"),
            spec=BGPPeerSpec(my_asn=64500, peer_asn=64501, peer_address="10.0.0.1"),
        )
        for age, name in enumerate(names)
    )
    (found,) = sessions_of(compile_config(Resources(bgp_peers=peers)).config.peers.values(), {})
    return found


TOR = PeerParameters("tor", parse_address("10.0.0.1"), 64500, 64501)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({}, SessionReport("tor", "10.0.0.1:179", "Connecting"), id="nothing is known yet"),
        pytest.param(
            {"tor": SessionFact("tor", False, "Connect", None, "", 1795262400.0)},
            SessionReport("tor", "10.0.0.1:179", "Connecting", NOW),
            id="not yet up",
        ),
        pytest.param(
            {"tor": SessionFact("tor", False, "Idle", "refused", "", 1795262400.0, "refused")},
            SessionReport("tor", "10.0.0.1:179", "Down", NOW, "refused"),
            id="down",
        ),
        pytest.param(
            {"tor": SessionFact("tor", True, "Established", None, "", 1795262400.0, None, 3, "", "no IPv6")},
            replace(UP, last_error="no IPv6"),
            id="established, and not for all routes",
        ),
        pytest.param(
            {"tor": SessionFact("tor", True, "Established", None, "", 1795262400.0, "reset", 3, "", "no IPv6")},
            replace(UP, last_error="no IPv6; before that: reset"),
            id="established again, and not for all routes",
        ),
        pytest.param(
            {"tor": SessionFact("tor", True, "Established", None, "", 1795262400.0, None, 3)}, UP, id="established"
        ),
    ],
)
def test_a_session_is_reported_as_the_engine_sees_it(facts: dict[str, SessionFact], expected: SessionReport) -> None:
    assert list(session_reports([session("tor")], [TOR], {}, facts)) == [expected]


def test_a_session_that_cannot_be_opened_says_why_and_one_with_two_names_is_reported_under_both() -> None:
    why = because(Code.SESSION_NOT_POSSIBLE, Protocol.BGP, why="spec.routerID fd00::1 is an IPv6 address")
    (refused,) = session_reports([session("red")], [], {"red": why}, {})
    assert (refused.state, refused.last_error) == ("NotPossible", why.words)
    assert [one.peer for one in session_reports([session("tor", "other")], [TOR], {}, {})] == ["other", "tor"]


def problem(message: str, severity: Severity = Severity.ERROR, kind: str = "BGPPeer", rule: str = "HL077") -> Problem:
    return Problem(rule, severity, kind, "metallb-system", "tor", "spec.bfdProfile", "BFDProfileMissing", message)


def test_the_verdict_counts_errors_of_the_configuration_only() -> None:
    harmless = [
        problem("a warning", Severity.WARNING),
        problem("a service", kind="Service"),
        problem("forbidden", rule="HL208"),
    ]
    assert judgement(harmless) == Judgement()
    verdict = judgement([*harmless, problem("no such profile")])
    assert verdict.message.startswith("configuration error: ")
    assert "no such profile" in verdict.message
    assert len(judgement([problem("x" * 100_000)]).message) == LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, UP, True),
        (UP, SessionReport("tor", UP.address, "Established", NOW, prefixes_sent=9), False),
        (UP, SessionReport("tor", UP.address, "Down", NOW), True),
        (UP, SessionReport("tor", UP.address, "Established", "2026-11-21T13:00:00Z"), True),
    ],
    ids=["first", "a number", "state", "came up again"],
)
def test_only_what_is_news_is_written_at_once(before: Essence | None, after: SessionReport, expected: bool) -> None:
    assert is_news(before, after) is expected


DOWN = SessionReport("tor", "10.0.0.1:179", "Down", NOW, "refused")
AGAIN = SessionReport("tor", "10.0.0.1:179", "Established", "2026-11-21T13:00:00Z")


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(None, UP, "BGPSessionUp", id="up for the first time"),
        pytest.param(DOWN, UP, "BGPSessionUp", id="up"),
        pytest.param(UP, AGAIN, "BGPSessionUp", id="down and up again between two reports"),
        pytest.param(UP, DOWN, "BGPSessionDown", id="down"),
        pytest.param(None, DOWN, "BGPSessionFailed", id="never up"),
        pytest.param(DOWN, DOWN, None, id="still down"),
        pytest.param(UP, SessionReport("tor", UP.address, "Established", NOW, prefixes_sent=9), None, id="a number"),
        pytest.param(None, SessionReport("tor", UP.address, "Connecting"), None, id="not yet"),
    ],
)
def test_a_session_that_comes_and_goes_is_an_event(
    before: SessionReport | None, now: SessionReport, expected: str | None
) -> None:
    event = session_event("metallb-system", NODE, before, now)
    assert (event.reason if event else None) == expected
    if event is not None:
        assert "BGP session of node-1 with tor" in event.message


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(None, "Up", "BFDSessionUp", id="up for the first time"),
        pytest.param("Down", "Up", "BFDSessionUp", id="up"),
        pytest.param("Up", "Down", "BFDSessionDown", id="down"),
        pytest.param("Up", "Init", "BFDSessionDown", id="down, and on its way"),
        pytest.param("Up", "", None, id="no longer wanted"),
        pytest.param("Up", "Up", None, id="still up"),
        pytest.param("Down", "Init", None, id="not yet"),
    ],
)
def test_a_bfd_session_that_comes_and_goes_is_an_event(before: str | None, now: str, expected: str | None) -> None:
    earlier = None if before is None else replace(UP, bfd=before)
    event = bfd_event("metallb-system", NODE, earlier, replace(UP, bfd=now))
    assert (event.reason if event else None) == expected


def test_a_change_of_bfd_is_news() -> None:
    assert is_news(replace(UP, bfd="Up"), replace(UP, bfd="Down"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "b-c"), ("a-b", "c"), id="dashes"),
        pytest.param(("a.b", "c"), ("a", "b.c"), id="dots"),
        pytest.param(("n" * 200, "p" * 60 + "-x"), ("n" * 200, "p" * 60 + "-y"), id="longer than a name may be"),
    ],
)
def test_no_two_sessions_share_the_name_of_an_object(one: tuple[str, str], other: tuple[str, str]) -> None:
    names = [object_name(StatusKind.SESSION, NodeName(node), peer) for node, peer in (one, other)]
    assert names[0] != names[1]
    assert all(is_dns_subdomain(name) for name in names)


def test_the_name_of_a_session_begins_with_node_and_peer() -> None:
    assert object_name(StatusKind.SESSION, NODE, "tor").startswith("node-1-tor-")
