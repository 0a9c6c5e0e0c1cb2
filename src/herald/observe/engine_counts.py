"""What the engine has counted, asked for over its show socket; the document is drawn in `herald.engine.counters`."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Final

import msgspec

from herald.observe.process_stats import ProcessStats

PATIENCE_S: Final = 4.0
LONGEST_ANSWER: Final = 16 * 1024 * 1024

_log: Final = logging.getLogger("herald.observe")


class SessionCounts(msgspec.Struct, frozen=True, rename="camel"):
    """One BGP session. Messages by the name of their type; `wanted` and `advertised` are prefixes."""

    peer: str
    endpoint: str
    established: bool
    wanted: int
    advertised: int
    ups: int
    flaps: int
    messages_in: dict[str, int]
    messages_out: dict[str, int]


class BfdCounts(msgspec.Struct, frozen=True, rename="camel"):
    """One BFD session. Echoes are our own: sent, and come back."""

    address: str
    up: bool
    packets_in: int
    packets_out: int
    echoes_in: int
    echoes_out: int
    ups: int
    downs: int


class ListenCounts(msgspec.Struct, frozen=True):
    """Connections that BGP peers have dialled. `shut`: places to listen at, that cannot be had."""

    accepted: int
    refused: dict[str, int]
    shut: int


class WatchedCounts(msgspec.Struct, frozen=True, rename="camel"):
    """A node that is watched for fast failover."""

    node: str
    up: bool
    false_alarms: int
    deaths: int


class FailoverCounts(msgspec.Struct, frozen=True):
    """`pauses`: how often this node itself did not run for a while."""

    watched: tuple[WatchedCounts, ...] = ()
    pauses: int = 0


class EngineCounts(msgspec.Struct, frozen=True, rename="camel"):
    """The document. `layer2`: requests, answers and gratuitous frames of each held address.

    `mute` counts interfaces, `in_use` addresses. `unreachable`: from, to, protocol.
    `bgp_listen` is None where nothing is to be taken.
    """

    bgp: tuple[SessionCounts, ...]
    bfd: tuple[BfdCounts, ...]
    bfd_dropped: dict[str, int]
    conflicts: int
    dropped: dict[str, int]
    send_failures: int
    process: dict[str, float]
    layer2: dict[str, tuple[int, int, int]]
    mute: int = 0
    in_use: int = 0
    unreachable: tuple[tuple[str, str, str], ...] = ()
    bgp_listen: ListenCounts | None = None
    failover: FailoverCounts | None = None

    @property
    def stats(self) -> ProcessStats:
        """What the engine costs."""
        return ProcessStats.of(self.process)


class _Answer(msgspec.Struct, frozen=True):
    data: EngineCounts


_DECODER: Final = msgspec.json.Decoder(_Answer)


async def ask(show_socket: Path | None) -> EngineCounts | None:
    """The counts now; None if the engine does not answer in time, which is said in the log at debug level.

    Without a socket there is nobody to ask.
    """
    if show_socket is None:
        return None
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _ask(show_socket)
    except (OSError, ValueError) as error:  # ValueError: too long, or not the document
        _log.debug("no counts of the engine: %s", error, extra={"event": "engineCounts", "error": str(error)})
        return None


async def _ask(show_socket: Path) -> EngineCounts:
    reader, writer = await asyncio.open_unix_connection(show_socket, limit=LONGEST_ANSWER)
    try:
        writer.write(json.dumps({"show": "counters"}).encode() + b"\n")
        return _DECODER.decode(await reader.readline()).data
    finally:
        writer.close()
