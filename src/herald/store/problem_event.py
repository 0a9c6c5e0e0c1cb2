"""What `kubectl describe` shows beside an object of the configuration that cannot be used as it stands. No I/O."""

from collections.abc import Iterable
from typing import Final

from herald.allocator.convergence import EventType
from herald.api import scheme
from herald.config.findings import ObjectKey
from herald.config.problem import Problem, Severity
from herald.store.store import Event

ABOUT_SECRETS: Final = frozenset({"HL031", "HL072"})
"""Rules about passwords, of which only speakers know: the controller may not read Secrets."""
LONGEST_MESSAGE: Final = 1024
_CONFIGURATION: Final = frozenset(kind.kind for kind in scheme.KINDS if kind.group == scheme.GROUP)


class ProblemEvents:
    """Remembers what it has told, so that each problem is told once when it comes up."""

    def __init__(self) -> None:
        self._told: frozenset[Problem] = frozenset()

    def news(self, problems: Iterable[Problem]) -> tuple[Event, ...]:
        """Events about what was not there before; these are all the problems there are now."""
        present = frozenset(each for each in problems if _is_told(each))
        fresh, self._told = present - self._told, present
        return tuple(problem_event(each) for each in sorted(fresh, key=lambda each: each.order))


def problem_event(problem: Problem) -> Event:
    """The event about the object that the problem is of."""
    about = ObjectKey(problem.kind, problem.namespace, problem.name)
    text = f"{problem.field}: {problem.message}" if problem.field else problem.message
    message = f"{text} ({problem.rule})"
    if len(message) > LONGEST_MESSAGE:
        end = f"… ({problem.rule})"
        message = message[: LONGEST_MESSAGE - len(end)] + end
    return Event(about, EventType.WARNING, problem.reason, message, stands=True)


def _is_told(problem: Problem) -> bool:
    """Whether there is an object that somebody can look at, and put right."""
    return problem.kind in _CONFIGURATION and problem.name != "*" and problem.severity is not Severity.INFO
