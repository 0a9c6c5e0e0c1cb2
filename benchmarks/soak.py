"""BFD at 50 ms × 3 for an hour while 10,000 Services stream in: how often a session goes down that should not.

    python -m benchmarks.soak [SECONDS]

Not part of `make bench`, since it takes an hour.
"""

import asyncio
import sys

from benchmarks.bfd import false_alarms
from benchmarks.population import service_manifest
from herald.lab.place import Place

INTERVAL_MS = 50
SECONDS = 3600.0
A_SECOND = 3


async def stream(place: Place, services: int) -> None:
    """Change Services, some each second, until cancelled."""
    number = 0
    while True:
        for _ in range(A_SECOND):
            number += 1
            text = service_manifest(number % services, assigned=True)
            text = text.replace("labels: {", f"labels: {{round: r{number}, ")
            (place.config / f"service-{number % services}.yaml").write_text(text)
        await asyncio.sleep(1)


if __name__ == "__main__":
    length = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    words = f"{A_SECOND} Services a second change"
    print(asyncio.run(false_alarms(INTERVAL_MS, length, stream, words)).row())
