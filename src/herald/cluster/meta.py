"""What every Kubernetes object carries: its name and its metadata."""

import re
from dataclasses import dataclass
from typing import NewType

import msgspec

from herald.cluster.wire import wire_name

NodeName = NewType("NodeName", str)
PoolName = NewType("PoolName", str)
PeerName = NewType("PeerName", str)

_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_LABEL = 63
_LONGEST_SUBDOMAIN = 253


def is_dns_label(text: str) -> bool:
    """Whether a namespace can have this name (RFC 1123 label)."""
    return len(text) <= _LONGEST_LABEL and "." not in text and is_dns_subdomain(text)


def is_dns_subdomain(text: str) -> bool:
    """Whether an object can have this name, and a label key this prefix (RFC 1123 subdomain)."""
    return len(text) <= _LONGEST_SUBDOMAIN and _DNS_SUBDOMAIN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class NamespacedName:
    """`namespace/name` of a namespaced object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "NamespacedName":
        """From `namespace/name`, or `name` alone for namespace `default`."""
        namespace, slash, name = text.rpartition("/")
        return cls(namespace if slash else "default", name)


class ObjectMeta(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """`metadata`: only what decides something."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    generation: int = 0
    resource_version: str = ""
    uid: str = ""

    @property
    def key(self) -> NamespacedName:
        return NamespacedName(self.namespace, self.name)

    @property
    def age_order(self) -> tuple[str, str, str]:
        """Sorts older objects first, then by name. An object without a creation time is not applied yet: last."""
        return (self.creation_timestamp or "~", self.namespace, self.name)
