"""A folder of YAML manifests as a store: the same resources and behaviour as in a cluster, without one.

The folder is watched by inotify, and swept now and then for what inotify lost. Only what changed is read (`folder.py`).
Any number of processes may watch one folder; the one with `Access.KEEP` also notes when objects were first seen, and
forgets the status of what is really gone.
"""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from time import monotonic
from typing import ParamSpec, TypeVar

from herald.cluster.meta import NamespacedName
from herald.cluster.service import Service
from herald.config.findings import ObjectKey
from herald.store import claim_file, durable, event_log, first_seen, status_file
from herald.store.file_events import FileEvents
from herald.store.folder import Folder, Layout
from herald.store.pace import Pace
from herald.store.picture import Picture
from herald.store.store import KINDS, Changes, Claim, Event, StatusPatch, StoreError, service_key

SWEEP_S = 60.0
FORGET_AFTER_S = 1.0
RETRY_S = 5.0

_log = logging.getLogger("herald.store")

P = ParamSpec("P")
T = TypeVar("T")


class Access(Enum):
    """READ: a speaker. KEEP: the one controller, which keeps the records of the folder."""

    READ = "read"
    KEEP = "keep"


class DirectoryStore:
    """The store in `directory`. It is watched once at a time; `heard` is told of each batch before the watcher is."""

    def __init__(self, directory: Path, access: Access, heard: Callable[[Changes], None] = lambda _: None) -> None:
        self._layout = Layout(directory.absolute())
        self._access = access
        self._heard = heard
        self._picture = Picture(KINDS)
        self._orphans: frozenset[ObjectKey] = frozenset()
        self._retry_at = -math.inf
        self._told = ""

    async def watch(self, kinds: Collection[str]) -> AsyncGenerator[Changes, None]:
        """See `Store.watch`. A folder that is not there yet is waited for."""
        self._picture = Picture(kinds)
        folder = Folder(self._layout, self._picture)
        async with FileEvents(self._layout.directory, self._layout.folders, self._layout.concerns) as events:
            await folder.sweep()
            await folder.take_all()
            await self._keep(self._note_first_sight)
            self._orphans = frozenset(key for key in self._orphans if not self._picture.holds(key))
            pace = Pace()
            for _ in self._picture.prepare():
                await pace.breathe()
            synced = self._picture.synced()
            self._heard(synced)
            yield synced
            begun = swept = monotonic()
            while True:
                timeout_s = min(swept + SWEEP_S, folder.deadline() or math.inf, self._forget_at(begun)) - monotonic()
                changed = await events.wait(timeout_s)
                if changed is None or monotonic() >= swept + SWEEP_S:
                    await folder.sweep()
                    swept = monotonic()
                await folder.look(changed or ())
                await folder.take_over()
                await self._keep(self._note_first_sight)
                if monotonic() >= self._forget_at(begun):
                    await self._keep(self._forget_what_is_gone)
                batch = self._picture.batch()
                if batch is not None:
                    self._heard(batch)
                    yield batch

    async def patch_status(self, patch: StatusPatch) -> str:
        """See `Store.patch_status`."""
        overlay = self._picture.overlay(patch.about).patched(patch)
        path = self._layout.statuses / status_file.file_name(patch.about)
        await _perform(durable.write_whole, path, status_file.encode(overlay))
        self._picture.put_overlay(patch.about, overlay)
        return ""

    async def read_claims(self) -> Mapping[NamespacedName, Claim]:
        """See `Store.read_claims`."""
        claims = await _perform(claim_file.read_all, self._layout.claims)
        self._orphans = frozenset(map(service_key, claims))
        return claims

    async def write_claim(self, service: NamespacedName, claim: Claim) -> None:
        """See `Store.write_claim`."""
        path = self._layout.claims / claim_file.file_name(service)
        if claim:
            await _perform(durable.write_whole, path, claim_file.encode(claim))
        else:
            await _perform(durable.remove, path)

    async def record_event(self, event: Event) -> None:
        """See `Store.record_event`."""
        await _perform(event_log.append, self._layout.events, event_log.encode(event, datetime.now(UTC)))

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do this about the records. While they cannot be written (a full disk) it is tried again now and then."""
        if monotonic() < self._retry_at:
            return
        try:
            await work()
        except StoreError as error:
            if str(error) != self._told:
                self._told = str(error)
                extra = {"event": "recordsNotKept", "error": str(error)}
                _log.warning("what is seen in the folder cannot be recorded, trying again: %s", error, extra=extra)
            self._retry_at = monotonic() + RETRY_S
        else:
            self._retry_at = -math.inf

    async def _note_first_sight(self) -> None:
        undated = self._picture.undated
        if undated and self._access is Access.KEEP:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            await self._note(dict.fromkeys(sorted(undated), now))

    def _gone(self) -> frozenset[ObjectKey]:
        return self._picture.unseen.union(key for key in self._orphans if not self._picture.holds(key))

    def _forget_at(self, begun: float) -> float:
        """When to forget what is gone. Never while a file cannot be read: the object may be in it."""
        if self._access is Access.READ or not self._picture.is_complete or not self._gone():
            return math.inf
        return max(begun + FORGET_AFTER_S, self._retry_at)

    async def _forget_what_is_gone(self) -> None:
        for key in sorted(self._gone()):
            await _perform(durable.remove, self._layout.statuses / status_file.file_name(key))
            if key.kind == Service.__name__:
                await self.write_claim(NamespacedName(key.namespace, key.name), ())
            await self._note({key: None})
            self._picture.forget((key,))
        self._orphans = frozenset()

    async def _note(self, notes: Mapping[ObjectKey, str | None]) -> None:
        await _perform(durable.append, self._layout.first_seen, first_seen.encode(notes.items()))
        self._picture.put_since(notes)
        self._told = ""


async def _perform(write: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """In a thread, because a disk may keep one waiting. Raises StoreError."""
    try:
        return await asyncio.to_thread(write, *args, **kwargs)
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror or error}") from error
