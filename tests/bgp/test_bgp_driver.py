"""The asyncio shell over loopback, with a small router on the other end that reads and writes whole messages."""

import asyncio
import random
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Network, ip_address

import pytest

from herald.bgp import message
from herald.bgp.capability import FourOctetAs, Multiprotocol
from herald.bgp.community import Community
from herald.bgp.driver import Peering, addresses_beside
from herald.bgp.family import Family
from herald.bgp.fsm import State
from herald.bgp.message import Framer, Keepalive, Open, Update
from herald.bgp.notification import Notification
from herald.bgp.parameters import PeerParameters
from herald.bgp.path_attribute import WireContext
from herald.bgp.route import Route

WIRE = WireContext()
OPEN = Open(64501, 90, ip_address("10.0.0.1"), (Multiprotocol(Family.IPV4_UNICAST), FourOctetAs(64501)))
ROUTE = Route(IPv4Network("192.168.1.200/32"))


class Router:
    """Listens on loopback; each accepted connection becomes a `Talk`. Its buffers are small: a slow reader."""

    def __init__(self, listener):
        self.listener, self.talks = listener, []
        self.parameters = PeerParameters(
            name="router",
            peer_address=ip_address("127.0.0.1"),
            peer_port=listener.getsockname()[1],
            local_asn=64500,
            peer_asn=64501,
        )

    async def accept(self):
        sock, _ = await asyncio.get_running_loop().sock_accept(self.listener)
        sock.setblocking(False)
        self.talks.append(Talk(sock))
        return self.talks[-1]

    def hang_up(self):
        for talk in self.talks:
            talk.sock.close()

    async def accept_session(self):
        talk = await self.accept()
        assert isinstance(await talk.hear(), Open)
        await talk.say(OPEN, Keepalive())
        assert await talk.hear() == Keepalive()
        return talk


class Talk:
    def __init__(self, sock):
        self.sock, self.framer, self.queue = sock, Framer(), []

    async def say(self, *values):
        for value in values:
            await asyncio.get_running_loop().sock_sendall(self.sock, message.encode(value, WIRE))

    async def hear(self):
        """The next message, or None at the end of the stream."""
        while not self.queue:
            data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
            if not data:
                return None
            self.queue.extend(message.decode(kind, body, WIRE) for kind, body in self.framer.feed(data))
        return self.queue.pop(0)

    async def routes(self, count):
        """The next UPDATEs until they hold `count` prefixes."""
        found = []
        while len(found) < count:
            heard = await self.hear()
            assert isinstance(heard, Update)
            found.extend(heard.nlri)
        return found


@asynccontextmanager
async def router():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        there = Router(listener)
        yield there
        there.hang_up()


async def dial(parameters):
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (str(parameters.peer_address), parameters.peer_port))
    except BaseException:
        sock.close()
        raise
    return sock


@asynccontextmanager
async def peering(router, dial=dial):
    """A started peering, what it tells, and a way to wait for a state. Nothing of it is left afterwards."""
    before = asyncio.all_tasks()
    herald = Herald(router.parameters, dial)
    herald.peering.start()
    try:
        yield herald
    finally:
        router.hang_up()
        await herald.peering.stop("the test is over")
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


class Herald:
    def __init__(self, parameters, dial):
        self.told = []
        self._news = asyncio.Event()
        self.peering = Peering(parameters, dial=dial, rng=random.Random(1), on_change=self._tell)

    def _tell(self, snapshot, reason):
        self.told.append((snapshot.state, reason))
        self._news.set()

    async def wait_for(self, state):
        while self.peering.snapshot().state is not state:
            self._news.clear()
            await self._news.wait()


async def test_a_session_comes_up_carries_routes_and_says_goodbye():
    async with router() as there, peering(there) as herald:
        herald.peering.apply_routes((ROUTE,), ())
        talk = await there.accept_session()
        assert await talk.routes(1) == [ROUTE.prefix]
        assert (await talk.hear()).end_of_rib is Family.IPV4_UNICAST
        herald.peering.apply_routes((), (ROUTE.prefix,))
        assert list((await talk.hear()).withdrawn) == [ROUTE.prefix]
        leaving = asyncio.create_task(herald.peering.stop("maintenance"))
        assert (await talk.hear()).text == 'Cease/Administrative Shutdown: "maintenance"'
        assert await talk.hear() is None
        talk.sock.close()
        await leaving
        # OPEN and KEEPALIVE may come in one piece, and OpenConfirm is then not seen from outside.
        seen = [state for state, _ in herald.told if state is not State.OPEN_CONFIRM]
        assert seen == [State.CONNECT, State.OPEN_SENT, State.ESTABLISHED, State.IDLE]


