"""What all watches have said, and what of it is new to whom it is told. No I/O.

An event that changes nothing that Herald reads (a heartbeat, a managed field, an annotation of others) is no news; nor
is what came and went between two batches. An object that can no longer be understood keeps its last good version.

An object carries the version of its last change that was news. Versions of it that were no news are kept beside it:
whoever writes an object as it was told means the newest of them.
"""

from collections.abc import Mapping

import msgspec

from herald.cluster.service import Service
from herald.config.findings import ObjectKey, problem, stays_in_force, with_consequence
from herald.config.problem import Problem
from herald.store.kubernetes import wire
from herald.store.kubernetes.sources import Source, kind_of
from herald.store.kubernetes.watch_events import (
    Cut,
    Fact,
    Following,
    Identity,
    ListBegun,
    ListEnded,
    Present,
    Put,
    Refused,
    Remove,
    Trouble,
)
from herald.store.store import Changed, ClusterObject, Synced

_NOT_FOUND, _UNAUTHORISED, _FORBIDDEN = 404, 401, 403


class View:
    """The objects of `sources`, by kind. `with_status` and `load_balancers_only` as in `Scope`."""

    def __init__(
        self, sources: Mapping[str, Source], *, with_status: bool = True, load_balancers_only: bool = False
    ) -> None:
        self._sources = sources
        self._kinds = {name: kind_of(name) for name in sources}
        self._with_status = with_status
        self._load_balancers_only = load_balancers_only
        self._held: dict[str, dict[ObjectKey, ClusterObject]] = {name: {} for name in sources}
        self._newest: dict[ObjectKey, str] = {}
        self._seen: dict[str, set[ObjectKey]] = {}
        self._listed: set[str] = set()
        self._troubles: dict[str, Trouble] = {}
        self._problems: dict[ObjectKey, tuple[Problem, ...]] = {}
        self._unread: dict[ObjectKey, str] = {}
        self._before: dict[ObjectKey, ClusterObject | None] = {}
        self._told_state: tuple[tuple[Problem, ...], bool] = ((), False)
        self._written: set[ObjectKey] = set()

    def wrote(self, key: ObjectKey) -> None:
        """Whoever is told is about to write this object: what it becomes is told next even if it is as it was told.

        Somebody may undo the write at once, and only the writer would not know.
        """
        self._written.add(key)

    def take(self, kind: str, fact: Fact) -> None:
        """One thing that the watch of `kind` says."""
        match fact:
            case ListBegun():
                self._seen[kind] = set()
            case Present():
                key = _key(kind, fact.identity)
                self._put(kind, fact.identity, fact.raw)
                if key in self._held[kind] or key in self._problems:
                    self._seen[kind].add(key)
            case ListEnded():
                self._end_list(kind)
            case Put():
                self._put(kind, fact.identity, fact.raw)
            case Remove():
                self._drop(_key(kind, fact.identity))
            case Trouble():
                self._troubles[kind] = fact
            case Following():
                self._troubles.pop(kind, None)

    def resource_version(self, key: ObjectKey) -> str | None:
        """The newest version that was seen of an object."""
        item = self._get(key)
        return None if item is None else self._newest.get(key, item.metadata.resource_version)

    def uid(self, key: ObjectKey) -> str | None:
        """The uid of an object, be it one that cannot be read; empty for an EndpointSlice."""
        item = self._get(key)
        return self._unread.get(key) if item is None else item.metadata.uid

    def newest_alike(self, key: ObjectKey, version: str) -> str:
        """The newest version that differs from `version` in nothing that was told."""
        item = self._get(key)
        if item is None or not version or self._is_news(key, version):
            return version
        newest = self._newest.get(key, version)
        # What was told may carry a version of a time that was undone since: data restored from a backup.
        return newest if version == item.metadata.resource_version or _is_before(version, newest) else version

    @property
    def is_settled(self) -> bool:
        """Whether of each kind it is known what there is, or that it may not be read."""
        return all(kind in self._listed or self._is_unreadable(kind) for kind in self._sources)

    @property
    def is_complete(self) -> bool:
        """Whether every kind was read, so that what is absent is absent."""
        return len(self._listed) == len(self._sources)

    def synced(self) -> Synced:
        """Everything there is."""
        self._before.clear()
        self._told_state = (self._all_problems(), self.is_complete)
        objects = (item for held in self._held.values() for _, item in sorted(held.items(), key=_by_key))
        return Synced(tuple(objects), *self._told_state)

    def batch(self) -> Changed | None:
        """What became different since the last call, or None if nothing did."""
        before, self._before = self._before, {}
        objects: list[ClusterObject] = []
        deleted: list[ObjectKey] = []
        for key, told in sorted(before.items(), key=_by_key):
            present = self._held[key.kind].get(key)
            if present is None and told is not None:
                deleted.append(key)
            elif present is not None and told is not None and key not in self._written and _is_same(present, told):
                self._newest.setdefault(key, present.metadata.resource_version)
                self._held[key.kind][key] = told
            elif present is not None:
                objects.append(present)
        self._written -= before.keys()
        state = (self._all_problems(), self.is_complete)
        if not objects and not deleted and state == self._told_state:
            return None
        self._told_state = state
        return Changed(tuple(objects), tuple(deleted), *state)

    def _is_unreadable(self, kind: str) -> bool:
        """Whether the server has said so. That it does not answer, or has failed, proves nothing."""
        trouble = self._troubles.get(kind)
        return trouble is not None and isinstance(trouble.cause, Refused) and not trouble.cause.is_passing

    def _get(self, key: ObjectKey) -> ClusterObject | None:
        return self._held.get(key.kind, {}).get(key)

    def _is_news(self, key: ObjectKey, version: str) -> bool:
        """Whether something about the object has changed since `version`, or was not told yet."""
        item = self._get(key)
        return key in self._before or item is None or _is_before(version, item.metadata.resource_version)

    def _put(self, kind: str, identity: Identity, raw: msgspec.Raw) -> None:
        key = _key(kind, identity)
        reading = wire.read(self._kinds[kind], raw, with_status=self._with_status)
        if reading.problems:
            is_kept = reading.item is None and key in self._held[kind]
            stays = stays_in_force(kind)
            self._problems[key] = (
                tuple(with_consequence(each, stays) for each in reading.problems) if is_kept else reading.problems
            )
            self._unread[key] = identity.uid
        else:
            self._problems.pop(key, None)
            self._unread.pop(key, None)
        match reading.item:
            case None:
                pass
            case Service() as service if not self._matters(service):
                self._drop(key)
            case item:
                self._hold(key, item)

    def _matters(self, service: Service) -> bool:
        return service.is_load_balancer if self._load_balancers_only else wire.has_something_of_ours(service)

    def _hold(self, key: ObjectKey, item: ClusterObject) -> None:
        held = self._held[key.kind].get(key)
        if held is not None and _is_same(held, item):
            if held.metadata.resource_version != item.metadata.resource_version:
                self._newest[key] = item.metadata.resource_version
            return
        self._touch(key)
        self._newest.pop(key, None)
        self._held[key.kind][key] = item

    def _end_list(self, kind: str) -> None:
        seen = self._seen.pop(kind)
        self._listed.add(kind)
        if kind in self._troubles and self._troubles[kind].while_doing == "list":
            del self._troubles[kind]
        gone = [key for key in self._held[kind] if key not in seen]
        # An object that was never understood is not held, but something is known of it.
        gone += [key for key in self._problems if key.kind == kind and key not in seen]
        for key in gone:
            self._drop(key)

    def _drop(self, key: ObjectKey) -> None:
        self._problems.pop(key, None)
        self._unread.pop(key, None)
        self._newest.pop(key, None)
        if key in self._held[key.kind]:
            self._touch(key)
            del self._held[key.kind][key]

    def _touch(self, key: ObjectKey) -> None:
        """Remember what was told last of an object that is about to change."""
        self._before.setdefault(key, self._held[key.kind].get(key))

    def _all_problems(self) -> tuple[Problem, ...]:
        unreadable = (self._unreadable(kind) for kind in self._troubles)
        found = [each for each in unreadable if each is not None]
        found += (each for problems in self._problems.values() for each in problems)
        return tuple(sorted(found, key=lambda each: each.order))

    def _unreadable(self, kind: str) -> Problem | None:
        """The problem of a kind that the server refuses. An outage is none: it is no fault of any object."""
        trouble = self._troubles[kind]
        if isinstance(trouble.cause, Cut) or not self._is_unreadable(kind):
            return None
        source = self._sources[kind]
        rest = (
            "what was known of them before stays in force"
            if kind in self._listed
            else "as long as they are not known, nothing is withdrawn for want of them"
        )
        message = f"{_why(trouble.cause, trouble.while_doing, source)}; {rest}"
        return problem("HL208", ObjectKey(kind, source.namespace, "*"), "", message)


