"""A real FRR with zebra, bfdd and bgpd in a namespace, beside one for Herald. Removed again, whatever happens."""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frr_router import eventually, run

ROUTER, ROUTER6 = "10.60.0.1", "2001:db8:60::1"
HERALD, HERALD6 = "10.60.0.2", "2001:db8:60::2"


@dataclass
class Wire:
    """Two namespaces joined by a veth pair, `eth0` at both ends; `middle` is a router between them, if there is one."""

    router: str
    herald: str
    middle: str | None = None

    def unplug(self) -> None:
        """Packets are lost both ways and nobody is told: the carrier stays."""
        for name in (self.router, self.herald):
            run("ip", "netns", "exec", name, "nft", "add table netdev cut")
            hook = "{ type filter hook ingress device eth0 priority 0; policy drop; }"
            run("ip", "netns", "exec", name, "nft", f"add chain netdev cut c {hook}")

    def plug(self) -> None:
        for name in (self.router, self.herald):
            run("ip", "netns", "exec", name, "nft", "delete table netdev cut")

    def lose_bfd(self, port: int = 3784) -> None:
        """Only BFD towards Herald is lost; BGP is unharmed."""
        here = ("ip", "netns", "exec", self.herald, "nft")
        run(*here, "add table netdev bfd")
        run(*here, "add chain netdev bfd c { type filter hook ingress device eth0 priority 0; }")
        run(*here, f"add rule netdev bfd c udp dport {port} drop")

    def let_bfd(self) -> None:
        run("ip", "netns", "exec", self.herald, "nft", "delete table netdev bfd")


@contextmanager
def wire() -> Iterator[Wire]:
    """Both ends on one link."""
    suffix = secrets.token_hex(3)
    ends = Wire(f"hbr{suffix}", f"hbh{suffix}")
    with _namespaces(ends.router, ends.herald):
        run("ip", "link", "add", "eth0", "netns", ends.router, "type", "veth", "peer", "eth0", "netns", ends.herald)
        for name, addresses in ((ends.router, (ROUTER, ROUTER6)), (ends.herald, (HERALD, HERALD6))):
            _address(name, "eth0", f"{addresses[0]}/24", f"{addresses[1]}/64")
        yield ends


@contextmanager
def two_hops() -> Iterator[Wire]:
    """The same addresses, with a router between them."""
    suffix = secrets.token_hex(3)
    ends = Wire(f"hbr{suffix}", f"hbh{suffix}", f"hbm{suffix}")
    assert ends.middle is not None
    with _namespaces(ends.router, ends.herald, ends.middle):
        run("ip", "netns", "exec", ends.middle, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        run("ip", "netns", "exec", ends.middle, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        for port, name, own, own6, far, far6 in (
            ("left", ends.router, ROUTER, ROUTER6, HERALD, HERALD6),
            ("right", ends.herald, HERALD, HERALD6, ROUTER, ROUTER6),
        ):
            run("ip", "link", "add", port, "netns", ends.middle, "type", "veth", "peer", "eth0", "netns", name)
            _address(ends.middle, port, f"169.254.{port == 'left':d}.1/30", f"fd00:{port == 'left':d}::1/64")
            _address(name, "eth0", f"169.254.{port == 'left':d}.2/30", f"fd00:{port == 'left':d}::2/64")
            run("ip", "-n", name, "address", "add", f"{own}/32", "dev", "lo")
            run("ip", "-n", name, "address", "add", f"{own6}/128", "dev", "lo", "nodad")
            run("ip", "-n", name, "route", "add", far, "via", f"169.254.{port == 'left':d}.1", "src", own)
            run("ip", "-n", name, "route", "add", far6, "via", f"fd00:{port == 'left':d}::1", "src", own6)
            run("ip", "-n", ends.middle, "route", "add", own, "via", f"169.254.{port == 'left':d}.2")
            run("ip", "-n", ends.middle, "route", "add", own6, "via", f"fd00:{port == 'left':d}::2")
        yield ends


@contextmanager
def _namespaces(*names: str) -> Iterator[None]:
    try:
        for name in names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        yield
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _address(name: str, device: str, *addresses: str) -> None:
    run("ip", "-n", name, "link", "set", device, "up")
    for address in addresses:
        run("ip", "-n", name, "address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))


@dataclass
class Frr:
    """zebra, bfdd and bgpd with a directory of their own."""

    namespace: str
    directory: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def vtysh(self, *commands: str) -> str:
        arguments = [argument for command in commands for argument in ("-c", command)]
        return run("vtysh", "--vty_socket", str(self.directory), "--config_dir", str(self.directory), *arguments)

    def configure(self, *lines: str) -> None:
        answer = self.vtysh("configure terminal", *lines)
        assert "%" not in answer, answer

    def show(self, command: str) -> Any:
        return json.loads(self.vtysh(f"show {command} json"))

    def bfd(self, peer: str = HERALD) -> Any:
        """What bfdd says of its session with `peer`; empty without one."""
        return next((one for one in self.show("bfd peers") if one["peer"] == peer), {})

    def bgp(self, peer: str = HERALD) -> Any:
        return self.show(f"bgp neighbors {peer}")[peer]

    def kill(self, daemon: str) -> None:
        """At once, so that it can tell nobody."""
        self.processes[daemon].kill()
        self.processes[daemon].wait(10)


@contextmanager
def frr(namespace: str, config: str, *, bgpd: bool = True) -> Iterator[Frr]:
    """FRR in `namespace`, configured."""
    directory = Path(tempfile.mkdtemp(prefix="herald-bfd-", dir="/tmp"))
    directory.chmod(0o755)
    (directory / "frr.conf").write_text(config)
    (directory / "vtysh.conf").write_text("")
    (directory / "empty.conf").write_text("")
    for path in (directory, *directory.iterdir()):
        shutil.chown(path, "frr", "frr")
    router = Frr(namespace, directory)
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, directory)
        for daemon in ("zebra", "bfdd", "bgpd") if bgpd else ("zebra", "bfdd"):
            _start(router, daemon, undo)
        router.vtysh()
        run("vtysh", "--vty_socket", str(directory), "--config_dir", str(directory), "-f", str(directory / "frr.conf"))
        yield router


def _start(router: Frr, daemon: str, undo: ExitStack) -> None:
    here = router.directory
    words = [f"/usr/lib/frr/{daemon}", "--vty_socket", str(here), "-z", str(here / "zserv.api"), "-A", "127.0.0.1"]
    words += ["--log", "stdout", "--log-level", "informational"]
    words += ["-f", str(here / "empty.conf"), "-i", str(here / f"{daemon}.pid")]
    if daemon == "bfdd":
        words += ["--bfdctl", str(here / "bfdd.sock")]
    with (here / f"{daemon}.log").open("wb") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", router.namespace, *words], stdout=log, stderr=subprocess.STDOUT
        )
    if daemon == "bfdd":
        keep_in_time(process)
    router.processes[daemon] = process
    undo.callback(_stop, process)
    eventually(lambda: (here / f"{daemon}.vty").is_socket(), f"{daemon} is ready")


def keep_in_time(process: subprocess.Popen[bytes]) -> None:
    """On a busy machine the other end must not be late itself, or it calls Herald dead for that."""
    os.sched_setscheduler(process.pid, os.SCHED_RR, os.sched_param(1))


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
