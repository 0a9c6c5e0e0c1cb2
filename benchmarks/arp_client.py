"""Ask by ARP for one address, again and again, and print how long each answer took: JSON, microseconds.

    python -m benchmarks.arp_client INTERFACE ADDRESS COUNT

Run inside the client's namespace. An answer that does not come within a second is printed as null.
"""

import json
import select
import socket
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path

ETH_P_ARP = 0x0806
PAUSE = 0.001


def ask(interface: str, address: str, count: int) -> list[float | None]:
    mac = bytes.fromhex(Path(f"/sys/class/net/{interface}/address").read_text().strip().replace(":", ""))
    own = IPv4Address("192.0.2.1").packed
    target = IPv4Address(address).packed
    request = (
        b"\xff" * 6
        + mac
        + ETH_P_ARP.to_bytes(2, "big")
        + bytes.fromhex("0001080006040001")
        + mac
        + own
        + bytes(6)
        + target
    )
    latencies: list[float | None] = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP)) as sock:
        sock.bind((interface, ETH_P_ARP))
        for _ in range(count):
            began = time.perf_counter()
            sock.send(request)
            latencies.append(_answer(sock, target, began))
            time.sleep(PAUSE)
    return latencies


def _answer(sock: socket.socket, target: bytes, began: float) -> float | None:
    while (left := began + 1.0 - time.perf_counter()) > 0:
        if select.select([sock], [], [], left)[0]:
            frame = sock.recv(128)
            if frame[20:22] == b"\0\2" and frame[28:32] == target:
                return (time.perf_counter() - began) * 1e6
    return None


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
