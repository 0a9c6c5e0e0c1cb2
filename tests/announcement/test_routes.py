"""Merging and aggregating: the laws that make the order of contributions irrelevant."""

from ipaddress import ip_address, ip_network

import pytest
from announcement_facts import bgp, peer
from hypothesis import given
from hypothesis import strategies as st

from herald.announcement.routes import merge, pattern, routes_for
from herald.announcement.sessions import sessions_of
from herald.bgp.community import Community, LargeCommunity
from herald.bgp.route import RouteAttributes

communities = st.lists(st.integers(0, 5).map(Community), max_size=3, unique=True).map(
    lambda found: tuple(sorted(found, key=lambda c: c.sort_key))
)
large = st.lists(st.builds(LargeCommunity, st.integers(0, 2), st.just(0), st.just(0)), max_size=2, unique=True).map(
    lambda found: tuple(sorted(found, key=lambda c: c.sort_key))
)
attributes = st.builds(
    RouteAttributes,
    st.none() | st.integers(1, 3),
    communities,
    large,
    st.lists(st.integers(1, 2), max_size=3).map(tuple),
    st.none() | st.integers(1, 3),
    st.just(()),
    st.none() | st.integers(0, 2),
)


@given(st.lists(attributes, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_merging_does_not_care_about_order(wishes: list[RouteAttributes], rng: object) -> None:
    shuffled = list(wishes)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types the generator as object here
    assert merge(shuffled) == merge(wishes)


@given(st.lists(attributes, min_size=2, max_size=5), st.data())
def test_merging_does_not_care_about_grouping_or_repetition(wishes: list[RouteAttributes], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(wishes) - 1))
    assert merge([merge(wishes[:cut]), merge(wishes[cut:]), *wishes]) == merge(wishes)


def _before_med(attributes: RouteAttributes) -> tuple[int, int]:
    return attributes.local_pref or 0, len(attributes.prepend)


@given(st.lists(attributes, min_size=1, max_size=5))
def test_the_winner_is_one_of_the_wishes_and_no_community_is_lost(wishes: list[RouteAttributes]) -> None:
    found = merge(wishes)
    assert (found.local_pref, found.prepend, found.med) in [
        (wish.local_pref, wish.prepend, wish.med) for wish in wishes
    ]
    assert all((found.med or 0) <= (wish.med or 0) for wish in wishes if _before_med(wish) == _before_med(found))
    assert all((wish.local_pref or 0) <= (found.local_pref or 0) for wish in wishes)
    assert set(found.communities) == {c for wish in wishes for c in wish.communities}
    assert (found.link_bandwidth or 0) == max(wish.link_bandwidth or 0 for wish in wishes)
    assert set(found.large_communities) == {c for wish in wishes for c in wish.large_communities}


@pytest.mark.parametrize(
    ("address", "length", "prefix"),
    [
        ("10.0.0.1", 32, "10.0.0.1/32"),
        ("10.0.0.255", 24, "10.0.0.0/24"),
        ("10.0.0.65", 26, "10.0.0.64/26"),
        ("203.0.113.77", 1, "128.0.0.0/1"),
        ("fd00::ff", 128, "fd00::ff/128"),
        ("fd00::1:0:0:1", 64, "fd00::/64"),
    ],
)
def test_an_address_is_announced_as_the_prefix_that_contains_it(address: str, length: int, prefix: str) -> None:
    (session,) = sessions_of([peer("r", dual_stack_address_family=True)], {})
    (route,) = routes_for([ip_address(address)], pattern([bgp(v4=min(length, 32), v6=length)], session))
    assert route.prefix == ip_network(prefix)


def test_two_addresses_in_one_aggregate_are_one_route() -> None:
    (session,) = sessions_of([peer("r")], {})
    found = routes_for([ip_address("10.0.0.1"), ip_address("10.0.0.2")], pattern([bgp(v4=24)], session))
    assert [str(route.prefix) for route in found] == ["10.0.0.0/24"]
