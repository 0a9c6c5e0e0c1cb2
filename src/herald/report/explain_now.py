"""What the speaker that was asked (`--ask-speaker`) does at the moment, where the manifests would have it otherwise.

A running speaker knows more than the manifests: somebody uses an address, or an object has been edited wrongly and its
last valid version stays in force. So what it does is looked up, and the verdict is about that.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from herald.announcement.decide import Decision
from herald.config.findings import is_left_out
from herald.config.problem import Problem, Severity
from herald.net.ip_family import IPAddress, parse_address
from herald.report.explain import Section, State, Verdict
from herald.report.plan import Plan
from herald.report.study import AtWork

KEEPS = "a running speaker keeps the last valid version of what was edited wrongly, until it is started again"


@dataclass(frozen=True, slots=True)
class Now:
    """`mute`: addresses that it is to answer for and does not, with why. `beyond`: that it answers for all the same."""

    at_work: AtWork
    planned: bool
    answered: tuple[IPAddress, ...]
    mute: tuple[tuple[IPAddress, str], ...]

    @property
    def beyond(self) -> tuple[IPAddress, ...]:
        return () if self.planned else self.answered

    def sections(self) -> tuple[Section, ...]:
        """At most one; none if there is nothing to say."""
        lines = tuple(self._lines())
        return (Section("NOW", lines),) if lines else ()

    def _lines(self) -> Iterator[str]:
        for ip in self.answered:
            yield f"{self.at_work.node} answers for {ip} on {', '.join(self.at_work.answered[ip])}"
        yield from self.silences()

    def silences(self) -> Iterator[str]:
        """A sentence for each of `mute`."""
        yield from (f"{self.at_work.node} does not answer for {ip}: {why}" for ip, why in self.mute)


def of_service(plan: Plan, decision: Decision) -> Now | None:
    """About the addresses of one service in Layer 2; None if no speaker was asked."""
    alive = plan.study.circumstances.alive
    at_work = None if alive is None else alive.at_work
    if at_work is None:
        return None
    had = map(parse_address, plan.study.services[decision.service].ingress_ips)
    return look(at_work, decision.addresses or tuple(had), planned=decision.layer2.owner == at_work.node)


def look(at_work: AtWork, addresses: Iterable[IPAddress], *, planned: bool) -> Now:
    """`planned`: the manifests would have the speaker answer for the `addresses`."""
    answered = tuple(ip for ip in addresses if ip in at_work.answered and ip not in at_work.in_use)
    mute = ((ip, at_work.why_not(ip)) for ip in addresses if ip not in answered) if planned else ()
    return Now(at_work, planned, answered, tuple(mute))


def verdict(now: Now | None, decision: Decision, planned: Verdict, problems: Iterable[Problem]) -> Verdict:
    """`planned`, if the speaker does as the manifests would have it."""
    if now is None:
        return planned
    keeps = kept(problems)
    if now.mute:
        words = "; ".join(now.silences())
        if decision.bgp.announcing or now.answered:
            return Verdict(State.DEGRADED, f"{planned.message}; but {words}")
        return Verdict(State.NOT_ANNOUNCED, words)
    if now.beyond:
        words = f"{now.at_work.node} answers for {', '.join(map(str, now.beyond))} at the moment"
        if planned.state is State.NOT_ANNOUNCED:
            return Verdict(
                State.DEGRADED, f"{words}, which does not follow from these manifests: {planned.message}{keeps}"
            )
        return Verdict(State.DEGRADED, f"{planned.message}; but {words}{keeps}")
    if planned.state is State.NOT_ANNOUNCED and keeps:
        return replace(planned, message=planned.message + keeps)
    return planned


def kept(problems: Iterable[Problem]) -> str:
    """Said behind a verdict where something was edited wrongly; nothing else."""
    return f"; {KEEPS}" if any(problem.severity is Severity.ERROR for problem in problems) else ""


def problems_of_running(plan: Plan, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """That an object is left out is not to be said where a speaker runs, and may have a valid version of it."""
    alive = plan.study.circumstances.alive
    if alive is None or alive.at_work is None:
        return tuple(problems)
    return tuple(replace(each, message=_of_running(each)) for each in problems)


def _of_running(problem: Problem) -> str:
    end = is_left_out(problem.kind)
    instead = f"A running speaker keeps its last valid version of this {problem.kind}; one that has none leaves it out."
    return f"{problem.message.removesuffix(end)}{instead}" if problem.message.endswith(end) else problem.message
