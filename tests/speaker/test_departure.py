"""What the end of a speaker means, and how a node is drained."""

from typing import Any

import pytest

from herald.bgp.event import Leaving
from herald.cluster.meta import ObjectMeta
from herald.cluster.node import DRAIN_ANNOTATION, EXCLUDE_LABEL, Node, NodeCondition, NodeStatus
from herald.speaker.departure import Pod, departing
from herald.speaker.drain import DEFAULT_WAIT_S, LONGEST_WAIT_S, Drain, wait_s


def node(*, annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None, ready: Any = None) -> Node:
    meta = ObjectMeta(name="n", annotations=annotations or {}, labels=labels or {})
    return Node(metadata=meta, status=NodeStatus(conditions=(ready,) if ready else ()))


PLAIN = node()
DRAINED = node(annotations={DRAIN_ANNOTATION: "30s"})
EXCLUDED = node(labels={EXCLUDE_LABEL: ""})
STOPPING = node(ready=NodeCondition(type="Ready", status="False", message="[x, node is shutting down]"))
UNWELL = node(ready=NodeCondition(type="Ready", status="False", message="PLEG is not healthy"))
GOOD, BACK = Leaving.FOR_GOOD, Leaving.TO_RETURN


@pytest.mark.parametrize(
    ("found", "pod", "leaving", "words"),
    [
        (None, Pod.UNKNOWN, BACK, "the speaker stops"),
        (PLAIN, Pod.UNKNOWN, BACK, "the speaker stops"),
        (PLAIN, Pod.BEING_DELETED, BACK, "the speaker is replaced"),
        (PLAIN, Pod.STAYS, GOOD, "its pod stays"),
        (UNWELL, Pod.BEING_DELETED, BACK, "the speaker is replaced"),
        (STOPPING, Pod.BEING_DELETED, GOOD, "the node is shutting down"),
        (DRAINED, Pod.BEING_DELETED, GOOD, "the node is drained"),
        (DRAINED, Pod.UNKNOWN, GOOD, "the node is drained"),
        (EXCLUDED, Pod.BEING_DELETED, GOOD, "the node is out of service"),
        (node(annotations={DRAIN_ANNOTATION: "false"}), Pod.UNKNOWN, BACK, "the speaker stops"),
    ],
    ids=[
        "no-node",
        "plain-host",
        "rollout",
        "host-stops-unannounced",
        "unwell",
        "kubelet-shutdown",
        "drained-and-replaced",
        "drained",
        "label",
        "annotation-says-false",
    ],
)
def test_what_the_end_means(found: Node | None, pod: Pod, leaving: Leaving, words: str) -> None:
    told = departing(found, pod)
    assert told.leaving is leaving
    assert words in told.reason


def test_a_label_that_is_ignored_means_nothing_here_either() -> None:
    assert departing(EXCLUDED, Pod.UNKNOWN, ignore_exclude_lb=True).leaving is BACK


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("30s", 30.0),
        (" 1m ", 60.0),
        ("0s", 0.0),
        ("-5s", 0.0),
        ("", DEFAULT_WAIT_S),
        ("true", DEFAULT_WAIT_S),
        ("soon", DEFAULT_WAIT_S),
        ("1000h", LONGEST_WAIT_S),
    ],
)
def test_how_long_routers_have(wish: str, seconds: float) -> None:
    assert wait_s(wish) == seconds


def test_a_node_in_service_departs_and_is_then_drained() -> None:
    drain = Drain()
    drain.see(None, 100.0)
    assert (drain.is_departing(100.0), drain.deadline(100.0)) == (False, None)
    drain.see("30s", 200.0)
    assert (drain.is_departing(200.0), drain.deadline(200.0)) == (True, 230.0)
    drain.see("30s", 215.0)
    assert drain.deadline(215.0) == 230.0
    assert (drain.is_departing(230.0), drain.deadline(230.0)) == (False, None)
    drain.see(None, 300.0)
    drain.see("10s", 400.0)
    assert drain.deadline(400.0) == 410.0


def test_a_wish_that_is_changed_meanwhile_does_not_begin_anew() -> None:
    drain = Drain()
    drain.see(None, 0.0)
    drain.see("30s", 0.0)
    drain.see("60s", 10.0)
    assert drain.deadline(10.0) == 30.0


def test_who_starts_on_a_drained_node_has_nothing_to_take_leave_of() -> None:
    drain = Drain()
    drain.see("30s", 100.0)
    assert not drain.is_departing(100.0)
