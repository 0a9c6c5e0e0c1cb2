"""The shell of Layer 2: a packet socket per eligible link and protocol, the machines behind them.

Which interfaces there are is told from outside (`set_interfaces`), at every change that the kernel reports; how a
socket is opened is given in. What becomes of the sockets is told in `herald.layer2.sockets`.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Final, assert_never

from herald.layer2.announcer import Announcer
from herald.layer2.conflict import Conflict
from herald.layer2.drop import Drop
from herald.layer2.event import (
    Admit,
    AnnounceAgain,
    ClearConflict,
    ClearInUse,
    ClearMute,
    Defend,
    Effect,
    EndProbe,
    Event,
    FrameReceived,
    HoldingsChanged,
    JoinGroup,
    LeaveGroup,
    LetGo,
    LinksChanged,
    ProbeLeft,
    ProbeLink,
    ProbeNotWatched,
    ReportConflict,
    ReportInUse,
    ReportMute,
    SendFailed,
    SendFrame,
    Succeeded,
)
from herald.layer2.group_member import GroupMember
from herald.layer2.handover import Handover
from herald.layer2.holding import Address, Holding
from herald.layer2.lane import Lane
from herald.layer2.link import Exclusion, Link, NdpLink, links, ndp_links
from herald.layer2.pace import DEFAULT_RATE
from herald.layer2.packet_socket import FrameWatch, GroupSocket, PacketSocket
from herald.layer2.quarantine import Quarantine, in_use_words
from herald.layer2.responder import Responder
from herald.layer2.saying import Saying
from herald.layer2.self_probe import DEFAULT_INTERVAL, SelfProbe
from herald.layer2.snapshot import AddressCounts, JudgedInterface, Layer2Snapshot, judged
from herald.layer2.sockets import Sockets
from herald.layer2.telling import Told, line
from herald.net.interface import Interface

FRAMES_PER_WAKEUP: Final = 64
"""Frames read before other work gets its turn; a flood on one link must not starve the BGP sessions."""

_log: Final = logging.getLogger("herald.layer2")


def _write(told: Told) -> None:
    said = line(told)
    _log.log(said.level, said.text, extra=said.fields)


class Layer2Driver:
    """Runs Layer 2 in an asyncio loop. All methods belong to that loop's thread and return at once."""

    def __init__(
        self,
        open_arp: Callable[[Link], PacketSocket],
        open_ndp: Callable[[NdpLink], GroupSocket],
        *,
        exclusion: Exclusion,
        on_change: Callable[[], None],
        on_trouble: Callable[[], None],
        rate: int = DEFAULT_RATE,
        refresh: float | None = None,
        rng: random.Random | None = None,
        watch: FrameWatch | None = None,
        probe_interval: float = DEFAULT_INTERVAL,
        probe_first: bool = False,
        may_answer: Callable[[], bool] = lambda: True,
        on_let_go: Callable[[Succeeded], None] = lambda _: None,
    ) -> None:
        """`open_arp` and `open_ndp` may raise OSError. For `rate`, `refresh` and `rng` see `Announcer`.

        `watch` sees whether frames leave; without it there is no self-probe, see `herald.layer2.self_probe`. With
        `probe_first` nothing is announced that somebody else uses, see `herald.layer2.quarantine`.

        While `may_answer` says no, what comes in is read and forgotten, and what is to be sent is not. `on_let_go` is
        told what was handed over and is answered here no longer.

        `on_change` is called after anything that people may want to know has changed; `on_trouble` when a socket
        failed, so that the list of interfaces is read anew.
        """
        self._exclusion = exclusion
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._responder = Responder()
        self._group_member = GroupMember()
        self._announcer = Announcer(rate, refresh=refresh, rng=rng)
        self._self_probe = SelfProbe(probe_interval)
        self._handover = Handover()
        self._all_let_go = asyncio.Event()
        self._machines: tuple[Handover | Responder | GroupMember | Announcer | SelfProbe, ...] = (
            self._handover,
            self._responder,
            self._group_member,
            self._announcer,
            *([self._self_probe] if watch is not None else []),
        )
        self._quarantine = Quarantine(self._announcer.pace) if probe_first else None
        self._watch = watch
        self._saying = Saying(_write, self._loop.call_later)
        self._may_answer = may_answer
        self._on_let_go = on_let_go
        self._interfaces: tuple[Interface, ...] = ()
        self._sockets = Sockets(
            self._loop,
            _log.info,
            _log.warning,
            open_arp,
            open_ndp,
            on_readable=self._readable,
            on_links=self._links_changed,
            on_trouble=on_trouble,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._send_failures = 0

    def apply(
        self, held: tuple[Holding, ...], released: tuple[Address, ...], handed_over: tuple[Address, ...] = ()
    ) -> None:
        """Follow a changed wish: `held` are new or different, `released` no longer wanted, `handed_over` another's."""
        if held or released or handed_over:
            change = HoldingsChanged(held, released, handed_over)
            if self._quarantine is None:
                self._tell(change)
            else:
                now = self._loop.time()
                if self._self_probe in self._machines:  # else a link on which no probe leaves would never be mute
                    self._perform(self._self_probe.handle(change, now))
                self._perform(self._quarantine.handle(change, now))
                self._arm()
            self._on_change()

    def set_interfaces(self, interfaces: Iterable[Interface]) -> None:
        """Follow the interfaces of this machine; open, close and update sockets as they now require."""
        self._interfaces = tuple(interfaces)
        self._sockets.follow(links(self._interfaces, self._exclusion), ndp_links(self._interfaces, self._exclusion))

    async def hand_over(self) -> None:
        """Others take everything: returns when each address is, or nobody was heard to take it for long enough.

        What is still being looked at before it is announced is not taken any more.
        """
        if self._quarantine is not None:
            self._perform(self._quarantine.stop())
        lent = tuple(one.address for one in self._handover.lent())
        self._tell(HoldingsChanged(handed_over=(*lent, *self._handover.wanted())))
        while self._handover.snapshot():
            self._all_let_go.clear()
            await self._all_let_go.wait()

    def lend(self) -> None:
        """Nobody here knows who is to have what is held: answer for it until somebody else is heard to."""
        wanted = self._handover.wanted()
        if wanted:
            self._tell(HoldingsChanged(handed_over=wanted, until_taken=True))

    def take_back(self) -> None:
        """What is lent and nobody has taken is held as before."""
        lent = self._handover.lent()
        if lent:
            self._tell(HoldingsChanged(lent))

    def close(self) -> None:
        """Stop answering: every socket is closed when this returns."""
        if self._timer is not None:
            self._timer.cancel()
        self._sockets.close()
        self._saying.close()
        if self._watch is not None:
            self._watch.close()

    def announce_again(self, delay: float, *, is_urgent: bool = True) -> None:
        """Announce everything that is held three times more, from `delay` seconds on: see `AnnounceAgain`."""
        self._perform(self._announcer.handle(AnnounceAgain(delay, is_urgent), self._loop.time()))
        self._arm()

    def snapshot(self) -> Layer2Snapshot:
        """The present state."""
        return Layer2Snapshot(
            self._responder.snapshot(self._mute_names()),
            self._announcer.snapshot(),
            {
                self._sockets.ndp.links[i].name: tuple(sorted(groups))
                for i, groups in self._group_member.snapshot().items()
            },
            self.interfaces(),
            self._send_failures,
            self._self_probe.snapshot(),
            self._loop.time(),
            () if self._quarantine is None else self._quarantine.snapshot(),
        )

    def interfaces(self) -> tuple[JudgedInterface, ...]:
        """Every interface of this machine with its verdicts."""
        mute = self._self_probe.mute()
        reading, ndp_reading = self._sockets.arp.sockets.keys(), self._sockets.ndp.sockets.keys()
        return tuple(judged(one, self._exclusion, mute, reading, ndp_reading) for one in self._interfaces)

    def counts(self) -> Iterator[AddressCounts]:
        """What was asked, answered and sent unasked for each held address; may be read in slices.

        An address that is released meanwhile may be among them.
        """
        for address, requests, answers in self._responder.counts():
            yield AddressCounts(address, requests, answers, self._announcer.sent_for(address))

    def dropped(self) -> dict[Drop, int]:
        """Frames that were read and not answered, by reason."""
        return self._responder.dropped()

    @property
    def mute_links(self) -> int:
        """Links on which what is sent does not leave."""
        return len(self._mute_names())

    @property
    def addresses_in_use(self) -> int:
        """Addresses that are kept back because somebody else uses them."""
        return 0 if self._quarantine is None else len(self._quarantine.snapshot())

    @property
    def send_failures(self) -> int:
        """Frames that the kernel refused."""
        return self._send_failures

    def first_sent(self, address: Address) -> float | None:
        """When a held address was first announced since it was taken, in the loop's time; None before that."""
        return self._announcer.first_sent(address)

    def unanswered(self) -> tuple[tuple[Address, str], ...]:
        """The holdings that are answered on no link, with the reason in words."""
        in_use = () if self._quarantine is None else self._quarantine.snapshot()
        silent = self._responder.unanswered(self._mute_names())
        return (*((one.address, in_use_words(one)) for one in in_use), *((each, why.value) for each, why in silent))

    def conflicts(self) -> tuple[Conflict, ...]:
        """The foreign claims that are open."""
        return self._responder.conflicts()

    def _mute_names(self) -> frozenset[str]:
        mute = self._self_probe.mute()
        return frozenset(one.name for one in self._interfaces if one.index in mute) if mute else frozenset()

    # Sockets.

    def _readable(self, lane: Lane, index: int) -> None:
        opened, may_answer = lane.sockets[index], self._may_answer()
        for _ in range(FRAMES_PER_WAKEUP):
            try:
                data = opened.recv(lane.octets)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._sockets.lose(lane, index, error)
                return
            received, now = FrameReceived(index, data), self._loop.time()
            if self._quarantine is not None and self._quarantine.is_waiting:
                self._perform(self._quarantine.handle(received, now))
            if not may_answer:
                continue
            self._perform(self._handover.handle(received, now))
            if not self._handover.is_probe(received):
                self._perform(self._responder.handle(received, now))
        self._arm()

    def _send(self, index: int, data: bytes) -> None:
        error = self._sockets.send(index, data)
        if error is not None:
            self._send_failures += 1
            for machine in self._all_machines():
                self._perform(machine.handle(SendFailed(index, data), self._loop.time()))

    def _withhold(self, index: int, data: bytes) -> None:
        """Nothing may leave now; who counts what was asked is to know."""
        if self._quarantine is not None:
            self._perform(self._quarantine.handle(SendFailed(index, data), self._loop.time()))

    def _probe(self, index: int, data: bytes) -> None:
        link = self._sockets.link(index, data)
        has_carrier = any(one.index == index and one.carrier for one in self._interfaces)
        if link is not None and has_carrier and self._is_watched(link, data):
            self._send(index, data)
        else:
            self._self_probe.handle(ProbeNotWatched(index, data), self._loop.time())

    def _is_watched(self, link: Link | NdpLink, data: bytes) -> bool:
        return self._watch is not None and self._watch.begin(link, data, self._probe_left)

    def _probe_left(self, index: int, data: bytes) -> None:
        self._perform(self._self_probe.handle(ProbeLeft(index, data), self._loop.time()))
        self._arm()

    # Machines.

    def _links_changed(self) -> None:
        macs = frozenset(i.mac for i in self._interfaces if i.mac is not None)
        self._tell(LinksChanged(tuple(self._sockets.arp.links.values()), macs, tuple(self._sockets.ndp.links.values())))
        self._on_change()

    def _tell(self, event: Event) -> None:
        now = self._loop.time()
        if self._quarantine is not None and isinstance(event, LinksChanged | Succeeded):
            self._perform(self._quarantine.handle(event, now))
        for machine in self._machines:
            self._perform(machine.handle(event, now))
        self._arm()

    def _wake(self) -> None:
        self._timer = None
        now = self._loop.time()
        for machine in self._all_machines():
            self._perform(machine.wake(now))
        self._arm()

    def _all_machines(self) -> Iterator[Handover | Responder | GroupMember | Announcer | SelfProbe | Quarantine]:
        if self._quarantine is not None:
            yield self._quarantine
        yield from self._machines

    def _arm(self) -> None:
        due = min((at for machine in self._all_machines() if (at := machine.deadline()) is not None), default=None)
        if self._timer is not None:
            if self._timer.when() == due:
                return
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._wake)

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendFrame(index, data):
                    if self._may_answer():
                        self._send(index, data)
                    else:
                        self._withhold(index, data)
                case JoinGroup(index, group):
                    self._sockets.join(index, group)
                case LeaveGroup(index, group):
                    self._sockets.leave(index, group)
                case ProbeLink(index, data):
                    self._probe(index, data)
                case EndProbe(index, data):
                    if self._watch is not None:
                        self._watch.end(index, data)
                case (
                    ReportConflict()
                    | ClearConflict()
                    | ReportInUse()
                    | ClearInUse()
                    | ReportMute()
                    | ClearMute() as told
                ):
                    self._say(told)
                case Defend(contested):
                    self._perform(self._announcer.handle(contested, self._loop.time()))
                case Admit(change):
                    self._tell(change)
                    self._on_change()
                case LetGo(succeeded):
                    self._tell(succeeded)
                    if succeeded.still is None:
                        self._say(effect)
                        self._on_let_go(succeeded)
                    if not self._handover.snapshot():
                        self._all_let_go.set()
                case _:
                    assert_never(effect)

    def _say(self, told: Told) -> None:
        self._saying.say(told)
        self._on_change()
