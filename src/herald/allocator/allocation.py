"""What comes out of a request for an address: an Allocation, or a Refusal that says why, pool by pool.

A refusal is a value. Events, `herald explain`, `herald plan` and the metrics all print the same one; nothing looks at
its text to decide. `message` begins with MetalLB's own words, which operators search for, and goes on with what they
leave out: the other service, and the item in which the two differ.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from herald.cluster.meta import PoolName
from herald.net.ip_family import IPAddress

_SEPARATOR = " · "


class PoolReason(StrEnum):
    """Why one pool did not help."""

    AUTO_ASSIGN_OFF = "AutoAssignOff"
    NAMESPACE_NOT_SELECTED = "NamespaceNotSelected"
    LABELS_NOT_SELECTED = "LabelsNotSelected"
    LACKS_FAMILY = "LacksFamily"
    FULL = "Full"
    PORT_TAKEN = "PortTaken"
    BACKEND_DIFFERS = "BackendDiffers"
    SHARING_REFUSED = "SharingRefused"
    ADDRESS_OUTSIDE = "AddressOutside"
    ADDRESS_AVOIDED = "AddressAvoided"
    NOT_REQUESTED = "NotRequested"


class RefusalReason(StrEnum):
    """Why a service has no address, or not the one it asks for."""

    OTHER_CLASS = "OtherLoadBalancerClass"
    NO_POOLS = "NoPools"
    NO_CLUSTER_IPS = "NoClusterIPs"
    NOT_ENOUGH_CLUSTER_IPS = "NotEnoughClusterIPs"
    INVALID_CLUSTER_IPS = "InvalidClusterIPs"
    REQUESTED_TWICE = "RequestedTwice"
    INVALID_REQUEST = "InvalidRequest"
    INVALID_REQUEST_FAMILIES = "InvalidRequestFamilies"
    FAMILY_MISMATCH = "RequestedFamilyMismatch"
    NOT_IN_ANY_POOL = "AddressNotInAnyPool"
    NOT_IN_ONE_POOL = "AddressesNotInOnePool"
    ADDRESS_AVOIDED = "AddressAvoided"
    POOL_NOT_COMPATIBLE = "PoolNotCompatible"
    INVALID_ADDRESS_SET = "InvalidAddressSet"
    PORT_IN_USE = "PortInUse"
    SHARING_NOT_ENABLED = "SharingNotEnabled"
    SHARING_KEY_DIFFERS = "SharingKeyDiffers"
    BACKEND_DIFFERS = "BackendDiffers"
    UNKNOWN_POOL = "UnknownPool"
    REQUESTED_POOL_MISMATCH = "RequestedPoolMismatch"
    DUAL_STACK_NOT_REQUESTED = "DualStackNotRequested"
    POOL_LACKS_FAMILY = "PoolLacksFamily"
    POOL_FULL = "PoolFull"
    NO_AVAILABLE_IPS = "NoAvailableIPs"


_CURED_BY_A_RELEASE = frozenset(
    {
        RefusalReason.PORT_IN_USE,
        RefusalReason.SHARING_NOT_ENABLED,
        RefusalReason.SHARING_KEY_DIFFERS,
        RefusalReason.BACKEND_DIFFERS,
        RefusalReason.POOL_FULL,
        RefusalReason.NO_AVAILABLE_IPS,
    }
)


@dataclass(frozen=True, slots=True)
class Allocation:
    """The addresses a service has: one, or one of each family, all of one pool, in the order of its status."""

    pool: PoolName
    addresses: tuple[IPAddress, ...]


@dataclass(frozen=True, slots=True)
class PoolVerdict:
    """What one pool had to say to a request that was refused."""

    pool: PoolName
    reason: PoolReason
    text: str

    def __str__(self) -> str:
        return f"{self.pool}: {self.text}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """No. `verdicts` has one entry per pool that was considered, sorted by name; none if it never came to pools."""

    reason: RefusalReason
    message: str
    verdicts: tuple[PoolVerdict, ...] = ()

    @property
    def may_pass(self) -> bool:
        """Whether another service that lets go of an address, a port or a sharing key can change the answer."""
        return self.reason in _CURED_BY_A_RELEASE

    def summary(self, limit: int) -> str:
        """The message with as many verdicts as fit in about `limit` octets, and the number of those left out."""
        if not self.verdicts:
            return self.message
        shown: list[str] = []
        room = limit - _octets(self.message)
        for verdict in map(str, self.verdicts):
            room -= _octets(verdict) + _octets(_SEPARATOR)
            if shown and room < 0:
                break
            shown.append(verdict)
        left_out = len(self.verdicts) - len(shown)
        return f"{self.message} ({_SEPARATOR.join(shown)}{f'{_SEPARATOR}and {left_out} more' if left_out else ''})"

    def __str__(self) -> str:
        return f"{self.message} ({_SEPARATOR.join(map(str, self.verdicts))})" if self.verdicts else self.message


def quoted(texts: Iterable[object]) -> str:
    """A list as MetalLB prints it: `["10.0.0.1" "fd00::1"]`."""
    return "[" + " ".join(f'"{text}"' for text in texts) + "]"


def _octets(text: str) -> int:
    return len(text.encode())
