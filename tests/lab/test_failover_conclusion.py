"""The top of docs/failover.md says what the figures say, whatever they are."""

from typing import Any

import pytest

from herald.lab.failover.conclusion import FLAPPING, conclusion


def phase(*silences: int, double: tuple[int, ...] = (), six: int = 0) -> dict[str, Any]:
    four = {"client": list(silences), "asker": [5] * len(silences), "double": list(double)}
    return {"IPv4": four, "IPv6": {**four, "client": [six or one for one in silences]}}


def result(*silences: int, double: tuple[int, ...] = (), six: int = 0) -> dict[str, Any]:
    struck, mended = phase(*silences, six=six), phase(*(5 for _ in silences), double=double)
    return {"runs": len(silences), "struck": struck, "mended": mended}


def record(cases: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"Herald": cases}


def test_the_conclusion_has_the_typical_and_the_worst_and_what_it_was() -> None:
    made = record({"killed": result(20, 21, 22), "frozen": result(180, 185, 358, double=(60, 40))})
    said = conclusion(made, ("killed", "frozen"))
    assert "* **Herald**: typically 21 to 185 ms, at worst 358 ms (frozen)." in said
    assert "Two nodes answered at a time for up to 60 ms (frozen)." in said


def test_frames_that_are_lost_are_told_beside_it() -> None:
    made = record({"frozen": result(180, 190), "frozen, 5 % loss": result(180, 190, 1275)})
    assert "Frozen, with 5 % loss of frames: 190 ms, at worst 1275 ms." in conclusion(made, ("frozen",))


def test_nothing_is_concluded_from_nothing() -> None:
    assert conclusion(record({}), ("frozen",)) == ""


@pytest.mark.parametrize(("six", "explained"), [(1765, True), (45, False)], ids=["longer", "alike"])
def test_the_wait_of_ipv6_is_explained_where_it_is_longer(six: int, explained: bool) -> None:
    made = record({"frozen": result(180), "50 flaps": result(41, six=six)})
    assert (FLAPPING in conclusion(made, ("frozen",))) is explained
