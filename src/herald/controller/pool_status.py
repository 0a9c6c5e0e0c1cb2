"""The status of IPAddressPools: how many addresses are given and free."""

from collections.abc import Iterable

import msgspec

from herald.allocator.allocator import Allocator
from herald.api.ip_address_pool import IPAddressPool, IPAddressPoolStatus
from herald.cluster.meta import PoolName
from herald.config.findings import ObjectKey
from herald.store.store import StatusPatch


def patches(pools: Iterable[IPAddressPool], allocator: Allocator) -> tuple[StatusPatch, ...]:
    """The statuses of `pools` that do not show the allocator's counters. Pools that are not in force are left alone."""
    found = []
    for pool in pools:
        name = PoolName(pool.metadata.name)
        if name in allocator.pools:
            status = _status(allocator, name)
            if status != pool.status:
                version = pool.metadata.resource_version
                found.append(StatusPatch(ObjectKey.of(pool), msgspec.to_builtins(status), resource_version=version))
    return tuple(found)


def as_written(pool: IPAddressPool, patch: StatusPatch, version: str) -> IPAddressPool:
    """The pool as it stands once `patch` is written, which made `version` of it."""
    metadata = msgspec.structs.replace(pool.metadata, resource_version=version) if version else pool.metadata
    return msgspec.structs.replace(pool, metadata=metadata, status=msgspec.convert(patch.status, IPAddressPoolStatus))


def _status(allocator: Allocator, pool: PoolName) -> IPAddressPoolStatus:
    counted = allocator.counters(pool)
    return IPAddressPoolStatus(
        assigned_ipv4=counted.assigned_ipv4,
        assigned_ipv6=counted.assigned_ipv6,
        available_ipv4=counted.available_ipv4,
        available_ipv6=counted.available_ipv6,
    )
