"""What a service asks for: addresses, a pool, families.

Read once from the Service; after that it is a `Demand`. What cannot be understood is a `Refusal`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from herald.allocator.allocation import Refusal, RefusalReason, quoted
from herald.cluster.meta import PoolName
from herald.cluster.service import ADDRESS_POOL, LOAD_BALANCER_IPS, PREFIX, Service
from herald.net.ip_family import IPAddress, IPFamily, IPFamilyError, family_of_all, parse_address


class IPFamilyPolicy(StrEnum):
    """`spec.ipFamilyPolicy`; a Service without one is single stack."""

    SINGLE_STACK = "SingleStack"
    PREFER_DUAL_STACK = "PreferDualStack"
    REQUIRE_DUAL_STACK = "RequireDualStack"


@dataclass(frozen=True, slots=True)
class Demand:
    """`addresses` is empty and `pool` None where the service leaves the choice to us.

    `family` is what its cluster IPs need; `primary` is the family it would rather have if only one can be had.
    """

    addresses: tuple[IPAddress, ...]
    pool: PoolName | None
    family: IPFamily
    policy: IPFamilyPolicy
    primary: IPFamily


def demand_of(service: Service) -> Demand | Refusal:
    """Everything a service asks for."""
    family = required_family(service)
    if isinstance(family, Refusal):
        return family
    addresses = requested_addresses(service)
    if isinstance(addresses, Refusal):
        return addresses
    return Demand(addresses, requested_pool(service), family, family_policy(service), primary_family(service))


def cluster_ips(service: Service) -> tuple[str, ...]:
    """`spec.clusterIPs`, or `spec.clusterIP` alone; empty if the service has neither."""
    spec = service.spec
    return spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())


def required_family(service: Service) -> IPFamily | Refusal:
    """The family of the cluster IPs: the addresses that lead to them must be of the same."""
    return _family_of_texts(cluster_ips(service), RefusalReason.INVALID_CLUSTER_IPS)


def family_policy(service: Service) -> IPFamilyPolicy:
    """`spec.ipFamilyPolicy`."""
    policy = service.spec.ip_family_policy
    return IPFamilyPolicy(policy) if policy in tuple(IPFamilyPolicy) else IPFamilyPolicy.SINGLE_STACK


def primary_family(service: Service) -> IPFamily:
    """The family named first in `spec.ipFamilies`; IPv4 if there is none."""
    return IPFamily.IPV6 if service.spec.ip_families[:1] == ("IPv6",) else IPFamily.IPV4


def requested_pool(service: Service) -> PoolName | None:
    """The value of annotation `address-pool`; empty counts as absent."""
    name = service.annotation(ADDRESS_POOL)
    return PoolName(name) if name else None


def requested_addresses(service: Service) -> tuple[IPAddress, ...] | Refusal:
    """The addresses asked for, in the order written, by annotation `loadBalancerIPs` or field `spec.loadBalancerIP`."""
    annotation, field = service.annotation(LOAD_BALANCER_IPS) or "", service.spec.load_balancer_ip
    if annotation and field:
        return Refusal(
            RefusalReason.REQUESTED_TWICE,
            f"service can not have both {PREFIX}{LOAD_BALANCER_IPS} and svc.Spec.LoadBalancerIP: "
            f'the annotation says "{annotation}", the field says "{field}"; remove one of them',
        )
    if field:
        return _field_address(field)
    return _annotation_addresses(annotation) if annotation else ()


def _field_address(text: str) -> tuple[IPAddress, ...] | Refusal:
    try:
        return (parse_address(text),)
    except ValueError:
        return Refusal(RefusalReason.INVALID_REQUEST, f'invalid spec.loadBalancerIP "{text}": one IP address is needed')


def _annotation_addresses(text: str) -> tuple[IPAddress, ...] | Refusal:
    addresses: list[IPAddress] = []
    for entry in text.split(","):
        try:
            addresses.append(parse_address(entry.strip()))
        except ValueError:
            return Refusal(
                RefusalReason.INVALID_REQUEST,
                f'invalid {PREFIX}{LOAD_BALANCER_IPS}: "{text}": "{entry.strip()}" is not an IP address; '
                "write one address, or one IPv4 and one IPv6 separated by a comma",
            )
    family = _family_of_addresses(addresses, RefusalReason.INVALID_REQUEST_FAMILIES)
    return family if isinstance(family, Refusal) else tuple(addresses)


def family_of_status(texts: Sequence[str]) -> IPFamily | Refusal:
    """The family of the addresses of a status; a refusal if it is none that we could have written."""
    return _family_of_texts(texts, RefusalReason.INVALID_ADDRESS_SET)


def _family_of_texts(texts: Sequence[str], reason: RefusalReason) -> IPFamily | Refusal:
    try:
        addresses = [parse_address(text) for text in texts]
    except ValueError:
        return Refusal(reason, f"IPFamilyForAddresses: Invalid address {quoted(texts)}")
    return _family_of_addresses(addresses, reason)


def _family_of_addresses(addresses: Sequence[IPAddress], reason: RefusalReason) -> IPFamily | Refusal:
    try:
        return family_of_all(addresses)
    except IPFamilyError as error:
        what = "same address family" if len(addresses) == 2 else "invalid number of addresses"
        return Refusal(reason, f"IPFamilyForAddresses: {what} {quoted(addresses)}: {error}")
