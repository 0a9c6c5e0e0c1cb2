"""`failback` and `failbackDelay` of an L2Advertisement: how long a returned node waits for its addresses."""

import math
from typing import Final

from herald.api import duration
from herald.config.findings import Findings

DEFAULT_DELAY_S: Final = 300.0
IMMEDIATE: Final = 0.0
NEVER: Final = math.inf


def resolve_failback(policy: str | None, delay: str | None, found: Findings) -> float:
    """Seconds, 0 for at once (what MetalLB does), infinite for never. What cannot be is added to `found`."""
    if delay is not None and policy != "delay":
        instead = "is not set" if policy is None else f"is {policy}"
        found.add("HL314", "spec.failbackDelay", f"failbackDelay has no effect while failback {instead}; use delay")
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
        found.add("HL314", "spec.failbackDelay", f'invalid failbackDelay "{text}": write more than 0, e.g. 5m')
    return seconds


def words(failback_s: float) -> str:
    """The policy as its user would say it: `never`, `delay 300s`, `immediate`."""
    if failback_s == NEVER:
        return "never"
    return f"delay {failback_s:g}s" if failback_s else "immediate"
