"""The machine of a session, event by event: RFC 5880 §6.8."""

import random
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise

import pytest
from bfd_values import OURS, PACKET, PROFILE, THEIRS, brought_up, changes, hear, sent, session
from hypothesis import given
from hypothesis import strategies as st

from herald.bfd.control_packet import ControlPacket, Diagnostic, State
from herald.bfd.path import Hops, Path
from herald.bfd.session import (
    TRANSITIONS,
    Cause,
    Changed,
    EchoReceived,
    Event,
    ForwardingKnown,
    ProfileChanged,
    Received,
    SendEcho,
    Session,
    Shutdown,
)

S = State
# RFC 5880 §6.8.6, once more in its own words: (ours, theirs) → ours afterwards.
DIAGRAM = {
    (S.DOWN, S.ADMIN_DOWN): S.DOWN, (S.DOWN, S.DOWN): S.INIT, (S.DOWN, S.INIT): S.UP, (S.DOWN, S.UP): S.DOWN,
    (S.INIT, S.ADMIN_DOWN): S.DOWN, (S.INIT, S.DOWN): S.INIT, (S.INIT, S.INIT): S.UP, (S.INIT, S.UP): S.UP,
    (S.UP, S.ADMIN_DOWN): S.DOWN, (S.UP, S.DOWN): S.DOWN, (S.UP, S.INIT): S.UP, (S.UP, S.UP): S.UP,
    (S.ADMIN_DOWN, S.ADMIN_DOWN): S.ADMIN_DOWN, (S.ADMIN_DOWN, S.DOWN): S.ADMIN_DOWN,
    (S.ADMIN_DOWN, S.INIT): S.ADMIN_DOWN, (S.ADMIN_DOWN, S.UP): S.ADMIN_DOWN,
}  # fmt: skip


def in_state(state: State) -> Session:
    machine = session()
    machine.wake(0.0)
    match state:
        case State.DOWN:
            hear(machine, 0.0, state=State.ADMIN_DOWN)
        case State.INIT:
            hear(machine, 0.0, state=State.DOWN)
        case State.UP:
            machine = brought_up()
        case State.ADMIN_DOWN:
            machine.handle(Shutdown(), 0.0)
    assert machine.state is state
    return machine


@pytest.mark.parametrize(("ours", "theirs"), DIAGRAM, ids=lambda state: state.text)
def test_the_state_machine_is_that_of_the_rfc(ours: State, theirs: State) -> None:
    machine = in_state(ours)
    effects = hear(machine, 0.1, state=theirs)
    assert machine.state is DIAGRAM[ours, theirs]
    assert bool(changes(effects)) == (machine.state is not ours)
    if changes(effects) and machine.state is State.DOWN:
        assert machine.snapshot().diagnostic is Diagnostic.NEIGHBOR_SIGNALED_DOWN


def test_the_table_has_nothing_that_the_diagram_has_not() -> None:
    assert {pair: state for pair, (state, _) in TRANSITIONS.items()} == {
        pair: state for pair, state in DIAGRAM.items() if pair[0] is not state
    }


def test_the_first_packet_leaves_at_once_and_knows_nobody() -> None:
    machine = session()
    assert machine.deadline() == 0.0
    (packet,) = sent(machine.wake(0.0))
    assert packet == ControlPacket(State.DOWN, 3, OURS, 0, 1_000_000, 50_000)


def test_until_it_is_up_it_sends_a_packet_a_second_and_not_in_step() -> None:
    machine, times = session(), []
    for _ in range(50):
        now = machine.deadline()
        assert now is not None
        assert sent(machine.wake(now))
        times.append(now)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(0.75 <= gap <= 1.0 for gap in gaps)
    assert len({round(gap, 6) for gap in gaps}) > 40


def test_a_late_packet_does_not_delay_those_after_it() -> None:
    machine = brought_up()
    due = machine.deadline()
    assert due is not None
    machine.wake(due + 0.004)
    following = machine.deadline()
    assert following is not None
    assert due + 0.0375 <= following <= due + 0.05


def test_after_a_long_pause_packets_are_not_sent_in_a_burst() -> None:
    machine = brought_up()
    hear(machine, 5.0, state=State.UP)
    assert len(sent(machine.wake(5.0))) == 1
    following = machine.deadline()
    assert following is not None
    assert following >= 5.0 + 0.0375 / 2


def test_a_passive_session_waits_to_be_spoken_to() -> None:
    machine = session(replace(PROFILE, passive_mode=True))
    assert (machine.deadline(), machine.wake(3.0)) == (None, [])
    (packet,) = sent(hear(machine, 3.0, your_discriminator=0))
    assert (packet.state, packet.your_discriminator) == (State.INIT, THEIRS)
    assert machine.wake(3.0), "and goes on by itself"


