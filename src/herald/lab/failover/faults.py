"""What can happen to the node that owns the addresses, or to all, and how it is put right again."""

import asyncio
import signal
from dataclasses import dataclass
from typing import Final, Protocol

from herald.lab import namespace, process
from herald.lab.failover.stand import NODES, SEGMENT, Stand
from herald.lab.topology import BRIDGE, port

FLAPS: Final = 50
FLAP_S: Final = 0.02


class Fault(Protocol):
    """`moves`: whether somebody else must own the addresses afterwards, before it is put right.

    `wears`: after how many of these, soon one after the other, the node is left alone for long (an interface that is
    lost again and again); starting anew what announces makes that forgotten. None: never.
    """

    @property
    def name(self) -> str: ...

    @property
    def moves(self) -> bool: ...

    @property
    def wears(self) -> int | None: ...

    async def strike(self, stand: Stand, owner: str) -> None:
        """It happens."""
        ...

    async def mend(self, stand: Stand, owner: str) -> None:
        """It is put right."""
        ...


@dataclass(frozen=True, slots=True)
class Killed:
    """SIGKILL to what announces; the node's kernel and its application go on."""

    name: str = "killed"
    moves: bool = True
    wears: int | None = None

    async def strike(self, stand: Stand, owner: str) -> None:
        """See `Fault`."""
        await stand.running[owner].crash()

    async def mend(self, stand: Stand, owner: str) -> None:
        """It is started again."""
        stand.start(owner)


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The cable is pulled: no carrier."""

    name: str = "link down"
    moves: bool = True
    wears: int | None = 3

    async def strike(self, stand: Stand, owner: str) -> None:
        """See `Fault`."""
        await namespace.unplug(stand.place, SEGMENT, owner)

    async def mend(self, stand: Stand, owner: str) -> None:
        """It is put back."""
        await namespace.plug(stand.place, SEGMENT, owner)


@dataclass(frozen=True, slots=True)
class Frozen:
    """The whole machine stands still: SIGSTOP to every process, and since kernels cannot be stopped here, nothing that
    its kernel would send leaves it or reaches it. The link stays up."""

    name: str = "frozen"
    moves: bool = True
    wears: int | None = None

    async def strike(self, stand: Stand, owner: str) -> None:
        """See `Fault`."""
        await stand.switch.cut_off([owner])
        await stand.signal_all(owner, signal.SIGSTOP)

    async def mend(self, stand: Stand, owner: str) -> None:
        """It goes on where it stood, and does not know that time has passed."""
        await stand.switch.cut_off([])
        await stand.signal_all(owner, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class CutOff:
    """A partition: the owner alone on one side, everybody else and the client on the other. All links stay up."""

    name: str = "partition"
    moves: bool = True
    wears: int | None = None

    async def strike(self, stand: Stand, owner: str) -> None:
        """See `Fault`."""
        await stand.switch.cut_off([owner])

    async def mend(self, stand: Stand, owner: str) -> None:
        """It heals."""
        await stand.switch.cut_off([])


@dataclass(frozen=True, slots=True)
class FolderGone:
    """The folder of objects disappears, and then the owner freezes."""

    name: str = "folder gone"
    moves: bool = True
    wears: int | None = None

    async def strike(self, stand: Stand, owner: str) -> None:
        """See `Fault`."""
        stand.place.config.rename(stand.place.config.with_name("config-gone"))
        await asyncio.sleep(0.5)
        await Frozen().strike(stand, owner)

    async def mend(self, stand: Stand, owner: str) -> None:
        """Both come back."""
        stand.place.config.with_name("config-gone").rename(stand.place.config)
        await Frozen().mend(stand, owner)


@dataclass(frozen=True, slots=True)
class Flapping:
    """The owner's interface is switched off and on again and again."""

    name: str = f"{FLAPS} flaps"
    moves: bool = False
    times: int = FLAPS
    wears: int | None = 1

    async def strike(self, stand: Stand, owner: str) -> None:
        """See `Fault`."""
        inside = stand.place.namespace(owner)
        for _ in range(self.times):
            await process.must(["ip", "-n", inside, "link", "set", "eth0", "down"])
            await asyncio.sleep(FLAP_S)
            await process.must(["ip", "-n", inside, "link", "set", "eth0", "up"])
            await asyncio.sleep(FLAP_S)

    async def mend(self, stand: Stand, owner: str) -> None:
        """An interface that was switched off has lost its IPv6 address; whoever configures the node adds it again."""
        await _give_v6(stand, owner)


@dataclass(frozen=True, slots=True)
class Recreated:
    """The device that announces is deleted, and a second later there is a new one of the same name."""

    name: str = "device recreated"
    moves: bool = True
    wears: int | None = 3

    async def strike(self, stand: Stand, owner: str) -> None:
        """See `Fault`."""
        await process.must(["ip", "-n", stand.place.namespace(owner), "link", "del", "eth0"])

    async def mend(self, stand: Stand, owner: str) -> None:
        """A new cable, the same addresses, another MAC."""
        node, switch = stand.place.namespace(owner), stand.place.namespace(SEGMENT)
        there = port(owner, "eth0")
        cable = ["ip", "link", "add", "eth0", "netns", node, "type", "veth", "peer", "name", there, "netns", switch]
        await process.must(cable)
        await process.must(["ip", "-n", switch, "link", "set", there, "master", BRIDGE, "up"])
        await process.must(["ip", "-n", node, "link", "set", "eth0", "up"])
        await process.must(["ip", "-n", node, "addr", "add", f"{NODES[owner][0]}/24", "dev", "eth0"])
        await _give_v6(stand, owner)
        await stand.learn_mac(owner)


@dataclass(frozen=True, slots=True)
class RestartedOneByOne:
    """Every member ends in good order and is started again, one after the other."""

    name: str = "all restarted"
    moves: bool = False
    wears: int | None = None

    async def strike(self, stand: Stand, owner: str) -> None:
        """See `Fault`. The next one's turn comes when the last one is there again."""
        for node in NODES:
            await stand.restart(node)
            await stand.settled()

    async def mend(self, stand: Stand, owner: str) -> None:
        """They run."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing happens, for a while."""

    seconds: float = 10.0
    name: str = "nothing"
    moves: bool = False
    wears: int | None = None

    async def strike(self, stand: Stand, owner: str) -> None:
        """See `Fault`."""
        await asyncio.sleep(self.seconds)

    async def mend(self, stand: Stand, owner: str) -> None:
        """Nothing is wrong."""


CRASHES: Final[tuple[Fault, ...]] = (Killed(), LinkDown(), Frozen())


async def _give_v6(stand: Stand, node: str) -> None:
    words = ["ip", "-n", stand.place.namespace(node), "addr", "replace", f"{NODES[node][1]}/64", "dev", "eth0", "nodad"]
    await process.must(words)
