"""What a heartbeat file contains, and what becomes of content that nobody should have written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.engine.beat import LARGEST_BEAT, GarbledBeatError, encode, interfaces_of, is_farewell

NAMES = st.frozensets(st.from_regex(r"[a-z][a-z0-9.@_-]{0,14}(/[46])?", fullmatch=True), max_size=50)


@given(st.none() | NAMES)
def test_what_is_written_is_read(interfaces: frozenset[str] | None) -> None:
    content = encode("7f3a9c21", 1042, interfaces)
    assert interfaces_of(content) == interfaces
    assert not is_farewell(content)


def test_the_file_is_what_its_description_shows() -> None:
    assert encode("7f3a9c21", 1042, frozenset({"eth1", "eth0"})) == "7f3a9c21 1042\ninterfaces/1 eth0 eth1\n"
    assert encode("7f3a9c21", 1042, frozenset()) == "7f3a9c21 1042\ninterfaces/1\n"
    assert encode("7f3a9c21", 1042, None) == "7f3a9c21 1042\n"


def test_no_interface_is_not_the_same_as_not_known() -> None:
    assert interfaces_of("abc 1\ninterfaces/1") == frozenset()
    assert interfaces_of("abc 1") is None


@pytest.mark.parametrize("content", ["left", "left\n"])
def test_a_farewell_is_one_however_its_line_ends(content: str) -> None:
    assert is_farewell(content)
    assert interfaces_of(content) is None


def test_more_interfaces_than_fit_are_told_as_not_known() -> None:
    content = encode("abc", 1, frozenset(f"veth{n:011}" for n in range(1100)))
    assert content == "abc 1\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("abc 1\ninterfaces/2 eth0", "'interfaces/2' is of another version", id="version"),
        pytest.param("abc 1\nrm -rf", "begins with 'rm' instead of interfaces/1", id="keyword"),
        pytest.param("abc 1\ninterfaces/1 eth0\nmore", "has 3 lines", id="lines"),
        pytest.param("abc 1\ninterfaces/1 eth0  eth1", "'' cannot be the name", id="empty name"),
        pytest.param("abc 1\ninterfaces/1 ../../etc", "'../../etc' cannot be the name", id="path"),
        pytest.param("abc 1\ninterfaces/1 " + "x" * 49, "cannot be the name", id="long name"),
        pytest.param("abc 1\ninterfaces/1 eth\x1b[2J", r"'eth\\x1b\[2J' cannot be the name", id="escape"),
        pytest.param("abc 1\ninterfaces/1 " + "e " * LARGEST_BEAT, "longer than 16384 octets", id="too long"),
        pytest.param("\ufffd" * (LARGEST_BEAT // 2), "longer than 16384 octets", id="octets, not characters"),
    ],
)
def test_interfaces_that_cannot_be_believed_are_refused_with_the_reason(content: str, complaint: str) -> None:
    with pytest.raises(GarbledBeatError, match=complaint):
        interfaces_of(content)


words_of_interfaces = st.binary(max_size=50) | st.text("a/46 :8", max_size=40).map(str.encode)


@given(st.binary(max_size=200) | words_of_interfaces.map(b"abc 1\ninterfaces/1 ".__add__))
def test_fuzz_any_octets_give_names_or_a_complaint_that_are_fit_for_a_log(data: bytes) -> None:
    try:
        words = interfaces_of(data.decode("utf-8", "replace")) or frozenset()
    except GarbledBeatError as error:
        words = frozenset({str(error)})
    assert all(text.isprintable() for text in words)
