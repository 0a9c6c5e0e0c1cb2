"""What the segment does to frames: loses some, cuts a node off while its link stays up, counts what each node sends.

Rules of nftables in the bridge's namespace; every frame passes `prerouting` once, so a loss of 5 % is 5 % each way.

| counted as | frames of a node |
|---|---|
| `arp` | ARP to everybody: announcements, and what its kernel asks |
| `na` | Neighbor Advertisements to all nodes: announcements |
| `gossip` | TCP and UDP, port 7946 |
| `bfd` | UDP, ports 3784, 3785 and 4784 |
| `vrrp` | VRRP, IPv4 and IPv6 |
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from herald.lab import process
from herald.lab.topology import port

KINDS: Final = {
    "arp": "ether daddr ff:ff:ff:ff:ff:ff ether type arp",
    "na": "ether daddr 33:33:00:00:00:01 icmpv6 type nd-neighbor-advert",
    "gossip": "meta l4proto { tcp, udp } th dport 7946",
    "answers": "meta l4proto { tcp } th sport 7946",
    "bfd": "udp dport { 3784, 3785, 4784 }",
    "vrrp": "meta l4proto 112",
}
_TOLD_AS: Final = {"answers": "gossip"}
"""The other direction of a TCP connection is the same thing."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The bridge in `namespace`, and the nodes that are plugged in."""

    namespace: str
    nodes: tuple[str, ...]

    async def begin(self) -> None:
        """Install the rules; nothing is lost or cut off yet."""
        await self._nft("\n".join(self._rules()))

    async def lose(self, percent: int) -> None:
        """From now on each frame is lost with this probability, 0 to 99 %."""
        rule = f"add rule bridge lab loss numgen random mod 100 < {percent} drop\n" if percent else ""
        await self._nft(f"flush chain bridge lab loss\n{rule}")

    async def cut_off(self, nodes: Iterable[str]) -> None:
        """From now on nothing passes from or to these nodes, and everything from and to the others."""
        rules = [f"add rule bridge lab cut {way}ifname {port(one, 'eth0')} drop" for one in nodes for way in "io"]
        await self._nft("\n".join(["flush chain bridge lab cut", *rules]) + "\n")

    async def forget(self) -> None:
        """Count from nothing."""
        await self._nft("reset counters table bridge lab\n")

    async def counts(self) -> Counter[str]:
        """Frames that the nodes have sent since, by kind."""
        done = await process.must(["nft", "-j", "list", "counters", "table", "bridge", "lab"], namespace=self.namespace)
        found: Counter[str] = Counter()
        for one in json.loads(done.stdout)["nftables"]:
            if "counter" in one:
                kind = one["counter"]["name"].partition("_")[2]
                found[_TOLD_AS.get(kind, kind)] += one["counter"]["packets"]
        return found

    def _rules(self) -> Iterator[str]:
        yield "table bridge lab {"
        for number in range(len(self.nodes)):
            yield from (f"counter n{number}_{kind} {{ }}" for kind in KINDS)
            counted = "\n".join(f"{match} counter name n{number}_{kind}" for kind, match in KINDS.items())
            yield f"chain n{number} {{\n{counted}\n}}"
        yield "chain loss { }\nchain cut { }"
        jumps = (f'iifname "{port(node, "eth0")}" jump n{number}' for number, node in enumerate(self.nodes))
        yield "chain pre { type filter hook prerouting priority -300;"
        yield from jumps
        yield "jump loss\n}"
        yield "chain through { type filter hook forward priority 0; jump cut\n}\n}"

    async def _nft(self, text: str) -> None:
        await process.must(["nft", "-f", "-"], namespace=self.namespace, text=text)
