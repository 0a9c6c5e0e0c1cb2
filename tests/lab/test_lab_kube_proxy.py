"""Which endpoint each node sends a service's traffic to."""

import pytest

from herald.lab.cluster import Object, endpoint_slice, node
from herald.lab.kube_proxy import Rule, missing_slices, orphaned_slices, rules, script

NODES = {"node-1": "192.168.1.10", "node-2": "192.168.1.11"}
NODE_OBJECTS = [node(name, address) for name, address in NODES.items()]
ADDRESSES = {("default", "web"): ["192.168.1.200"]}


def service(policy: str = "Cluster", **port: object) -> Object:
    return {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "web"},
            "externalTrafficPolicy": policy,
            "ports": [{"port": 80, "targetPort": 8080, **port}],
        },
    }


def to(endpoint: str, port: int = 8080) -> frozenset[Rule]:
    return frozenset({Rule("192.168.1.200", "tcp", 80, endpoint, port)})


NOTHING: frozenset[Rule] = frozenset()


@pytest.mark.parametrize(
    ("policy", "endpoints", "expected"),
    [
        pytest.param(
            "Cluster", ["node-1", "node-2"], {"node-1": to("192.168.1.10"), "node-2": to("192.168.1.11")}, id="own"
        ),
        pytest.param(
            "Cluster", ["node-1"], {"node-1": to("192.168.1.10"), "node-2": to("192.168.1.10")}, id="elsewhere"
        ),
        pytest.param("Local", ["node-1"], {"node-1": to("192.168.1.10"), "node-2": NOTHING}, id="local only"),
        pytest.param("Cluster", [], {"node-1": NOTHING, "node-2": NOTHING}, id="no endpoint"),
    ],
)
def test_a_node_prefers_its_own_endpoint(
    policy: str, endpoints: list[str], expected: dict[str, frozenset[Rule]]
) -> None:
    one = endpoint_slice(service(policy), {name: NODES[name] for name in endpoints})
    assert rules([*NODE_OBJECTS, service(policy), one], ADDRESSES) == expected


def test_an_endpoint_that_is_not_ready_gets_no_traffic() -> None:
    one = endpoint_slice(service(), NODES)
    one["endpoints"][0]["conditions"]["ready"] = False
    found = rules([*NODE_OBJECTS, service(), one], ADDRESSES)
    assert found == {"node-1": to("192.168.1.11"), "node-2": to("192.168.1.11")}


def test_a_port_without_a_target_goes_to_the_same_port() -> None:
    bare = service()
    del bare["spec"]["ports"][0]["targetPort"]
    found = rules([*NODE_OBJECTS, bare, endpoint_slice(bare, NODES)], ADDRESSES)
    assert found["node-1"] == to("192.168.1.10", 80)


def test_a_service_without_an_address_has_no_rule() -> None:
    assert rules([*NODE_OBJECTS, service(), endpoint_slice(service(), NODES)], {}) == {
        "node-1": NOTHING,
        "node-2": NOTHING,
    }


def test_a_service_with_a_selector_gets_endpoints_on_every_node() -> None:
    (made,) = missing_slices([*NODE_OBJECTS, service()])
    assert [one["nodeName"] for one in made["endpoints"]] == ["node-1", "node-2"]
    assert made["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]
    assert missing_slices([*NODE_OBJECTS, service(), made]) == []


def test_a_service_without_a_selector_has_its_endpoints_written_by_hand() -> None:
    by_hand = service()
    del by_hand["spec"]["selector"]
    assert missing_slices([*NODE_OBJECTS, by_hand]) == []


def test_endpoints_made_here_go_with_their_service_and_others_stay() -> None:
    made = endpoint_slice(service(), NODES)
    by_hand = endpoint_slice(service(), NODES, managed_by="somebody")
    assert orphaned_slices([made, by_hand, service()]) == []
    assert orphaned_slices([made, by_hand]) == [made]


def test_rules_replace_what_was_there_in_one_transaction() -> None:
    text = script(to("192.168.1.10") | {Rule("2001:db8::5", "udp", 53, "2001:db8::a", 53)})
    assert text.splitlines() == [
        "flush map ip kube_proxy services",
        "add element ip kube_proxy services { 192.168.1.200 . tcp . 80 : 192.168.1.10 . 8080 }",
        "flush map ip6 kube_proxy services",
        "add element ip6 kube_proxy services { 2001:db8::5 . udp . 53 : 2001:db8::a . 53 }",
    ]
