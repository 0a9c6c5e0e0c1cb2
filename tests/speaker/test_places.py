"""The list of hosts at which other speakers are: what may stand there, and what becomes of names."""

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import aclosing

import pytest

from herald.speaker.places import LOOK_UP_EVERY_S, TRY_AGAIN_S, found, look_up, split


@pytest.mark.parametrize(
    ("place", "host", "port"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", None, id="IPv4"),
        pytest.param("192.0.2.1:7000", "192.0.2.1", 7000, id="IPv4 and port"),
        pytest.param("2001:db8::1", "2001:db8::1", None, id="IPv6"),
        pytest.param("[2001:db8::1]:7000", "2001:db8::1", 7000, id="IPv6 and port"),
        pytest.param("edge-2.example.org", "edge-2.example.org", None, id="a name"),
        pytest.param("edge-2:7000", "edge-2", 7000, id="a name and port"),
    ],
)
def test_a_place_is_a_host_and_perhaps_a_port(place: str, host: str, port: int | None) -> None:
    assert split(place) == (host, port)


@pytest.mark.parametrize("place", ["", "a b", "edge:0", "edge:x", "300.1.1.1", "192.0.2", "-/", "[edge]", "x" * 64])
def test_what_is_no_place_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        split(place)


class Names:
    """What names mean, moment by moment; the last moment ends it."""

    def __init__(self, *moments: Mapping[str, frozenset[str]]) -> None:
        self.moments = moments
        self.now = 0
        self.waits: list[float] = []

    async def resolve(self, name: str) -> frozenset[str]:
        if name not in self.moments[self.now]:
            raise OSError("Name or service not known")
        return self.moments[self.now][name]

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += 1
        if self.now == len(self.moments):
            raise asyncio.CancelledError

    async def tells(self, *places: str) -> list[set[str]]:
        told: list[set[str]] = []
        async with aclosing(found(places, self.resolve, self.sleep)) as news:
            with contextlib.suppress(asyncio.CancelledError):
                async for one in news:
                    told += [set(one)]
        return told


A1, A2, A6 = "192.0.2.1", "192.0.2.2", "2001:db8::1"


async def test_names_are_looked_up_again_and_what_changes_is_told() -> None:
    names = Names({"b": frozenset({A1})}, {"b": frozenset({A1})}, {"b": frozenset({A2, A6})})
    assert await names.tells("b:7000") == [{f"{A1}:7000"}, {f"{A2}:7000", f"[{A6}]:7000"}]
    assert names.waits == [LOOK_UP_EVERY_S] * 3


async def test_a_name_that_is_not_known_is_said_once_and_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    names = Names({"b": frozenset({A1})}, {"b": frozenset({A1})}, {"b": frozenset({A1}), "c": frozenset({A2})})
    assert await names.tells("b", "c", A6) == [{A1, A6}, {A1, A2, A6}]
    assert names.waits == [TRY_AGAIN_S, TRY_AGAIN_S, LOOK_UP_EVERY_S]
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == [
        "nobody can be found at c of --ml-join: Name or service not known; it is looked up again, the others count"
    ]


async def test_what_a_name_meant_last_holds_while_it_cannot_be_looked_up() -> None:
    names = Names({"b": frozenset({A1})}, {}, {"b": frozenset({A1})})
    assert await names.tells("b") == [{A1}]


async def test_the_hosts_own_names_are_looked_up() -> None:
    assert "127.0.0.1" in await look_up("localhost")
    with pytest.raises(OSError, match=r"."):
        await look_up("nowhere.invalid")
