"""The folder of the heartbeat files: one file for each node, replaced in one step.

    <folder>/n1         the last beat of n1, see `herald.engine.beat`
    <folder>/.n1.new    the next one, while it is written

A folder that is gone is made again where it belongs. What it stands in is not, except a hidden folder, which is ours as
`.herald` is: where the whole of somebody's folder was moved away, a new one in its place would be in the way when it
comes back. Nor is anything made where nothing else is left: that is what a folder looks like that is not mounted.
"""

import contextlib
import errno
import os
from pathlib import Path

from herald.engine import beat


class BeatFolder:
    """Files, by node. Whatever cannot be done raises OSError."""

    def __init__(self, path: Path) -> None:
        """Made if it is not there, with all that it stands in. Raises OSError."""
        path.mkdir(parents=True, exist_ok=True)
        self.path = path

    def write(self, node: str, content: str) -> None:
        """Replace the node's file; where the folder is gone it is made again. Raises OSError."""
        try:
            self._replace(node, content)
        except FileNotFoundError:
            self._make_again()
            self._replace(node, content)

    def read(self) -> dict[str, str]:
        """What every node's file contains now. Raises OSError for a folder that cannot be read.

        A file that cannot be read is left out. Of one that is too long, one octet more than allowed is given. What is
        not a plain file is not looked at: a pipe would hold up the reader. Nor is what has a name that cannot be
        printed: no node has one.
        """
        beats = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                is_a_name = entry.name.isprintable() and not entry.name.startswith(".")
                if is_a_name and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(OSError), Path(entry.path).open("rb") as file:
                        beats[entry.name] = file.read(beat.LARGEST_BEAT + 1).decode("utf-8", "replace")
        return beats

    def remove(self, node: str) -> None:
        """Have no file of the node any more. Raises nothing: another one may do it too, or we may only read."""
        for name in (node, f".{node}.new"):
            with contextlib.suppress(OSError):
                (self.path / name).unlink()

    def _replace(self, node: str, content: str) -> None:
        new = self.path / f".{node}.new"
        new.write_text(content, encoding="utf-8")
        new.replace(self.path / node)

    def _make_again(self) -> None:
        parent = self.path.parent
        if parent.name.startswith(".") and not parent.exists():
            if not any(parent.parent.iterdir()):
                raise FileNotFoundError(
                    errno.ENOENT, "it is gone, and nothing else is there: is it mounted?", parent.parent
                )
            parent.mkdir(exist_ok=True)
        self.path.mkdir(exist_ok=True)