def test_a_passive_session_is_silent_again_when_it_lost_the_peer() -> None:
    machine = brought_up(replace(PROFILE, passive_mode=True))
    effects = machine.wake(0.2)
    assert machine.state is State.DOWN
    assert sent(effects) == []
    assert machine.deadline() is None


def test_coming_up_asks_for_the_configured_intervals_by_a_poll() -> None:
    machine = in_state(State.INIT)
    (packet,) = sent(hear(machine, 0.1, state=State.INIT))
    assert (packet.state, packet.poll, packet.desired_min_tx_us) == (State.UP, True, 50_000)
    hear(machine, 0.2, state=State.UP, final=True)
    (packet,) = sent(machine.wake(machine.deadline() or 0))
    assert not packet.poll


def test_a_poll_is_answered_at_once_with_f_and_without_p() -> None:
    machine = in_state(State.INIT)
    (answer,) = sent(hear(machine, 0.1, state=State.INIT, poll=True))
    assert (answer.state, answer.final, answer.poll) == (State.UP, True, False)
    (own,) = sent(machine.wake(0.2))
    assert (own.poll, own.final) == (True, False), "our own poll is still to be answered"


@pytest.mark.parametrize("state", [State.INIT, State.UP])
def test_silence_for_the_detection_time_is_failure(state: State) -> None:
    machine = in_state(state)
    assert machine.snapshot().detection_time == pytest.approx(0.15)
    assert not changes(machine.wake(0.1499))
    effects = machine.wake(0.1501)
    assert changes(effects) == [
        Changed(state, State.DOWN, Diagnostic.DETECTION_TIME_EXPIRED, Cause.FAILURE),
    ]
    (packet,) = sent(effects)[:1]
    assert (packet.state, packet.diagnostic, packet.your_discriminator) == (State.DOWN, 1, 0)
    assert packet.desired_min_tx_us == 1_000_000


def test_a_packet_counts_from_when_it_came() -> None:
    machine = brought_up()
    machine.handle(Received(replace(PACKET, state=State.UP), 0.1), 0.4)
    assert machine.state is State.UP
    assert changes(machine.wake(0.249)) == []
    assert len(changes(machine.wake(0.251))) == 1


def test_one_who_is_late_to_read_and_finds_packets_has_lost_nobody() -> None:
    machine = brought_up()
    for number in range(1, 11):
        machine.handle(Received(replace(PACKET, state=State.UP), 0.05 * number), 0.5)
    assert changes(machine.wake(0.5)) == []
    assert machine.state is State.UP


def test_the_peers_shutdown_is_no_failure() -> None:
    (change,) = changes(hear(brought_up(), 0.1, state=State.ADMIN_DOWN, diagnostic=7))
    assert change == Changed(State.UP, State.DOWN, Diagnostic.NEIGHBOR_SIGNALED_DOWN, Cause.PEERS_WILL)


@pytest.mark.parametrize(
    ("packet", "cause"),
    [
        pytest.param({"diagnostic": 1}, Cause.FAILURE, id="it missed us"),
        pytest.param({"diagnostic": 2}, Cause.FAILURE, id="its echoes are lost"),
        pytest.param({"diagnostic": 5}, Cause.FAILURE, id="it says the path is down"),
        pytest.param({"diagnostic": 0}, Cause.FAILURE, id="for no reason, the same session"),
        pytest.param({"diagnostic": 3}, Cause.BEGAN_ANEW, id="because we were down, which we were not"),
        pytest.param(
            {"my_discriminator": 99, "your_discriminator": 0}, Cause.BEGAN_ANEW, id="another session that knows nobody"
        ),
        pytest.param({"my_discriminator": 99, "diagnostic": 1}, Cause.FAILURE, id="another session that missed us"),
    ],
)
def test_why_the_peer_is_down_is_told(packet: dict[str, int], cause: Cause) -> None:
    (change,) = changes(hear(brought_up(), 0.1, state=State.DOWN, **packet))
    assert (change.after, change.cause) == (State.DOWN, cause)


def test_who_is_asked_to_send_nothing_sends_nothing() -> None:
    machine = brought_up(required_min_rx_us=0)
    assert sent(machine.wake(0.1)) == []
    (answer,) = sent(hear(machine, 0.11, state=State.UP, poll=True, required_min_rx_us=0))
    assert answer.final


def test_in_demand_mode_of_the_peer_only_polls_are_sent() -> None:
    machine = brought_up()
    hear(machine, 0.1, state=State.UP, demand=True)
    assert sent(machine.wake(0.14)) == []
    (packet,) = sent(machine.handle(ProfileChanged(replace(PROFILE, transmit_interval_ms=100)), 0.14))
    assert packet.poll
    hear(machine, 0.15, state=State.UP, demand=True, final=True)
    assert sent(machine.wake(0.29)) == []
    assert machine.state is State.UP


