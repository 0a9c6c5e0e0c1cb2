"""Two machines against each other, over a wire that loses, delays and breaks, with a clock of their own."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from bfd_values import PROFILE, Pair
from hypothesis import assume, given
from hypothesis import strategies as st

from herald.bfd.control_packet import Diagnostic, State
from herald.bfd.profile import BFDProfile
from herald.bfd.session import Cause, ProfileChanged, Shutdown

UP = (State.UP, State.UP)
SLOW = BFDProfile("slow", 300, 300, 3)
FAST = BFDProfile("fast", 10, 10, 3)
ECHO = BFDProfile("echo", 300, 300, 3, echo_interval_ms=20, echo_mode=True)
PROFILES = st.builds(
    BFDProfile,
    name=st.just("any"),
    receive_interval_ms=st.integers(100, 2000),
    transmit_interval_ms=st.integers(100, 2000),
    detect_multiplier=st.integers(2, 5),
    echo_interval_ms=st.integers(100, 500),
    echo_mode=st.booleans(),
)


def test_two_that_speak_are_up_within_three_packets() -> None:
    pair = Pair().run(3.0)
    assert pair.states == UP
    assert not pair.downs()


@given(PROFILES, PROFILES, st.integers(0, 2**16))
def test_whatever_is_configured_two_come_up_and_agree(left: BFDProfile, right: BFDProfile, seed: int) -> None:
    pair = Pair(left, right, seed=seed).run(12.0)
    assert pair.states == UP
    assert not pair.downs()
    for own, other, one in ((left, right, pair.ends[0]), (right, left, pair.ends[1])):
        snapshot = one.snapshot()
        assert not snapshot.polling
        echo = own.echo_mode and other.echo_mode
        assert snapshot.echo.looped is echo
        sending = max(
            own.transmit_interval_ms, max(1000, other.receive_interval_ms) if echo else other.receive_interval_ms
        )
        assert snapshot.transmit_interval == pytest.approx(sending / 1000)


@given(PROFILES, PROFILES, st.integers(0, 2**16))
def test_packets_leave_neither_too_often_nor_too_seldom(left: BFDProfile, right: BFDProfile, seed: int) -> None:
    pair = Pair(left, right, seed=seed).run(15.0)
    started = pair.now
    pair.run(8.0)
    for side, one in enumerate(pair.ends):
        interval = one.snapshot().transmit_interval
        assert interval is not None
        times = [at for at, sender, _ in pair.packets if sender == side and at > started]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(0.75 * interval - 1e-6 <= gap <= interval + 1e-6 for gap in gaps)


@pytest.mark.parametrize(
    ("profile", "detection"), [(FAST, 0.03), (PROFILE, 0.15), (SLOW, 0.9)], ids=["10 ms", "50 ms", "300 ms"]
)
def test_a_cut_wire_is_noticed_by_both_within_the_detection_time(profile: BFDProfile, detection: float) -> None:
    pair = Pair(profile, profile).run(5.0)
    pair.is_cut, cut_at = True, pair.now
    pair.run(2.0)
    assert [change.diagnostic for _, _, change in pair.downs()] == [Diagnostic.DETECTION_TIME_EXPIRED] * 2
    for at, _, change in pair.downs():
        assert detection * 2 / 3 - 0.001 <= at - cut_at <= detection + 0.001
        assert change.cause is Cause.FAILURE


@given(PROFILES, PROFILES, st.integers(0, 2**16))
def test_a_wire_that_is_whole_again_brings_both_up_again(left: BFDProfile, right: BFDProfile, seed: int) -> None:
    pair = Pair(left, right, seed=seed).run(10.0)
    pair.is_cut = True
    pair.run(20.0)
    assert State.UP not in pair.states
    pair.is_cut = False
    assert pair.run(12.0).states == UP


@given(st.integers(0, 2**16), st.floats(0.0, 0.02))
def test_jitter_below_the_interval_is_no_failure(seed: int, most: float) -> None:
    pair, rng = Pair(seed=seed), random.Random(seed)
    pair.delay = lambda: rng.uniform(0.0, most)
    pair.run(10.0)
    assert pair.states == UP
    assert not pair.downs()


@given(st.integers(0, 2**16), st.floats(0.0, 0.6))
def test_under_any_loss_both_go_on_trying_and_agree_once_it_ends(seed: int, loss: float) -> None:
    pair = Pair(seed=seed)
    pair.loss = loss
    pair.run(15.0)
    pair.loss = 0.0
    pair.run(8.0)
    settled = len(pair.changes)
    assert pair.states == UP
    pair.run(5.0)
    assert len(pair.changes) == settled


@given(
    PROFILES,
    PROFILES,
    st.lists(st.tuples(st.integers(0, 1), PROFILES, st.floats(0.0, 0.4)), max_size=8),
    st.integers(0, 2**16),
)
def test_parameters_change_while_up_without_a_single_down(left, right, edits, seed: int) -> None:
    """RFC 5880 §6.8.3: however they change, and however often, no end takes the other for dead."""
    pair = Pair(left, right, seed=seed).run(12.0)
    wanted = [left, right]
    for side, profile, pause in edits:
        wanted[side] = profile
        pair.tell(side, ProfileChanged(profile))
        pair.run(pause)
    pair.run(25.0)
    assert pair.states == UP
    assert not pair.downs()
    for own, one in zip(wanted, pair.ends, strict=True):
        snapshot = one.snapshot()
        assert (snapshot.polling, snapshot.desired_min_tx_us) == (False, own.transmit_interval_ms * 1000)


def test_a_change_is_in_force_within_a_round_trip() -> None:
    pair = Pair(SLOW, SLOW).run(5.0)
    pair.tell(0, ProfileChanged(FAST))
    pair.tell(1, ProfileChanged(FAST))
    pair.run(0.3)
    assert [one.snapshot().detection_time for one in pair.ends] == pytest.approx([0.03, 0.03])
    assert not pair.downs()


def test_two_passive_ends_wait_for_ever_and_one_is_enough() -> None:
    passive = replace(PROFILE, passive_mode=True)
    assert Pair(passive, passive).run(30.0).packets == []
    assert Pair(passive, PROFILE).run(4.0).states == UP


def test_a_shutdown_is_heard_as_one_and_brings_nothing_up_again() -> None:
    pair = Pair().run(3.0)
    pair.tell(0, Shutdown())
    pair.run(30.0)
    assert pair.states == (State.ADMIN_DOWN, State.DOWN)
    ((_, side, change),) = [entry for entry in pair.downs() if entry[1] == 1]
    assert (side, change.cause) == (1, Cause.PEERS_WILL)


def test_with_echoes_control_packets_are_slow_and_a_lost_loop_is_noticed_at_the_pace_of_echoes() -> None:
    pair = Pair(ECHO, ECHO).run(8.0)
    assert all(one.snapshot().echo.looped for one in pair.ends)
    recent = [at for at, side, _ in pair.packets if side == 0 and at > 5.0]
    assert len(recent) <= 5
    pair.loops, lost_at = False, pair.now
    pair.run(0.3)
    at, _, change = pair.downs()[0]
    assert change.diagnostic is Diagnostic.ECHO_FAILED
    assert at - lost_at <= 0.061
    assert pair.run(10.0).states == UP, "control packets still come, so both watch by them"
    assert not any(one.snapshot().echo.looped for one in pair.ends)


@given(st.integers(0, 2**16), st.integers(1, 40))
def test_detection_never_takes_longer_than_agreed(seed: int, tenths: int) -> None:
    pair = Pair(FAST, PROFILE, seed=seed).run(3.0 + tenths / 10)
    assume(pair.states == UP)
    times = [one.snapshot().detection_time for one in pair.ends]
    pair.is_cut, cut_at = True, pair.now
    pair.run(1.0)
    for at, side, _ in pair.downs():
        assert at - cut_at <= times[side] + 0.001
