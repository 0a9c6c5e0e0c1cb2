"""What routers, kernels and Herald wrote down while something happened, as moments on one clock.

    ip -ts -o monitor route   [2026-11-21T18:14:09.913732] 203.0.113.10 nhid 12 proto bgp metric 20 \\ nexthop via …
    FRR's bgpd                2026/11/21 18:14:09.843319 BGP: [PXVXG-TFNNT] %ADJCHANGE: neighbor 192.168.1.10(node-1) …
    Herald's log              {"event": "bfdDown", "msg": "BFD session with 192.168.1.1 down: …", "ts": "…"}

The first two write local time. bgpd does so to the microsecond after `log timestamp precision 6`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

LAB, KERNEL, BGPD = "the lab", "the router's kernel", "the router's bgpd"

ROUTE = re.compile(r"^\[(?P<at>\S+)\] (?P<gone>Deleted )?(?P<prefix>\S+) (?P<rest>.*)$", re.MULTILINE)
GATEWAY = re.compile(r"\bvia (\S+)")
NO_ROUTE = "no route"

SESSION = re.compile(
    r"^(?P<at>\d{4}/\d\d/\d\d [\d:]+\.\d+) BGP: .*?"
    r"%(?:ADJCHANGE: neighbor (?P<peer>[^\s(]+)\S* in vrf \S+ (?P<state>Up|Down.*)"
    r"|NOTIFICATION(?:\(.*?\))?: (?P<way>sent to|received from) neighbor (?P<other>\S+) \S+ \((?P<why>.*?)\))",
    re.MULTILINE,
)
TOLD_BEFORE = "Down BGP Notification"
"""A line that only repeats that there was a NOTIFICATION, which was told with its reason."""


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """`at` (seconds since 1970) `where` something happened."""

    at: float
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def of_kernel(text: str, address: str, names: Mapping[str, str]) -> Iterator[Moment]:
    """What a kernel did with the traffic for `address`; `names` are those of gateways."""
    for found in ROUTE.finditer(text):
        if found["prefix"] == address:
            gateways = [] if found["gone"] else sorted(names.get(one, one) for one in GATEWAY.findall(found["rest"]))
            at = datetime.fromisoformat(found["at"]).timestamp()
            yield Moment(at, KERNEL, f"via {', '.join(gateways)}" if gateways else NO_ROUTE)


def of_bgpd(text: str, names: Mapping[str, str]) -> Iterator[Moment]:
    """Sessions that came and went, and why."""
    for found in SESSION.finditer(text):
        at = datetime.strptime(found["at"], "%Y/%m/%d %H:%M:%S.%f").timestamp()  # noqa: DTZ007 - local time
        if found["way"]:
            yield Moment(at, BGPD, f"NOTIFICATION {found['way']} {names.get(found['other'], '?')}, {found['why']}")
        elif not found["state"].startswith(TOLD_BEFORE):
            yield Moment(at, BGPD, f"{names.get(found['peer'], '?')} {found['state']}")


def of_herald(text: str, node: str) -> Iterator[Moment]:
    """Sessions of BGP and BFD in a speaker's log."""
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if str(entry.get("event", "")).startswith(("session", "bfd")):
            yield Moment(datetime.fromisoformat(entry["ts"]).timestamp(), f"Herald on {node}", entry["msg"])
