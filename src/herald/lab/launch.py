"""How a program of the lab is started: its name, its command, and on which host."""

from dataclasses import dataclass

from herald.lab.place import Place
from herald.lab.process import Process


@dataclass(frozen=True, slots=True)
class Launch:
    """A program to start. Its log has its name; `host` is None for the lab's own machine."""

    name: str
    argv: tuple[str, ...]
    host: str | None = None

    def start(self, place: Place) -> Process:
        """Start it, and remember it in the journal of the place."""
        inside = None if self.host is None else place.namespace(self.host)
        started = Process.start(self.name, self.argv, log=place.log(self.name), namespace=inside)
        place.record_process(self.name, started.pid)
        return started
