"""What people are told of an effect: the line of the log, as a value. The shell logs it.

addressConflict, addressConflictCleared    somebody else claims what is held here
addressHandedOver                          an address that is another node's is answered here no longer
addressInUse, addressFree                  an address is kept back, because somebody uses it
linkMute, linkSpeaks                       what is sent on a link does not leave it
"""

from dataclasses import dataclass

from herald.layer2.conflict import Conflict
from herald.layer2.event import (
    ClearConflict,
    ClearInUse,
    ClearMute,
    LetGo,
    ReportConflict,
    ReportInUse,
    ReportMute,
    Succeeded,
)
from herald.layer2.quarantine import NOT_ANSWERED, in_use_words
from herald.net.interface import mac_text

Told = LetGo | ReportConflict | ClearConflict | ReportInUse | ClearInUse | ReportMute | ClearMute


@dataclass(frozen=True, slots=True)
class Line:
    """`level` as `logging` numbers it; `fields` begin with the event's name."""

    level: int
    text: str
    fields: dict[str, object]


DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40


def line(effect: Told) -> Line:
    """What to log of it."""
    match effect:
        case LetGo(change):
            return _handed_over(change)
        case ReportConflict(conflict):
            who = f"{mac_text(conflict.mac)} on {conflict.interface}"
            text = f"{who} also claims {conflict.address}, which this node holds"
            return Line(WARNING, text, _fields("addressConflict", conflict))
        case ClearConflict(conflict):
            text = f"the claim of {mac_text(conflict.mac)} to {conflict.address} is over"
            return Line(INFO, text, _fields("addressConflictCleared", conflict))
        case ReportInUse(conflict):
            text = f"{conflict.address} is not announced: {in_use_words(conflict).removeprefix(NOT_ANSWERED)}"
            return Line(WARNING, text, _fields("addressInUse", conflict))
        case ClearInUse(conflict):
            return Line(INFO, f"{conflict.address} is kept back no longer", _fields("addressFree", conflict))
        case ReportMute(_, interface, why):
            text = f"{interface} is mute, so it counts as not usable: {why}"
            return Line(ERROR, text, {"event": "linkMute", "interface": interface, "reason": why})
        case ClearMute(_, interface):
            text = f"{interface} is mute no longer: what is sent on it leaves again"
            return Line(INFO, text, {"event": "linkSpeaks", "interface": interface})


def _handed_over(change: Succeeded) -> Line:
    fields: dict[str, object] = {"event": "addressHandedOver", "ip": str(change.address)}
    if change.mac is None:
        text = f"{change.address} is answered here no longer, though nobody was heard to take it"
        return Line(INFO, text, {**fields, "mac": None})
    mac = mac_text(change.mac)
    return Line(DEBUG, f"{mac} answers for {change.address}, so this node does no longer", {**fields, "mac": mac})


def _fields(event: str, conflict: Conflict) -> dict[str, object]:
    return {
        "event": event,
        "ip": str(conflict.address),
        "interface": conflict.interface,
        "mac": mac_text(conflict.mac),
    }
