"""docs/failover.md, from what was measured."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.failover_record import FAMILIES, MANY, NUD, Record
from benchmarks.figure import percentile
from herald.lab.failover.conclusion import conclusion

PAGE = Path(__file__).parent.parent / "docs" / "failover.md"
CRASHES = ("killed", "link down", "frozen")
COLUMNS = (
    "runs",
    "client IPv4",
    "client IPv6",
    "newcomer IPv4",
    "newcomer IPv6",
    "two owners",
    "moves",
    "announcements",
    "gossip, BFD, VRRP",
)
SLOW_MS = 10.0
"""Two datagrams of the client: a silence that is no longer is none."""

TITLE = """\
# Failover, measured

Written by `python -m benchmarks.failover` (as root, about a quarter of an hour, best on a machine that does nothing
else); do not edit. `python -m benchmarks.failover --resume` goes on with a run that was interrupted, `… nud` does the
ten minutes at the end of this page, `… --small` is a quick look.
"""

HEAD = """\
## The lab

Three nodes, a client and an asker on a Linux bridge, each in a network namespace. On the nodes run three speakers on a
folder of manifests, with an encrypted gossip group and Herald's default profile; or keepalived (VRRPv3, one instance
for each family, priorities 110, 105, 100), with its usual advertisement interval of 1 s and with 0.1 s. One IPv4 and
one IPv6 address belong to the same node at first.

* **Client**: a datagram to each address every 5 ms, answered by the node that it reaches. Its kernel's neighbour table
  is as it comes; what it believes changes by gratuitous ARP and unsolicited advertisements. A figure is the longest
  time between two answers, so about 5 ms are none at all.
* **Newcomer**: who knows nothing yet. An ARP request and a Neighbor Solicitation to everybody every 10 ms, by raw
  frames; a figure is the longest time without an answer to these.
* **Two owners**: a question of the newcomer that two MACs answered: in how many runs, and for how
  long at most.
* **Moves**: how often the client was answered by another node than before, at most.
* **Announcements** a run (ARP to all, Neighbor Advertisements to all), and **gossip, BFD, VRRP** a second: frames that
  all three nodes sent, as the bridge counted them.

