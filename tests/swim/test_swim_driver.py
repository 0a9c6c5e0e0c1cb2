"""The shell on the loopback interface, while somebody who has not the key does what he can at the TCP port."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from ipaddress import ip_address

import pytest

from herald.swim import stream
from herald.swim.driver import GossipDriver, open_sockets
from herald.swim.event import JoinAt, SetMeta
from herald.swim.gossip import Gossip
from herald.swim.keyring import Keyring, derive_key
from herald.swim.local import Identity
from herald.swim.member import METALLB_VERSIONS, Endpoint, State
from herald.swim.message import ENCRYPT, Entry, PushPull, encode
from herald.swim.packet import Drop, Wrapping
from herald.swim.profile import HERALD

SEALED = Wrapping(Keyring(derive_key(b"secret")), compression=False)
PATIENCE = 60.0
"""Longer than any of these tests: what is closed here, is closed for another reason."""
LONG = bytes((ENCRYPT,)) + (4 * 1024 * 1024).to_bytes(4)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("0.0.0.0", 0))
        tcp.bind(("0.0.0.0", udp.getsockname()[1]))
        return int(udp.getsockname()[1])


class Member:
    """A machine in its shell, at 127.0.0.x."""

    def __init__(self, number: int, port: int) -> None:
        loop = asyncio.get_running_loop()
        self.at = Endpoint(ip_address(f"127.0.0.{number}"), port)
        self.machine = Gossip(Identity(f"n{number}", self.at), HERALD, SEALED, random.SystemRandom(), loop.time())
        udp, tcp = open_sockets(self.at)
        self.driver = GossipDriver(self.machine, SEALED, udp, tcp, stream_patience=PATIENCE, on_change=lambda: None)
        self.driver.tell(SetMeta(b"herald/1"))


@pytest.fixture
async def both() -> AsyncIterator[list[Member]]:
    port = free_port()
    made = [Member(number, port) for number in (2, 3)]
    for one in made:
        await one.driver.start()
    yield made
    for one in made:
        one.driver.close()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")


async def idle(source: int, to: Endpoint, stack: ExitStack, says: bytes = b"") -> socket.socket:
    """A stream from 127.0.0.`source`, that says that and no more."""
    one = stack.enter_context(socket.socket())
    one.setblocking(False)
    one.bind((f"127.0.0.{source}", 0))
    loop = asyncio.get_running_loop()
    await loop.sock_connect(one, (str(to.address), to.port))
    await loop.sock_sendall(one, says)
    return one


def is_open(one: socket.socket) -> bool:
    try:
        return one.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


async def test_idle_streams_of_one_stranger_and_of_many_keep_nobody_from_joining(both: list[Member]) -> None:
    with ExitStack() as stack:
        alone = [await idle(66, both[0].at, stack) for _ in range(40)]
        await until(lambda: sum(map(is_open, alone)) <= 8)
        assert all(map(is_open, alone[-8:])), "the oldest were closed"
        many = [await idle(source, one.at, stack) for source in range(70, 250) for one in both]
        await until(lambda: sum(map(is_open, many)) <= 128)
        for one in both:
            one.driver.tell(JoinAt(tuple(each.at for each in both)))
        await until(lambda: all(one.machine.present().keys() == {"n2", "n3"} for one in both))


async def test_streams_that_say_that_much_is_coming_hold_little_together_and_keep_nobody_out(
    both: list[Member],
) -> None:
    sent = LONG + bytes(3 * 1024 * 1024)
    with ExitStack() as stack:
        streams = [await idle(66 + number, both[0].at, stack) for number in range(20)]
        loop = asyncio.get_running_loop()
        sending = [asyncio.create_task(loop.sock_sendall(one, sent)) for one in streams]
        await asyncio.gather(*sending, return_exceptions=True)
        await until(lambda: sum(map(is_open, streams)) <= 2)
        both[1].driver.tell(JoinAt((both[0].at,)))
        await until(lambda: all(one.machine.present().keys() == {"n2", "n3"} for one in both))


async def test_a_state_of_five_thousand_members_is_read_from_where_a_member_should_be(both: list[Member]) -> None:
    both[0].driver.tell(JoinAt((both[1].at,)))
    entries = tuple(
        Entry(f"m{number}", Endpoint(both[1].at.address, 1 + number), b"x" * 300, 1, State.LEFT, METALLB_VERSIONS)
        for number in range(5_000)
    )
    data = stream.seal(encode(PushPull(False, entries)), SEALED, random.SystemRandom())
    assert len(data) > 1_800_000
    with ExitStack() as stack:
        for number in range(64):
            await idle(66 + number, both[0].at, stack, LONG + bytes(120_000))
        asking = await idle(3, both[0].at, stack, data)
        reading, answer = stream.Reading(SEALED), None
        while answer is None:
            answer = reading.feed(await asyncio.get_running_loop().sock_recv(asking, 65536))
        assert isinstance(answer, PushPull)


async def test_what_is_no_stream_of_ours_is_counted(both: list[Member]) -> None:
    with ExitStack() as stack:
        for says in (b"\x06", b"\x0a\xff\xff\xff\xff", b"\xf4\x01x", LONG[:1] + (40).to_bytes(4) + bytes(40)):
            await idle(66, both[0].at, stack, says)
        dropped = both[0].machine.snapshot
        await until(lambda: sum(dropped().dropped.values()) == 4)
        assert dropped().dropped == {Drop.UNAUTHENTICATED: 3, Drop.MALFORMED: 1}
