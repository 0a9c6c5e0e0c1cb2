"""The status objects of this node as they stand in the cluster, watched, and told to a `StatusBook`."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from herald.api import scheme
from herald.cluster.meta import NodeName
from herald.cluster.wire import wire_name
from herald.speaker import status_document
from herald.speaker.status_book import Slot, StatusBook
from herald.speaker.status_object import Found, StatusKind, labels, selector, subject_of
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.reflector import Reflection
from herald.store.kubernetes.watch_events import (
    NO_JSON,
    Fact,
    Following,
    ListBegun,
    ListEnded,
    Present,
    Put,
    Refused,
    Remove,
    Trouble,
)

_log: Final = logging.getLogger("herald.speaker.status")


class _Owner(msgspec.Struct, frozen=True):
    uid: str = ""


class _Meta(msgspec.Struct, frozen=True, rename=wire_name):
    name: str
    labels: dict[str, str] = {}
    owner_references: tuple[_Owner, ...] = ()


class _Object(msgspec.Struct, frozen=True):
    metadata: _Meta
    status: dict[str, Any] = {}


_decoder: Final = msgspec.json.Decoder(_Object)


def kind_of(kind: StatusKind) -> scheme.Kind:
    """The kind with its path."""
    return next(each for each in scheme.KINDS if each.kind == kind.value)


def collection(kind: StatusKind, namespace: str) -> str:
    """The path of all objects of a kind in a namespace."""
    root, plural = kind_of(kind).path.rsplit("/", 1)
    return f"{root}/namespaces/{namespace}/{plural}"


def read(kind: StatusKind, node: NodeName, owner: str | None, raw: bytes) -> tuple[str, Found] | None:
    """Subject and object; None for one whose labels do not say what it is about. `owner`: the uid it is to have."""
    item = _decoder.decode(raw)
    subject = subject_of(kind, item.metadata.labels)
    if subject is None:
        return None
    wanted = labels(kind, node, subject)
    is_exact = (
        all(item.metadata.labels.get(key) == value for key, value in wanted.items())
        and (owner is None or any(each.uid == owner for each in item.metadata.owner_references))
        and status_document.names_subject(kind, node, subject, item.status)
    )
    return subject, Found(item.metadata.name, status_document.read(kind, item.status), is_exact)


class OwnObjects:
    """Watches all four kinds. `stir` is called when the book may have something to do."""

    def __init__(
        self, client: ApiClient, namespace: str, node: NodeName, book: StatusBook, stir: Callable[[], None]
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._node = node
        self._book = book
        self._stir = stir
        self._owner: str | None = None
        self._listing: dict[StatusKind, list[tuple[str, Found]]] = {}
        self._troubles: dict[StatusKind, str] = {}

    async def run(self, owner: str | None) -> None:
        """For ever. `owner` is the uid of this pod, if it is one."""
        self._owner = owner
        reflection = Reflection(self._client)
        for kind in StatusKind:
            selectors = {"labelSelector": selector(kind, self._node)}
            reflection.start(collection(kind, self._namespace), selectors, partial(self._take, kind))
        try:
            while True:
                await reflection.news()
                self._stir()
        finally:
            await reflection.stop()

    def _take(self, kind: StatusKind, fact: Fact) -> None:
        match fact:
            case ListBegun():
                self._listing[kind] = []
            case Present():
                found = self._read(kind, fact.identity.name, fact.raw)
                self._listing[kind] += [found] if found is not None else []
            case ListEnded():
                self._book.list(kind, self._listing.pop(kind))
            case Put():
                found = self._read(kind, fact.identity.name, fact.raw)
                if found is not None:
                    self._book.found(Slot(kind, found[0]), found[1])
            case Remove():
                self._book.gone(kind, fact.identity.name)
            case Trouble(cause=Refused() as cause) if not cause.is_passing:
                self._complain(kind, f"{cause.message} ({cause.status} {cause.reason})")
            case Following():
                self._troubles.pop(kind, None)
            case _:
                pass

    def _read(self, kind: StatusKind, name: str, raw: bytes) -> tuple[str, Found] | None:
        try:
            found = read(kind, self._node, self._owner, raw)
        except NO_JSON as error:
            self._complain(kind, f"{name} cannot be read: {error}")
            return None
        if found is None:
            extra = {"event": "statusIgnored", "kind": kind.value, "object": name}
            _log.warning("%s %s lacks the labels that say what it is about", kind.value, name, extra=extra)
            self._book.gone(kind, name)
        return found

    def _complain(self, kind: StatusKind, why: str) -> None:
        if self._troubles.get(kind) != why:
            self._troubles[kind] = why
            extra = {"event": "statusNotWatched", "kind": kind.value, "error": why}
            _log.warning("the %s objects of this node cannot be followed: %s", kind.value, why, extra=extra)
