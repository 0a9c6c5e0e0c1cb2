"""On which hosts the pods with given labels run: where a speaker finds the others for gossip."""

import logging
from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from herald.cluster.wire import wire_name
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.listed import Listed
from herald.store.kubernetes.reflector import Reflection
from herald.store.kubernetes.refusals import Refusals

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
    """See `_Pod.host`."""
    return _pod.decode(raw).host


async def pod_addresses(client: ApiClient, namespace: str, labels: str) -> AsyncGenerator[frozenset[str], None]:
    """The addresses of the hosts of the pods that `labels` (`app=metallb,component=speaker`) select, whenever they
    have changed; first when they are known. An API server that is away changes nothing."""
    hosts = Listed(_host, "", Refusals(_log, "pods", "other speakers are found by gossip alone"))
    reflection = Reflection(client)
    reflection.start(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": labels}, hosts.take)
    told: frozenset[str] | None = None
    try:
        while True:
            await reflection.news()
            addresses = frozenset(host for host in hosts.items.values() if host)
            if hosts.is_known and addresses != told:
                told = addresses
                yield told
    finally:
        await reflection.stop()