@pytest.mark.parametrize(
    ("ours", "theirs", "milliseconds"), [(90, 9, 9000), (9, 90, 9000), (90, 0, 0)], ids=["theirs", "ours", "none"]
)
async def test_a_peer_that_takes_nothing_in_is_given_up_after_the_agreed_hold_time(ours, theirs, milliseconds):
    made = []

    async def remember(parameters):
        made.append(await dial(parameters))
        made[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 7000)
        return made[-1]

    async with router() as there:
        there.parameters = replace(there.parameters, hold_time=ours)
        async with peering(there, remember) as herald:
            talk = await there.accept()
            await talk.hear()
            await talk.say(replace(OPEN, hold_time=theirs), Keepalive())
            await herald.wait_for(State.ESTABLISHED)
            assert made[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == milliseconds


async def test_a_large_table_reaches_a_slow_reader_without_a_giant_buffer():
    routes = tuple(
        Route(IPv4Network((0x0A000000 + number, 32)), communities=(Community(number),)) for number in range(20_000)
    )
    async with router() as there, peering(there) as herald:
        herald.peering.apply_routes(routes, ())
        talk = await there.accept_session()
        # Nothing is read here until Herald has stopped for it: not all is on its way then.
        stalled = -1
        while stalled != (advertised := herald.peering.snapshot().families[0].advertised) or advertised == 0:
            stalled = advertised
            await asyncio.sleep(0.05)
        assert 0 < stalled < 20_000
        assert len(set(await talk.routes(20_000))) == 20_000


async def test_a_lost_session_is_told_and_set_up_again():
    async with router() as there, peering(there) as herald:
        herald.peering.apply_routes((ROUTE,), ())
        talk = await there.accept_session()
        await herald.wait_for(State.ESTABLISHED)
        talk.sock.close()
        again = await there.accept_session()
        assert await again.routes(1) == [ROUTE.prefix]
        reasons = [reason for _, reason in herald.told if reason]
        assert reasons in (["the peer closed the connection"], ["the peer reset the connection"])


async def test_a_notification_reaches_a_peer_that_is_still_sending():
    async with router() as there, peering(there) as herald:
        talk = await there.accept_session()
        await herald.wait_for(State.ESTABLISHED)
        await talk.say(OPEN, Keepalive(), Keepalive())
        heard = [await talk.hear() for _ in range(2)]
        assert Notification(5, 3) in heard


async def test_a_refused_connection_is_told_in_the_words_of_the_dialler():
    async def refuse(parameters):
        raise ConnectionRefusedError(f"connection refused by {parameters.endpoint}")

    async with router() as there, peering(there, refuse) as herald:
        await herald.wait_for(State.ACTIVE)
        assert herald.told[-1] == (State.ACTIVE, f"connection refused by {there.parameters.endpoint}")


async def test_stopping_gives_up_an_attempt_that_never_ends():
    given_up = asyncio.Event()

    async def hang(parameters):
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    async with router() as there, peering(there, hang) as herald:
        await asyncio.sleep(0)
        await herald.peering.stop("no longer wanted")
        assert given_up.is_set()


async def test_a_peer_that_never_closes_its_half_is_cut_off():
    async with router() as there, peering(there) as herald:
        talk = await there.accept_session()
        await herald.wait_for(State.ESTABLISHED)
        await herald.peering.stop("bye")
        heard = [await talk.hear() for _ in range(3)]
        assert Notification(6, 2, b"\x03bye") in heard


async def test_changed_parameters_lead_to_the_new_peer():
    async with router() as old, router() as new, peering(old) as herald:
        talk = await old.accept_session()
        await herald.wait_for(State.ESTABLISHED)
        herald.peering.update(replace(old.parameters, peer_port=new.parameters.peer_port))
        await new.accept_session()
        await herald.wait_for(State.ESTABLISHED)
        heard = [await talk.hear() for _ in range(2)]
        assert heard[-1].text == 'Cease/Administrative Reset: "configuration changed: peer_port"'


async def test_a_connection_that_came_up_as_it_was_given_up_is_not_taken_for_the_next_one():
    async with router() as old, router() as new, AsyncExitStack() as ending:
        moved = replace(old.parameters, peer_port=new.parameters.peer_port)

        async def dial_and_be_given_up(parameters):
            sock = await dial(parameters)
            if parameters == old.parameters:
                # Runs before the transport of this connection does: the turn in which it would be handed over.
                asyncio.get_running_loop().call_soon(herald.peering.update, moved)
            return sock

        herald = await ending.enter_async_context(peering(old, dial_and_be_given_up))
        talk = await new.accept_session()
        await herald.wait_for(State.ESTABLISHED)
        stale = await old.accept()
        assert await stale.hear() is None, "the peer that is no longer configured is told nothing"
        herald.peering.apply_routes((ROUTE,), ())
        assert await talk.routes(1) == [ROUTE.prefix]


async def test_a_mistake_in_the_dialler_reaches_the_loop_and_is_not_swallowed():
    async def broken(parameters):
        raise KeyError("a bug")

    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    async with router() as there, peering(there, broken):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert [type(error) for error in reported] == [KeyError]


def test_the_kernel_names_its_addresses():
    local = ip_address("127.0.0.1")
    assert local in {host.address for host in addresses_beside(local)}
    assert addresses_beside(ip_address("192.0.2.77")) == []


@pytest.mark.parametrize("octets", [1, 5, 4096])
async def test_messages_that_come_in_pieces_are_put_together(octets):
    async with router() as there, peering(there) as herald:
        talk = await there.accept()
        stream = message.encode(OPEN, WIRE) + message.encode(Keepalive(), WIRE)
        for at in range(0, len(stream), octets):
            await asyncio.get_running_loop().sock_sendall(talk.sock, stream[at : at + octets])
            await asyncio.sleep(0)
        await herald.wait_for(State.ESTABLISHED)
