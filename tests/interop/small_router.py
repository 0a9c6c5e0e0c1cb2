"""A small router: it accepts BGP sessions and reads whole messages. Not Herald's engine, but Herald's codec."""

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_address

from herald.bgp import message
from herald.bgp.capability import FourOctetAs, Multiprotocol
from herald.bgp.family import Family, Prefix
from herald.bgp.message import Framer, Keepalive, Message, Open, Update
from herald.bgp.path_attribute import WireContext

WIRE = WireContext()
OPEN = Open(64501, 90, ip_address("10.50.0.1"), (Multiprotocol(Family.IPV4_UNICAST), FourOctetAs(64501)))
OPEN_BOTH = replace(OPEN, capabilities=(*OPEN.capabilities, Multiprotocol(Family.IPV6_UNICAST)))


class Router:
    """Accepts one session after another and reads whole messages."""

    def __init__(self, listener: socket.socket, *, both_families: bool = False) -> None:
        self._listener = listener
        self._open = OPEN_BOTH if both_families else OPEN
        self._talk: socket.socket | None = None
        self._framer = Framer()
        self._heard: list[Message] = []

    async def accept_session(self) -> None:
        async with asyncio.timeout(10):
            self._talk, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        self._talk.setblocking(False)
        self._framer, self._heard = Framer(), []
        assert isinstance(await self.hear(), Open)
        for one in (self._open, Keepalive()):
            await asyncio.get_running_loop().sock_sendall(self._talk, message.encode(one, WIRE))
        assert await self.hear() == Keepalive()

    @property
    def connection(self) -> socket.socket:
        """That of the present session."""
        assert self._talk is not None
        return self._talk

    async def hear(self) -> Message | None:
        """The next message, or None when the session is over."""
        assert self._talk is not None
        while not self._heard:
            async with asyncio.timeout(10):
                data = await asyncio.get_running_loop().sock_recv(self._talk, 65536)
            if not data:
                return None
            self._heard += [message.decode(kind, body, WIRE) for kind, body in self._framer.feed(data)]
        return self._heard.pop(0)

    async def hear_news(self) -> Message | None:
        """The next message that is neither a keepalive nor an End-of-RIB."""
        while True:
            heard = await self.hear()
            if not isinstance(heard, Keepalive) and not (isinstance(heard, Update) and heard.end_of_rib is not None):
                return heard

    async def hear_update(self) -> tuple[list[Prefix], list[Prefix]]:
        """What the next UPDATE announces and withdraws."""
        heard = await self.hear_news()
        assert isinstance(heard, Update)
        return list(heard.nlri), list(heard.withdrawn)

    async def hear_prefixes(self) -> list[Prefix]:
        """What the next UPDATE announces or withdraws, of either family."""
        heard = await self.hear_news()
        assert isinstance(heard, Update)
        reach, unreach = heard.attributes.mp_reach, heard.attributes.mp_unreach
        lists = (heard.nlri, heard.withdrawn, reach.nlri if reach else (), unreach.nlri if unreach else ())
        return [prefix for prefixes in lists for prefix in prefixes]

    def hang_up(self) -> None:
        assert self._talk is not None
        self._talk.close()

    def close(self) -> None:
        for one in (self._talk, self._listener):
            if one is not None:
                one.close()
