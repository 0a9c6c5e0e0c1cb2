import pytest

from herald.bgp import fsm
from herald.bgp.fsm import CONNECTED, TRANSITIONS, Input, State, UnexpectedInputError

PAIRS = [(state, happened) for state in State for happened in Input]


@pytest.mark.parametrize(("state", "happened"), PAIRS, ids=[f"{s.value}-{i.name}" for s, i in PAIRS])
def test_every_pair_follows_the_table_or_is_refused(state, happened):
    if (state, happened) in TRANSITIONS:
        assert fsm.next_state(state, happened) is TRANSITIONS[state, happened]
    else:
        with pytest.raises(UnexpectedInputError, match=f"{happened.name} is not possible in state {state.value}"):
            fsm.next_state(state, happened)


def test_stop_leads_to_idle_from_everywhere():
    assert {fsm.next_state(state, Input.STOP) for state in State} == {State.IDLE}


def test_every_state_is_reached_from_idle():
    reached, found = set(), {State.IDLE}
    while found:
        reached |= found
        found = {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached
    assert reached == set(State)


def test_only_a_keepalive_after_an_open_leads_to_established():
    ways = {pair for pair, after in TRANSITIONS.items() if after is State.ESTABLISHED and pair[0] is not after}
    assert ways == {(State.OPEN_CONFIRM, Input.KEEPALIVE)}


@pytest.mark.parametrize("state", CONNECTED)
def test_every_connected_state_can_end_for_every_reason(state):
    errors = (Input.MESSAGE_ERROR, Input.NOTIFICATION, Input.FSM_ERROR, Input.BFD_DOWN)
    for happened in (Input.TCP_FAILS, Input.HOLD_EXPIRES, *errors):
        assert fsm.next_state(state, happened) in {State.IDLE, State.ACTIVE}
