"""The API server of a cluster as a `Store`.

One reflector per kind feeds one `View`; the watch yields what is new in it. An API server that is away changes nothing:
what was told stays told, and after its return only true differences follow.
"""

import logging
from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import replace
from functools import partial
from time import monotonic, time
from typing import Final

from herald.cluster.meta import NamespacedName
from herald.config.findings import ObjectKey
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.reflector import Reflection
from herald.store.kubernetes.sources import Scope, sources
from herald.store.kubernetes.view import View
from herald.store.kubernetes.watch_events import Cut, Fact, Following, Refused, Trouble
from herald.store.kubernetes.writing import Writer
from herald.store.store import Changes, Claim, Event, StatusPatch, StoreError

_UNAUTHORISED: Final = 401
REJECTED: Final = "the API server does not accept our token or certificate (401 Unauthorized)"

_log = logging.getLogger(__name__)


class KubernetesStore:
    """Reads what `scope` has by `client`, and writes by `writer`. It is watched once at a time."""

    def __init__(self, client: ApiClient, scope: Scope, writer: Writer | None = None) -> None:
        self._client = client
        self._scope = scope
        self._writer = writer
        self._view = View({})
        self._outage = Outage(client.url)
        self._contacts: dict[str, float] = {}

    async def watch(self, kinds: Collection[str]) -> AsyncGenerator[Changes, None]:
        """See `Store.watch`. Nothing is yielded before every kind was listed, or refused by the API server.

        Kinds outside the scope are taken for absent.
        """
        wanted = sources(self._scope, kinds)
        scope = self._scope
        view = self._view = View(wanted, with_status=scope.with_status, load_balancers_only=scope.load_balancers_only)
        reflection = Reflection(self._client)
        for kind, source in wanted.items():
            tell = partial(self._tell, view, kind)
            hear = partial(self._hear, kind)
            reflection.start(source.path, source.selectors, tell, hear, fallback=source.fallback)
        try:
            while not view.is_settled:
                await reflection.news()
            yield view.synced()
            while True:
                await reflection.news()
                batch = view.batch()
                if batch is not None:
                    yield batch
        finally:
            await reflection.stop()

    @property
    def complaint(self) -> str | None:
        """Why this process cannot follow the cluster, if the API server does not know it."""
        return self._outage.complaint

    def resource_version(self, key: ObjectKey) -> str | None:
        """The version of an object that was last seen, for preconditions; None for an object that is not known."""
        return self._view.resource_version(key)

    def uid(self, key: ObjectKey) -> str | None:
        """The uid of an object, for owner references and events; None for an object that is not known."""
        return self._view.uid(key)

    async def patch_status(self, patch: StatusPatch) -> str:
        """See `Store.patch_status`. Changes of an object that were no news do not make a patch stale."""
        version = self._view.newest_alike(patch.about, patch.resource_version)
        self._view.wrote(patch.about)
        return await self._writing.patch_status(replace(patch, resource_version=version))

    async def read_claims(self) -> Mapping[NamespacedName, Claim]:
        """See `Store.read_claims`."""
        return await self._writing.read_claims()

    async def write_claim(self, service: NamespacedName, claim: Claim) -> None:
        """See `Store.write_claim`."""
        await self._writing.write_claim(service, claim)

    async def record_event(self, event: Event) -> None:
        """See `Store.record_event`."""
        await self._writing.record_event(event)

    @property
    def _writing(self) -> Writer:
        if self._writer is None:
            raise StoreError("this process only reads from the API server")
        return self._writer

    def contacts(self) -> Mapping[str, float]:
        """When the API server was last heard of, by kind: seconds since 1970. A bookmark without news counts."""
        return self._contacts

    def _hear(self, kind: str) -> None:
        self._contacts[kind] = time()

    def _tell(self, view: View, kind: str, fact: Fact) -> None:
        self._outage.take(kind, fact)
        view.take(kind, fact)


class Outage:
    """Says once that the API server does not answer, and once that it does again, however many watches notice.

    One broken connection is no outage: the second failure in a row is.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._failures: dict[str, int] = {}
        self._since: float | None = None
        self._rejected: set[str] = set()

    @property
    def complaint(self) -> str | None:
        """Why nothing of what is asked is answered, if the server does not know who asks."""
        return REJECTED if self._rejected else None

    def take(self, kind: str, fact: Fact) -> None:
        """One thing that the watch of `kind` says."""
        match fact:
            case Trouble(cause=Cut(message=message)):
                self._fail(kind, message)
            case Trouble(cause=Refused(status=status)) if status == _UNAUTHORISED:
                self._reject(kind)
                self._answer(kind)
            case Trouble(cause=Refused() as cause) if cause.is_passing:
                self._fail(kind, f"{cause.message} ({cause.status} {cause.reason})")
            case Trouble() | Following():
                self._accept(kind)
                self._answer(kind)

    def _reject(self, kind: str) -> None:
        if not self._rejected:
            _log.error(
                "%s; what was known stays in force", REJECTED, extra={"event": "tokenRejected", "server": self._url}
            )
        self._rejected.add(kind)

    def _accept(self, kind: str) -> None:
        was_rejected = bool(self._rejected)
        self._rejected.discard(kind)
        if was_rejected and not self._rejected:
            extra = {"event": "tokenAccepted", "server": self._url}
            _log.info("the API server accepts our token or certificate again", extra=extra)

    def _fail(self, kind: str, why: str) -> None:
        self._failures[kind] = self._failures.get(kind, 0) + 1
        if self._since is None and self._failures[kind] > 1:
            self._since = monotonic()
            extra = {"event": "apiServerLost", "server": self._url, "error": why}
            _log.warning("the API server does not answer; what it said last stays in force: %s", why, extra=extra)

    def _answer(self, kind: str) -> None:
        self._failures.pop(kind, None)
        if self._since is not None and not self._failures:
            seconds = round(monotonic() - self._since, 1)
            self._since = None
            extra = {"event": "apiServerBack", "server": self._url, "seconds": seconds}
            _log.info("the API server answers again, after %s s", seconds, extra=extra)


__all__ = ["KubernetesStore", "Outage", "Scope"]
