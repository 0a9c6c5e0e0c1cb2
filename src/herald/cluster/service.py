"""A Service, as far as it decides which address it gets and who announces it."""

from ipaddress import ip_address

import msgspec

from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.wire import wire_name

PREFIX = "metallb.io/"
DEPRECATED_PREFIX = "metallb.universe.tf/"
ADDRESS_POOL = "address-pool"
LOAD_BALANCER_IPS = "loadBalancerIPs"
ALLOW_SHARED_IP = "allow-shared-ip"
ALLOCATED_FROM_POOL = "metallb.io/ip-allocated-from-pool"
CLAIMED_ADDRESSES = "herald.metallb.io/claimed-addresses"
"""What the controller gave, comma separated, in case that somebody empties the status."""


class ServicePort(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """What can clash on a shared address. A missing protocol is TCP."""

    port: int
    protocol: str = "TCP"
    name: str = ""
    node_port: int = 0

    def __str__(self) -> str:
        return f"{self.protocol}/{self.port}"


class LoadBalancerIngress(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """One entry of `status.loadBalancer.ingress`; another controller may have written a hostname."""

    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """`status.loadBalancer`."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """`status`."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """`spec`. `cluster_ip` and `cluster_ips` are None when the manifest does not have the field at all."""

    type: str = "ClusterIP"
    load_balancer_class: str | None = None
    load_balancer_ip: str = ""
    cluster_ip: str | None = None
    cluster_ips: tuple[str, ...] | None = None
    ip_family_policy: str | None = None
    ip_families: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    external_traffic_policy: str = ""
    selector: dict[str, str] = {}


class Service(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """A Service. Everything below `metadata`, `spec` and `status` is as the manifest or the API server has it."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()

    @property
    def key(self) -> NamespacedName:
        return self.metadata.key

    @property
    def is_load_balancer(self) -> bool:
        return self.spec.type == "LoadBalancer"

    @property
    def is_local(self) -> bool:
        """externalTrafficPolicy Local: only nodes with an endpoint of their own may announce."""
        return self.spec.external_traffic_policy == "Local"

    @property
    def ingress_ips(self) -> tuple[str, ...]:
        """The texts of `status.loadBalancer.ingress[].ip`, in order, entries without `ip` left out."""
        return tuple(entry.ip for entry in self.status.load_balancer.ingress if entry.ip)

    @property
    def sharing_key(self) -> str:
        """The value of `allow-shared-ip`; empty means that the address is not shared."""
        return self.annotation(ALLOW_SHARED_IP) or ""

    @property
    def wants_sharing(self) -> bool:
        """Whether `allow-shared-ip` is present at all, whatever its value (what Layer 2 asks)."""
        return self.annotation(ALLOW_SHARED_IP) is not None

    def annotation(self, suffix: str) -> str | None:
        """The value under `metallb.io/`, or under the deprecated prefix if the current key is absent; else None."""
        annotations = self.metadata.annotations
        if PREFIX + suffix in annotations:
            return annotations[PREFIX + suffix]
        return annotations.get(DEPRECATED_PREFIX + suffix)


def with_cluster_ip_defaults(service: Service) -> Service:
    """The service as an API server would have completed it, for manifests that never met one.

    A real Service of type LoadBalancer always has cluster IPs; a manifest in a folder usually has none. Where both
    `clusterIP` and `clusterIPs` are *absent*, placeholders of the families that `ipFamilies` and `ipFamilyPolicy` ask
    for are filled in (the documentation prefixes 192.0.2.0/24 and 2001:db8::/32); a field that is present, even empty,
    is believed. Without a wish the family is IPv4.
    """
    spec = service.spec
    if spec.cluster_ip is not None or spec.cluster_ips is not None:
        return service
    families = spec.ip_families or ("IPv4",)
    if len(families) == 1 and spec.ip_family_policy in ("RequireDualStack", "PreferDualStack"):
        families = (families[0], "IPv6" if families[0] == "IPv4" else "IPv4")
    addresses = tuple(str(_PLACEHOLDERS[family]) for family in families if family in _PLACEHOLDERS)
    return msgspec.structs.replace(service, spec=msgspec.structs.replace(spec, cluster_ips=addresses))


_PLACEHOLDERS = {"IPv4": ip_address("192.0.2.1"), "IPv6": ip_address("2001:db8::1")}
