"""A MAC that claims an address is named by the node that has it, where the kernel knows."""

from pathlib import Path

import pytest

from herald.cluster.meta import NamespacedName, NodeName, ObjectMeta
from herald.cluster.node import Node, NodeAddress, NodeStatus
from herald.layer2.conflict import Conflict
from herald.net.interface import Mac
from herald.net.ip_family import parse_address
from herald.speaker.happening import address_conflict
from herald.speaker.whose_mac import node_at

TABLE = """\
IP address       HW type     Flags       HW address            Mask     Device
192.168.1.12     0x1         0x2         02:42:AC:11:00:02     *        eth0
192.168.1.13     0x1         0x0         02:42:ac:11:00:03     *        eth0
192.168.1.14     0x1         0x6         02:42:ac:11:00:04     *        eth0
broken
"""


def node(name: str, address: str) -> Node:
    addresses = (NodeAddress(type="InternalIP", address=address),)
    return Node(metadata=ObjectMeta(name=name), status=NodeStatus(addresses=addresses))


NODES = [node("node-2", "192.168.1.12"), node("node-3", "192.168.1.13"), node("node-4", "192.168.1.14")]


@pytest.mark.parametrize(
    ("mac", "name"),
    [
        pytest.param("0242ac110002", "node-2", id="a neighbour"),
        pytest.param("0242ac110003", None, id="an entry that is not complete"),
        pytest.param("0242ac110004", "node-4", id="a permanent entry"),
        pytest.param("0242ac110009", None, id="nobody's"),
    ],
)
def test_the_node_of_a_mac(tmp_path: Path, mac: str, name: str | None) -> None:
    table = tmp_path / "arp"
    table.write_text(TABLE)
    assert node_at(Mac(bytes.fromhex(mac)), NODES, table) == name


def test_without_a_table_nobody_is_named(tmp_path: Path) -> None:
    assert node_at(Mac(bytes(6)), NODES, tmp_path / "arp") is None


@pytest.mark.parametrize(
    ("owner", "says"),
    [
        pytest.param(None, "02:42:ac:11:00:02 also claims 192.0.2.7, which", id="a stranger"),
        pytest.param("node-2", '02:42:ac:11:00:02 (node "node-2") also claims 192.0.2.7, which', id="a node"),
    ],
)
def test_a_conflict_names_the_node(owner: str | None, says: str) -> None:
    conflict = Conflict(parse_address("192.0.2.7"), "eth0", Mac(bytes.fromhex("0242ac110002")))
    event = address_conflict(NamespacedName("default", "web"), conflict, NodeName("node-1"), owner)
    assert event.message.startswith(says)
