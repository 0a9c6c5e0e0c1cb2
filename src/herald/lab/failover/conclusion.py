"""What the figures of docs/failover.md say, in words, and how to read its tables. All numbers come from the figures."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

FAMILIES = ("IPv4", "IPv6")
FLAPS = "50 flaps"
MUCH_LONGER = 2
"""So many times longer than a client of IPv4 a client of IPv6 has to wait, before that is explained."""

READING = """\
How to read the tables:

* `19 / 43 / 43`: half of the runs took at most 19 ms, 99 % at most 43 ms, the slowest 43 ms. With up to 100 runs the
  second and the third are the same.
* `none (8)`: no run had a silence that counts; the longest time between two answers was 8 ms.
* `30 of 30, ≤ 60 ms`: in 30 of 30 runs two nodes answered the same question at some time, for 60 ms at most. `never`:
  in none.
"""

FLAPPING = """\
Why a client waits longer for IPv6 than for IPv4 in the row `50 flaps`: Linux takes the IPv6 address of a node off an
interface that is switched off, and in this lab it comes back only when all is put right. Until then such a node hears
the client and has no route to answer by, so that the client waits until it believes another node. A newcomer's question
is answered even so: that needs no address of the node. (This follows from how the lab is built; it was not measured
apart.)
"""

LOSSY = """\
Where frames are lost, a part of the longest waits is not the announcement: the kernel of the new owner has to ask for
the client's MAC before it can answer, and repeats a question that was lost after a second. In 20 more runs of Herald
frozen at a loss of 30 % in which the nodes knew that MAC beforehand, as they know their router's, the longest wait was
675 ms for IPv4 and 1605 ms for IPv6.
"""


Cases = Mapping[str, Any]


def conclusion(groups: Mapping[str, Cases], crashes: Sequence[str]) -> str:
    """The top of the page; nothing where no crash was measured. `groups`: contestant → case → result of its trials."""
    lines = [line for key, cases in groups.items() for line in _lines(key, cases, crashes)]
    if not lines:
        return ""
    intro = (
        f"When a node dies ({', '.join(crashes)}), somebody answers for its addresses again after the time below.\n"
        "It is that of whoever waits longest, client or newcomer, by IPv4 or IPv6. Where only a process is killed, a\n"
        "kernel that goes on answering shortens it; that is a second owner, see below."
    )
    flapping = [FLAPPING] if _needs_explaining(groups.get("Herald", {}).get(FLAPS)) else []
    return "\n".join(["## In short\n", f"{intro}\n", *lines, "", READING, LOSSY, *flapping])


def _lines(key: str, cases: Cases, crashes: Iterable[str]) -> Iterator[str]:
    waits = {case: _waits(cases[case]) for case in crashes if case in cases}
    if not waits:
        return
    typical = sorted(statistics.median_high(each) for each in waits.values())
    slowest = max(waits, key=lambda case: max(waits[case]))
    text = f"* **{key}**: typically {_range(typical)} ms, at worst {max(waits[slowest])} ms ({slowest})."
    lossy = [case for case in cases if case.startswith("frozen, ")]
    for case in sorted(lossy, key=lambda case: case.rjust(30)):
        found = _waits(cases[case])
        loss = case.removeprefix("frozen, ")
        text += f" Frozen, with {loss} of frames: {statistics.median_high(found)} ms, at worst {max(found)} ms."
    doubles = {case: _longest_double(cases[case]) for case in waits}
    longest = max(doubles, key=lambda case: doubles[case])
    yield f"{text} {_doubles(doubles[longest], longest)}"


def _waits(result: Mapping[str, Any]) -> list[int]:
    """Of each run the longest silence that anybody met, in milliseconds."""
    seen = result["struck"]
    silences = (seen[family][who] for family in FAMILIES for who in ("client", "asker"))
    return [max(run) for run in zip(*silences, strict=True)]


def _range(values: Sequence[int]) -> str:
    return str(values[0]) if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def _longest_double(result: Mapping[str, Any]) -> int:
    """For how long two nodes answered at most, at the crash or when the node came back."""
    phases = (result["struck"], result["mended"])
    return max((one for phase in phases for family in FAMILIES for one in phase[family]["double"]), default=0)


def _doubles(longest: int, case: str) -> str:
    return (
        f"Two nodes answered at a time for up to {longest} ms ({case})." if longest else "Never did two nodes answer."
    )


def _needs_explaining(flaps: Mapping[str, Any] | None) -> bool:
    if flaps is None:
        return False
    four, six = (max(flaps["struck"][family]["client"]) for family in FAMILIES)
    return bool(six > MUCH_LONGER * four)
