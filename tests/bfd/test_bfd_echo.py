"""The echo function of one session."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.bfd.echo import OCTETS, Echo, discriminator_of


def running(multiplier: int = 3) -> Echo:
    echo = Echo(7, random.Random(1))
    echo.run(0.05, multiplier, 0.0)
    return echo


def one(echo: Echo, now: float) -> bytes:
    data = echo.due(now)
    assert data is not None
    return data


def test_nothing_is_sent_unless_it_runs() -> None:
    echo = Echo(7, random.Random(1))
    assert (echo.running, echo.due(5.0), echo.deadline(), echo.failed(5.0)) == (False, None, None, False)


def test_until_one_comes_back_echoes_are_slow_and_their_absence_means_nothing() -> None:
    echo = running()
    times = [tick / 100 for tick in range(1000) if echo.due(tick / 100) is not None]
    assert all(0.75 <= later - earlier <= 1.01 for earlier, later in pairwise(times))
    assert not echo.failed(10.0)


def test_once_one_came_back_the_next_is_sent_at_once_and_silence_is_failure() -> None:
    echo = running()
    assert echo.returned(one(echo, 0.0), 0.002, 0.002)
    assert echo.looped
    assert echo.round_trip == pytest.approx(0.002)
    assert echo.deadline() == 0.002
    assert one(echo, 0.002)
    assert not echo.failed(0.1519)
    assert echo.failed(0.1521)


def test_an_echo_counts_once() -> None:
    echo = running()
    data = one(echo, 0.0)
    assert echo.returned(data, 0.001, 0.001)
    assert not echo.returned(data, 0.002, 0.002)


def test_an_older_echo_than_the_last_does_not_count() -> None:
    echo = running()
    first = one(echo, 0.0)
    second = one(echo, 1.0)
    assert echo.returned(second, 1.001, 1.001)
    assert not echo.returned(first, 1.002, 1.002)


def test_the_echo_of_a_former_run_does_not_count() -> None:
    echo = running()
    old = one(echo, 0.0)
    echo.stop()
    echo.run(0.05, 3, 1.0)
    one(echo, 1.0)
    assert not echo.returned(old, 1.001, 1.001)


def test_another_interval_holds_at_once_and_keeps_the_run() -> None:
    echo = running()
    echo.returned(one(echo, 0.0), 0.0, 0.0)
    echo.run(0.2, 5, 0.01)
    assert echo.detection_time == 1.0
    assert not echo.failed(1.0)
    assert echo.returned(one(echo, 0.01), 0.012, 0.012)


@given(st.binary(max_size=40))
def test_fuzz_nobody_else_makes_an_echo_of_ours(data: bytes) -> None:
    echo = running()
    one(echo, 0.0)
    assert not echo.returned(data, 0.001, 0.001)
    assert discriminator_of(data) == (None if len(data) < OCTETS else int.from_bytes(data[:4], "big"))
