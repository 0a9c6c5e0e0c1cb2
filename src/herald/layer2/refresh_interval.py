"""How often a held address is announced again, as people write it: MetalLB's `--gratuitous-arp-interval`.

0                never, the default
60               seconds, as MetalLB's speaker takes it
90s, 5m, 1h30m   a duration in Go's syntax, as MetalLB's operator takes it
"""

import re
from typing import Final

from herald.layer2.announcer import LONGEST_REFRESH, SHORTEST_REFRESH

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)"
_LONGEST_TEXT: Final = 64


def parse_refresh(text: str) -> float | None:
    """The interval in seconds, 1 to 86,400; None for never. Raises ValueError, which says what would be right."""
    seconds = _seconds(text.strip())
    if seconds == 0:
        return None
    if seconds is None or not SHORTEST_REFRESH <= seconds <= LONGEST_REFRESH:
        raise ValueError(f"{text!r} is no interval; write seconds, or e.g. 90s or 5m, from 1s to 24h, or 0 for never")
    return seconds


def _seconds(text: str) -> float | None:
    if len(text) > _LONGEST_TEXT or not text.isascii():
        return None
    if re.fullmatch(r"[0-9]+", text):
        return float(text)
    if re.fullmatch(f"(?:{_PART})+", text):
        return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
    return None
