"""Membership by gossip: `herald.swim` behind `herald.engine.membership.Membership`.

    Join ── addresses ──▶ GossipDriver ◀── UDP and TCP, port 7946 ──▶ the other speakers, ours and MetalLB's
    interfaces ── metadata ──▶ │
    members ◀──────────────────┘

**Where gossip cannot begin** (the port is taken, the address is not there yet, the key cannot be read) the engine goes
on, says so, and tries again every `TRY_AGAIN` seconds. Until then this node claims to have no usable interface at all,
so it answers for no Layer 2 address. It could not know who else does: the usual reason is a speaker of MetalLB that
still runs on this node, and two that each believe to be alone take every address twice. BGP needs no members and runs.

**The secret** is the file `secretkey` in its folder, read again every `READ_KEY_EVERY` seconds; see
`herald.swim.keyring` for how a changed one is taken into use. A key that can no longer be read stays in force.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from herald.engine import gossip_document, metadata
from herald.engine.link import ClosedWay
from herald.engine.membership import Members, Notes, UsableNames
from herald.engine.metadata import Metadata
from herald.engine.options import GossipOptions
from herald.engine.together import Together
from herald.swim.driver import GossipDriver, open_sockets
from herald.swim.event import Accuse, AskNow, JoinAt, Leave, SetMeta, SetWrapping
from herald.swim.gossip import Gossip
from herald.swim.keyring import KeyChange
from herald.swim.local import Identity
from herald.swim.member import HIGHEST_INCARNATION, Address, Endpoint, State
from herald.swim.packet import Wrapping
from herald.swim.paths import Closed

TRY_AGAIN: Final = 1.0
SAY_AGAIN: Final = 60.0
READ_KEY_EVERY: Final = 5.0
KEY_FILE: Final = "secretkey"
LATEST_START: Final = HIGHEST_INCARNATION - (1 << 28)
"""As an incarnation: Unix time until 2097, and room above for what is contradicted."""

_log: Final = logging.getLogger("herald.engine.gossip")


class GossipMembership:
    """A `Membership` of speakers that gossip. Made and used in one loop."""

    def __init__(
        self,
        node: str,
        options: GossipOptions,
        on_change: Callable[[], None],
        on_reached: Callable[[str], None] = lambda _: None,
        on_thought_dead: Callable[[], None] = lambda: None,
    ) -> None:
        """Begins at once, or as soon as it can. `on_reached` is told who answers to `ask`.

        `on_thought_dead`: the others had declared this node dead, and know better now.
        """
        self._node = node
        self._options = options
        self._on_change = on_change
        self._on_reached = on_reached
        self._on_thought_dead = on_thought_dead
        self._loop = asyncio.get_running_loop()
        self._offered: UsableNames = None
        self._note = b""
        self._is_ready = False
        self._together = Together()
        self._patience: asyncio.TimerHandle | None = None
        self._places: tuple[Endpoint, ...] = ()
        self._keys: KeyChange | None = None
        self._driver: GossipDriver | None = None
        self._machine: Gossip | None = None
        self._known: Members = {}
        self._timer: asyncio.TimerHandle | None = None
        self._complained = float("-inf")
        self._starting: asyncio.Task[None] | None = None
        self._begin()

    def members(self) -> Members:
        """See `Membership.members`. Before gossip has begun: this node, without a usable interface."""
        if self._machine is None:
            return {self._node: frozenset()}
        told = self._told(self._machine)
        counted = self._together.counted(self._loop.time()) | {self._node}
        late = {name for name, one in told.items() if one.is_starting} - counted
        return {name: frozenset() if name in late else one.interfaces for name, one in told.items()}

    def notes(self) -> Notes:
        """See `Membership.notes`."""
        if self._machine is None:
            return {self._node: self._note}
        return {name: told.note for name, told in self._told(self._machine).items()}

    def _told(self, machine: Gossip) -> Mapping[str, Metadata]:
        """What all members tell; of this node what the others read, lest it come to something else than they."""
        others = {name: metadata.decode(meta) for name, meta in machine.present().items()}
        return {**others, self._node: metadata.decode(self._metadata)}

    def has_left(self, node: str) -> bool:
        """See `Membership.has_left`."""
        known = () if self._machine is None else self._machine.snapshot().members
        return any(one.name == node and one.state is State.LEFT for one in known)

    @property
    def _metadata(self) -> bytes:
        return metadata.encode(self._offered, self._note, is_starting=not self._is_ready)

    def tell(self, note: bytes) -> None:
        """See `Membership.tell`."""
        if note != self._note:
            self._note = note
            self._tell_metadata()

    def _tell_metadata(self) -> None:
        if self._driver is not None:
            self._driver.tell(SetMeta(self._metadata))
        self._on_change()

    def offer(self, interfaces: frozenset[str]) -> None:
        """See `Membership.offer`."""
        if interfaces != self._offered:
            if metadata.can_be_told(self._offered) and not metadata.can_be_told(interfaces):
                text = "%d usable interfaces are too many to tell: the others take it that none is missing on this node"
                _log.error(text, len(interfaces), extra={"event": "interfacesTooMany", "interfaces": len(interfaces)})
            self._offered = interfaces
            self._tell_metadata()

    def ready(self) -> None:
        """See `Membership.ready`."""
        self._set_ready(True)

    def away(self) -> None:
        """See `Membership.away`."""
        self._set_ready(False)

    def _set_ready(self, is_ready: bool) -> None:  # the only argument, of a name that says it
        if is_ready is not self._is_ready:
            self._is_ready = is_ready
            self._look_who_starts()
            self._tell_metadata()

    def join(self, addresses: tuple[str, ...]) -> None:
        """See `Membership.join`. What is no address is said in the log and left out.

        So is, without a word, an address of the other IP version: a name may have both, and we send from one.
        """
        places = (place for text in addresses if (place := self._place(text)) is not None)
        version = ip_address(self._options.bind).version
        self._places = tuple(place for place in places if place.address.version == version)
        if self._driver is not None:
            self._driver.tell(JoinAt(self._places))

    async def leave(self) -> None:
        """See `Membership.leave`."""
        self._cancel_timers()
        if self._driver is not None:
            self._driver.tell(Leave())
            await self._driver.wait_departed()

    # What fastFailover needs, see `herald.engine.fast_failover.Group`.

    @property
    def own_address(self) -> Address:
        """The address that this node gossips at."""
        return ip_address(self._options.bind)

    def address_of(self, node: str) -> Address | None:
        """The address that a member gossips at, None if it is not there."""
        known = () if self._machine is None else self._machine.snapshot().members
        return next((one.endpoint.address for one in known if one.name == node and one.state.present), None)

    def ask(self, node: str) -> None:
        """Ask a member at once, directly and through others."""
        if self._driver is not None:
            self._driver.tell(AskNow(node))

    def accuse(self, node: str) -> None:
        """Tell the group that a member does not answer."""
        if self._driver is not None:
            self._driver.tell(Accuse(node))

    def drain(self) -> None:
        """Read all packets that wait, now."""
        if self._driver is not None:
            self._driver.drain()

    def close(self) -> None:
        """Take no part any more, without a word."""
        self._cancel_timers()
        if self._driver is not None:
            self._driver.close()

    def document(self) -> list[Mapping[str, Any]]:
        """What `herald show members` tells."""
        snapshot = None if self._machine is None else self._machine.snapshot()
        rows = gossip_document.members(self.members(), self.notes(), snapshot)
        starting = self._who_starts()
        return [{**row, "starting": True} if row["name"] in starting else row for row in rows]

    def closed(self) -> tuple[ClosedWay, ...]:
        """The ways to and from this node on which gossip does not arrive."""
        return () if self._machine is None else tuple(self._way(one) for one in self._machine.closed())

    def _way(self, one: Closed) -> ClosedWay:
        ends = (self._node, one.other) if one.outward else (one.other, self._node)
        port = one.at.port if one.outward else self._options.port
        return ClosedWay(*ends, one.transport.value, port, one.reason)

    def own_document(self) -> Mapping[str, Any] | None:
        """What `gossip` tells of this node itself, see `herald.engine.show`."""
        if self._machine is None or self._driver is None:
            return None
        now = self._machine.snapshot()
        dropped = {reason.value: count for reason, count in now.dropped.items()}
        failures = self._driver.send_failures
        unreachable = [gossip_document.closed(one) for one in self.closed()]
        counts = {"health": now.health, "news": now.news, "sendFailures": failures, "dropped": dropped}
        return {**counts, "unreachable": unreachable}

    def _place(self, text: str) -> Endpoint | None:
        try:
            return Endpoint.parse(text, self._options.port)
        except ValueError as error:
            _log.warning("nobody can be joined at %r: %s", text, error, extra={"event": "joinAddressBad"})
            return None

    def _begin(self) -> None:
        """Open what is needed, or try again later."""
        self._timer = None
        at = Endpoint(ip_address(self._options.bind), self._options.port)
        try:
            wrapping = self._wrapping()
            udp, tcp = open_sockets(at)
        except OSError as error:
            self._cannot_begin(f"{at}: {error}")
            return
        except ValueError as error:
            self._cannot_begin(str(error))
            return
        profile, now = self._options.profile, self._loop.time()
        rng = random.SystemRandom()
        self._machine = Gossip(
            Identity(self._node, at),
            profile,
            wrapping,
            rng,
            now,
            incarnation=first_incarnation(time.time()),
            sequence=rng.getrandbits(32),
        )
        self._driver = GossipDriver(
            self._machine,
            wrapping,
            udp,
            tcp,
            stream_patience=profile.tcp_timeout,
            on_change=self._changed,
            on_reached=self._on_reached,
            on_thought_dead=self._on_thought_dead,
        )
        self._starting = self._loop.create_task(self._driver.start())
        self._driver.tell(SetMeta(self._metadata))
        self._driver.tell(JoinAt(self._places))
        how = "encrypted" if wrapping.keyring else "NOT encrypted: no --ml-secret-key-path is given"
        extra = {"event": "gossipStarted", "address": str(at), "encrypted": wrapping.keyring is not None}
        _log.log(logging.INFO if wrapping.keyring else logging.WARNING, "gossip at %s, %s", at, how, extra=extra)
        self._later(READ_KEY_EVERY, self.read_key_again)
        self._changed()

    def _cannot_begin(self, why: str) -> None:
        now = self._loop.time()
        if now - self._complained >= SAY_AGAIN:
            self._complained = now
            _log.error(
                "gossip cannot begin, so this node knows of no other speaker and answers for no Layer 2 address; BGP "
                "goes on. It is tried again every second. %s",
                why,
                extra={"event": "gossipFailed", "error": why},
            )
        self._later(TRY_AGAIN, self._begin)

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, action)

    def _wrapping(self) -> Wrapping:
        """With the present keys. Raises ValueError and OSError where the first one cannot be had."""
        profile, folder = self._options.profile, self._options.secret_folder
        if folder is not None and self._keys is None:
            self._keys = KeyChange(read_secret(folder))
        return Wrapping(
            self._keys.ring(self._loop.time()) if self._keys is not None else None,
            compression=profile.compression,
            verify_incoming=profile.verify_incoming,
            verify_outgoing=profile.verify_outgoing,
        )

    def read_key_again(self) -> None:
        """Look whether the file says another secret, and use the keys that count now; it is done every 5 s anyway."""
        self._later(READ_KEY_EVERY, self.read_key_again)
        if self._keys is None or self._options.secret_folder is None or self._driver is None:
            return
        try:
            secret = read_secret(self._options.secret_folder)
        except (OSError, ValueError) as error:
            _log.warning("the key of gossip stays: %s", error, extra={"event": "gossipKeyUnreadable"})
        else:
            if self._keys.learn(secret, self._loop.time()):
                _log.info("the key of gossip changes", extra={"event": "gossipKeyChanged"})
        wrapping = self._wrapping()
        self._driver.set_wrapping(wrapping)
        self._driver.tell(SetWrapping(wrapping))

    def _who_starts(self) -> frozenset[str]:
        """The members that answer for nothing yet."""
        told = {} if self._machine is None else self._told(self._machine)
        return frozenset(name for name, one in told.items() if one.is_starting)

    def _look_who_starts(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        starting, now = self._who_starts(), self._loop.time()
        present = {} if self._machine is None else self._told(self._machine)
        self._together.see(starting, is_anyone_ready=starting != present.keys(), now=now)
        until = self._together.deadline()
        if until is not None and now < until:
            self._patience = self._loop.call_at(until, self._changed)

    def _changed(self) -> None:
        self._look_who_starts()
        before, self._known = self._known, self.members()
        came, went = self._known.keys() - before.keys(), before.keys() - self._known.keys()
        if came or went:
            extra = {"event": "membersChanged", "joined": sorted(came), "left": sorted(went)}
            _log.info("live speakers are now %s", ", ".join(sorted(self._known)), extra=extra)
        self._on_change()


def first_incarnation(wall: float) -> int:
    """That of a speaker that starts at this Unix time: above what one that ran before has said of itself.

    Where the clock is wrong it is any other number, as with memberlist: this node hears what is known of it, and
    contradicts above that.
    """
    return min(max(int(wall), 1), LATEST_START)


def read_secret(folder: Path) -> bytes:
    """The octets of `secretkey`, as they are. Raises OSError, and ValueError if there are none."""
    secret = (folder / KEY_FILE).read_bytes()
    if not secret:
        raise ValueError(f"{folder / KEY_FILE} is empty; it must hold the secret that all speakers share")
    return secret
