"""The state of Layer 2 as the shell gives it out: interfaces with their verdicts, counts, and the whole for people."""

from collections.abc import Container
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import NamedTuple

from herald.layer2.announcer import AnnouncerSnapshot
from herald.layer2.conflict import Conflict
from herald.layer2.holding import Address
from herald.layer2.link import Exclusion, Verdict, judge, judge_ndp
from herald.layer2.responder import ResponderSnapshot
from herald.layer2.self_probe import WaySnapshot
from herald.net.interface import Interface


@dataclass(frozen=True, slots=True)
class JudgedInterface:
    """An interface and whether it may answer by ARP and by NDP.

    `reading` says whether it really does: the socket stands, and what is sent leaves.
    """

    interface: Interface
    verdict: Verdict
    reading: bool
    ndp_verdict: Verdict
    ndp_reading: bool


def judged(
    one: Interface,
    exclusion: Exclusion,
    mute: Container[int],
    reading: Container[int],
    ndp_reading: Container[int],
) -> JudgedInterface:
    """An interface with its verdicts; the last three hold the indexes that are mute, and those with a socket."""
    verdict, ndp_verdict, is_mute = judge(one, exclusion), judge_ndp(one, exclusion), one.index in mute
    if is_mute:
        verdict = Verdict.MUTE if verdict is Verdict.ELIGIBLE else verdict
        ndp_verdict = Verdict.MUTE if ndp_verdict is Verdict.ELIGIBLE_NDP else ndp_verdict
    arp, ndp = one.index in reading and not is_mute, one.index in ndp_reading and not is_mute
    return JudgedInterface(one, verdict, arp, ndp_verdict, ndp)


class AddressCounts(NamedTuple):
    """Since the address was taken: requests that were to be answered, answers that left, gratuitous frames."""

    address: Address
    requests: int
    answers: int
    gratuitous: int


@dataclass(frozen=True, slots=True)
class Layer2Snapshot:
    """The whole state of Layer 2 for people.

    `groups` are the solicited-node groups wanted on each link, by its name, sorted; `send_failures` counts frames that
    the kernel refused.
    """

    responder: ResponderSnapshot
    announcer: AnnouncerSnapshot
    groups: dict[str, tuple[IPv6Address, ...]]
    interfaces: tuple[JudgedInterface, ...]
    send_failures: int
    self_probes: tuple[WaySnapshot, ...] = ()
    now: float = 0.0
    in_use: tuple[Conflict, ...] = ()
