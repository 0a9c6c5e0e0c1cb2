"""Writes the statuses of BGPPeers from what the speakers say: the shell of `peer_status`.

Verbs: `list` and `watch` on bgpsessionstatuses, `patch` on bgppeers/status.
"""

import asyncio
import logging
from contextlib import aclosing
from typing import Final

import msgspec

from herald.api import scheme
from herald.api.bgp_peer import BGPPeer
from herald.api.bgp_session_status import BGPSessionStatus
from herald.controller.feed import Feed
from herald.controller.peer_status import SessionCount
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.reflector import Reflection
from herald.store.kubernetes.refusals import Refusals
from herald.store.kubernetes.watch_events import NO_JSON, Fact, ListBegun, ListEnded, Present, Put, Remove
from herald.store.store import StoreError

PAUSE_S: Final = 1.0
"""Between two rounds of writing: sessions come up together."""

_session = msgspec.json.Decoder(BGPSessionStatus)
_log = logging.getLogger("herald.controller")


class PeerCounter:
    """`feed` has the BGPPeers."""

    def __init__(self, client: ApiClient, feed: Feed, namespace: str) -> None:
        kind = scheme.find("metallb.io/v1beta1", BGPSessionStatus.__name__)
        assert kind is not None
        root, plural = kind.path.rsplit("/", 1)
        self._path = f"{root}/namespaces/{namespace}/{plural}"
        self._client = client
        self._feed = feed
        self._namespace = namespace
        self._count = SessionCount()
        self._is_listed = False
        self._stirred = asyncio.Event()
        self._refusals = Refusals(_log, plural, "BGPPeers do not show how many sessions are up")

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear_sessions())
            tasks.create_task(self._hear_peers())
            tasks.create_task(self._keep_writing())

    async def _hear_sessions(self) -> None:
        reflection = Reflection(self._client)
        reflection.start(self._path, {}, self._take)
        try:
            while True:
                await reflection.news()
                self._stirred.set()
        finally:
            await reflection.stop()

    async def _hear_peers(self) -> None:
        """The two watches are not in step: a peer may be heard of after all its sessions are up."""
        async with aclosing(self._feed.watch({BGPPeer.__name__})) as watch:
            async for batch in watch:
                if any(isinstance(item, BGPPeer) for item in batch.objects):
                    self._stirred.set()

    async def _keep_writing(self) -> None:
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            if self._is_listed and not await self._write():
                self._stirred.set()
            await asyncio.sleep(PAUSE_S)

    async def _write(self) -> bool:
        """Whether every peer says now what was counted."""
        is_done = True
        for patch in self._count.patches(self._peers()):
            try:
                await self._feed.patch_status(patch)
            except StoreError as error:
                fields = {"op": "updatePeerStatus", "peer": patch.about.name, "error": str(error)}
                _log.warning("failed to update peer status, will try again", extra=fields)
                is_done = False
        return is_done

    def _peers(self) -> tuple[BGPPeer, ...]:
        peers = (item for item in self._feed.cache.others.values() if isinstance(item, BGPPeer))
        return tuple(peer for peer in peers if peer.metadata.namespace == self._namespace)

    def _take(self, fact: Fact) -> None:
        self._refusals.take(fact)
        match fact:
            case ListBegun():
                self._count.begin()
            case Present() | Put():
                try:
                    self._count.put(fact.identity.name, _session.decode(fact.raw))
                except NO_JSON as error:
                    fields = {"event": "sessionStatusUnreadable", "object": fact.identity.name, "error": str(error)}
                    _log.debug("a BGPSessionStatus cannot be read", extra=fields)
            case Remove():
                self._count.remove(fact.identity.name)
            case ListEnded():
                self._count.end()
                self._is_listed = True
