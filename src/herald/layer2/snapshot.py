"""The state of Layer 2 as the shell gives it out: interfaces with their verdicts, counts, and the whole for people."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import NamedTuple

from herald.layer2.announcer import AnnouncerSnapshot
from herald.layer2.conflict import Conflict
from herald.layer2.holding import Address
from herald.layer2.link import Verdict
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