def test_a_peer_that_wants_packets_more_often_gets_the_next_one_sooner() -> None:
    machine = brought_up(required_min_rx_us=10_000_000)
    before = machine.deadline()
    hear(machine, 0.1, state=State.UP, required_min_rx_us=50_000)
    after = machine.deadline()
    assert before is not None
    assert after is not None
    assert after <= 0.15


def test_a_new_profile_is_polled_for_and_takes_nothing_down() -> None:
    machine = brought_up()
    faster = replace(PROFILE, transmit_interval_ms=20, receive_interval_ms=30, detect_multiplier=5)
    (packet,) = sent(machine.handle(ProfileChanged(faster), 0.1))
    assert (packet.poll, packet.desired_min_tx_us, packet.required_min_rx_us) == (True, 20_000, 30_000)
    assert packet.detect_multiplier == 5
    assert machine.state is State.UP
    assert machine.handle(ProfileChanged(faster), 0.11) == []


def test_another_multiplier_alone_is_told_without_a_poll() -> None:
    (packet,) = sent(brought_up().handle(ProfileChanged(replace(PROFILE, detect_multiplier=9)), 0.1))
    assert (packet.poll, packet.detect_multiplier) == (False, 9)


def test_slower_receiving_does_not_wait_for_the_old_time() -> None:
    machine = brought_up()
    machine.handle(ProfileChanged(replace(PROFILE, receive_interval_ms=1000)), 0.1)
    assert changes(machine.wake(0.5)) == []
    assert machine.state is State.UP


def test_a_shutdown_says_that_it_is_one_and_stays() -> None:
    machine = brought_up()
    effects = machine.handle(Shutdown(), 0.1)
    (change,), (packet,) = changes(effects), sent(effects)
    assert (change.cause, packet.state, packet.diagnostic) == (Cause.OUR_WILL, State.ADMIN_DOWN, 7)
    assert [one.state for one in sent(machine.handle(Shutdown(), 0.12))] == [State.ADMIN_DOWN]
    assert changes(machine.wake(60.0)) == []


ECHOING = replace(PROFILE, echo_mode=True, echo_interval_ms=20)


def echoes(effects: list[object]) -> list[bytes]:
    return [effect.data for effect in effects if isinstance(effect, SendEcho)]


def test_echoes_run_only_where_the_peer_accepts_them_and_the_profile_asks_for_them() -> None:
    for profile, accepted, expected in ((ECHOING, 30_000, True), (ECHOING, 0, False), (PROFILE, 30_000, False)):
        machine = brought_up(profile, required_min_echo_rx_us=accepted)
        assert machine.snapshot().echo.running is expected
        assert bool(echoes([*machine.wake(0.01)])) is expected


def test_a_multihop_session_never_echoes_nor_says_that_it_loops_any() -> None:
    machine = session(ECHOING, Path(ip_address("10.0.0.1"), Hops.MULTI))
    (first,) = sent(machine.wake(0.0))
    assert first.required_min_echo_rx_us == 0
    for state in (State.DOWN, State.UP):
        hear(machine, 0.0, state=state, required_min_echo_rx_us=30_000)
    assert not machine.snapshot().echo.running


def test_the_echo_interval_is_said_only_with_echo_mode_on_a_host_that_forwards() -> None:
    said = []
    for profile, forwards in ((ECHOING, True), (ECHOING, False), (PROFILE, True)):
        machine = session(profile)
        assert machine.handle(ForwardingKnown(forwards), 0.0) == []
        said += [packet.required_min_echo_rx_us for packet in sent(machine.wake(0.0))]
    assert said == [20_000, 0, 0]


def test_once_echoes_are_looped_control_packets_are_asked_for_slowly_and_missing_echoes_are_failure() -> None:
    machine = brought_up(ECHOING, required_min_echo_rx_us=30_000)
    (echo,) = echoes([*machine.wake(0.01)])
    effects = machine.handle(EchoReceived(echo, 0.012), 0.012)
    (packet,) = sent(effects)
    assert (packet.poll, packet.required_min_rx_us) == (True, 1_000_000)
    hear(machine, 0.05, state=State.UP, required_min_echo_rx_us=30_000, final=True)
    assert changes(machine.wake(0.1)) == []
    (change,) = changes(machine.wake(0.103))
    assert (change.diagnostic, change.cause) == (Diagnostic.ECHO_FAILED, Cause.FAILURE)
    assert not machine.snapshot().echo.running


def test_a_peer_that_does_not_loop_is_watched_over_by_control_packets() -> None:
    machine = brought_up(ECHOING, required_min_echo_rx_us=30_000)
    for number in range(1, 100):
        machine.wake(0.05 * number)
        hear(machine, 0.05 * number, state=State.UP, required_min_echo_rx_us=30_000)
    snapshot = machine.snapshot()
    assert (machine.state, snapshot.echo.looped, snapshot.required_min_rx_us) == (State.UP, False, 50_000)
    assert snapshot.echo.sent < 8


