"""Ask a health probe again and again, and keep the longest waits: how long the event loop behind it stood still.

    python -m benchmarks.probe_client PORT PID

Run inside the node's namespace; ends at the end of its input and prints JSON: the number of answers, and the three
longest waits as [milliseconds, of these on a processor, of these waiting for one]. The last two are of process PID,
whose event loop answers; the kernel counts them in steps of its clock tick.
"""

import heapq
import json
import select
import socket
import sys
import time
from pathlib import Path

PAUSE_S = 0.001
KEPT = 3


def longest_waits(port: int, pid: int) -> dict[str, object]:
    counts = Path(f"/proc/{pid}/schedstat")
    longest: list[tuple[float, float, float]] = []
    answers = 0
    with _connected(port) as sock:
        while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
            ran, queued = _scheduled(counts)
            began = time.perf_counter()
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if not sock.recv(4096):
                sock.close()
                raise ConnectionError("the probe closed the connection")
            wait = 1000 * (time.perf_counter() - began)
            ran_then, queued_then = _scheduled(counts)
            answers += 1
            heapq.heappush(longest, (wait, ran_then - ran, queued_then - queued))
            if len(longest) > KEPT:
                heapq.heappop(longest)
    return {"answers": answers, "longest": sorted(longest, reverse=True)}


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _scheduled(counts: Path) -> tuple[float, float]:
    """Milliseconds on a processor and in the queue for one, so far (proc(5), schedstat)."""
    ran, queued, _ = counts.read_text().split()
    return int(ran) / 1e6, int(queued) / 1e6


if __name__ == "__main__":
    print(json.dumps(longest_waits(int(sys.argv[1]), int(sys.argv[2]))))
