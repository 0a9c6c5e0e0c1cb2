"""Hold time and keepalive time of a peer: what follows from the one for the other, and what cannot be."""

from herald.api import duration
from herald.config.findings import Findings
from herald.config.problem import Severity

_SECOND = 1_000_000_000
_LONGEST_HOLD_S = 65535
_SHORTEST_HOLD_S = 3


def resolve_timers(hold: str | None, keepalive: str | None, found: Findings) -> tuple[float | None, float | None]:
    """Hold and keepalive time in seconds; None for both if neither is given, 0 switches them off.

    One alone gives the other: keepalive is a third of hold. Exact values are kept; what BGP can say is whole seconds,
    so a hold time below one second means 0.
    """
    earlier = len(found.problems)
    hold_ns, keepalive_ns = _nanoseconds("holdTime", hold, found), _nanoseconds("keepaliveTime", keepalive, found)
    if len(found.problems) > earlier:
        return None, None
    if hold_ns is None and keepalive_ns is not None:
        hold_ns = keepalive_ns * 3
        field, shown = "keepaliveTime", f"{hold_ns / _SECOND:g}s, three times keepaliveTime {keepalive}"
    else:
        field, shown = "holdTime", str(hold)
    if hold_ns is None:
        return None, None
    if 0 < hold_ns // _SECOND < _SHORTEST_HOLD_S:
        found.add("HL333", f"spec.{field}", f"invalid BGPPeer timers: invalid hold time {shown}: must be 0 or >=3s")
    if keepalive_ns is not None and keepalive_ns > hold_ns:
        found.add(
            "HL333",
            "spec.keepaliveTime",
            f"invalid BGPPeer timers: invalid keepaliveTime {keepalive}: must not be above the hold time {shown}; "
            "a third of it is usual",
        )
    hold_s = _speakable(hold_ns / _SECOND, field, found)
    return hold_s, hold_s / 3 if keepalive_ns is None else keepalive_ns / _SECOND


def _nanoseconds(field: str, text: str | None, found: Findings) -> int | None:
    if text is None:
        return None
    try:
        length = duration.nanoseconds(text)
    except duration.DurationError as error:
        found.add("HL333", f"spec.{field}", f"invalid BGPPeer timers: {error}")
        return None
    if length < 0:
        found.add("HL333", f"spec.{field}", f"invalid BGPPeer timers: {text} is negative; use 0s or e.g. 90s")
    return length


def _speakable(hold_s: float, field: str, found: Findings) -> float:
    if hold_s < _LONGEST_HOLD_S + 1:
        return hold_s
    found.add(
        "HL333",
        f"spec.{field}",
        f"a hold time of {hold_s:g} s is more than the {_LONGEST_HOLD_S} s that BGP can say, which are used instead",
        Severity.WARNING,
    )
    return float(_LONGEST_HOLD_S)