| What happens to the owner | |
|---|---|
| killed | SIGKILL to Herald or keepalived; the node's kernel and its application go on |
| link down | the cable is pulled |
| frozen | the machine stands still: SIGSTOP to every process, and nothing leaves its kernel; the link stays up |
| partition | nothing passes between the owner and everybody else; all links stay up |
| folder gone | the folder of manifests disappears, half a second later the owner freezes |
| device recreated | its interface is deleted; later there is a new one of that name with another MAC |
| 50 flaps | its interface is switched off and on 50 times, 20 ms each |
| all restarted | each of the three ends by SIGTERM and is started again, the next once the last is there |
| nothing | ten seconds of nothing but lost frames |
"""

READING = """\
When only the process is killed, the client notices little whoever announces: the node still takes its packets.
keepalived leaves the address on the killed node's interface, whose kernel goes on answering, so that there are two
owners until it is started again. Herald's addresses are on no interface that answers: nobody owns them until another
node takes over.
"""


def write(record: Record) -> None:
    """Write the page."""
    PAGE.write_text(text(record))
    print(f"written to {PAGE}")


def text(record: Record) -> str:
    """The page."""
    short = conclusion({key: record.group(key) for key in record.contestants()}, CRASHES)
    sections = [TITLE, *([short] if short else []), HEAD, _about("Measured", record.about)]
    sections += [*_crashes(record), READING, *_others(record), *_losses(record)]
    return "\n".join([*sections, *_many(record), *_nud(record)]).rstrip() + "\n"


def _about(what: str, about: Mapping[str, str]) -> str:
    if not about:
        return ""
    return (
        f"{what} {about['date']} at {about['commit']}: Python {about['python']}, Linux {about['kernel']}, "
        f"{about['cores']} cores, {about['keepalived']}.\n"
    )


def _crashes(record: Record) -> Iterator[str]:
    yield "## A node dies\n\nMilliseconds, p50 / p99 / worst.\n"
    yield _table(record, CRASHES, "struck")
    yield "## It comes back\n\nFrom when it is put right until it owns the addresses again and all know each other.\n"
    yield _table(record, CRASHES, "mended")


def _others(record: Record) -> Iterator[str]:
    known = {case for key in record.contestants() for case in (*record.group(key), *record.failures(key))}
    cases = sorted(case for case in known if case not in CRASHES and "loss" not in case)
    yield "## Other faults\n\n### When it happens\n"
    yield _table(record, cases, "struck")
    yield "### When it is put right\n"
    yield _table(record, cases, "mended")


def _losses(record: Record) -> Iterator[str]:
    known = {
        case for key in record.contestants() for case in (*record.group(key), *record.failures(key)) if "loss" in case
    }
    yield "## Frames are lost\n\nEach frame on the bridge with this probability, questions and answers too.\n"
    yield _table(record, sorted(known, key=lambda case: (case.split(", ")[1].rjust(10), case)), "struck")


def _table(record: Record, cases: Iterable[str], phase: str) -> str:
    rows = [f"| | | {' | '.join(COLUMNS)} |", f"|---|---|{'---|' * len(COLUMNS)}"]
    for case in cases:
        for key in record.contestants():
            if case in record.group(key):
                rows.append(_row(case, key, record.group(key)[case], phase))
            elif case in record.failures(key):
                rows.append(f"| {case} | {key} | | {_short(record.failures(key)[case])} | | | | | | | |")
    return "\n".join(rows) + "\n"


def _row(case: str, key: str, result: Mapping[str, Any], phase: str) -> str:
    seen, runs = result[phase], result["runs"]
    silences = [_spread(seen[family][who]) for who in ("client", "asker") for family in FAMILIES]
    moves = max(max(seen[family]["moves"]) for family in FAMILIES)
    frames: Mapping[str, int] = seen["frames"]
    announced = (frames.get("arp", 0) + frames.get("na", 0)) / runs
    rest = ", ".join(
        f"{frames[kind] / (seen['seconds'] or 1):.0f}/s {name}"
        for kind, name in (("gossip", "gossip"), ("bfd", "BFD"), ("vrrp", "VRRP"))
        if frames.get(kind)
    )
    cells = [case, key, str(runs), *silences, _doubles(seen, runs), f"≤ {moves}", f"{announced:.0f}", rest]
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[int]) -> str:
    if max(values) <= SLOW_MS:
        return f"none ({max(values)})"
    return f"{percentile(values, 50)} / {percentile(values, 99)} / {max(values)}"


def _doubles(seen: Mapping[str, Any], runs: int) -> str:
    found = [seen[family]["double"] for family in FAMILIES]
    if not any(found):
        return "never"
    most = max(len(one) for one in found)
    return f"{most} of {runs}, ≤ {max(max(one, default=0) for one in found)} ms"


def _many(record: Record) -> Iterator[str]:
    found = record.group(MANY)
    if not found:
        return
    yield (
        "## 1,000 addresses on one node\n\nIt freezes, or its speaker is ended by SIGTERM, and one other node takes "
        "all of them. Milliseconds from the blow until the first and until the last address was announced; the "
        "frames of these announcements.\n"
    )
    rows = [
        "| | addresses | first | last | between | most frames in 10 ms | in the first second | in any second after |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for what, one in sorted(found.items()):
        first, last = round(one["first"] * 1000), round(one["last"] * 1000)
        frames = f"{one['busiest10ms']} | {one['busiest1s']} | {one['busiestLater1s']}"
        rows.append(f"| {what} | {one['addresses']} | {first} | {last} | {last - first} | {frames} |")
    yield "\n".join(rows) + "\n"


def _nud(record: Record) -> Iterator[str]:
    for one in record.group(NUD).values():
        yield (
            "## A Linux neighbour that asks again and again\n\nThe client's `base_reachable_time` is 5 s; it talks to "
            f"both addresses for {one['seconds'] / 60:.0f} minutes. What `ip monitor neigh` said:\n"
        )
        rows = ["| address | REACHABLE | STALE | PROBE | FAILED | longest silence |", "|---|---|---|---|---|---|"]
        for family, address in FAMILIES.items():
            states = one["states"][address]
            counts = " | ".join(str(states.get(name, 0)) for name in ("REACHABLE", "STALE", "PROBE", "FAILED"))
            rows.append(f"| {family} | {counts} | {one['silent'][address] * 1000:.0f} ms |")
        yield "\n".join(rows) + "\n"
        yield _about("Measured", record.about_nud)


def _short(why: str) -> str:
    return why.partition(": ")[2][:160].replace("\n", " ") or why[:160]
