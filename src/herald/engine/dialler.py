"""Dialling with a diagnosis: while a peer is silent, find out why.

A connection that comes up costs nothing more than the dialling. One that fails at once is explained by what the kernel
says. A peer that has not answered after `PROBE_SECONDS` is asked in other ways, and given up after `PATIENCE_SECONDS`,
so that the reason is known before an operator loses patience, two minutes before the kernel does:

* it is pinged
* with a password or key, an attempt is made without: a SYN and, if that is answered, a reset; no octet of BGP is sent
* its own SYNs are watched, also between attempts (see `syn_watch`)
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from herald.bgp.diagnosis import Cause, DiagnosedError, Evidence, Finding, Obstacle, diagnose
from herald.bgp.family import Address
from herald.bgp.parameters import PeerParameters
from herald.engine import icmp, rival, tcp
from herald.engine.syn_watch import SynWatch

PROBE_SECONDS: Final = 1.5
PATIENCE_SECONDS: Final = 6.0


class Dialler:
    """What is known of silent peers."""

    def __init__(self, is_on_link: Callable[[Address], bool]) -> None:
        """`is_on_link` says whether an address is in a subnet of this host."""
        self._is_on_link = is_on_link
        self._watch = SynWatch()

    async def dial(self, parameters: PeerParameters) -> socket.socket:
        """A connected, non-blocking socket to the peer. Raises `DiagnosedError`. Cancelled, it leaves nothing open."""
        await _refuse_if_taken(parameters)
        try:
            connected = await self._dial(parameters)
        except tcp.DialError as error:
            if error.obstacle is None:
                raise
            raise self._diagnosed(error, Evidence(reporter=error.reporter), error.obstacle, parameters) from error
        self._forget(parameters)
        return connected

    def close(self) -> None:
        """Watch nobody any more."""
        self._watch.close()

    async def _dial(self, parameters: PeerParameters) -> socket.socket:
        """Raises `DialError`, and `DiagnosedError` for silence."""
        probing = asyncio.get_running_loop().create_task(self._probe(parameters))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await tcp.dial(parameters)
        except TimeoutError as error:
            silence = tcp.DialError(f"timed out: no answer from {parameters.remote} within {PATIENCE_SECONDS:g} s")
            evidence = probing.result() if probing.done() else Evidence()
            raise self._diagnosed(silence, evidence, Obstacle.SILENCE, parameters) from error
        finally:
            # Not waited for: whoever gives this up here would leave a connection open. It has nothing to put in order.
            probing.cancel()

    async def _probe(self, parameters: PeerParameters) -> Evidence:
        await asyncio.sleep(PROBE_SECONDS)
        peer = parameters.peer_address
        assert peer is not None
        self._watch.begin(peer)
        scope = _scope(parameters)
        patience = PATIENCE_SECONDS - PROBE_SECONDS - 0.5
        pings, unsigned = await asyncio.gather(
            icmp.answers_ping(peer, parameters.source_address, scope, patience),
            _takes_unsigned(parameters, patience),
        )
        return Evidence(pings=pings, takes_unsigned=unsigned)

    def _diagnosed(
        self, error: OSError, evidence: Evidence, obstacle: Obstacle, parameters: PeerParameters
    ) -> DiagnosedError:
        peer = parameters.peer_address
        assert peer is not None
        if obstacle is not Obstacle.SILENCE:
            self._forget(parameters)
        on_link = peer.is_link_local or self._is_on_link(peer)
        seen = self._watch.verdict(peer, parameters.password)
        found = replace(evidence, on_link=on_link, peer_syn=seen)
        return DiagnosedError(str(error), diagnose(obstacle, parameters, found))

    def _forget(self, parameters: PeerParameters) -> None:
        if parameters.peer_address is not None:
            self._watch.forget(parameters.peer_address)


async def _refuse_if_taken(parameters: PeerParameters) -> None:
    """Raises `DiagnosedError` if another program of this node has the session."""
    peer = parameters.peer_address
    if peer is None or parameters.vrf is not None:
        return
    source = rival.source_towards(_place(parameters), parameters.source_address)
    if source is None:
        return
    found = await asyncio.to_thread(rival.find, peer, parameters.peer_port, source)
    if found is None:
        return
    raise DiagnosedError(
        f"not dialling {parameters.remote}: {found.name} of this node has a BGP connection with it from {source}",
        Finding(
            Cause.COLLISION,
            "the router knows one neighbour by that address, and a second connection could end the first",
            "give this BGPPeer another sourceAddress, or let one program of this node do all its BGP",
        ),
    )


async def _takes_unsigned(parameters: PeerParameters, patience: float) -> bool | None:
    """Whether it answers without a signature; None if we do not sign."""
    if parameters.password is None and parameters.tcp_ao is None:
        return None
    try:
        async with asyncio.timeout(patience):
            taken = await tcp.dial(replace(parameters, password=None, tcp_ao=None))
    except (TimeoutError, tcp.DialError):
        return False
    with taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return True


def _place(parameters: PeerParameters) -> tuple[str, int] | tuple[str, int, int, int]:
    peer = parameters.peer_address
    assert peer is not None
    return (str(peer), parameters.peer_port) if peer.version == 4 else (str(peer), 179, 0, _scope(parameters))


def _scope(parameters: PeerParameters) -> int:
    """The index of the interface of an unnumbered peer; 0 without one."""
    if parameters.interface is None:
        return 0
    with contextlib.suppress(OSError):
        return socket.if_nametoindex(parameters.interface)
    return 0
