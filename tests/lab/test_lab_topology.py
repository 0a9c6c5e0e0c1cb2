"""What iproute2 is told to build a topology."""

import pytest

from herald.lab.scenario import Scenario
from herald.lab.scenarios import SCENARIOS
from herald.lab.topology import (
    LONGEST_INTERFACE_NAME,
    Host,
    Route,
    Topology,
    Wire,
    host_setup,
    interface,
    port,
    segment_setup,
    wiring,
)

SMALL = Topology(
    segments=("lan",),
    hosts=(
        Host("router", (interface("eth0", "10.0.0.1/24", on="lan"), interface("eth1", "192.0.2.1/30")), forwards=True),
        Host("far", (interface("eth0", "192.0.2.2/30", "2001:db8::2/64"),), (Route("default", ("192.0.2.1",)),)),
    ),
    wires=(Wire(("router", "eth1"), ("far", "eth0")),),
)


def test_cables_run_between_namespaces() -> None:
    assert list(wiring(SMALL, "x-")) == [
        "link add eth0 netns x-router type veth peer name p-router netns x-lan",
        "link add eth1 netns x-router type veth peer name eth0 netns x-far",
    ]


def test_a_segment_is_a_bridge_with_its_cables_plugged_in() -> None:
    assert list(segment_setup(SMALL, "lan")) == [
        "link add br0 type bridge",
        "link set br0 up",
        "link set p-router master br0 up",
    ]


def test_a_host_gets_its_addresses_before_its_routes() -> None:
    assert list(host_setup(SMALL.host("far"))) == [
        "link set lo up",
        "link set eth0 up",
        "addr add 192.0.2.2/30 dev eth0",
        "addr add 2001:db8::2/64 dev eth0 nodad",
        "route add default via 192.0.2.1",
    ]


def test_several_gateways_make_one_equal_cost_route() -> None:
    host = Host("node", (interface("eth0", "10.0.0.9/24", on="lan"),), (Route("default", ("10.0.0.1", "10.0.0.2")),))
    assert list(host_setup(host))[-1] == "route add default nexthop via 10.0.0.1 nexthop via 10.0.0.2"


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        pytest.param("node-1", "eth0", "p-node-1", id="the usual interface"),
        pytest.param("node-1", "eth1", "p-node-1-eth1", id="a second one"),
        pytest.param("internet-router", "eth0", "p-internet-rout", id="cut to what the kernel takes"),
    ],
)
def test_a_cable_is_named_after_the_host_at_its_other_end(host: str, name: str, expected: str) -> None:
    assert port(host, name) == expected


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_cables_of_a_segment_have_different_names(scenario: Scenario) -> None:
    topology = scenario.blueprint.topology
    ports = [port(host.name, one.name) for host in topology.hosts for one in host.interfaces if one.on is not None]
    assert len(set(ports)) == len(ports)
    assert all(len(name) <= LONGEST_INTERFACE_NAME for name in ports)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("via 10.0.0.1, 192.0.2.2", "via router, far"),
        ("10.0.0.10 and 10.0.0.1", "10.0.0.10 and router"),
        ("10.0.0.1/32 via 2001:db8::2", "10.0.0.1/32 via far"),
        ("hold 90 s, 1.5 s, node-1 (8a:49:ec:07:b6:ce)", "hold 90 s, 1.5 s, node-1 (8a:49:ec:07:b6:ce)"),
    ],
)
def test_addresses_of_hosts_are_told_by_name(text: str, told: str) -> None:
    assert SMALL.named(text) == told


def test_only_hosts_that_forward_are_told_to() -> None:
    assert SMALL.host("router").sysctls()["net.ipv4.ip_forward"] == "1"
    assert "net.ipv4.ip_forward" not in SMALL.host("far").sysctls()
