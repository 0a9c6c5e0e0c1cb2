"""Records what real daemons and a real kernel send: `.venv/bin/python tests/wires/record.py [NAME...]`, as root.

Each recording is a network of its own, in namespaces, with the daemon at one end and at the other a speaker that says
little, or an engine of Herald. Only what comes from the daemon is written down, each kind of packet once: one line for
each, a name and the octets in hexadecimal, into `NAME.hex` beside this file; lines with # are comments. BGP messages
begin with their marker, memberlist streams with their first octet, everything else with the Ethernet header.
`tests/recorded.py` reads the files.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "interop"))

import record_bgp  # noqa: E402
import record_gossip  # noqa: E402
import record_links  # noqa: E402
from tap import Packets  # noqa: E402


def _version(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else "?"


RECORDINGS: dict[str, tuple[Callable[[], Packets], Callable[[], str]]] = {
    "bgp-frr": (
        record_bgp.bgp_frr,
        lambda: f"FRR {_version('/usr/lib/frr/bgpd', '--version')}, AS 4200000001, to AS 64500",
    ),
    "bgp-bird": (record_bgp.bgp_bird, lambda: f"BIRD {_version('bird', '--version')}, AS 4200000001, to AS 64500"),
    "bgp-gobgp": (record_bgp.bgp_gobgp, lambda: f"GoBGP {_version('gobgpd', '--version')}, AS 4200000001, to AS 64500"),
    "bgp-exabgp": (
        record_bgp.bgp_exabgp,
        lambda: f"ExaBGP {_version('exabgp', '--version')}, AS 4200000001, to AS 64500",
    ),
    "bfd-frr": (
        lambda: asyncio.run(record_links.bfd_frr()),
        lambda: f"FRR {_version('/usr/lib/frr/bfdd', '--version')}",
    ),
    "bfd-bird": (lambda: asyncio.run(record_links.bfd_bird_alone()), lambda: f"BIRD {_version('bird', '--version')}"),
    "router-discovery": (record_links.router_advertisements, lambda: "FRR's zebra, BIRD's radv, and Linux"),
    "linux-neighbours": (
        record_links.linux_neighbours,
        lambda: f"Linux {os.uname().release.split('-')[0]} and iputils' arping",
    ),
    "memberlist": (lambda: asyncio.run(record_gossip.memberlist()), lambda: "HashiCorp's memberlist v0.5.1"),
}


def main(names: list[str]) -> None:
    for name in names or list(RECORDINGS):
        record, source = RECORDINGS[name]
        packets = record()
        lines = [f"# {source()}, as recorded by record.py: name, then the octets."]
        lines += [f"{packet} {octets.hex()}" for packet, octets in packets.items()]
        (HERE / f"{name}.hex").write_text("\n".join(lines) + "\n")
        print(f"{name}: {len(packets)} packets: {' '.join(packets)}")


if __name__ == "__main__":
    main(sys.argv[1:])
