"""IPAddressPool `metallb.io/v1beta1`: addresses that services can be given, and to whom they may go."""

from typing import Annotated

import msgspec

from herald.api.schema import Count, Int64, default, described
from herald.api.selector import Selectors
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name


class ServiceAllocation(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Pins a pool to services and namespaces; empty means every service of every namespace."""

    priority: Annotated[Int64, described("Pools with the lowest positive number are tried first; 0 comes last.")] = 0
    namespaces: Annotated[tuple[str, ...], described("Names of namespaces that may use the pool.")] = ()
    namespace_selectors: Annotated[Selectors, described("Selects namespaces by label, in addition to namespaces.")] = ()
    service_selectors: Annotated[
        Selectors, described("Services that may use the pool, by label: those that match any of these.")
    ] = ()


class IPAddressPoolSpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """The addresses and who may have them."""

    addresses: Annotated[
        tuple[str, ...], described("CIDRs (10.0.0.0/24) and ranges (10.0.0.5-10.0.0.9), IPv4 and IPv6.")
    ]
    auto_assign: Annotated[
        bool, default(True), described("Whether services that name no pool may get an address of this one.")
    ] = True
    avoid_buggy_ips: Annotated[bool, default(False), described("Leaves out IPv4 addresses that end in .0 or .255.")] = (
        False
    )
    service_allocation: Annotated[
        ServiceAllocation | None, described("Who may use the pool, and in which order pools are tried.")
    ] = None


class IPAddressPoolStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """How many addresses are given and free, by family."""

    assigned_ipv4: Annotated[Count, described("IPv4 addresses that services have.")]
    assigned_ipv6: Annotated[Count, described("IPv6 addresses that services have.")]
    available_ipv4: Annotated[Count, described("IPv4 addresses that are free.")]
    available_ipv6: Annotated[Count, described("IPv6 addresses that are free.")]


class IPAddressPool(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Addresses that services of type LoadBalancer can be given."""

    metadata: ObjectMeta = ObjectMeta()
    spec: IPAddressPoolSpec
    status: IPAddressPoolStatus | None = None
