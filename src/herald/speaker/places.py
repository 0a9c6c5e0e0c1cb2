"""Where other speakers are, from a list that a user wrote: addresses, and names that are looked up again and again.

A name may have several addresses; all of them count. What a name meant last holds while it cannot be looked up, and one
that was never found does no harm to the others: it is said once, and tried again.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Final, TypeAlias

from herald.swim.member import Endpoint

LOOK_UP_EVERY_S: Final = 30.0
TRY_AGAIN_S: Final = 5.0
_PORT: Final = 7946
PATIENCE_S: Final = 2.0
"""Seconds for one look; the announcements wait for the first."""

Resolve: TypeAlias = Callable[[str], Awaitable[frozenset[str]]]
"""The addresses that a name has. Raises OSError."""

_log: Final = logging.getLogger("herald.speaker")


def split(place: str) -> tuple[str, int | None]:
    """Host and port of `host`, `host:7946`, `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]:7946`. Raises ValueError."""
    if is_address(place):
        found = Endpoint.parse(place, _PORT)
        has_port = place.endswith(f":{found.port}") and (place.startswith("[") or place.count(":") == 1)
        return str(found.address), found.port if has_port else None
    host, colon, port = place.partition(":")
    labels = host.rstrip(".").split(".")
    if len(host) > 253 or not all(_is_label(label) for label in labels):
        raise ValueError(f'"{place}" is neither an address nor the name of a host')
    if not colon:
        return host, None
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f'"{place}": the port must be 1 to 65535')
    return host, int(port)


def _is_label(label: str) -> bool:
    plain = label.replace("-", "a").replace("_", "a")
    return 0 < len(label) < 64 and plain.isascii() and plain.isalnum() and not label.isdecimal()


def is_address(place: str) -> bool:
    """Whether it is an address, with or without a port, and not a name."""
    try:
        Endpoint.parse(place, _PORT)
    except ValueError:
        return False
    return True


async def look_up(name: str) -> frozenset[str]:
    """As the host resolves it: its hosts file, its DNS. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return frozenset(str(address[0]).partition("%")[0] for *_, address in found)


class _Names:
    """What each name means, and which are not known."""

    def __init__(self, places: Iterable[str], resolve: Resolve) -> None:
        self._places = tuple(places)
        self._resolve = resolve
        self._meaning: dict[str, frozenset[str]] = {}
        self.unknown: dict[str, str] = {}

    async def look(self) -> frozenset[str]:
        """All places now, as addresses, with a port where one was given."""
        return frozenset().union(*await asyncio.gather(*map(self._mean, self._places)))

    async def _mean(self, place: str) -> frozenset[str]:
        if is_address(place):
            return frozenset({place})
        host, port = split(place)
        try:
            async with asyncio.timeout(PATIENCE_S):
                addresses = await self._resolve(host)
        except (OSError, TimeoutError) as error:
            self._complain(place, str(error) or "no answer in time")
            return self._meaning.get(place, frozenset())
        if self.unknown.pop(place, None) is not None:
            _log.info("speakers at %s: it can be looked up again", place, extra={"event": "joinNameKnown"})
        self._meaning[place] = frozenset(one if port is None else _with_port(one, port) for one in addresses)
        return self._meaning[place]

    def _complain(self, place: str, why: str) -> None:
        if place not in self.unknown:
            extra = {"event": "joinNameUnknown", "place": place, "error": why}
            text = "nobody can be found at %s of --ml-join: %s; it is looked up again, the others count"
            _log.warning(text, place, why, extra=extra)
        self.unknown[place] = why


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


async def found(
    places: Iterable[str],
    resolve: Resolve = look_up,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[frozenset[str], None]:
    """See `herald.speaker.control.Addresses`: the places as addresses, at first and whenever they have changed."""
    names = _Names(places, resolve)
    told: frozenset[str] | None = None
    while True:
        present = await names.look()
        if present != told:
            told = present
            yield present
        await sleep(TRY_AGAIN_S if names.unknown else LOOK_UP_EVERY_S)
