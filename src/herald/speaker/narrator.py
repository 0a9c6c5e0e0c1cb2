"""What a speaker tells people, in MetalLB's words: who announces what, who took over from whom, what nobody announces.

What is cheap is told at once. Who led before, and whether anybody else announces a service, takes a decision over all
nodes; that is kept for when there is nothing better to do (`has_more`, `tell_more`). What stands is told once.
"""

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from herald.announcement.decide import Decision, decide, session_routes
from herald.announcement.gate import class_reason, status_addresses
from herald.announcement.incremental import Verdict
from herald.announcement.readiness import ASSUMED, NONE
from herald.announcement.reason import ANOTHER_OWNS_IT, Code, Protocol, Reason
from herald.announcement.view import View
from herald.cluster.meta import NamespacedName, NodeName, PeerName
from herald.cluster.service import Service
from herald.engine.link import Moved, SessionFact, UnansweredHolding
from herald.layer2.conflict import Conflict
from herald.net.ip_family import IPAddress
from herald.speaker import acceptance, happening
from herald.speaker.decider import Decider, Step
from herald.speaker.publisher import Publisher
from herald.store.problem_event import ABOUT_SECRETS, ProblemEvents

MOST_MOVES = 2000
"""Moves that wait for an engine to be told to; it keeps no more itself."""


@dataclass(frozen=True, slots=True)
class _Moved:
    """This node began or ceased to lead, maybe because `before` was replaced by `after`."""

    verdict: Verdict
    before: View | None
    after: View


