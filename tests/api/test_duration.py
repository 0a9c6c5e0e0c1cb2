"""Durations in Go's syntax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.api.duration import DurationError, nanoseconds, parse

READ = [
    ("90s", 90.0),
    ("1m30s", 90.0),
    ("1h", 3600.0),
    ("1.5h", 5400.0),
    ("500ms", 0.5),
    ("2.9s", 2.9),
    (".5s", 0.5),
    ("5.s", 5.0),
    ("1us", 1e-6),
    ("1µs", 1e-6),
    ("1μs", 1e-6),
    ("1ns", 1e-9),
    ("0", 0.0),
    ("-0", 0.0),
    ("0s", 0.0),
    ("-1.5s", -1.5),
    ("+3s", 3.0),
    ("1s1s", 2.0),
    ("0.0000000001s", 0.0),
    ("2562047h47m16.854775807s", 9223372036.854775807),
]


@pytest.mark.parametrize(("text", "seconds"), READ, ids=[case[0] for case in READ])
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "3",
            "s",
            ".s",
            "3 s",
            " 3s",
            "3s ",
            "3s\n",
            "3d",
            "1w",
            "3S",
            "1e3s",
            "--3s",
            "3-s",
            "٣s",
            "3sec",
            "1:30",
        ),
        *("null", "2562047h47m16.854775808s", "9" * 300 + "s"),
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DurationError):
        nanoseconds(text)


def test_the_refusal_says_what_would_be_right() -> None:
    with pytest.raises(DurationError) as raised:
        parse("90")
    assert str(raised.value) == '"90" is not a duration; write a number and a unit, e.g. 90s, 1m30s or 500ms'


@given(st.integers(0, 2**63 - 1))
def test_nothing_is_lost_down_to_the_nanosecond(count: int) -> None:
    hours, rest = divmod(count, 3_600_000_000_000)
    seconds, fraction = divmod(rest, 1_000_000_000)
    assert nanoseconds(f"{hours}h{seconds}.{fraction:09d}s") == count


@given(st.text(max_size=30) | st.text(alphabet="0123456789.+-hmsunµ", max_size=30))
def test_fuzz_any_text_is_a_duration_or_an_error(text: str) -> None:
    try:
        count = nanoseconds(text)
    except DurationError:
        return
    assert abs(count) < 2**63
