"""Who watches whom for fastFailover: both ends come to the same, and nobody has more than a handful."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from announcement_facts import config, ips, l2, pool, ready, service
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.decide import decide, line_of
from herald.announcement.sentries import MOST_PARTNERS, Line, chosen, pairs, partners_of
from herald.announcement.view import View
from herald.cluster.meta import NodeName

FEW = [NodeName(name) for name in ("a", "b", "c", "d", "e")]
MANY = [NodeName(f"n{number}") for number in range(40)]


def lines_of(nodes: list[NodeName]) -> st.SearchStrategy[list[Line]]:
    return st.lists(st.permutations(nodes).map(lambda order: tuple(order[:4])), max_size=60)


def line(text: str) -> Line:
    return tuple(map(NodeName, text.split()))


CASES: dict[str, tuple[list[str], dict[str, set[str]]]] = {
    "nothing": ([], {"a": set()}),
    "an owner without anybody in line": (["a"], {"a": set()}),
    "the owner and the next": (["a b"], {"a": {"b"}, "b": {"a"}}),
    "the owner and the next two, who watch each other too": (
        ["a b c"],
        {"a": {"b", "c"}, "b": {"a", "c"}, "c": {"a", "b"}},
    ),
    "no more than two": (["a b c d"], {"a": {"b", "c"}, "b": {"a", "c"}, "d": set()}),
    "many addresses, one session": (["a b", "a b", "b a"], {"a": {"b"}, "b": {"a"}}),
    "all in turn": (["a b c", "b c a", "c a b"], {"a": {"b", "c"}, "b": {"a", "c"}, "c": {"a", "b"}}),
}


@pytest.mark.parametrize(("lines", "expected"), CASES.values(), ids=CASES.keys())
def test_the_owner_and_those_next_in_line_watch_each_other(lines: list[str], expected: dict[str, set[str]]) -> None:
    given_lines = [line(text) for text in lines]
    assert {name: partners_of(NodeName(name), given_lines) for name in expected} == expected


@given(lines_of(MANY))
def test_both_ends_of_a_pair_choose_it(lines: list[Line]) -> None:
    partners = {name: partners_of(name, lines) for name in MANY}
    assert all(name in partners[other] for name in MANY for other in partners[name])


@given(lines_of(MANY))
def test_nobody_has_more_partners_than_a_handful(lines: list[Line]) -> None:
    assert all(len(partners_of(name, lines)) <= MOST_PARTNERS for name in MANY)


@given(lines_of(MANY), st.randoms(use_true_random=False))
def test_the_order_in_which_services_are_looked_at_does_not_matter(lines: list[Line], rng: random.Random) -> None:
    shuffled = rng.sample(lines, len(lines))
    assert chosen(pairs(shuffled)) == chosen(pairs(lines))


@given(lines_of(FEW))
def test_in_a_small_group_everybody_in_line_watches(lines: list[Line]) -> None:
    assert chosen(pairs(lines)) == pairs(lines).keys()


def test_where_not_all_fit_the_second_in_line_comes_before_the_third() -> None:
    hub, others = NodeName("hub"), MANY[:20]
    seconds = [(hub, other, third) for other, third in zip(others[:8], others[8:16], strict=True)]
    assert partners_of(hub, seconds) == frozenset(others[:8])


@given(lines_of(MANY))
def test_whoever_is_left_out_would_have_been_one_too_many(lines: list[Line]) -> None:
    wanted = pairs(lines)
    taken = chosen(wanted)
    count = Counter(name for both in taken for name in both)
    assert all(max(count[name] for name in both) == MOST_PARTNERS for both in wanted.keys() - taken)


@pytest.mark.parametrize("fast", [False, True])
def test_a_line_is_that_of_the_election_and_only_where_it_is_asked_for(fast: bool) -> None:
    view = View(config(pool("p", "10.0.0.0/24"), replace(l2(), fast_failover=fast)))
    addresses = ips("10.0.0.1")
    one = service("web", "10.0.0.1")
    decision = decide(one, addresses, ready("node-a"), view).layer2
    assert decision.candidates == ("node-b", "node-a", "node-c")
    assert decision.sentries == (("node-a", "node-c") if fast else ())
    assert line_of(one, addresses, ready("node-a"), view) == (decision.candidates if fast else ())
