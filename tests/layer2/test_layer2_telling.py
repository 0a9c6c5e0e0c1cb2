"""What the log says of an effect."""

from ipaddress import IPv4Address

import pytest

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
from herald.layer2.telling import Told, line
from herald.net.interface import Mac

CLAIM = Conflict(IPv4Address("192.0.2.7"), "eth0", Mac(bytes.fromhex("02000000c0de")))
WHO = {"ip": "192.0.2.7", "interface": "eth0", "mac": "02:00:00:00:c0:de"}


@pytest.mark.parametrize(
    ("effect", "level", "fields", "words"),
    [
        (
            ReportConflict(CLAIM),
            30,
            {"event": "addressConflict", **WHO},
            "also claims 192.0.2.7, which",
        ),
        (ClearConflict(CLAIM), 20, {"event": "addressConflictCleared", **WHO}, "the claim of 02:00:00:00:c0:de"),
        (
            ReportInUse(CLAIM),
            30,
            {"event": "addressInUse", **WHO},
            "192.0.2.7 is not announced: in use by",
        ),
        (ClearInUse(CLAIM), 20, {"event": "addressFree", **WHO}, "kept back no longer"),
        (ReportMute(2, "eth0", "why"), 40, {"event": "linkMute", "interface": "eth0", "reason": "why"}, "eth0 is mute"),
        (
            LetGo(Succeeded(CLAIM.address, None, CLAIM.mac)),
            10,
            {"event": "addressHandedOver", "ip": "192.0.2.7", "mac": "02:00:00:00:c0:de"},
            "02:00:00:00:c0:de answers for 192.0.2.7",
        ),
        (
            LetGo(Succeeded(CLAIM.address, None, None)),
            20,
            {"event": "addressHandedOver", "ip": "192.0.2.7", "mac": None},
            "though nobody was heard to take it",
        ),
        (ClearMute(2, "eth0"), 20, {"event": "linkSpeaks", "interface": "eth0"}, "leaves again"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, (int, str, dict)) else None,
)
def test_each_is_one_line_with_the_fields_that_people_search_for(
    effect: Told, level: int, fields: dict[str, str], words: str
) -> None:
    said = line(effect)
    assert (said.level, said.fields) == (level, fields)
    assert words in said.text
