"""Problems in the log: each is told once when it comes up, and once when it is gone."""

import logging
from collections.abc import Iterable

from herald.config.problem import Problem, Severity

_LEVELS = {Severity.ERROR: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.INFO: logging.INFO}


class ProblemLog:
    """Remembers what it has told to `logger`."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._told: frozenset[Problem] = frozenset()

    def tell(self, problems: Iterable[Problem]) -> None:
        """These are all the problems there are now."""
        present = frozenset(problems)
        for problem in sorted(self._told - present, key=lambda problem: problem.order):
            self._logger.info("no longer: %s", problem, extra=_fields(problem) | {"event": "problemGone"})
        for problem in sorted(present - self._told, key=lambda problem: problem.order):
            level = _LEVELS[problem.severity]
            self._logger.log(level, "%s", problem, extra=_fields(problem) | {"event": "problem"})
        self._told = present


def _fields(problem: Problem) -> dict[str, str]:
    return {
        "rule": problem.rule,
        "reason": problem.reason,
        "kind": problem.kind,
        "namespace": problem.namespace,
        "object": problem.name,
        "field": problem.field,
    }
