"""Programs in a namespace wired to the node of the test, and FRR with zebra among them, which peers by interface."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FRR_PROGRAMS = "/usr/lib/frr"


def until(true: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """What `true()` gives once it is something; fails naming what did not come."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)
    return found


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


class Daemons:
    """Programs in the foreground of a namespace, with a directory of their own; all end with the test."""

    def __init__(self, host: str, directory: Path) -> None:
        self.host = host
        self.directory = directory
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, name: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("wb") as log:
            words = ["ip", "netns", "exec", self.host, *command]
            process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)
        self._processes.append(process)
        return process

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            process.wait(10)


@contextlib.contextmanager
def daemons(host: str, owner: str | None = None) -> Iterator[Daemons]:
    directory = Path(tempfile.mkdtemp(prefix="herald-router-", dir="/tmp"))
    directory.chmod(0o755)
    if owner is not None:
        shutil.chown(directory, owner, owner)
    there = Daemons(host, directory)
    try:
        yield there
    finally:
        there.stop()
        shutil.rmtree(directory)


class Frr:
    """zebra and bgpd; zebra sends the router advertisements and installs what bgpd learns in the kernel."""

    def __init__(self, daemons: Daemons) -> None:
        self._daemons = daemons
        self._here = str(daemons.directory)

    def start(self, config: str) -> None:
        for name, text in (("zebra.conf", "hostname router\n"), ("bgpd.conf", config), ("vtysh.conf", "")):
            shutil.chown(self._daemons.write(name, text), "frr", "frr")
        self._start("zebra")
        self._start("bgpd")

    def vtysh(self, *commands: str) -> str:
        arguments = [argument for command in commands for argument in ("-c", command)]
        return run("vtysh", "--vty_socket", self._here, "--config_dir", self._here, *arguments)

    def show(self, command: str) -> Any:
        return json.loads(self.vtysh(f"show {command} json"))

    def path(self, family: str, prefix: str) -> dict[str, Any]:
        """The first path of a prefix; empty without one."""
        paths = self.show(f"bgp {family} unicast {prefix}").get("paths", [])
        return paths[0] if paths else {}

    def log(self, name: str) -> str:
        return self._daemons.log(name)

    def _start(self, program: str, *more: str) -> None:
        here = self._here
        files = ["--vty_socket", here, "-z", f"{here}/zserv.api", "-i", f"{here}/{program}.pid"]
        files += ["-f", f"{here}/{program}.conf", "-A", "127.0.0.1", "--log", "stdout"]
        self._daemons.start(f"{FRR_PROGRAMS}/{program}", *files, *more, name=program)
        opened = [self._daemons.directory / f"{program}.vty", self._daemons.directory / "zserv.api"]
        until(lambda: all(path.exists() for path in opened), f"{program} opens its sockets")


@contextlib.contextmanager
def frr(host: str, config: str) -> Iterator[Frr]:
    with daemons(host, "frr") as there:
        router = Frr(there)
        router.start(config)
        yield router
