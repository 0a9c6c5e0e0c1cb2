"""Streams of strangers: how many are kept, for how long, and that members get in whatever they do."""

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from herald.swim.door import MOST_OCTETS, MOST_OF_KNOWN, MOST_OF_STRANGER, MOST_OF_STRANGERS, MOST_STREAMS, Door

MEMBER = IPv4Address("10.0.0.1")


def stranger(number: int) -> IPv4Address:
    return IPv4Address(0xC0000200 + number)


def test_of_one_stranger_the_oldest_streams_are_closed() -> None:
    door = Door()
    closed = [door.open(number, stranger(1), is_known=False) for number in range(MOST_OF_STRANGER + 2)]
    assert closed == [[]] * MOST_OF_STRANGER + [[0], [1]]
    assert len(door) == MOST_OF_STRANGER


def test_many_strangers_get_half_of_the_streams_and_members_are_let_in_beside_them() -> None:
    door = Door()
    for number in range(1000):
        door.open(number, stranger(number), is_known=False)
    assert len(door) == MOST_OF_STRANGERS
    for number in range(MOST_OF_KNOWN):
        assert door.open(2000 + number, MEMBER, is_known=True) == []


def test_who_comes_last_is_let_in_while_one_waits_that_has_said_nothing() -> None:
    door = Door()
    for number in range(MOST_OF_STRANGERS):
        door.open(number, stranger(number), is_known=False)
        door.said(number) if number != 30 else None
    assert door.open(500, stranger(500), is_known=False) == [30]
    door.said(500)
    assert door.open(501, stranger(501), is_known=False) == [501], "all others are being answered"
    door.close(7)
    assert door.open(502, stranger(502), is_known=False) == []


def test_where_too_much_is_held_strangers_go_first_and_of_them_who_holds_most() -> None:
    door = Door()
    quarter = MOST_OCTETS // 4
    door.open(0, MEMBER, is_known=True)
    assert door.hold(0, 2 * quarter) == []
    for number in (1, 2):
        door.open(number, stranger(number), is_known=False)
    assert door.hold(1, quarter - 1) == []
    assert door.hold(2, quarter) == []
    assert door.hold(0, 2 * quarter + 2) == [2]
    assert door.hold(0, 3 * quarter + 2) == [1]
    assert door.hold(0, MOST_OCTETS) == []
    assert door.hold(2, MOST_OCTETS) == [], "it is gone already"
    door.open(3, stranger(3), is_known=False)
    assert door.hold(3, 1) == [3]


def test_what_was_brought_whole_is_not_counted_any_more() -> None:
    door = Door()
    for number in range(4):
        door.open(number, stranger(number), is_known=False)
        assert door.hold(number, MOST_OCTETS) == []
        door.said(number)
    assert door.octets == 0


steps = st.one_of(
    st.tuples(st.just("open"), st.integers(0, 12), st.booleans()),
    st.tuples(st.just("hold"), st.integers(0, 300), st.integers(0, MOST_OCTETS)),
    st.tuples(st.just("said"), st.integers(0, 300), st.none()),
    st.tuples(st.just("close"), st.integers(0, 300), st.none()),
)


@given(st.lists(steps, max_size=300))
def test_fuzz_whatever_strangers_do_the_limits_hold(done: list[tuple[str, int, int | None]]) -> None:
    door, opened, held = Door(), dict[int, tuple[int, bool]](), dict[int, int]()
    for turn, (what, number, more) in enumerate(done):
        gone: list[int] = []
        if what == "open":
            opened[turn] = (number, bool(more))
            gone = door.open(turn, stranger(number), is_known=bool(more))
        elif what == "hold" and more is not None:
            if number in opened:
                held[number] = more
            gone = door.hold(number, more)
        elif what == "said":
            door.said(number)
            held.pop(number, None)
        else:
            door.close(number)
            gone = [number]
        for one in gone:
            opened.pop(one, None)
            held.pop(one, None)
        assert len(door) == len(opened) <= MOST_STREAMS
        assert door.octets == sum(held.values()) <= MOST_OCTETS
        known = [one for one, is_known in opened.values() if is_known]
        others = [one for one, is_known in opened.values() if not is_known]
        assert len(others) <= MOST_OF_STRANGERS
        assert all(known.count(one) <= MOST_OF_KNOWN + MOST_OF_STRANGER for one in known)
        assert all(others.count(one) <= MOST_OF_KNOWN for one in others)
