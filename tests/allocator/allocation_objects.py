"""Pools and services for the allocator's tests, in one line each."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from herald.allocator.allocator import Allocator
from herald.allocator.converge import converge
from herald.allocator.convergence import Convergence, ServiceEvent, as_written
from herald.cluster.meta import NamespacedName, ObjectMeta, PoolName
from herald.cluster.selector import LabelSelector
from herald.cluster.service import (
    LoadBalancerIngress,
    LoadBalancerStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from herald.config.config import Config
from herald.config.pool import Pool, ServiceAllocation
from herald.net.address_range import parse
from herald.net.ip_family import IPAddress

V4 = ("10.96.0.1",)
V6 = ("fd00::1",)
DUAL = ("10.96.0.1", "fd00::1")
DUAL_V6_FIRST = ("fd00::1", "10.96.0.1")
PREFER = "PreferDualStack"
REQUIRE = "RequireDualStack"
SINGLE = "SingleStack"


def pool(
    name: str,
    *ranges: str,
    auto: bool = True,
    buggy: bool = False,
    namespaces: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int | None = None,
) -> Pool:
    """Pinned if namespaces, labels or a priority are given. `buggy`: avoidBuggyIPs."""
    pinned = namespaces is not None or labels is not None or priority is not None
    allocation = ServiceAllocation(
        priority=priority or 0,
        namespaces=None if namespaces is None else frozenset(namespaces),
        service_selectors=() if labels is None else (LabelSelector(match_labels=dict(labels)),),
    )
    return Pool(
        PoolName(name),
        tuple(parse(text) for text in ranges),
        auto_assign=auto,
        avoid_buggy_ips=buggy,
        allocation=allocation if pinned else None,
    )


def by_name(*pools: Pool) -> dict[PoolName, Pool]:
    return {each.name: each for each in pools}


def config(*pools: Pool) -> Config:
    return Config(pools=by_name(*pools))


def service(
    name: str = "s",
    *,
    ns: str = "default",
    cluster_ips: tuple[str, ...] = V4,
    policy: str | None = None,
    families: tuple[str, ...] = (),
    status: Sequence[str] = (),
    ports: Sequence[str] = ("TCP/80",),
    share: str | None = None,
    local: bool = False,
    selector: Mapping[str, str] | None = None,
    field: str = "",
    wants: str | None = None,
    from_pool: str | None = None,
    allocated: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    kind: str = "LoadBalancer",
    lb_class: str | None = None,
    created: str | None = None,
) -> Service:
    """`field`: spec.loadBalancerIP. `wants`: annotation loadBalancerIPs. In `status`, a text with a blank is a host."""
    given = {"loadBalancerIPs": wants, "address-pool": from_pool, "allow-shared-ip": share}
    given |= {"ip-allocated-from-pool": allocated}
    prefixed = {f"metallb.io/{key}": value for key, value in given.items() if value is not None}
    return Service(
        metadata=ObjectMeta(
            name=name,
            namespace=ns,
            labels=dict(labels or {}),
            annotations=prefixed | dict(annotations or {}),
            creation_timestamp=created,
        ),
        spec=ServiceSpec(
            type=kind,
            load_balancer_class=lb_class,
            load_balancer_ip=field,
            cluster_ips=cluster_ips,
            ip_family_policy=policy,
            ip_families=families,
            ports=tuple(_port(text) for text in ports),
            external_traffic_policy="Local" if local else "Cluster",
            selector=dict(selector or {}),
        ),
        status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=tuple(_ingress(text) for text in status))),
    )


def _port(text: str) -> ServicePort:
    protocol, _, number = text.partition("/")
    return ServicePort(protocol=protocol, port=int(number))


def _ingress(text: str) -> LoadBalancerIngress:
    return LoadBalancerIngress(hostname=text.strip()) if " " in text else LoadBalancerIngress(ip=text)


def ip(text: str) -> IPAddress:
    return ip_address(text)


def ips(*texts: str) -> tuple[IPAddress, ...]:
    return tuple(ip_address(text) for text in texts)


def key(name: str, ns: str = "default") -> NamespacedName:
    return NamespacedName(ns, name)


def texts(outcome: Convergence) -> list[str]:
    return [str(address) for address in outcome.addresses]


def settle(allocator: Allocator, subject: Service) -> tuple[Service, list[ServiceEvent]]:
    """Converge and write until nothing is left to be written; the service at rest and every event on the way."""
    events: list[ServiceEvent] = []
    for _ in range(5):
        outcome = converge(allocator, subject)
        events.extend(outcome.events)
        if outcome.change is None:
            return subject, events
        subject = as_written(subject, outcome)
    raise AssertionError(f"{subject.key} never comes to rest: {events}")


def reasons(events: Sequence[ServiceEvent]) -> list[str]:
    return [event.reason.value for event in events]
