"""What is told of ways between speakers that are closed: events once, the status whole, nodes by their names."""

from collections.abc import Iterable, Mapping

import pytest

from herald.announcement.reason import Reason
from herald.cluster.meta import NamespacedName, NodeName, ObjectMeta
from herald.cluster.node import Node, NodeAddress, NodeStatus
from herald.engine.link import ClosedWay, SessionFact
from herald.net.ip_family import IPAddress
from herald.speaker.decider import Decider, Options, Step
from herald.speaker.reachability import Reachability, named
from herald.speaker.status_book import Slot, StatusBook
from herald.speaker.status_object import Judgement, StatusKind, Trouble
from herald.speaker.status_wish import StatusWish
from herald.store.store import Changes, Event, Synced

CONFIGURATION = Slot(StatusKind.CONFIGURATION, "")
UDP = ClosedWay("node-1", "node-2", "udp", 7946, "no ping is answered")
TCP = ClosedWay("node-1", "node-2", "tcp", 7946, "no answer in time")

ADDRESSES = (NodeAddress(type="InternalIP", address="10.0.0.2"), NodeAddress(type="Hostname", address="node-2"))
NODE_2 = Node(metadata=ObjectMeta(name="node-2"), status=NodeStatus(addresses=ADDRESSES))


class Written:
    """A publisher that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ways: list[tuple[ClosedWay, ...]] = []

    def took(self, batch: Changes) -> None: ...

    def note(self, step: Step) -> None: ...

    def settle(self) -> None: ...

    def see(self, sessions: Iterable[SessionFact]) -> None: ...

    def answer(self, troubles: Mapping[IPAddress, Trouble]) -> None: ...

    def silent(self, service: NamespacedName, reason: Reason | None) -> None: ...

    async def run(self) -> None: ...

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def reach(self, ways: tuple[ClosedWay, ...]) -> None:
        self.ways.append(ways)


def knowing(decider: Decider, *nodes: Node) -> Decider:
    """It knows these nodes, and who is alive."""
    decider.see({decider.options.node: None})
    decider.take(Synced(nodes))
    return decider


def test_each_way_is_told_once_when_it_closes_and_once_when_it_opens() -> None:
    written = Written()
    reachability = Reachability(knowing(Decider(Options(NodeName("node-1")))), written)
    for seen in ((), (UDP,), (UDP,), (UDP, TCP), (TCP,), ()):
        reachability.see(seen)
    assert [(event.about.kind, event.about.name, event.reason) for event in written.events] == [
        ("Node", "node-1", "SpeakerUnreachable"),
        ("Node", "node-1", "SpeakerUnreachable"),
        ("Node", "node-1", "SpeakerReachable"),
        ("Node", "node-1", "SpeakerReachable"),
    ]
    assert written.events[0].message == (
        "node-1 → node-2 udp/7946 unreachable: no ping is answered. Speakers need UDP port 7946 both ways"
    )
    assert written.ways == [(UDP,), (TCP, UDP), (TCP,), ()]


def test_what_was_found_before_the_nodes_were_listed_is_told_afterwards_and_by_their_names() -> None:
    written, decider = Written(), Decider(Options(NodeName("node-1")))
    reachability = Reachability(decider, written)
    reachability.see([ClosedWay("node-1", "10.0.0.2", "tcp", 7946, "no answer in time")])
    reachability.look_again()
    assert (written.events, written.ways) == ([], [])
    knowing(decider, NODE_2)
    reachability.look_again()
    reachability.look_again()
    assert written.ways == [(TCP,)]
    assert [event.reason for event in written.events] == ["SpeakerUnreachable"]


@pytest.mark.parametrize(
    ("way", "ends"),
    [
        pytest.param(ClosedWay("node-1", "10.0.0.2", "tcp", 7946, "x"), "node-1 → node-2 tcp/7946", id="a node's"),
        pytest.param(ClosedWay("10.0.0.2", "node-1", "udp", 7946, "x"), "node-2 → node-1 udp/7946", id="from it"),
        pytest.param(ClosedWay("node-1", "10.0.0.9", "udp", 7946, "x"), "node-1 → 10.0.0.9 udp/7946", id="nobody's"),
    ],
)
def test_an_address_is_named_by_its_node(way: ClosedWay, ends: str) -> None:
    assert [one.ends for one in named([way], [NODE_2])] == [ends]


def test_the_status_of_the_speaker_says_it_beside_the_configuration() -> None:
    book, decider = StatusBook(), Decider(Options(NodeName("node-1")))
    wish = StatusWish(decider, book)
    wish.reach((UDP,))
    assert book.wanted(CONFIGURATION) is None, "nothing is known of the configuration yet"
    wish.judge()
    assert book.wanted(CONFIGURATION) == Judgement("", "node-1 → node-2 udp/7946 unreachable: no ping is answered")
    wish.reach(())
    assert book.wanted(CONFIGURATION) == Judgement()
