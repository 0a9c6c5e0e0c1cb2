"""ServiceL2Status `metallb.io/v1beta1`: which node answers ARP and NDP for a service. Written by speakers."""

from typing import Annotated, TypeAlias

import msgspec

from herald.api.schema import IMMUTABLE, described, ruled
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name

Fixed: TypeAlias = Annotated[str, ruled(IMMUTABLE)]


class InterfaceInfo(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """An interface on which the node answers."""

    name: Annotated[str, described("Name of the interface.")] = ""


class Unanswered(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """An address that the node is to answer for and cannot. Herald's own, and MetalLB's CRD leaves it out."""

    ip: Annotated[str, described("The address.")] = ""
    reason: Annotated[str, described("Why it is not answered.")] = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Somebody else answers for an address too. Herald's own, and MetalLB's CRD leaves it out."""

    ip: Annotated[str, described("The address.")] = ""
    interface: Annotated[str, described("Interface of the node on which the claim was heard.")] = ""
    mac: Annotated[str, described("Who claims it.")] = ""
    node: Annotated[str, described("The node that has this MAC, where that is known.")] = ""
    since: Annotated[str, described("When it was first heard, RFC 3339.")] = ""


class ServiceL2StatusSpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Nothing is configured here."""


class ServiceL2StatusStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """The node that owns the addresses of the service, and where it answers."""

    node: Annotated[Fixed, described("The node.")] = ""
    service_name: Annotated[Fixed, described("Name of the service.")] = ""
    service_namespace: Annotated[Fixed, described("Namespace of the service.")] = ""
    interfaces: Annotated[
        tuple[InterfaceInfo, ...], described("Interfaces on which the node answers; empty means all.")
    ] = ()
    unanswered: Annotated[
        tuple[Unanswered, ...], described("Addresses that are not answered: kept back, or nothing leaves the node.")
    ] = ()
    conflicts: Annotated[tuple[Claim, ...], described("Who else claims addresses of the service.")] = ()


class ServiceL2Status(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Says which node answers ARP and NDP for a service."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceL2StatusSpec = ServiceL2StatusSpec()
    status: ServiceL2StatusStatus = ServiceL2StatusStatus()
