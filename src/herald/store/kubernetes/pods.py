"""On which hosts the pods with given labels run: where a speaker finds the others for gossip."""

import logging
from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from herald.cluster.wire import wire_name
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.reflector import Reflection
from herald.store.kubernetes.refusals import Refusals
from herald.store.kubernetes.watch_events import NO_JSON, Fact, ListBegun, ListEnded, Present, Put, Remove

_ENDED = ("Succeeded", "Failed")
_log: Final = logging.getLogger("herald.store")


class _PodStatus(msgspec.Struct, frozen=True, kw_only=True, rename={"host_ip": "hostIP", "phase": "phase"}):
    host_ip: str = ""
    phase: str = ""


class _Pod(msgspec.Struct, frozen=True, rename=wire_name):
    status: _PodStatus = _PodStatus()

    @property
    def host(self) -> str:
        """The address of its node; empty before it has one, and after it has ended."""
        return "" if self.status.phase in _ENDED else self.status.host_ip


_pod = msgspec.json.Decoder(_Pod)


def _host(raw: bytes) -> str:
    """See `_Pod.host`; empty as well for what cannot be understood."""
    try:
        return _pod.decode(raw).host
    except NO_JSON:
        return ""


class Hosts:
    """The host address of each pod. What a list has not ended yet replaces nothing."""

    def __init__(self) -> None:
        self._hosts: dict[str, str] = {}
        self._seen: set[str] = set()
        self._refusals = Refusals(_log, "pods", "other speakers are found by gossip alone")
        self.is_known = False
        """Whether all pods were listed at least once."""

    @property
    def addresses(self) -> frozenset[str]:
        """All of them."""
        return frozenset(host for host in self._hosts.values() if host)

    def take(self, fact: Fact) -> None:
        """One thing that the watch says. Trouble takes nothing away: what was known stays known."""
        self._refusals.take(fact)
        match fact:
            case ListBegun():
                self._seen = set()
            case Present() | Put():
                self._seen.add(fact.identity.name)
                self._hosts[fact.identity.name] = _host(fact.raw)
            case Remove():
                self._hosts.pop(fact.identity.name, None)
            case ListEnded():
                self._hosts = {name: host for name, host in self._hosts.items() if name in self._seen}
                self.is_known = True


async def pod_addresses(client: ApiClient, namespace: str, labels: str) -> AsyncGenerator[frozenset[str], None]:
    """The addresses of the hosts of the pods that `labels` (`app=metallb,component=speaker`) select, whenever they
    have changed; first when they are known. An API server that is away changes nothing."""
    hosts = Hosts()
    reflection = Reflection(client)
    reflection.start(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": labels}, hosts.take)
    told: frozenset[str] | None = None
    try:
        while True:
            await reflection.news()
            if hosts.is_known and hosts.addresses != told:
                told = hosts.addresses
                yield told
    finally:
        await reflection.stop()
