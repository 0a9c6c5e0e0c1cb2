"""Suspicion, profiles, the queue of news, timers: what is counted and when."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.swim.broadcast import BroadcastQueue
from herald.swim.profile import HERALD, LAN, PROFILES, WAN, Profile, from_metallb
from herald.swim.suspicion import Suspicion
from herald.swim.timers import Timers


@pytest.mark.parametrize(
    ("profile", "members", "seconds"),
    [
        pytest.param(LAN, 3, (4.0, 4.0), id="nobody could confirm"),
        pytest.param(LAN, 4, (24.0, 11.381, 4.0), id="4"),
        pytest.param(LAN, 10, (24.0, 11.381, 4.0, 4.0), id="10, a third one changes nothing"),
        pytest.param(LAN, 20, (31.224, None, 5.204), id="20"),
        pytest.param(LAN, 50, (40.752, None, 6.792), id="50"),
        pytest.param(LAN, 100, (48.0, 22.762, 8.0), id="100"),
        pytest.param(LAN, 1000, (72.0, None, 12.0), id="1000"),
        pytest.param(WAN, 5, (30.0,), id="WAN, too few"),
        pytest.param(WAN, 6, (180.0, 115.398, 77.609, 50.797, 30.0), id="WAN"),
        pytest.param(WAN, 100, (360.0, None, None, None, 60.0), id="WAN, 100"),
        pytest.param(HERALD, 2, (0.35,), id="two alone"),
        pytest.param(HERALD, 3, (1.05, 0.35), id="three: one can confirm"),
    ],
)
def test_confirmations_shorten_the_time_of_a_suspect(
    profile: Profile, members: int, seconds: tuple[float | None, ...]
) -> None:
    suspicion = Suspicion("first", members, profile, 100.0)
    for number, expected in enumerate(seconds):
        if number:
            suspicion.confirm(f"another {number}")
        if expected is not None:
            assert suspicion.ends() - 100.0 == pytest.approx(expected, abs=0.0011)


def test_each_accuser_counts_once_and_no_more_than_needed() -> None:
    suspicion = Suspicion("a", 10, LAN, 0.0)
    assert [suspicion.confirm(name) for name in ("a", "b", "b", "c", "d")] == [False, True, False, True, False]
    assert suspicion.accused_by("b")
    assert not suspicion.accused_by("d")


@pytest.mark.parametrize(("members", "times"), [(1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (999, 12)])
def test_news_is_passed_on_more_often_in_larger_groups(members: int, times: int) -> None:
    assert LAN.retransmissions(members) == times


@pytest.mark.parametrize(("members", "factor"), [(32, 1), (33, 2), (50, 2), (100, 3), (1000, 6)])
def test_whole_states_are_exchanged_less_often_in_larger_groups(members: int, factor: int) -> None:
    assert LAN.push_pull_every(members) == 30.0 * factor


def test_the_least_sent_then_longest_then_newest_news_goes_first_until_it_is_old() -> None:
    queue = BroadcastQueue()
    for name, octets in (("a", b"aa"), ("b", b"bbbb"), ("c", b"cc"), ("d", b"dd")):
        queue.put(name, octets)
    assert queue.take(6 + 4, 10, 2) == [b"bbbb", b"dd"]
    assert queue.take(100, 10, 2) == [b"cc", b"aa", b"bbbb", b"dd"]
    assert queue.take(100, 10, 2) == [b"cc", b"aa"]
    assert queue.take(100, 10, 2) == []
    queue.put("a", b"old")
    queue.put("a", b"new")
    assert queue.take(100, 10, 2) == [b"new"]


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 10)), max_size=20), st.floats(0, 10))
def test_timers_come_in_order_and_each_once(given_: list[tuple[int, float]], by: float) -> None:
    timers: Timers[int] = Timers()
    for what, at in given_:
        timers.set(what, at)
    timers.cancel(3)
    timers.postpone(by)
    expected = {what: at + by for what, at in dict(given_).items() if what != 3}
    came = []
    while (deadline := timers.deadline()) is not None:
        assert timers.due(deadline - 0.001) is None
        due = timers.due(deadline)
        assert due is not None
        came.append((due, deadline))
    assert dict(came) == expected
    assert [at for _, at in came] == sorted(expected.values())


WHOLE = {
    "TCPTimeout": "5s",
    "PushPullInterval": "1m30s",
    "ProbeTimeout": "300ms",
    "ProbeInterval": "1.5s",
    "GossipInterval": "100ms",
    "GossipToTheDeadTime": "15s",
    "QueueCheckInterval": "30s",
    "IndirectChecks": 2,
    "RetransmitMult": 3,
    "SuspicionMult": 5,
    "SuspicionMaxTimeoutMult": 7,
    "AwarenessMaxMultiplier": 4,
    "GossipNodes": 5,
    "HandoffQueueDepth": 512,
    "UDPBufferSize": 1200,
    "DisableTcpPings": True,
    "GossipVerifyIncoming": False,
    "GossipVerifyOutgoing": True,
    "EnableCompression": False,
}


def test_metallbs_file_says_the_whole_profile() -> None:
    profile = from_metallb(json.dumps(WHOLE))
    assert (profile.tcp_timeout, profile.push_pull_interval, profile.probe_timeout) == (5.0, 90.0, 0.3)
    assert (profile.probe_interval, profile.gossip_interval, profile.gossip_to_the_dead) == (1.5, 0.1, 15.0)
    assert (profile.indirect_checks, profile.suspicion_mult, profile.confirmations) == (2, 5, 3)
    assert (profile.packet_octets, profile.tcp_pings, profile.compression) == (1200, False, False)
    assert (profile.verify_incoming, profile.verify_outgoing) == (False, True)


def test_a_number_or_truth_value_that_is_missing_stays_as_in_the_preset() -> None:
    durations = {name: value for name, value in WHOLE.items() if isinstance(value, str)}
    profile = from_metallb(json.dumps(durations))
    assert profile.verify_incoming
    assert profile.indirect_checks == LAN.indirect_checks


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param({"ProbeTimeout": None}, "ProbeTimeout: expected a duration", id="a duration is missing"),
        pytest.param({"ProbeTimeout": "fast"}, 'ProbeTimeout: "fast" is no duration', id="no duration"),
        pytest.param({"ProbeInterval": "0s"}, "less than a millisecond", id="no time at all"),
        pytest.param({"GossipNodes": "3"}, "GossipNodes: expected a whole number of 1 or more", id="text"),
        pytest.param({"GossipNodes": 0}, "GossipNodes: expected a whole number of 1 or more", id="nobody"),
        pytest.param({"EnableCompression": 1}, "EnableCompression: expected true or false", id="a number"),
        pytest.param({"GossipVerifyIncomming": True}, "GossipVerifyIncomming: there is no such field", id="misspelt"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(changed: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_metallb(json.dumps(WHOLE | changed))


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_a_file_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not JSON|expected an object"):
        from_metallb(text)


def test_there_is_a_profile_of_each_name() -> None:
    assert set(PROFILES) == {"herald", "lan", "wan"}
