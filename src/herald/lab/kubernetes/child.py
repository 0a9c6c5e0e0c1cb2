"""A server process of the control plane: started in the foreground, always reaped, never left behind.

Whoever started it may be killed. So each child has a guard, a shell that does nothing but read from a pipe whose other
end the starter holds: at the end of file without a line it kills the child. (PR_SET_PDEATHSIG would follow the thread
that started the child, which in a lab is one of a pool.)
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from herald.lab.process import inside

GUARD = 'read -r _ || kill -KILL "$0" 2>/dev/null'
QUOTED_LINES = 12


class ChildFailedError(Exception):
    """A server did not become ready. The message has the end of its log."""


class Child:
    """A process that can be started again with the same arguments. Its output is appended to `log`."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        folder: Path,
        namespace: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.argv = inside(namespace, argv)
        self.folder = folder
        self.log = folder / f"{name}.log"
        self.environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended. A paused one is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; ProcessLookupError when it is not running."""
        if self._process is None or not self.running:
            raise ProcessLookupError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the process in its folder. It must not be running."""
        assert not self.running, f"{self.name} is running already"
        self._put_away()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=self.folder,
                env=None if self.environment is None else {**os.environ, **self.environment},
            )
        self._guard = subprocess.Popen(
            ["sh", "-c", GUARD, str(self._process.pid)], stdin=subprocess.PIPE, start_new_session=True
        )

    def send(self, number: signal.Signals) -> None:
        """Send a signal; ProcessLookupError when the process is not running."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and reap. No error when it has ended already."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._put_away()

    def terminate(self, within: float) -> None:
        """SIGTERM, and SIGKILL after `within` seconds; reaped in any case."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(within)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self.kill()

    def release(self) -> int | None:
        """Let the process outlive this one; its id, or None when it is not running."""
        self._put_away()
        return self.pid if self.running else None

    def exit_code(self) -> int | None:
        """The exit code of a process that ended (negative: a signal), None while it runs."""
        return None if self._process is None else self._process.poll()

    def resident_bytes(self) -> int:
        """Memory in use (VmRSS)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ProcessLookupError(f"{self.name} has no memory: it has just ended")

    def last_words(self) -> str:
        """The end of the log, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"  {line[:400]}" for line in lines[-QUOTED_LINES:])

    def _put_away(self) -> None:
        """Let the guard go, which must not kill a later process of the same id."""
        guard, self._guard = self._guard, None
        if guard is None:
            return
        try:
            guard.communicate(b"done\n")
        except BrokenPipeError:
            guard.wait()
