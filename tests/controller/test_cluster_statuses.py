"""What the controller writes into a cluster, as values: bodies of patches, ConfigurationState, statuses of peers."""

import msgspec
import pytest

from herald.api.bgp_peer import BGPPeer, BGPPeerSpec, BGPPeerStatus
from herald.api.bgp_session_status import BGPSessionStatus, BGPSessionStatusStatus
from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.config.findings import ObjectKey, problem
from herald.controller import state
from herald.controller.peer_status import SessionCount
from herald.store.kubernetes.writer import body_of
from herald.store.store import StatusPatch, service_key

WEB = service_key(NamespacedName("default", "web"))
POOL = ObjectKey("IPAddressPool", "metallb-system", "prod")


@pytest.mark.parametrize(
    ("patch", "body"),
    [
        pytest.param(
            StatusPatch(
                WEB, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]}}, {"p": "x"}, "7"
            ),
            {
                "metadata": {
                    "resourceVersion": "7",
                    "annotations": {"p": "x", "herald.metallb.io/claimed-addresses": "192.0.2.1,2001:db8::1"},
                },
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]}},
            },
            id="addresses are given, and claimed in the same request",
        ),
        pytest.param(
            StatusPatch(WEB, {"loadBalancer": {}}, {"p": None}, "8"),
            {
                "metadata": {
                    "resourceVersion": "8",
                    "annotations": {"p": None, "herald.metallb.io/claimed-addresses": None},
                },
                "status": {"loadBalancer": {"ingress": None}},
            },
            id="addresses are taken away, and so is the claim",
        ),
        pytest.param(
            StatusPatch(POOL, {"assignedIPv4": 3}),
            {"metadata": {}, "status": {"assignedIPv4": 3}},
            id="a pool",
        ),
    ],
)
def test_a_merge_patch_says_everything_that_is_ours_and_nothing_else(patch: StatusPatch, body: object) -> None:
    assert body_of(patch) == body


def test_the_configuration_is_valid_until_a_pool_is_not() -> None:
    assert state.wanted([])["result"] == "Valid"
    wrong = problem("HL200", POOL, "spec.addresses[0]", "the range ends before it starts")
    peer = problem("HL200", ObjectKey("BGPPeer", "metallb-system", "tor"), "", "no matter here")
    found = state.wanted([peer, wrong])
    assert found["result"] == "Invalid"
    (condition,) = found["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "ConfigurationError")
    assert condition["message"] == found["errorSummary"] == f"configuration error: {wrong}"
    assert state.wanted([peer])["result"] == "Valid"
    assert state.dated(found, "2026-01-01T00:00:00Z")["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_a_condition_keeps_its_time_until_it_holds_otherwise() -> None:
    valid = state.wanted([])
    before = state.dated(valid, "2026-01-01T00:00:00Z")["conditions"]
    assert state.dated(valid, "2026-02-02T00:00:00Z", before)["conditions"] == before
    invalid = state.wanted([problem("HL200", POOL, "spec.addresses[0]", "no range")])
    (changed,) = state.dated(invalid, "2026-02-02T00:00:00Z", before)["conditions"]
    assert changed["lastTransitionTime"] == "2026-02-02T00:00:00Z"


def session(peer: str, up: bool) -> BGPSessionStatus:
    return BGPSessionStatus(
        metadata=ObjectMeta(name="x"), status=BGPSessionStatusStatus(peer=peer, state="Established" if up else "Down")
    )


def peer(name: str, status: BGPPeerStatus | None = None) -> BGPPeer:
    metadata = ObjectMeta(name=name, namespace="metallb-system")
    return BGPPeer(metadata=metadata, spec=BGPPeerSpec(my_asn=64500), status=status or BGPPeerStatus())


def test_a_peer_says_how_many_of_its_sessions_are_up_and_only_when_that_is_news() -> None:
    count = SessionCount()
    assert count.patches([peer("tor")]) == ()
    count.put("n1-tor", session("tor", True))
    count.put("n2-tor", session("tor", False))
    count.put("n1-spine", session("spine", True))
    (patch,) = count.patches([peer("tor")])
    assert patch.status == {"sessions": "1/2", "sessionsUp": 1, "sessionsWanted": 2}
    told = peer("tor", msgspec.convert(patch.status, BGPPeerStatus))
    assert count.patches([told]) == ()
    count.remove("n2-tor")
    assert [each.status["sessions"] for each in count.patches([told])] == ["1/1"]
    count.begin()
    count.end()
    assert [each.status["sessions"] for each in count.patches([told])] == ["0/0"]