def test_who_no_longer_accepts_echoes_gets_none_and_control_packets_count_again() -> None:
    machine = brought_up(ECHOING, required_min_echo_rx_us=30_000)
    (echo,) = echoes([*machine.wake(0.01)])
    machine.handle(EchoReceived(echo, 0.012), 0.012)
    hear(machine, 0.02, state=State.UP, required_min_echo_rx_us=30_000, final=True)
    (packet,) = sent(hear(machine, 0.03, state=State.UP, required_min_echo_rx_us=0))
    assert (packet.poll, packet.required_min_rx_us) == (True, 50_000)
    assert echoes([*machine.wake(0.06)]) == []


def test_the_snapshot_counts() -> None:
    machine = brought_up()
    machine.wake(0.2)
    snapshot = machine.snapshot()
    assert (snapshot.ups, snapshot.downs, snapshot.packets_in) == (1, 1, 3)
    assert (snapshot.state, snapshot.since, snapshot.down_at) == (State.DOWN, 0.2, 0.2)
    assert snapshot.down_diagnostic is Diagnostic.DETECTION_TIME_EXPIRED
    assert snapshot.remote is None


PACKETS = st.builds(
    ControlPacket,
    state=st.sampled_from(State),
    detect_multiplier=st.integers(1, 255),
    my_discriminator=st.integers(1, 3),
    your_discriminator=st.sampled_from([0, OURS]),
    desired_min_tx_us=st.sampled_from([0, 1, 10_000, 1_000_000, 2**32 - 1]),
    required_min_rx_us=st.sampled_from([0, 1, 10_000, 1_000_000, 2**32 - 1]),
    required_min_echo_rx_us=st.sampled_from([0, 1, 50_000, 2**32 - 1]),
    diagnostic=st.integers(0, 31),
    poll=st.booleans(),
    final=st.booleans(),
    demand=st.booleans(),
)
PROFILES = st.builds(
    replace,
    st.just(PROFILE),
    receive_interval_ms=st.sampled_from([10, 300, 60_000]),
    transmit_interval_ms=st.sampled_from([10, 300, 60_000]),
    detect_multiplier=st.sampled_from([2, 3, 255]),
    echo_mode=st.booleans(),
    passive_mode=st.booleans(),
)
INPUTS = st.one_of(
    st.tuples(st.just("packet"), PACKETS),
    st.tuples(st.just("echo"), st.binary(max_size=20)),
    st.tuples(st.just("own echo"), st.none()),
    st.tuples(st.just("profile"), PROFILES),
    st.tuples(st.just("wake"), st.sampled_from([0.0, 0.001, 0.1, 2.0, 10_000.0])),
    st.tuples(st.just("shutdown"), st.none()),
)


@given(PROFILES, st.lists(INPUTS, max_size=40), st.integers(0, 2**16))
def test_fuzz_any_order_of_events_keeps_the_machine_lawful(profile, inputs, seed) -> None:
    """Whatever comes: states follow the table, what is sent can be read, nothing is sent in a burst, time goes on."""
    machine = Session(Path(ip_address("10.0.0.1")), profile, OURS, random.Random(seed), 0.0)
    now, last_echo, received = 0.0, b"", 0
    for kind, value in inputs:
        state = machine.state
        event: Event | None = None
        match kind:
            case "packet":
                event, received = Received(value, max(0.0, now - 0.01)), received + 1
            case "echo":
                event = EchoReceived(value, now)
            case "own echo":
                event = EchoReceived(last_echo, now)
            case "profile":
                event = ProfileChanged(value)
            case "shutdown":
                event = Shutdown()
            case "wake":
                now += value
        effects = machine.wake(now) if event is None else machine.handle(event, now)
        assert len(sent(effects)) <= 3
        for packet in sent(effects):
            assert not (packet.poll and packet.final)
            assert packet.my_discriminator == OURS
            assert packet.state is machine.state or changes(effects)
            if machine.state is not State.UP:
                assert packet.desired_min_tx_us >= 1_000_000
        for change in changes(effects):
            assert change.before is state
            state = change.after
        assert machine.state is state
        if kind == "packet" and value.poll and machine.state is not State.ADMIN_DOWN:
            assert any(packet.final for packet in sent(effects))
        last_echo = next(iter(echoes([*effects])), last_echo)
        deadline = machine.deadline()
        if event is None:
            assert deadline is None or deadline > now
        snapshot = machine.snapshot()
        assert snapshot.packets_in == received
        assert snapshot.ups - snapshot.downs == (machine.state is State.UP)
