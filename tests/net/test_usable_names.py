"""What speakers tell of their usable interfaces, and what elections ask of it."""

import pytest

from herald.marks import WIDTH
from herald.net.usable_names import can_answer, digest, for_people, is_there, mark_word, split, words

MARK = mark_word(digest("eth0") >> (WIDTH - 20), 20)


@pytest.mark.parametrize(
    ("usable", "wanted", "ipv4", "ipv6"),
    [
        (["eth0"], ["eth0"], True, True),
        (["eth0/4"], ["eth0"], True, False),
        (["eth0/6"], ["eth0"], False, True),
        (["eth0/4", "eth1/6"], ["eth0", "eth1"], True, True),
        (["eth0"], ["eth1"], False, False),
        (["eth0/4"], None, True, False),
        ([], None, False, False),
        ([MARK], ["eth0"], True, True),
        ([f"{MARK}/6"], ["eth0"], False, True),
        ([f"{MARK}/6"], None, False, True),
        ([MARK], ["eth1"], False, False),
        (["eth0"], [], False, False),
    ],
)
def test_what_a_node_can_answer_for(usable: list[str], wanted: list[str] | None, ipv4: bool, ipv6: bool) -> None:
    told = frozenset(usable)
    assert (can_answer(told, wanted, 4), can_answer(told, wanted, 6)) == (ipv4, ipv6)
    assert is_there(told, wanted) == (ipv4 or ipv6)


def test_words_have_what_is_usable_and_nothing_of_what_is_not() -> None:
    families = {"a": frozenset({4, 6}), "b": frozenset({4}), "c": frozenset({6}), "d": frozenset[int]()}
    told = words(families)
    assert told == {"a", "b/4", "c/6"}
    assert dict(map(split, told)) == {name: found for name, found in families.items() if found}
    assert for_people(told) == "a b (IPv4 only) c (IPv6 only)"
    assert for_people(frozenset({MARK, f"{MARK}/4"})) == "2 interfaces, too many to name"
