"""Which files of a folder changed, as inotify tells it. Knows nothing of what is in them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import TracebackType

from watchfiles import Change, awatch

DEBOUNCE_MS = 50
STEP_MS = 5
RETRY_S = 1.0
LOOK_S = 2.0
"""How long it may go unnoticed that the folder is another one under the same name."""

_log = logging.getLogger("herald.store")
logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it reports every change at INFO


class FileEvents:
    """An async context manager around one watch of `folder`. Survives the folder's absence.

    `folders` lists those below it that are to be watched, each by itself: heartbeats, which others write beside the
    records many times a second, wake nobody. `concerns` says whether a path matters.
    """

    def __init__(self, folder: Path, folders: Callable[[], list[Path]], concerns: Callable[[Path], bool]) -> None:
        self._folder = folder
        self._folders = folders
        self._concerns = concerns
        self._watched: frozenset[Path] = frozenset()
        self._stream: AsyncGenerator[set[tuple[Change, str]], None] | None = None
        self._pending: asyncio.Future[set[tuple[Change, str]]] | None = None
        self._identity: int | None = None
        self._told = ""

    async def __aenter__(self) -> "FileEvents":
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def wait(self, timeout_s: float) -> set[Path] | None:
        """The files that changed, none after `timeout_s` at most; None if any file may have: events were lost.

        While the folder cannot be watched, None comes every `RETRY_S`.
        """
        if self._pending is None:
            await asyncio.sleep(RETRY_S)
            await self._open()
            return None
        await asyncio.wait({self._pending}, timeout=min(max(0.0, timeout_s), LOOK_S))
        if _identity(self._folder) != self._identity:
            # inotify goes on with the folder that it knew, wherever that is now.
            await self._close()
            return None
        if not self._pending.done():
            return set()
        try:
            changes = self._pending.result()
        except (OSError, StopAsyncIteration, RuntimeError) as error:
            # The folder is gone, or inotify is exhausted: until it can be watched, it is looked at every RETRY_S.
            self._tell(f"{self._folder} cannot be watched, looking at it every {RETRY_S:.0f} s: {error}")
            await self._close()
            return None
        self._told = ""
        paths = {Path(path) for _, path in changes}
        if any(path in self._watched or path.is_dir() for path in paths):
            # Folders come and go: watch those that there are now.
            await self._close()
            await self._open()
            return None
        self._expect_more()
        return paths

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:
            self._told = trouble
            _log.warning(trouble, extra={"event": "folderNotWatched", "folder": str(self._folder)})

    async def _open(self) -> None:
        self._identity = _identity(self._folder)
        folders = await asyncio.to_thread(self._folders)
        self._watched = frozenset(folders)
        self._stream = awatch(
            self._folder,
            *folders,
            recursive=False,
            watch_filter=lambda _, path: self._concerns(Path(path)),
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            force_polling=False,
        )
        self._expect_more()
        # One turn of the loop sets the watch up, so that no change after this call is missed.
        await asyncio.sleep(0)

    def _expect_more(self) -> None:
        assert self._stream is not None
        self._pending = asyncio.ensure_future(anext(self._stream))

    async def _close(self) -> None:
        pending, self._pending = self._pending, None
        stream, self._stream = self._stream, None
        if pending is not None:
            pending.cancel()
            await asyncio.wait({pending})
        if stream is not None:
            await stream.aclose()


def _identity(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except OSError:
        return None
