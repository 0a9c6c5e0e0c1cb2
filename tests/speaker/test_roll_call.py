"""Who is taken for alive, and when."""

from herald.speaker.roll_call import SETTLE_S, RollCall

ETH0, ETH1 = frozenset({"eth0"}), frozenset({"eth1"})
BOTH, ALONE = {"a": ETH0, "b": ETH1}, {"a": ETH0}


def test_nothing_is_concluded_before_the_first_engine_has_had_time_to_look_around() -> None:
    call = RollCall()
    call.connected(100.0)
    assert call.members(100.0) is None
    assert call.deadline() is None, "nothing comes of waiting before anything is reported"
    call.report(ALONE)
    assert call.members(100.1) is None
    assert call.deadline() == 100.0 + SETTLE_S
    call.report(BOTH)
    assert call.members(100.0 + SETTLE_S) == BOTH
    assert call.deadline() is None


def test_a_new_engine_misses_nobody_until_it_has_had_time_to_look_around() -> None:
    call = RollCall()
    call.connected(100.0)
    call.report(BOTH)
    call.members(101.0)
    call.connected(200.0)
    call.report(ALONE)
    assert call.members(200.1) == BOTH
    assert call.members(200.0 + SETTLE_S) == ALONE


def test_a_settled_engine_is_believed_at_once() -> None:
    call = RollCall()
    call.connected(100.0)
    call.report(BOTH)
    call.members(101.0)
    call.report(ALONE)
    assert call.members(101.01) == ALONE


def test_a_new_engine_that_has_not_read_the_interfaces_yet_makes_none_unknown() -> None:
    call = RollCall()
    call.connected(100.0)
    call.report(BOTH)
    call.members(101.0)
    call.connected(200.0)
    call.report({"a": None, "b": frozenset()})
    assert call.members(200.1) == {"a": ETH0, "b": frozenset()}, "what is reported counts, what is not is remembered"
    assert call.members(200.0 + SETTLE_S) == {"a": None, "b": frozenset()}


def test_an_engine_that_dies_twice_while_it_looks_around_loses_nothing_that_was_known() -> None:
    call = RollCall()
    call.connected(100.0)
    call.report(BOTH)
    call.members(101.0)
    call.connected(200.0)
    call.report({"a": None})
    call.connected(200.1)
    call.report({"a": None})
    assert call.members(200.2) == BOTH


def test_a_node_that_is_not_told_where_the_others_are_does_not_take_itself_to_be_alone_at_once() -> None:
    call = RollCall()
    call.connected(0.0, settle_s=3.0)
    call.report({"a": None})
    assert call.members(1.0) is None
    call.joined(1.0)
    assert call.members(1.5) is None
    call.report({"a": None, "b": None})
    assert call.members(1.7) == {"a": None, "b": None}


def test_who_is_never_told_goes_on_in_the_end() -> None:
    call = RollCall()
    call.connected(0.0, settle_s=3.0)
    call.report({"a": None})
    assert call.members(3.1) == {"a": None}


def test_notes_are_remembered_with_the_members_that_are() -> None:
    call = RollCall()
    call.connected(100.0)
    call.report(BOTH, {"a": b"one", "b": b"two"})
    call.members(101.0)
    call.connected(200.0)
    call.report(ALONE, {"a": b""})
    assert call.members(200.1) == BOTH
    assert call.notes() == {"a": b"", "b": b"two"}
    assert call.members(200.0 + SETTLE_S) == ALONE
    assert call.notes() == {"a": b""}