class Narrator:
    """Tells what `decider` came to: to `logger`, and what is worth an event of Kubernetes to `publisher`."""

    def __init__(self, decider: Decider, logger: logging.Logger, publisher: Publisher) -> None:
        self._decider = decider
        self._logger = logger
        self._publisher = publisher
        self._node = decider.options.node
        self._unseen = ASSUMED if decider.options.assume_ready else NONE
        self._looked_at: View | None = None
        self._told_moves: deque[Moved] = deque(maxlen=MOST_MOVES)
        self._moved: deque[_Moved] = deque()
        self._to_check: dict[NamespacedName, None] = {}
        self._silent: dict[NamespacedName, tuple[Reason, bool]] = {}
        self._unanswered: frozenset[UnansweredHolding] = frozenset()
        self._not_opened: frozenset[tuple[PeerName, Reason]] = frozenset()
        self._up: frozenset[str] = frozenset()
        self._left: frozenset[str] = frozenset()
        self._about_secrets = ProblemEvents()
        self._hinted: set[IPAddress] = set()

    def note(self, step: Step) -> None:
        """The decider came to this."""
        self._to_check.update(dict.fromkeys(step.services))
        view = self._decider.view
        if view is None:
            return
        for verdict in step.change.verdicts:
            self._tell_verdict(verdict, view)
            if verdict.protocol is Protocol.LAYER2:
                self._moved.append(_Moved(verdict, step.view_before, view))
        if view is not self._looked_at:
            self._looked_at = view
            self._to_check.update(dict.fromkeys(self._decider.cache.services))
            self._tell_not_opened()
            self._tell_about_secrets(view)

    def note_unanswered(self, holdings: Iterable[UnansweredHolding]) -> None:
        """The engine answers these on no interface."""
        present = frozenset(holdings)
        for one in sorted(present - self._unanswered, key=lambda one: str(one.address)):
            text = f"{one.address} is answered on no interface of this node: {one.reason}"
            self._logger.warning(text, extra={"event": "announceFailed", "ip": str(one.address), "reason": one.reason})
            self._tell_failed(one)
        self._unanswered = present

    def tell_conflict(self, conflict: Conflict, owner: str | None) -> None:
        """A station, maybe the node `owner`, claims what the engine answers for; the engine has logged it itself."""
        for service in self._decider.upkeep.holders(conflict.address):
            self._publisher.tell(happening.address_conflict(service, conflict, self._node, owner))

    def note_left(self, nodes: frozenset[str]) -> None:
        """These went by their own word."""
        self._left = nodes

    def note_sessions(self, sessions: Iterable[SessionFact]) -> None:
        """The engine sees these."""
        self._up = frozenset(session.peer for session in sessions if session.established)

    def next_move(self) -> Moved | None:
        """What the engine is to keep in its history, each once."""
        return self._told_moves.popleft() if self._told_moves else None

    @property
    def has_more(self) -> bool:
        """Whether `tell_more` has something to do."""
        return bool(self._moved or self._to_check)

    def tell_more(self) -> None:
        """Work out one thing that takes longer, and tell it."""
        if self._moved:
            self._tell_moved(self._moved.popleft())
        elif self._to_check:
            key = next(iter(self._to_check))
            del self._to_check[key]
            self._check_silence(key)

    def _tell_failed(self, one: UnansweredHolding) -> None:
        for service in self._decider.upkeep.holders(one.address):
            self._publisher.tell(happening.announce_failed(service, one.address, self._node, one.reason))

    def _tell_verdict(self, verdict: Verdict, view: View) -> None:
        ips = [str(address) for address in verdict.addresses]
        pool = view.pool_of(verdict.addresses)
        fields = {
            "service": str(verdict.service),
            "ips": ips,
            "protocol": verdict.protocol.value,
            "pool": pool.name if pool else None,
            "node": self._node,
        }
        if verdict.reason is None:
            text = f"announcing {_listed(ips)} of {verdict.service} from {self._node} by {verdict.protocol.value}"
            if peers := self._peers(verdict, view):
                # People look for `announce` to learn which peer receives what.
                fields["announcedTo"] = peers
                text += f" to {_listed(peers)}"
                if self._up.isdisjoint(peers):
                    text += ", once a session is up"
            self._logger.info(text, extra={**fields, "event": "serviceAnnounced"})
            self._hint_at_acceptance(verdict)
        else:
            reason = verdict.reason
            text = (
                f"no longer announcing {_listed(ips)} of {verdict.service} by {verdict.protocol.value}: {reason.words}"
            )
            extra = {**fields, "event": "serviceWithdrawn", "reason": reason.log_word, "why": str(reason)}
            self._logger.info(text, extra=extra)

    def _peers(self, verdict: Verdict, view: View) -> list[str]:
        """Names of the BGP peers that this node tells."""
        service, pool = self._decider.cache.services.get(verdict.service), view.pool_of(verdict.addresses)
        if verdict.protocol is not Protocol.BGP or service is None or pool is None:
            return []
        patterns = view.patterns(view.bgp_reach(pool.name, service.metadata.labels), self._node)
        return sorted({name for session, _ in session_routes(verdict.addresses, patterns) for name in session.names})

    def _hint_at_acceptance(self, verdict: Verdict) -> None:
        """On a plain host, say once how it accepts what arrives for an address: no kube-proxy does there."""
        if not self._decider.options.assume_node:
            return
        for address in verdict.addresses:
            hint = acceptance.hint(address, verdict.protocol) if address not in self._hinted else None
            if hint is not None:
                self._hinted.add(address)
                self._logger.info(hint, extra={"event": "hostAcceptance", "ip": str(address)})

    def _tell_not_opened(self) -> None:
        present = frozenset(self._decider.upkeep.not_opened)
        for peer, reason in sorted(present - self._not_opened, key=lambda entry: entry[0]):
            text = f"no session to BGPPeer {peer}: {reason.words}"
            self._logger.error(text, extra={"event": "sessionNotOpened", "peer": peer, "reason": reason.log_word})
        self._not_opened = present

    def _tell_about_secrets(self, view: View) -> None:
        """What else is wrong with the configuration is the controller's to say, but it may not read passwords."""
        if self._speaks_for_all(view):
            problems = (each for each in self._decider.problems if each.rule in ABOUT_SECRETS)
            for event in self._about_secrets.news(problems):
                self._publisher.tell(event)

    def _tell_moved(self, moved: _Moved) -> None:
        ips = _listed(map(str, moved.verdict.addresses))
        decision = self._decide(moved.verdict.service, moved.after)
        owner = decision.layer2.owner if decision else None
        before = self._owner_before(moved)
        self._told_moves.append(self._for_history(moved, before, decision))
        if owner is None or owner == before:
            return
        if before is None:
            text = f"leader of {ips} is {owner}"
        else:
            text = f"failover: leader of {ips} moved from {before} to {owner} ({self._why_moved(moved, before, owner)})"
            if owner == self._node:
                namespace, service = self._decider.options.namespace, moved.verdict.service
                self._publisher.tell(happening.leader_changed(namespace, service, text, owner))
        extra = {
            "event": "leaderChanged",
            "service": str(moved.verdict.service),
            "ips": [str(address) for address in moved.verdict.addresses],
            "leader": owner,
            "previousLeader": before,
            "protocol": Protocol.LAYER2.value,
        }
        self._logger.info(text, extra=extra)

    def _for_history(self, moved: _Moved, before: NodeName | None, decision: Decision | None) -> Moved:
        owner = decision.layer2.owner if decision else None
        if moved.verdict.reason is not None:
            cause = moved.verdict.reason.words
        elif before is None or before == self._node:
            cause = "no earlier leader is known here"
        else:
            cause = self._why_moved(moved, before, self._node)
        is_gone = before is not None and before != self._node and not moved.after.landscape.is_live(before)
        return Moved(moved.verdict.addresses, before, owner, cause, is_gone)

    def _why_moved(self, moved: _Moved, before: NodeName, owner: NodeName) -> str:
        """Why `owner` answers in place of `before`."""
        why = self._why_not(before, moved.after, self._decide(moved.verdict.service, moved.after))
        return why or self._given_back(moved, before, owner) or f"{owner} comes before {before}"

    def _given_back(self, moved: _Moved, before: NodeName, owner: NodeName) -> str | None:
        decision = self._decide(moved.verdict.service, moved.before) if moved.before else None
        instead = decision.layer2.instead if decision else None
        kept = instead is not None and instead.code is Code.KEPT
        return f"{before} gives it back: {owner} has been back for long enough (failback)" if kept else None

    def _owner_before(self, moved: _Moved) -> NodeName | None:
        if moved.verdict.reason is not None:
            return self._node
        decision = self._decide(moved.verdict.service, moved.before) if moved.before else None
        return decision.layer2.owner if decision else None

    def _why_not(self, node: NodeName, view: View, decision: Decision | None) -> str:
        if not view.landscape.is_live(node):
            return f"{node} left in good order" if node in self._left else f"{node} is gone"
        reason = decision.layer2.reason_of(node) if decision else None
        return reason.words if reason is not None and reason.code is not Code.NOT_ELECTED else ""

    def _check_silence(self, key: NamespacedName) -> None:
        service, view = self._decider.cache.services.get(key), self._decider.view
        reason = self._silence(service, view) if service is not None and view is not None else None
        told = self._silent.pop(key, None)
        if reason is None:
            self._publisher.silent(key, None)
            return
        # All speakers come to the same; one of them says it where people look, and when that one is gone another does.
        # That there is no address (yet) is the controller's to say; every new Service is in that state for a moment.
        speaks = self._speaks_for_all(view) and reason.code is not Code.NO_ADDRESS
        self._silent[key] = reason, speaks
        if (reason, speaks) != told:
            level = logging.WARNING if speaks else logging.DEBUG
            text = f"{key} is announced by nobody: {reason.words}"
            extra = {"event": "serviceNotAnnounced", "service": str(key), "reason": reason.log_word, "why": str(reason)}
            self._logger.log(level, text, extra=extra)
            self._publisher.silent(key, reason if speaks else None)

    def _silence(self, service: Service, view: View) -> Reason | None:
        """Why nobody announces the service; None if somebody does, or it is none of ours."""
        if class_reason(service, self._decider.options.load_balancer_class) is not None:
            return None
        layer2 = self._decider.upkeep.why_not(service.key, Protocol.LAYER2)
        if layer2 is None or layer2.code in ANOTHER_OWNS_IT:
            return None
        decision = self._decide(service.key, view)
        return decision.silence if decision else None

    def _decide(self, key: NamespacedName, view: View) -> Decision | None:
        service = self._decider.cache.services.get(key)
        if service is None:
            return None
        readiness = self._decider.slices.readiness(key, self._unseen)
        return decide(service, status_addresses(service), readiness, view)

    def _speaks_for_all(self, view: View | None) -> bool:
        members = view.landscape.members if view else None
        return not members or self._node == min(members)


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(texts)
