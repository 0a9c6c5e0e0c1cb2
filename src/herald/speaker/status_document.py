"""The `status` of the objects of `status_object`: written from an essence, and read back into one."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, assert_never

from herald.cluster.meta import NodeName
from herald.speaker.status_object import Answering, Claim, Essence, Judgement, SessionReport, StatusKind

CONDITION: Final = "configReconcilerValid"
REACHABLE: Final = "speakersReachable"
"""Herald's own, and only there while it is False: MetalLB's readers know one condition."""

Document: TypeAlias = Mapping[str, Any]


def write(node: NodeName, subject: str, essence: Essence, time: str) -> dict[str, Any]:
    """The `status` of the object. `time` is the present moment, RFC 3339."""
    match essence:
        case Judgement():
            return _configuration(essence, time)
        case SessionReport():
            return _session(node, essence)
        case Answering():
            return {**_service(node, subject), **_answering(essence)}
        case tuple():
            return {**_service(node, subject), "peers": list(essence)}
        case _ as never:
            assert_never(never)


def read(kind: StatusKind, status: Document) -> Essence | None:
    """The essence that a `status` has; None if it is not one that a speaker writes."""
    try:
        match kind:
            case StatusKind.CONFIGURATION:
                return _judgement(status)
            case StatusKind.SESSION:
                return _report(status)
            case StatusKind.LAYER2:
                return _read_answering(status)
            case StatusKind.BGP:
                return tuple(status.get("peers") or ())
            case _ as never:
                assert_never(never)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def names_subject(kind: StatusKind, node: NodeName, subject: str, status: Document) -> bool:
    """Whether the status says the same node and service as the labels."""
    if kind not in (StatusKind.LAYER2, StatusKind.BGP):
        return True
    return all(status.get(field) == text for field, text in _service(node, subject).items())


def _configuration(judgement: Judgement, time: str) -> dict[str, Any]:
    message = judgement.message
    condition = {
        "type": CONDITION,
        "status": "False" if message else "True",
        "reason": "ConfigurationError" if message else "Reconciled",
        "message": message,
        "lastTransitionTime": judgement.judged_at or time,
    }
    unreachable = {
        "type": REACHABLE,
        "status": "False",
        "reason": "GossipBlocked",
        "message": judgement.unreachable,
        "lastTransitionTime": judgement.unreachable_at or time,
    }
    verdict = {"result": "Invalid", "errorSummary": message} if message else {"result": "Valid"}
    return {**verdict, "conditions": [condition, unreachable] if judgement.unreachable else [condition]}


def _judgement(status: Document) -> Judgement | None:
    conditions: Sequence[Document] = status.get("conditions") or ({},)
    found, other = conditions if len(conditions) > 1 else (conditions[0], {})
    judgement = Judgement(*(one.get(key, "") for key in ("message", "lastTransitionTime") for one in (found, other)))
    expected = _configuration(judgement, "")
    same = {key: value for key, value in status.items() if value != ""} == expected
    return judgement if same else None


def _session(node: NodeName, report: SessionReport) -> dict[str, Any]:
    optional = {"since": report.since, "lastError": report.last_error, "bfd": report.bfd}
    return {
        "node": node,
        "peer": report.peer,
        "address": report.address,
        "state": report.state,
        "prefixesSent": report.prefixes_sent,
        **{key: value for key, value in optional.items() if value},
    }


def _report(status: Document) -> SessionReport:
    return SessionReport(
        status["peer"],
        status.get("address", ""),
        status["state"],
        status.get("since", ""),
        status.get("lastError", ""),
        status.get("prefixesSent", 0),
        status.get("bfd", ""),
    )


def _service(node: NodeName, subject: str) -> dict[str, Any]:
    namespace, _, service = subject.partition("/")
    return {"node": node, "serviceName": service, "serviceNamespace": namespace}


def _answering(answering: Answering) -> dict[str, Any]:
    whole = {
        "interfaces": [{"name": name} for name in answering.interfaces],
        "unanswered": [{"ip": ip, "reason": reason} for ip, reason in answering.unanswered],
        "conflicts": [_claim(one) for one in answering.conflicts],
    }
    return {key: entries for key, entries in whole.items() if entries}


def _claim(claim: Claim) -> dict[str, str]:
    fields = {"interface": claim.interface, "mac": claim.mac, "node": claim.node, "since": claim.since}
    return {"ip": claim.ip, **{key: text for key, text in fields.items() if text}}


def _read_answering(status: Document) -> Answering:
    return Answering(
        tuple(entry["name"] for entry in status.get("interfaces") or ()),
        tuple((entry["ip"], entry["reason"]) for entry in status.get("unanswered") or ()),
        tuple(
            Claim(one["ip"], one["interface"], one["mac"], one.get("node", ""), one.get("since", ""))
            for one in status.get("conflicts") or ()
        ),
    )
