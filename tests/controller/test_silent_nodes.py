"""Nodes that have fallen silent: what Kubernetes says of nodes and speakers, over time."""

import pytest

from herald.controller.silent_nodes import GRACE_S, Silence, SilentNodes, SpeakerPod

READY = {"speaker-a": SpeakerPod("n1", True)}
DEAD = {"speaker-a": SpeakerPod("n1", False)}


@pytest.mark.parametrize(
    ("nodes", "pods", "why"),
    [
        pytest.param({"n1": True}, READY, None, id="all is well"),
        pytest.param({"n1": None}, {"speaker-a": SpeakerPod("n1", None)}, None, id="nobody has said anything"),
        pytest.param({"n1": True}, {}, None, id="no speaker runs there, and its statuses went with its pod"),
        pytest.param({"n1": True}, {"speaker-a": SpeakerPod("", False)}, None, id="a pod that is not scheduled"),
        pytest.param({"n1": False}, READY, "node n1 is not ready", id="the node is not ready, the pod not judged yet"),
        pytest.param({"n1": False}, DEAD, "node n1 is not ready", id="the node is not ready, nor is its pod"),
        pytest.param({"n1": True}, DEAD, "its speaker, pod speaker-a, is not ready", id="the speaker is not ready"),
        pytest.param({}, READY, "there is no node n1 any more", id="the node is gone"),
        pytest.param(
            {"n1": True}, {**DEAD, "speaker-b": SpeakerPod("n1", True)}, None, id="one speaker goes, another came"
        ),
    ],
)
def test_who_is_silent(nodes: dict[str, bool | None], pods: dict[str, SpeakerPod], why: str | None) -> None:
    silent = SilentNodes()
    silent.see(nodes, pods, 0.0)
    assert silent.due(GRACE_S - 1) == ()
    assert silent.due(GRACE_S) == (() if why is None else (Silence("n1", why),))


def test_a_silence_is_told_once_and_a_new_one_again() -> None:
    silent = SilentNodes()
    silent.see({"n1": False}, {}, 0.0)
    (one,) = silent.due(GRACE_S)
    silent.told(one)
    silent.see({"n1": False}, DEAD, 100.0)
    assert silent.due(1000.0) == ()
    assert silent.deadline() is None
    silent.see({"n1": True}, READY, 1000.0)
    silent.see({"n1": True}, DEAD, 1001.0)
    assert silent.deadline() == 1001.0 + GRACE_S
    assert [each.node for each in silent.due(1001.0 + GRACE_S)] == ["n1"]


def test_who_speaks_again_in_time_was_not_silent() -> None:
    silent = SilentNodes()
    silent.see({"n1": True}, DEAD, 0.0)
    silent.see({"n1": True}, READY, GRACE_S - 1)
    silent.see({"n1": True}, DEAD, GRACE_S)
    assert silent.due(GRACE_S + 1) == ()
