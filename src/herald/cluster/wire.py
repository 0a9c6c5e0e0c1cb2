"""How our field names are spelt in Kubernetes JSON: camelCase, with the acronyms Kubernetes capitalises."""

import msgspec

SECRET = msgspec.Meta(extra={"secret": True})
"""Marks a field whose value no message may repeat."""

_SPELLINGS = {
    "api_version": "apiVersion",
    "load_balancer_ip": "loadBalancerIP",
    "cluster_ip": "clusterIP",
    "cluster_ips": "clusterIPs",
    "my_asn": "myASN",
    "peer_asn": "peerASN",
    "local_asn": "localASN",
    "dynamic_asn": "dynamicASN",
    "router_id": "routerID",
    "disable_mp": "disableMP",
    "avoid_buggy_ips": "avoidBuggyIPs",
    "assigned_ipv4": "assignedIPv4",
    "assigned_ipv6": "assignedIPv6",
    "available_ipv4": "availableIPv4",
    "available_ipv6": "availableIPv6",
    "ip_address_pools": "ipAddressPools",
    "ip_address_pool_selectors": "ipAddressPoolSelectors",
    "ebgp_multi_hop": "ebgpMultiHop",
    "tcp_ao": "tcpAO",
    "send_id": "sendID",
    "receive_id": "receiveID",
}


def wire_name(field: str) -> str:
    """The JSON name of a struct field, e.g. `peer_asn` → `peerASN`, `hold_time` → `holdTime`."""
    if field in _SPELLINGS:
        return _SPELLINGS[field]
    head, *rest = field.split("_")
    return head + "".join(word.capitalize() for word in rest)
