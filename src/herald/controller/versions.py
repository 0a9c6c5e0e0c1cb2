"""Which of two versions of an object is the newer, and which news of a watch are older than what we wrote ourselves.

A write is answered before the watch tells of it, and what the watch tells meanwhile was true before the write. API
servers count versions upwards; where there are none (a folder), or an object was made anew, everything is news.
"""

from herald.config.findings import ObjectKey
from herald.store.store import Changed, Changes, ClusterObject, Synced


def is_older(version: str, than: str) -> bool:
    """Whether `version` came before `than`. Two that cannot be compared are equally old."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


class Written:
    """The versions that our own writes made, until the watch has told of them."""

    def __init__(self) -> None:
        self._versions: dict[ObjectKey, str] = {}

    def note(self, key: ObjectKey, version: str) -> None:
        """Our write made this version."""
        if version:
            self._versions[key] = version

    def forget(self, key: ObjectKey) -> None:
        """Whatever is told of the object next is news."""
        self._versions.pop(key, None)

    def news(self, batch: Changes) -> Changes:
        """`batch` without what is older than our writes."""
        if isinstance(batch, Synced):
            self._versions.clear()
            return batch
        for key in batch.deleted:
            self.forget(key)
        if not self._versions:
            return batch
        objects = tuple(item for item in batch.objects if self._is_news(item))
        return batch if len(objects) == len(batch.objects) else _with(batch, objects)

    def _is_news(self, item: ClusterObject) -> bool:
        key = ObjectKey.of(item)
        ours = self._versions.get(key)
        if ours is None:
            return True
        if is_older(item.metadata.resource_version, ours):
            return False
        del self._versions[key]
        return True


def _with(batch: Changed, objects: tuple[ClusterObject, ...]) -> Changed:
    return Changed(objects, batch.deleted, batch.problems, batch.complete)
