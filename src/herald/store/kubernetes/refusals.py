"""Tells the log, once, of objects that the API server will not show: for watches that nothing else reports on."""

import logging

from herald.store.kubernetes.watch_events import Fact, Following, Refused, Trouble


class Refusals:
    """Of `what` (`pods`, `bgpsessionstatuses`, …); `without` says what is missing while they are refused.

    An outage is told by whoever watches the configuration; here only refusals are of interest, which stay until
    somebody gives the right.
    """

    def __init__(self, logger: logging.Logger, what: str, without: str) -> None:
        self._logger = logger
        self._what = what
        self._without = without
        self._told: tuple[str, int] | None = None

    def take(self, fact: Fact) -> None:
        """One thing that the watch says."""
        match fact:
            case Trouble(cause=Refused() as cause) if cause.is_passing:
                pass
            case Trouble(cause=Refused() as cause, while_doing=verb) if (verb, cause.status) != self._told:
                self._told = (verb, cause.status)
                fields = {"event": "watchRefused", "verb": verb, "resource": self._what, "error": cause.message}
                text = "may not %s %s, so %s; it is tried again: %s"
                self._logger.error(text, verb, self._what, self._without, cause.message, extra=fields)
            case Following() if self._told is not None:
                self._told = None
                self._logger.info("%s can be followed now", self._what, extra={"event": "watchAccepted"})
            case _:
                pass
