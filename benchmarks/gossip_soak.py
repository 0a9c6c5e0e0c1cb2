"""Gossip under load and loss: does anybody call a living member dead?

    python -m benchmarks.gossip_soak [SECONDS [LOSS_PERCENT [addresses|labels]]]

Three speakers in an encrypted group on two cores, all three control processes saturated by Services that change as fast
as they can be written, while the switch loses some of all frames. Either their addresses change, so that the engines
work too, or their labels, which nobody but control looks at. Counted are the deaths that the logs tell of and the moves
of addresses. Without CAP_SYS_NICE, as in a pod: `setpriv --bounding-set=-sys_nice python -m ...`. Not part of
`make bench`.
"""

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from collections import Counter
from ipaddress import IPv4Address

from benchmarks.footprint import processor_seconds
from herald.lab.failover.herald_nodes import HeraldNodes, manifests
from herald.lab.failover.stand import ADDRESSES, NODES, Stand, standing

SECONDS, LOSS_PERCENT = 180.0, 5
SERVICES = 500
FIRST = int(IPv4Address("198.18.0.1"))


def _services(round_of_changes: int) -> dict[str, tuple[str, ...]]:
    """The address of the stand, and many more of which each has one of two in turn."""
    second = round_of_changes % 2
    more = {f"s{number}": (str(IPv4Address(FIRST + 2 * number + second)),) for number in range(SERVICES)}
    return {"web": ADDRESSES, **more}


async def _saturate(stand: Stand, what: str) -> None:
    for number in itertools.count():
        for file, text in manifests(_services(number if what == "addresses" else 0), {}):
            if file.startswith("service-s"):
                labelled = text.replace("namespace: default}", f"namespace: default, labels: {{round: r{number}}}}}", 1)
                (stand.place.config / file).write_text(labelled)
                await asyncio.sleep(0)


def _events(stand: Stand) -> Counter[str]:
    lines = (line for node in NODES for line in stand.place.log(f"speaker-{node}").read_text().splitlines())
    return Counter(json.loads(line).get("event", "") for line in lines if line.startswith("{"))


async def measure(seconds: float, loss: int, what: str) -> str:
    """A line that says what was seen."""
    async with standing(HeraldNodes(services=_services(0)), f"g{os.getpid() % 100_000}") as stand:
        await stand.settled()
        await stand.switch.lose(loss)
        before, used = _events(stand), _processor(stand)
        load = asyncio.create_task(_saturate(stand, what))
        began = time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        load.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await load
        seen, used = _events(stand) - before, _processor(stand) - used
    return (
        f"{took:.0f} s, {loss} % loss, {what} change, {100 * used / took:.0f} % of a core used by three speakers: "
        f"{seen['memberDied']} members called dead, {seen['memberSuspected']} suspected; all events: {dict(seen)}"
    )


def _processor(stand: Stand) -> float:
    return sum(processor_seconds(stand.running[node].pid) for node in NODES)


if __name__ == "__main__":
    seconds, loss, what = [*sys.argv[1:], *(str(SECONDS), str(LOSS_PERCENT), "addresses")[len(sys.argv) - 1 :]]
    print(asyncio.run(measure(float(seconds), int(loss), what)))
