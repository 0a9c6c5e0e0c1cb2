"""One JSON object per line on standard output: what every Herald process logs through.

    {"caller":"driver.py:171","event":"createARPResponder","interface":"eth0","level":"info",
     "msg":"answering ARP on eth0","ts":"2026-11-21T08:39:01.204Z"}

Keys are sorted. `ts`, `level`, `caller` and `msg` are always there; whatever a caller gives as `extra` stands beside
them, values of other types than JSON's as text. Callers use `logging.getLogger("herald.…")`, put the event's name into
`extra={"event": …}`, and never log a secret.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

LEVELS: Final = {
    "all": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "none": logging.CRITICAL + 1,
}
"""The words of `--log-level`, as MetalLB has them."""

_WORDS: Final = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn", logging.ERROR: "error"}
_NOT_EXTRA: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Turns a record into the line; an exception becomes `error` and, with its traceback, `stack`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": _WORDS.get(record.levelno, "error"),
            "caller": f"{record.filename}:{record.lineno}",
            "msg": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _NOT_EXTRA)
        if record.exc_info:
            line.setdefault("error", str(record.exc_info[1]))
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, sort_keys=True, separators=(",", ":"))


def setup(level: str, stream: TextIO | None = None) -> None:
    """Log everything of this process from `level` (a word of `LEVELS`) up, to standard output or to `stream`.

    Raises ValueError for another word. Doing it again replaces what was set up before.
    """
    if level not in LEVELS:
        raise ValueError(f'--log-level "{level}": one of {", ".join(LEVELS)} is needed')
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
