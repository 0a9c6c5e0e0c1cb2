"""Numbers and lists of names as messages have them."""

import pytest

from herald.config.wording import counted, listed, some


@pytest.mark.parametrize(("number", "text"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes")])
def test_a_noun_follows_its_number(number: int, text: str) -> None:
    assert counted(number, "node") == text


def test_an_irregular_plural_is_given() -> None:
    assert [counted(number, "address", "addresses") for number in (1, 2)] == ["1 address", "2 addresses"]


@pytest.mark.parametrize(("names", "text"), [("", ""), ("b", "b"), ("bac", "b, a, c"), ("fedcba", "f, e, d, c, b, a")])
def test_a_few_names_all_stand_there_in_their_order(names: str, text: str) -> None:
    assert some(names) == text


def test_of_many_names_the_first_ones_stand_there_and_the_number_of_the_others() -> None:
    assert some("gfedcba") == "g, f, e, d, c and 2 more"
    assert listed("gfedcba") == "a, b, c, d, e and 2 more"
