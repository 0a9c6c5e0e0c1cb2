"""Durations as Kubernetes writes them: Go's syntax, e.g. `90s`, `1m30s`, `1.5h`, `500ms`, `0`.

A signed sequence of decimal numbers, each with a unit; a plain `0` needs none. Counted in whole nanoseconds, as Go
does, so nothing is lost on the way; what is finer than a nanosecond is cut off.
"""

import json
import re

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_TERM = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h)"
_WHOLE = re.compile(rf"([-+]?)((?:{_TERM})+)", re.ASCII)
_PART = re.compile(r"([0-9]*)\.?([0-9]*)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LONGEST_TEXT = 256
_LARGEST = 2**63 - 1


class DurationError(ValueError):
    """A text that is not a duration. The message says what would be right."""


def nanoseconds(text: str) -> int:
    """The duration in nanoseconds, exact; negative ones too. Raises DurationError."""
    if len(text) > _LONGEST_TEXT:
        raise DurationError(f"{len(text)} characters are too many for a duration; write e.g. 90s, 1m30s or 500ms")
    if text in ("0", "+0", "-0"):
        return 0
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        raise DurationError(
            f"{json.dumps(text, ensure_ascii=False)} is not a duration;"
            " write a number and a unit, e.g. 90s, 1m30s or 500ms"
        )
    sign, parts = whole.groups()
    total = sum(_part(*part) for part in _PART.findall(parts))
    if total > _LARGEST:
        raise DurationError(f'"{text}" is longer than a duration can be (about 292 years)')
    return -total if sign == "-" else total


def parse(text: str) -> float:
    """The duration in seconds: `parse("1m30s")` is 90.0. Raises DurationError."""
    return nanoseconds(text) / 1_000_000_000


def _part(whole: str, fraction: str, unit: str) -> int:
    scale = _NANOSECONDS[unit]
    finer: int = int(fraction or "0") * scale // 10 ** len(fraction)
    return int(whole or "0") * scale + finer
