"""Which status objects this node is to have, from what it decided and what its engine sees. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from herald.announcement.ledger import Contribution
from herald.announcement.reason import Reason
from herald.announcement.sessions import Session
from herald.api.bgp_session_status import SessionState
from herald.bgp.parameters import PeerParameters
from herald.cluster.meta import NamespacedName
from herald.config.problem import Problem, Severity
from herald.engine.link import ClosedWay, SessionFact
from herald.net.ip_family import IPAddress
from herald.speaker.decider import Decider, Step
from herald.speaker.status_book import Slot, StatusBook
from herald.speaker.status_object import Answering, Judgement, Names, SessionReport, StatusKind, Trouble, label_value

LONGEST_MESSAGE: Final = 32768
"""Characters that the message of a condition may have."""
_NO_JUDGEMENT: Final = frozenset({"HL208"})
"""What the API server does not let us read says nothing of the configuration; it is asked again."""
_NO_CONFIGURATION: Final = frozenset({"Service", "EndpointSlice", "Node", "Namespace"})


class StatusWish:
    """Tells `book` what follows from the work of `decider`."""

    def __init__(self, decider: Decider, book: StatusBook) -> None:
        self._decider = decider
        self._book = book
        self._shared: dict[Names, Names] = {}
        self._untroubled: dict[Names, Answering] = {}
        self._troubles: Mapping[IPAddress, Trouble] = {}
        self._facts: Mapping[str, SessionFact] | None = None
        self._judged: Judgement | None = None
        self._unreachable = ""

    def note(self, step: Step) -> None:
        """The decider came to this."""
        for key, contribution in step.change.contributions:
            peers = self._share(tuple(sorted(name for name, routes in contribution.routes if routes)))
            self._want_answering(key, contribution)
            self._book.want(Slot(StatusKind.BGP, str(key)), peers or None)
        if step.change.peers or step.change.peers_dropped:
            self._look_at_sessions()

    def judge(self) -> None:
        """The configuration was compiled anew."""
        self._judged = judgement(self._decider.problems)
        self._want_judgement()

    def reach(self, ways: Iterable[ClosedWay]) -> None:
        """Gossip does not arrive on these ways."""
        self._unreachable = "\n".join(f"{way.ends} unreachable: {way.reason}" for way in ways)[:LONGEST_MESSAGE]
        self._want_judgement()

    def _want_judgement(self) -> None:
        if self._judged is not None:
            whole = replace(self._judged, unreachable=self._unreachable)
            self._book.want(Slot(StatusKind.CONFIGURATION, ""), whole)

    def see(self, facts: Iterable[SessionFact]) -> None:
        """The engine sees these sessions."""
        self._facts = {fact.peer: fact for fact in facts}
        self._look_at_sessions()

    def answer(self, troubles: Mapping[IPAddress, Trouble]) -> None:
        """Something is wrong with the answers for these addresses, and for no others."""
        before, self._troubles = self._troubles, troubles
        changed = {one for one in before.keys() | troubles.keys() if before.get(one) != troubles.get(one)}
        for key, contribution in self._decider.upkeep.contributions().items():
            if not changed.isdisjoint(contribution.held):
                self._want_answering(key, contribution)

    def settle(self) -> None:
        """The decider has no work at hand. What nobody wants by now may go, once everything is known."""
        if self._decider.is_ready and self._decider.is_complete:
            for kind in (StatusKind.CONFIGURATION, StatusKind.LAYER2, StatusKind.BGP):
                self._book.complete(kind)
            if self._facts is not None:
                self._look_at_sessions()
                self._book.complete(StatusKind.SESSION)

    def _look_at_sessions(self) -> None:
        view = self._decider.view
        if view is None or self._facts is None:
            return
        sessions = view.sessions(self._decider.options.node)
        upkeep = self._decider.upkeep
        reports = session_reports(sessions, upkeep.peers, dict(upkeep.not_opened), self._facts)
        wanted = {Slot(StatusKind.SESSION, label_value(report.peer)): report for report in reports}
        for subject in tuple(self._book.subjects(StatusKind.SESSION)):
            if (slot := Slot(StatusKind.SESSION, subject)) not in wanted:
                self._book.want(slot, None)
        for slot, report in wanted.items():
            self._book.want(slot, report, hurried=is_news(self._book.wanted(slot), report))

    def _want_answering(self, key: NamespacedName, contribution: Contribution) -> None:
        names = self._share(tuple(sorted(contribution.interfaces or ())))
        slot = Slot(StatusKind.LAYER2, str(key))
        self._book.want(slot, self._answering(names, contribution.held) if contribution.answers else None)

    def _answering(self, names: Names, addresses: Iterable[IPAddress]) -> Answering:
        found = [(str(one), self._troubles[one]) for one in addresses if one in self._troubles]
        if not found:
            return self._untroubled.setdefault(names, Answering(names))
        unanswered = tuple((ip, trouble.unanswered) for ip, trouble in found if trouble.unanswered)
        return Answering(names, unanswered, tuple(claim for _, trouble in found for claim in trouble.claims))

    def _share(self, names: Names) -> Names:
        """The same tuple for all services alike: there are few different ones."""
        return self._shared.setdefault(names, names)


def judgement(problems: Iterable[Problem]) -> Judgement:
    """The verdict over the configuration: every object that is left out, or kept at its last good version."""
    errors = [
        str(problem)
        for problem in problems
        if problem.severity is Severity.ERROR
        and problem.kind not in _NO_CONFIGURATION
        and problem.rule not in _NO_JUDGEMENT
    ]
    if not errors:
        return Judgement()
    return Judgement(("configuration error: " + "\n".join(errors))[:LONGEST_MESSAGE])


def session_reports(
    sessions: Iterable[Session],
    opened: Iterable[PeerParameters],
    not_opened: Mapping[str, Reason],
    facts: Mapping[str, SessionFact],
) -> Iterator[SessionReport]:
    """One report for each name of each session: two BGPPeers may mean the same one."""
    endpoints = {peer.name: peer.endpoint for peer in opened}
    for session in sessions:
        reason, fact = not_opened.get(session.name), facts.get(session.name)
        for name in sorted(session.names):
            if reason is not None:
                yield SessionReport(name, "", "NotPossible", last_error=reason.words)
            elif session.name in endpoints:
                yield _report(name, endpoints[session.name], fact)


def _report(name: str, endpoint: str, fact: SessionFact | None) -> SessionReport:
    if fact is None:
        return SessionReport(name, endpoint, "Connecting")
    since = datetime.fromtimestamp(fact.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if fact.since else ""
    return SessionReport(name, endpoint, _state(fact), since, _error(fact), fact.prefixes_sent, fact.bfd)


def _error(fact: SessionFact) -> str:
    """What is wrong now, before what was wrong last."""
    before = fact.last_error or ""
    return f"{fact.unsent}; before that: {before}" if fact.unsent and before else fact.unsent or before


def _state(fact: SessionFact) -> SessionState:
    if fact.established:
        return "Established"
    return "Down" if fact.last_error else "Connecting"


def is_news(before: object, after: SessionReport) -> bool:
    """Whether more is different than a number or a text."""
    if not isinstance(before, SessionReport):
        return True
    return any(getattr(before, field) != getattr(after, field) for field in ("state", "since", "address", "bfd"))
