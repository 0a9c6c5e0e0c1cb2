"""A real FRR bgpd in a network namespace, and a namespace beside it for Herald. Removed again, whatever happens."""

import asyncio
import ctypes
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000

ROUTER = "10.50.0.1"
ROUTER6 = "2001:db8:50::1"
HERALD = "10.50.0.2"
HERALD6 = "2001:db8:50::2"


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


@dataclass
class FrrRouter:
    """bgpd, which takes routes in and shows them and leaves the kernel alone, and a zebra that tells it of interfaces.

    Without zebra, bgpd 8.4 takes an UPDATE with a link-local next hop beside the global one for a malformed one.
    """

    namespace: str
    herald_namespace: str
    directory: Path
    process: subprocess.Popen[str] = field(init=False)
    zebra: subprocess.Popen[str] = field(init=False)

    def start(self, config: str, *, installs: bool = False) -> None:
        """Run it; it keeps its routes to itself unless it `installs` them."""
        (self.directory / "zebra.conf").write_text("hostname router\n")
        (self.directory / "bgpd.conf").write_text(config)
        (self.directory / "vtysh.conf").write_text("")
        for path in self.directory.iterdir():
            shutil.chown(path, "frr", "frr")
        self.zebra = self._start("zebra")
        eventually(lambda: (self.directory / "zserv.api").exists(), "zebra opens its socket")
        self.process = self._start("bgpd", *(() if installs else ("-n",)))

    def vtysh(self, *commands: str) -> str:
        arguments = [argument for command in commands for argument in ("-c", command)]
        return run("vtysh", "--vty_socket", str(self.directory), "--config_dir", str(self.directory), *arguments)

    def show(self, command: str) -> Any:
        return json.loads(self.vtysh(f"show {command} json"))

    def neighbor(self, address: str = HERALD) -> Any:
        return self.show(f"bgp neighbors {address}")[address]

    @property
    def log(self) -> str:
        return (self.directory / "bgpd.log").read_text()

    def stop(self) -> None:
        for process in (self.process, self.zebra):
            process.terminate()
            process.wait(10)

    def _start(self, program: str, *more: str) -> subprocess.Popen[str]:
        here = str(self.directory)
        files = ["--vty_socket", here, "-z", f"{here}/zserv.api", "-i", f"{here}/{program}.pid"]
        files += ["-f", f"{here}/{program}.conf", "-A", "127.0.0.1", "--log", "stdout"]
        command = ["ip", "netns", "exec", self.namespace, f"/usr/lib/frr/{program}", *files, *more]
        with (self.directory / f"{program}.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True)
        eventually(lambda: (self.directory / f"{program}.vty").exists(), f"{program} opens its control socket")
        return process


class NamespaceLoop:
    """An event loop in a thread that lives in a network namespace: every socket it makes belongs there."""

    def __init__(self, namespace: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(namespace,), daemon=True)
        self._entered: Exception | None = None
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait(10)
        if self._entered is not None:
            raise self._entered

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(60)

    def do(self, work: Callable[[], T]) -> T:
        async def once() -> T:
            return work()

        return self.call(once)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, namespace: str) -> None:
        descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            self._entered = OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        os.close(descriptor)
        self._ready.set()
        self._loop.run_forever()


@contextmanager
def frr_beside_herald() -> Iterator[FrrRouter]:
    """Two namespaces joined by a veth pair, 10.50.0.0/24 and 2001:db8:50::/64 on it."""
    suffix = secrets.token_hex(3)
    router, herald = f"hbr{suffix}", f"hbh{suffix}"
    directory = Path(tempfile.mkdtemp(prefix="herald-frr-", dir="/tmp"))
    directory.chmod(0o755)
    shutil.chown(directory, "frr", "frr")
    frr = FrrRouter(router, herald, directory)
    try:
        for name in (router, herald):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        run("ip", "link", "add", "eth0", "netns", router, "type", "veth", "peer", "name", "eth0", "netns", herald)
        for name, address, address6 in ((router, ROUTER, ROUTER6), (herald, HERALD, HERALD6)):
            run("ip", "-n", name, "link", "set", "eth0", "up")
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", name, "address", "add", f"{address6}/64", "dev", "eth0", "nodad")
        yield frr
    finally:
        if hasattr(frr, "process"):
            frr.stop()
        for name in (router, herald):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        shutil.rmtree(directory)


def eventually(true: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Wait until `true()` is; fail naming what did not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)
