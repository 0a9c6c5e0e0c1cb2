"""How fast a group is: every time and number that memberlist lets one choose, and Herald's own.

`HERALD` is the default: a crashed node is known to be dead within a second in groups of 3 to 10. `LAN` and `WAN` are
MetalLB's. Members with different profiles understand each other; each decides by its own.

`from_metallb` reads the `config.json` that MetalLB takes. It begins with `LAN`, and what the file says replaces it.
"""

import json
import math
import re
from dataclasses import dataclass, replace
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Profile:
    """Times in seconds. What is said of memberlist's parameters stands there; the last five are Herald's own.

    `compression`: of what is sent, only where MetalLB's file asks for it: to pack one full packet takes this language a
    millisecond in which nobody's ARP request is answered, and everybody reads what is not packed.
    `confirmations`: how many must confirm an accusation so that the shortest time counts.
    `second_look`: seconds between two direct questions to a suspect, None for none (see `herald.swim.prober`).
    `reconnect_interval`: seconds between two looks for members that were lost, None for none.
    `reclaim`: whether a dead member's name may come back at another address at once, instead of when it is forgotten.
    `farewells`: how often a leaving node tells everybody directly, 0.05 s apart.
    """

    tcp_timeout: float
    indirect_checks: int
    retransmit_mult: int
    suspicion_mult: float
    suspicion_max_timeout_mult: float
    push_pull_interval: float
    probe_timeout: float
    probe_interval: float
    tcp_pings: bool
    awareness_max_multiplier: int
    gossip_nodes: int
    gossip_interval: float
    gossip_to_the_dead: float
    compression: bool = False
    verify_incoming: bool = True
    verify_outgoing: bool = True
    packet_octets: int = 1400
    farewells: int = 3
    confirmations: int = 2
    second_look: float | None = None
    reconnect_interval: float | None = 5.0
    reclaim: bool = False

    def suspicion_shortest(self, members: int) -> float:
        """Seconds that an accused member has at least, in a group of so many."""
        scale = math.floor(max(1.0, math.log10(max(1.0, members))) * 1000) / 1000
        return self.suspicion_mult * scale * self.probe_interval

    def retransmissions(self, members: int) -> int:
        """How often a node passes on one piece of news, in a group of so many."""
        return self.retransmit_mult * math.ceil(math.log10(members + 1))

    def push_pull_every(self, members: int) -> float:
        """Seconds between two exchanges of whole states; in large groups each node does it less often."""
        if members <= 32:
            return self.push_pull_interval
        return self.push_pull_interval * (math.ceil(math.log2(members) - 5) + 1)


LAN: Final = Profile(
    tcp_timeout=10.0,
    indirect_checks=3,
    retransmit_mult=4,
    suspicion_mult=4,
    suspicion_max_timeout_mult=6,
    push_pull_interval=30.0,
    probe_timeout=0.5,
    probe_interval=1.0,
    tcp_pings=True,
    awareness_max_multiplier=8,
    gossip_nodes=3,
    gossip_interval=0.2,
    gossip_to_the_dead=30.0,
)

WAN: Final = replace(
    LAN,
    tcp_timeout=30.0,
    suspicion_mult=6,
    push_pull_interval=60.0,
    probe_timeout=3.0,
    probe_interval=5.0,
    gossip_nodes=4,
    gossip_interval=0.5,
    gossip_to_the_dead=60.0,
    confirmations=4,
)

HERALD: Final = replace(
    LAN,
    tcp_timeout=2.0,
    suspicion_mult=3.5,
    suspicion_max_timeout_mult=3,
    push_pull_interval=15.0,
    probe_timeout=0.04,
    probe_interval=0.1,
    awareness_max_multiplier=4,
    gossip_interval=0.04,
    confirmations=1,
    second_look=0.03,
    reconnect_interval=0.5,
    reclaim=True,
)

PROFILES: Final = {"herald": HERALD, "lan": LAN, "wan": WAN}

_DURATIONS: Final = {
    "TCPTimeout": "tcp_timeout",
    "PushPullInterval": "push_pull_interval",
    "ProbeTimeout": "probe_timeout",
    "ProbeInterval": "probe_interval",
    "GossipInterval": "gossip_interval",
    "GossipToTheDeadTime": "gossip_to_the_dead",
    "QueueCheckInterval": None,
}
_NUMBERS: Final = {
    "IndirectChecks": "indirect_checks",
    "RetransmitMult": "retransmit_mult",
    "SuspicionMult": "suspicion_mult",
    "SuspicionMaxTimeoutMult": "suspicion_max_timeout_mult",
    "AwarenessMaxMultiplier": "awareness_max_multiplier",
    "GossipNodes": "gossip_nodes",
    "HandoffQueueDepth": None,
    "UDPBufferSize": "packet_octets",
}
_TRUTHS: Final = {
    "DisableTcpPings": "tcp_pings",
    "GossipVerifyIncoming": "verify_incoming",
    "GossipVerifyOutgoing": "verify_outgoing",
    "EnableCompression": "compression",
}
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def from_metallb(text: str) -> Profile:
    """The profile that a `config.json` says. Raises ValueError naming the field.

    As in MetalLB every duration must be there. A number or truth value that is missing stays as in `LAN`; MetalLB takes
    it for zero or false, which would switch off encryption's checks where one line was forgotten.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(given, dict):
        raise ValueError("expected an object")  # noqa: TRY004  # one error for all that the file may hold
    unknown = given.keys() - _DURATIONS.keys() - _NUMBERS.keys() - _TRUTHS.keys()
    if unknown:
        raise ValueError(f"{min(unknown)}: there is no such field")
    values: dict[str, Any] = {}
    for name, field in _DURATIONS.items():
        values[field or ""] = _seconds(name, given.get(name))
    for name, field in _NUMBERS.items():
        if name in given:
            values[field or ""] = _whole(name, given[name])
    for name, field in _TRUTHS.items():
        if name in given:
            truth = _truth(name, given[name])
            values[field] = not truth if name == "DisableTcpPings" else truth
    values.pop("", None)
    profile = replace(LAN, **values)
    return replace(profile, confirmations=max(0, int(profile.suspicion_mult) - 2))


def _seconds(name: str, value: object) -> float:
    if not isinstance(value, str) or not value:
        raise ValueError(f'{name}: expected a duration such as "500ms"')
    pieces = _DURATION.findall(value)
    if "".join(number + unit for number, unit in pieces) != value:
        raise ValueError(f'{name}: "{value}" is no duration such as "500ms"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in pieces)
    if seconds < 0.001:
        raise ValueError(f'{name}: "{value}" is less than a millisecond')
    return seconds


def _whole(name: str, value: object) -> int:
    lowest = 512 if name == "UDPBufferSize" else 0 if name in ("IndirectChecks", "HandoffQueueDepth") else 1
    if type(value) is not int or not lowest <= value <= 65507:
        raise ValueError(f"{name}: expected a whole number of {lowest} or more")
    return value


def _truth(name: str, value: object) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{name}: expected true or false")
    return value
