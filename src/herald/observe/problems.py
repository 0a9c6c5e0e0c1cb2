"""Problems in the log: each is told once when it comes up, and once when it is gone."""

import logging
from collections.abc import Iterable

from herald.config.findings import without_consequence
from herald.config.problem import Problem, Severity

_LEVELS = {Severity.ERROR: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.INFO: logging.INFO}


class ProblemLog:
    """Remembers what it has told to `logger`, whose name ends in who tells it: `herald.speaker`, `herald.controller`.

    In `herald standalone` both look at the same objects and write to the same log.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._by = logger.name.rpartition(".")[2]
        self._told: frozenset[Problem] = frozenset()

    def tell(self, problems: Iterable[Problem]) -> None:
        """These are all the problems there are now."""
        present = frozenset(problems)
        for problem in sorted(self._told - present, key=lambda problem: problem.order):
            extra = self._fields(problem) | {"event": "problemGone"}
            self._logger.info("no longer: %s", without_consequence(problem), extra=extra)
        for problem in sorted(present - self._told, key=lambda problem: problem.order):
            level = _LEVELS[problem.severity]
            self._logger.log(level, "%s", problem, extra=self._fields(problem) | {"event": "problem"})
        self._told = present

    def _fields(self, problem: Problem) -> dict[str, str]:
        return {
            "by": self._by,
            "rule": problem.rule,
            "reason": problem.reason,
            "kind": problem.kind,
            "namespace": problem.namespace,
            "object": problem.name,
            "field": problem.field,
        }
