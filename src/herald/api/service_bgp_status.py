"""ServiceBGPStatus `metallb.io/v1beta1`: to which peers a node announces a service. Written by speakers."""

from typing import Annotated, TypeAlias

import msgspec

from herald.api.schema import IMMUTABLE, described, ruled
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name

Fixed: TypeAlias = Annotated[str, ruled(IMMUTABLE)]


class ServiceBGPStatusSpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Nothing is configured here."""


class ServiceBGPStatusStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """The node that announces, and to whom."""

    node: Annotated[Fixed, described("The node.")] = ""
    service_name: Annotated[Fixed, described("Name of the service.")] = ""
    service_namespace: Annotated[Fixed, described("Namespace of the service.")] = ""
    peers: Annotated[tuple[str, ...], described("Names of the BGPPeers that the service is announced to, sorted.")] = ()


class ServiceBGPStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Says to which BGP peers a node announces a service."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceBGPStatusSpec = ServiceBGPStatusSpec()
    status: ServiceBGPStatusStatus = ServiceBGPStatusStatus()
