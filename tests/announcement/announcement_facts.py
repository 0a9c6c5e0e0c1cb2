"""Short ways to write the facts that announcement decides with."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from herald.announcement.decide import Decision, decide
from herald.announcement.gate import Addresses
from herald.announcement.readiness import Readiness, readiness
from herald.announcement.view import View
from herald.bgp.community import Community, ExtendedCommunity, LargeCommunity, parse_community
from herald.cluster.endpoints import SERVICE_NAME_LABEL, Endpoint, EndpointConditions, EndpointSlice
from herald.cluster.meta import NodeName, ObjectMeta, PeerName, PoolName
from herald.cluster.node import DRAIN_ANNOTATION, EXCLUDE_LABEL, Node, NodeCondition, NodeStatus
from herald.cluster.selector import LabelSelector
from herald.cluster.service import LoadBalancerIngress, LoadBalancerStatus, Service, ServiceSpec, ServiceStatus
from herald.config.advertisement import BGPAdvertisement, L2Advertisement, Prepend
from herald.config.config import Config
from herald.config.peer import Peer
from herald.config.pool import Pool
from herald.net.address_range import parse

ABC = ("node-a", "node-b", "node-c")
Condition = tuple[str | None, bool | None, bool | None]


def ips(*texts: str) -> Addresses:
    return tuple(ip_address(text) for text in texts)


def node(
    name: str, *, excluded: bool = False, network: str | None = None, drain: str | None = None, **labels: str
) -> Node:
    marks = {"kubernetes.io/hostname": name, **labels, **({EXCLUDE_LABEL: ""} if excluded else {})}
    conditions = (NodeCondition(type="NetworkUnavailable", status=network),) if network else ()
    notes = {} if drain is None else {DRAIN_ANNOTATION: drain}
    meta = ObjectMeta(name=name, labels=marks, annotations=notes)
    return Node(metadata=meta, status=NodeStatus(conditions=conditions))


def pool(name: str, *ranges: str) -> Pool:
    return Pool(PoolName(name), tuple(map(parse, ranges)))


def selectors(*pairs: tuple[str, str]) -> tuple[LabelSelector, ...]:
    return tuple(LabelSelector(match_labels={key: value}) for key, value in pairs)


def l2(
    name: str = "l",
    nodes: Iterable[str] = ABC,
    *,
    pools: Iterable[str] = ("p",),
    interfaces: Iterable[str] | None = None,
    only: tuple[LabelSelector, ...] = (),
    scores: Mapping[str, int] | None = None,
) -> L2Advertisement:
    return L2Advertisement(
        name,
        frozenset(map(PoolName, pools)),
        frozenset(map(NodeName, nodes)),
        None if interfaces is None else frozenset(interfaces),
        only,
        {NodeName(key): value for key, value in (scores or {}).items()},
    )


def bgp(
    name: str = "b",
    nodes: Iterable[str] = ABC,
    *,
    pools: Iterable[str] = ("p",),
    peers: Iterable[str] | None = None,
    only: tuple[LabelSelector, ...] = (),
    v4: int = 32,
    v6: int = 128,
    local_pref: int | None = None,
    communities: Iterable[str] = (),
    prepend: Prepend | None = None,
    bandwidth: int | None = None,
) -> BGPAdvertisement:
    parsed = [parse_community(text) for text in communities]
    return BGPAdvertisement(
        name,
        frozenset(map(PoolName, pools)),
        frozenset(map(NodeName, nodes)),
        v4,
        v6,
        local_pref,
        tuple(c for c in parsed if isinstance(c, Community)),
        tuple(c for c in parsed if isinstance(c, LargeCommunity)),
        None if peers is None else frozenset(map(PeerName, peers)),
        only,
        prepend,
        bandwidth,
        tuple(c for c in parsed if isinstance(c, ExtendedCommunity)),
    )


def peer(name: str, address: str | None = "10.9.0.1", **more: Any) -> Peer:
    fields: dict[str, Any] = {
        "my_asn": 64500,
        "peer_asn": 64501,
        "dynamic_asn": None,
        "local_asn": None,
        "interface": None,
        "peer_port": 179,
        "source_address": None,
        "router_id": None,
        "hold_time_s": None,
        "keepalive_time_s": None,
        "connect_time_s": None,
        "ebgp_multi_hop": False,
        "vrf": "",
        "password": None,
        "bfd_profile": None,
        "graceful_restart": None,
        "dual_stack_address_family": False,
        "disable_mp": False,
    }
    where = None if address is None else ip_address(address)
    return Peer(name=PeerName(name), peer_address=where, **(fields | more))


def config(
    *objects: Pool | L2Advertisement | BGPAdvertisement | Peer, nodes: Iterable[Node] = tuple(map(node, ABC))
) -> Config:
    return Config(
        {o.name: o for o in objects if isinstance(o, Pool)},
        tuple(o for o in objects if isinstance(o, L2Advertisement)),
        tuple(o for o in objects if isinstance(o, BGPAdvertisement)),
        {o.name: o for o in objects if isinstance(o, Peer)},
        {},
        {n.name: n for n in nodes},
    )


def service(
    name: str = "web",
    *addresses: str,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    local: bool = False,
    kind: str = "LoadBalancer",
    lb_class: str | None = None,
) -> Service:
    return Service(
        metadata=ObjectMeta(
            name=name, namespace="default", labels=dict(labels or {}), annotations=dict(annotations or {})
        ),
        spec=ServiceSpec(
            type=kind, load_balancer_class=lb_class, external_traffic_policy="Local" if local else "Cluster"
        ),
        status=ServiceStatus(
            load_balancer=LoadBalancerStatus(ingress=tuple(LoadBalancerIngress(ip=a) for a in addresses))
        ),
    )


def slice_of(
    name: str, *endpoints: Condition, suffix: str = "1", addresses: tuple[str, ...] = ("10.244.0.1",)
) -> EndpointSlice:
    """An EndpointSlice of service `name`; each endpoint is (node name, ready, serving)."""
    return EndpointSlice(
        metadata=ObjectMeta(name=f"{name}-{suffix}", namespace="default", labels={SERVICE_NAME_LABEL: name}),
        endpoints=tuple(
            Endpoint(
                addresses=addresses, conditions=EndpointConditions(ready=ready, serving=serving), node_name=node_name
            )
            for node_name, ready, serving in endpoints
        ),
    )


def ready(*nodes: str | None) -> Readiness:
    """One ready endpoint on each of `nodes`."""
    return readiness([slice_of("web", *((name, True, None) for name in nodes))])


def decided(
    subject: Service,
    conf: Config,
    readiness: Readiness,
    *addresses: str,
    **circumstances: Any,
) -> Decision:
    return decide(subject, ips(*(addresses or ("10.0.0.1",))), readiness, View(conf, **circumstances))
