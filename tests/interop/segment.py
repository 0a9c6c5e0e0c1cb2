"""A small network of namespaces and the engine under test in one of them. Everything is removed when a test ends."""

import asyncio
import contextlib
import ctypes
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from herald.engine.link import Apply, Channel, Downward, Facts, Ready, Upward, connect

T = TypeVar("T")

ETH_P_ARP = 0x0806
CLIENT_ADDRESS = "192.168.1.9/24"
_CLONE_NEWNET = 0x40000000


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Network:
    """Namespaces with names of this process's own, and wires between them."""

    def __init__(self) -> None:
        self._prefix = f"t{secrets.token_hex(3)}"
        self._names: list[str] = []

    def host(self, name: str) -> str:
        """A new namespace; gives its full name."""
        full = f"{self._prefix}-{name}"
        ip("netns", "add", full)
        self._names.append(full)
        ip("-n", full, "link", "set", "lo", "up")
        return full

    def bridge(self, name: str) -> str:
        """A namespace that is a switch."""
        full = self.host(name)
        ip("-n", full, "link", "add", "br0", "type", "bridge")
        ip("-n", full, "link", "set", "br0", "up")
        return full

    def wire(self, a: str, a_if: str, b: str, b_if: str) -> None:
        """A veth pair, both ends up."""
        ip("link", "add", a_if, "netns", a, "type", "veth", "peer", "name", b_if, "netns", b)
        for host, interface in ((a, a_if), (b, b_if)):
            ip("-n", host, "link", "set", interface, "up")
        if b.endswith("client"):  # arping needs an address to ask from
            ip("-n", b, "addr", "add", CLIENT_ADDRESS, "dev", b_if)

    def plug(self, host: str, switch: str) -> None:
        """A wire from `eth0` of the host into the switch."""
        port = "p" + host.rsplit("-", 1)[1]
        self.wire(switch, port, host, "eth0")
        ip("-n", switch, "link", "set", port, "master", "br0")

    def close(self) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def ipv4_addresses(host: str, interface: str = "eth0") -> str:
    """What `ip` tells of them; empty if there are none."""
    words = ["ip", "-n", host, "-4", "addr", "show", interface]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def mac_of(host: str, interface: str = "eth0") -> str:
    """The hardware address as text."""
    path = f"/sys/class/net/{interface}/address"
    done = subprocess.run(["ip", "netns", "exec", host, "cat", path], check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def arping(host: str, address: str, interface: str = "eth0", count: int = 2) -> set[str]:
    """The MACs that answer when `host` asks for `address`."""
    return _macs_in(await _arping(host, address, interface, count))


async def arping_once(host: str, address: str, interface: str = "eth0") -> set[str]:
    """The MACs that answer the first question that `host` asks for `address`; none if it has to ask again."""
    output = await _arping(host, address, interface, 1)
    return _macs_in(output) if "Sent 1 probes" in output else set()


def _macs_in(output: str) -> set[str]:
    return {mac.lower() for mac in re.findall(r"\[([0-9A-Fa-f:]{17})\]", output)}


async def _arping(host: str, address: str, interface: str, count: int) -> str:
    words = ["ip", "netns", "exec", host, "arping", "-b", "-I", interface, "-c", str(count), "-w", "2", address]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode()


async def eventually(found: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Wait until `found` is true; the limit only ends a test that fails."""
    for _ in range(int(seconds / 0.02)):
        if found():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"did not come true within {seconds} s: {what}")


async def answers(host: str, address: str, expected: set[str], interface: str = "eth0") -> None:
    """Ask until exactly the expected MACs answer."""
    seen: set[str] = set()
    for _ in range(20):
        seen = await arping(host, address, interface, count=1)
        if seen == expected:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{address}: {sorted(seen)} answer, expected {sorted(expected)}")


def inside(host: str, make: Callable[[], T]) -> T:
    """What `make` gives inside the namespace; it runs in a thread that enters it and ends."""
    made: list[T] = []

    def enter_and_make() -> None:
        with Path(f"/run/netns/{host}").open("rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        made.append(make())

    thread = threading.Thread(target=enter_and_make)
    thread.start()
    thread.join()
    return made[0]


def arp_socket(host: str, interface: str = "eth0") -> socket.socket:
    """A non-blocking raw ARP socket inside the namespace."""

    def make() -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
        opened.bind((interface, ETH_P_ARP))
        opened.setblocking(False)
        return opened

    return inside(host, make)


def drain(opened: socket.socket) -> list[bytes]:
    """Every frame that waits."""
    frames = []
    with contextlib.suppress(BlockingIOError):
        while True:
            frames.append(opened.recv(2048))
    return frames


class EngineProcess:
    """A real engine in a namespace, and the test as its control."""

    def __init__(self, host: str, directory: Path, node: str = "n1", *more: str) -> None:
        self.node = node
        self.log = directory / f"{node}.log"
        self.show_socket = directory / f"{node}.show"
        self.link = directory / f"{node}.link"
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(self.link))
        self._listening.listen(8)
        self._link_fd = self._listening.fileno()
        self._words = ["ip", "netns", "exec", host, sys.executable, "-m", "herald.engine", "--node-name", node]
        self._words += ["--link-fd", str(self._link_fd), "--show-socket", str(self.show_socket), *more]
        self.process = self._start()
        self.channel: Channel[Downward, Upward] | None = None
        self.facts = Facts()
        self._reading: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Become its control; a former connection of the test is replaced."""
        await self.disconnect()
        self.channel = await connect(self.link)
        async with asyncio.timeout(20):
            ready = await self.channel.receive()
        assert isinstance(ready, Ready)
        assert ready.node == self.node
        self._reading = asyncio.create_task(self._read(self.channel))

    async def restart(self) -> None:
        """Start it again after it has ended, and become its control."""
        self.process = self._start()
        await self.connect()

    async def disconnect(self) -> None:
        """Control is gone, without a word."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    async def apply(self, message: Apply) -> None:
        assert self.channel is not None
        await self.channel.send(message)

    async def show(self, what: str) -> str:
        """The raw answer of the show socket."""
        reader, writer = await asyncio.open_unix_connection(self.show_socket)
        writer.write(b'{"show": "%s"}\n' % what.encode())
        answer = await reader.readline()
        writer.close()
        return answer.decode()

    async def until(self, seen: Callable[[Facts], bool], what: str) -> Facts:
        """Wait until the facts are so."""
        await eventually(lambda: seen(self.facts), what)
        return self.facts

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait; gives the exit code."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, 10)

    async def close(self) -> None:
        await self.disconnect()
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            await asyncio.to_thread(self.process.wait)
        self._listening.close()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(self._words, pass_fds=[self._link_fd], stdout=log, stderr=subprocess.STDOUT)

    async def _read(self, channel: Channel[Downward, Upward]) -> None:
        while (message := await channel.receive()) is not None:
            if isinstance(message, Facts):
                self.facts = message


@contextlib.asynccontextmanager
async def engine(host: str, directory: Path, node: str = "n1", *more: str) -> AsyncIterator[EngineProcess]:
    """A connected engine; its log is shown if the test fails."""
    process = EngineProcess(host, directory, node, *more)
    try:
        await process.connect()
        yield process
    except BaseException:
        sys.stderr.write(process.log.read_text())
        raise
    finally:
        await process.close()


ONE_SERVICE = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p, namespace: metallb-system}
spec: {addresses: ["192.168.1.200-192.168.1.210"]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: a, namespace: metallb-system}
spec: SPEC
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 192.168.1.200}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.1.1.1], conditions: {ready: true}, nodeName: n1}]
"""


def one_service(*nodes: str, advertisement: str = "{}") -> str:
    """The manifests of a Service with the address 192.168.1.200 on these nodes; the L2Advertisement's spec is given."""
    return ONE_SERVICE.replace("SPEC", advertisement) + "".join(
        f"---\napiVersion: v1\nkind: Node\nmetadata: {{name: {node}}}\n" for node in nodes
    )
