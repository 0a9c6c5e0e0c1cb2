"""A member by HashiCorp's memberlist, set up as in MetalLB; its program stands in `memberlist_peer/main.go`.

It is built once for each state of its sources, into the user's cache.
"""

import asyncio
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from segment import eventually

SOURCES = Path(__file__).parent / "memberlist_peer"
BUILD_SECONDS = 600


def build() -> Path:
    """The program. Go fetches memberlist itself, by its module proxy, and checks it against go.sum."""
    content = b"".join((SOURCES / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "herald" / "memberlist-peer"
    program = cache / hashlib.sha256(content).hexdigest()[:16]
    if not program.exists():
        go = _go(cache.parent)
        cache.mkdir(parents=True, exist_ok=True)
        new = program.with_suffix(f".{os.getpid()}")
        subprocess.run([go, "build", "-o", str(new), "."], cwd=SOURCES, check=True, timeout=BUILD_SECONDS)
        new.replace(program)
    return program


def _go(cache: Path) -> str:
    """A Go that is at hand, or the one that `scripts/install-kubernetes` has fetched."""
    known = [shutil.which("go"), "/usr/local/go/bin/go", *sorted(map(str, cache.glob("kubernetes/go-*/bin/go")))]
    found = next((one for one in known if one is not None and Path(one).exists()), None)
    assert found is not None, "Go is missing, and memberlist needs it: run scripts/install-kubernetes"
    return found


class MemberlistPeer:
    """One process of it, in a namespace."""

    def __init__(self, program: Path, host: str, directory: Path, name: str, address: str, *more: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self._words = ["ip", "netns", "exec", host, str(program), "-name", name, "-bind", address, *more]
        self._log = directory / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        self._reading = asyncio.create_task(self._read(self._process))
        await eventually(lambda: "ready" in self.lines, f"{self.name} is ready")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def heard(self, event: str, member: str) -> int:
        """How often it told this event of that member."""
        return sum(1 for line in self.lines if line.split()[:2] == [event, member])

    async def members(self) -> dict[str, int]:
        """The states of those it takes for members."""
        before = len(self._answers())
        await self._say("members")
        await eventually(lambda: len(self._answers()) > before, f"{self.name} tells its members")
        words = self._answers()[-1].split()[1:]
        return {name: int(state) for name, _, state in (word.partition("=") for word in words)}

    async def join(self, *addresses: str) -> None:
        await self._say(f"join {' '.join(addresses)}")

    async def leave(self) -> None:
        """Leave in good order, and end."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def kill(self) -> None:
        """End without a word."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    def _answers(self) -> list[str]:
        return [line for line in self.lines if line.startswith("members")]

    async def _say(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.lines.append(line.decode().strip())