def _why(cause: Refused, verb: str, source: Source) -> str:
    match cause.status:
        case status if status == _FORBIDDEN:
            role = "Role" if source.namespace else "ClusterRole"
            return (
                f'may not {verb} {source.where}: {cause.message}. Give a {role} the verb "{verb}" for '
                f"{source.resource} and bind it to this service account"
            )
        case status if status == _NOT_FOUND:
            return f"cannot {verb} {source.resource}: the API server does not have them. Apply Herald's CRDs"
        case status if status == _UNAUTHORISED:
            return f"may not {verb} {source.where}: the API server does not accept our credentials"
    return f"cannot {verb} {source.where}: {cause.message} ({cause.status} {cause.reason})"


def _is_same(one: ClusterObject, other: ClusterObject) -> bool:
    """Whether they differ at most in their version."""
    version = one.metadata.resource_version
    if other.metadata.resource_version == version:
        return one == other
    metadata = msgspec.structs.replace(other.metadata, resource_version=version)
    return one == msgspec.structs.replace(other, metadata=metadata)


def _is_before(version: str, other: str) -> bool:
    return version.isdecimal() and other.isdecimal() and int(version) < int(other)


def _key(kind: str, identity: Identity) -> ObjectKey:
    return ObjectKey(kind, identity.namespace, identity.name)


def _by_key(entry: tuple[ObjectKey, object]) -> tuple[str, str, str]:
    key = entry[0]
    return (key.kind, key.namespace, key.name)
