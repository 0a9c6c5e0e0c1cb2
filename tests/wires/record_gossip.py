"""A group of two that HashiCorp's memberlist forms: in clear, labelled, sealed, and both."""

import asyncio
import tempfile
from pathlib import Path

import memberlist_member
from segment import Network, ip
from tap import Packets, Streams, Tap, udp_of

SECRET = "A" * 22


async def _memberlist(found: Packets, label: str, *more: str) -> None:
    program = memberlist_member.build()
    network, streams, datagrams = Network(), Streams(), []
    try:
        here, there = network.host("here"), network.host("there")
        network.wire(here, "eth0", there, "eth0")
        for host, number in ((here, 1), (there, 2)):
            ip("-n", host, "addr", "add", f"10.0.0.{number}/24", "dev", "eth0")

        def name_of(frame: bytes) -> None:
            streams.take(frame)
            udp = udp_of(frame)
            if udp is not None and udp[0] == 7946:
                datagrams.append(frame)

        tap = Tap(here, name_of)
        with tempfile.TemporaryDirectory() as directory:
            one = memberlist_member.MemberlistPeer(program, here, Path(directory), "n1", "10.0.0.1", *more)
            two = memberlist_member.MemberlistPeer(program, there, Path(directory), "n2", "10.0.0.2", *more)
            await one.start()
            await two.start()
            await two.join("10.0.0.1")
            await asyncio.sleep(4)
            await two.leave()
            await one.kill()
        tap.close()
    finally:
        network.close()
    unlike: dict[tuple[int, int], bytes] = {}
    for frame in datagrams:
        payload = udp_of(frame)
        assert payload is not None
        unlike.setdefault((len(payload[1]), payload[1][0]), frame)
    found |= {f"{label}-udp-{number}": frame for number, frame in enumerate(list(unlike.values())[:6], 1)}
    found |= {f"{label}-tcp-{number}": data for number, data in enumerate(streams.whole()[:2], 1)}


async def memberlist() -> Packets:
    found: Packets = {}
    await _memberlist(found, "clear")
    await _memberlist(found, "labelled", "-label", "blue")
    await _memberlist(found, "sealed", "-secret", SECRET)
    await _memberlist(found, "sealed-labelled", "-secret", SECRET, "-label", "blue")
    return found
