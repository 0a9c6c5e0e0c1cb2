"""`failback` and `failbackDelay` of an L2Advertisement: how long a returned node waits for its addresses."""

import math
from typing import Final

from herald.api import duration
from herald.config.findings import Findings
from herald.config.problem import Severity

DEFAULT_DELAY_S: Final = 300.0
DAY_S: Final = 86_400.0
LONGEST_USUAL_S: Final = 7 * DAY_S
"""A longer delay is more likely a slip than a wish: it applies, with a warning."""
IMMEDIATE: Final = 0.0
NEVER: Final = math.inf


def resolve_failback(policy: str | None, delay: str | None, found: Findings) -> float:
    """Seconds, 0 for at once (what MetalLB does), infinite for never. What cannot be is added to `found`."""
    if delay is not None and policy != "delay":
        instead = "is not set" if policy is None else f"is {policy}"
        words = f"failbackDelay has no effect while failback {instead}; set failback: delay"
        found.add("HL314", "spec.failbackDelay", words)
        return IMMEDIATE
    match policy:
        case "never":
            return NEVER
        case "delay":
            return DEFAULT_DELAY_S if delay is None else _seconds(delay, found)
        case _:
            return IMMEDIATE


def _seconds(text: str, found: Findings) -> float:
    try:
        seconds = duration.parse(text)
    except duration.DurationError as error:
        found.add("HL314", "spec.failbackDelay", f"invalid failbackDelay: {error}")
        return IMMEDIATE
    if seconds <= 0:
        found.add(
            "HL314", "spec.failbackDelay", f'invalid failbackDelay "{text}": write a duration above 0, such as 5m'
        )
    if seconds > LONGEST_USUAL_S:
        words = f'"{text}" is {seconds / DAY_S:.0f} days; to keep addresses where they are, set failback: never'
        found.add("HL314", "spec.failbackDelay", words, Severity.WARNING)
    return seconds


def words(failback_s: float) -> str:
    """The policy as its user would say it: `never`, `delay 300s`, `immediate`."""
    if failback_s == NEVER:
        return "never"
    return f"delay {failback_s:g}s" if failback_s else "immediate"
