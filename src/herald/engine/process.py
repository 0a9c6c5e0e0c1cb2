"""The engine process: owns the network, follows the wish of control, tells the facts.

    control ══ link ══▶ Wish ──differences──▶ Layer2Driver ── one packet socket per link
                                         └──▶ Peers ──────── one BGP session per peer
    kernel ── rtnetlink ──▶ InterfaceMonitor ─┐
    other speakers ◀─▶ Membership ────────────┴──▶ Facts ══ link ══▶ control
                           ▲ usable interfaces of this node

What control wished last stays in force while control is gone; `herald.engine.regency` says what else happens if it
stays away. The engine ends when it is told to leave, by control, by SIGTERM or SIGINT, or because its parent died: the
others learn that this node has left, ARP is answered until they are heard to have taken the addresses, and the sessions
end, all within `LEAVE_SECONDS`; exit code 0. Peers get a Cease and forget our routes, or keep them because another
engine comes in our stead: `herald.speaker.departure` says when.
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

from herald.bgp.event import Leaving
from herald.engine import bfd_document, bgp_document, counters, host, past, show
from herald.engine.bfd_sessions import BfdSessions
from herald.engine.bfd_socket import BfdNetwork
from herald.engine.control_link import ControlLink
from herald.engine.dialler import Dialler
from herald.engine.fast_failover import FastFailover, Group
from herald.engine.heartbeat import Heartbeat
from herald.engine.history import Death, History
from herald.engine.holding_log import log_holdings
from herald.engine.interface_fact import interface_fact
from herald.engine.link import Apply, ClosedWay, Departing, Facts, Member, Moved, Ready, UnansweredHolding
from herald.engine.membership import Alone, Members, Membership
from herald.engine.ndp_socket import NdpSocket
from herald.engine.netlink import InterfaceMonitor
from herald.engine.newcomers import LET_GO_S, Newcomers
from herald.engine.options import Options
from herald.engine.packet_socket import open_arp_socket
from herald.engine.peers import Peers
from herald.engine.precedence import Need, Precedence
from herald.engine.regency import Regency, able
from herald.engine.usable import UsableInterfaces
from herald.engine.watch import Watch
from herald.engine.wish import Difference, Wish
from herald.layer2.driver import Layer2Driver
from herald.layer2.event import Succeeded
from herald.layer2.holding import Address, Holding
from herald.layer2.link import Exclusion
from herald.layer2.self_probe import DEFAULT_INTERVAL
from herald.net.interface import Interface
from herald.observe import collector, log

LEAVE_SECONDS: Final = 0.9
FAREWELL_SECONDS: Final = 0.4
_WORDS: Final = {
    Leaving.FOR_GOOD: "are told to forget our routes",
    Leaving.TO_RETURN: "that offer graceful restart keep our routes",
}

_log: Final = logging.getLogger("herald.engine")


def run(options: Options) -> None:
    """Be the engine until told to leave. Raises ValueError for options that cannot be, OSError without the rights."""
    log.setup(options.log_level)
    asyncio.run(_Engine(options).run())


class _Engine:
    """Everything of the process, wired together. Lives in one loop."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._exclusion = Exclusion(options.exclude_interfaces)
        self._wish = Wish()
        self._history = History(options.node)
        self._applying = asyncio.Lock()
        self._departing = Departing(Leaving.TO_RETURN, "the speaker stops")
        self._membership_document: show.Answer = lambda: show.members(
            self._membership.members(), self._membership.notes()
        )
        self._show_gossip: show.Answer = lambda: None
        self._left: frozenset[str] = frozenset()
        self._closed_ways: Callable[[], tuple[ClosedWay, ...]] = lambda: ()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._leaving: asyncio.Future[Departing | str] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave_for, signal.Signals(number).name)
        async with asyncio.TaskGroup() as tasks:
            self._start(tasks)
            servers = [await self._link.start(socket.socket(fileno=self._options.link_fd))]
            if self._options.show_socket is not None:
                servers.append(await self._show().start(show.bind(self._options.show_socket)))
            always = [tasks.create_task(each) for each in (self._link.tell_facts(), self._link.watch_control())]
            _log.info("engine of %s is ready", self._options.node, extra={"event": "engineReady", "pid": os.getpid()})
            collector.calm()
            reason = await self._leaving
            self._link.leaving()
            for server in servers:
                server.close()
            await self._leave(reason)
            for task in always:
                task.cancel()
            self._dialler.close()
            self._link.close()

    def _start(self, tasks: asyncio.TaskGroup) -> None:
        self._link = ControlLink(
            Ready(self._options.node, os.getpid()),
            facts=self._facts,
            on_apply=self._apply,
            on_join=lambda addresses: self._membership.join(addresses),
            on_leave=lambda reason: self._leave_for(Departing(Leaving.FOR_GOOD, reason)),
            on_departing=self._expect,
            on_moved=lambda moved: self._history.explain(moved, asyncio.get_running_loop().time()),
            on_tell=lambda note: self._membership.tell(note),
            on_watch=lambda watch: self._failover.watch(frozenset(watch.nodes)),
            on_away=lambda why: self._regency.control_is_away(why),
            on_wished=self._follows_control,
            on_hung=lambda: self._regency.end_control(),
        )
        changed = self._link.note_change
        self._dialler = Dialler(self._is_on_link)
        self._precedence = Precedence()
        self._bfd = BfdSessions(BfdNetwork(asyncio.get_running_loop().time), random.SystemRandom(), self._precedence)
        self._peers = Peers(
            tasks,
            dial=self._dialler.dial,
            rng=random.Random(),  # noqa: S311  # jitter, no secret
            on_change=changed,
            bfd=self._bfd,
            is_on_link=self._is_on_link,
            past_with=past.look(self._options.show_socket).past_with,
            host_name=self._options.node,
            listen=self._options.bgp_listen,
        )
        self._layer2 = Layer2Driver(
            open_arp_socket,
            NdpSocket,
            exclusion=self._exclusion,
            on_change=self._layer2_changed,
            on_trouble=lambda: self._monitor.resync(),
            rate=self._options.gratuitous_rate,
            refresh=self._options.gratuitous_interval,
            rng=random.Random(),  # noqa: S311  # jitter, no secret
            watch=Watch() if self._options.self_probe_interval is not None else None,
            probe_interval=self._options.self_probe_interval or DEFAULT_INTERVAL,
            probe_first=self._options.probe_first,
            may_answer=lambda: self._failover.may_answer(),
            on_let_go=self._let_go,
        )
        self._monitor = InterfaceMonitor(self._interfaces_changed)
        self._newcomers = Newcomers(
            self._living,
            lambda is_urgent: self._layer2.announce_again(LET_GO_S, is_urgent=is_urgent),
            self._members_gone,
        )
        self._regency = Regency(
            self._layer2,
            lambda: self._membership,
            others=self._others,
            on_change=changed,
            on_lend=lambda: self._history.keep(self._layer2.first_sent),
            on_alone=self._hold_again,
            supervised=self._options.supervised,
        )
        self._membership = self._join()
        self._usable = UsableInterfaces(self._layer2.interfaces, self._membership.offer)

    def _interfaces_changed(self, interfaces: tuple[Interface, ...]) -> None:
        self._layer2.set_interfaces(interfaces)
        self._peers.ways.set_interfaces(interfaces)

    def _layer2_changed(self) -> None:
        self._usable.changed()
        self._regency.look_again()
        self._peers.bfd.look_again()
        self._link.note_change()

    def _members_changed(self) -> None:
        asyncio.get_running_loop().call_soon(self._look_at_members)
        self._link.note_change()  # the facts are told after that look

    def _look_at_members(self) -> None:
        members = self._membership.members()
        self._failover.see(frozenset(members))
        self._newcomers.look()
        self._left = frozenset(node for node in self._left - members.keys() if self._membership.has_left(node))
        self._regency.look_again()
        self._precedence.need(Need.GOSSIP, needed=self._options.gossip is not None and len(members) > 1)

    def _living(self) -> Members:
        """Who counts as there: those of the membership that are not taken for dead by fastFailover."""
        dead = self._failover.dead
        return {node: names for node, names in self._membership.members().items() if node not in dead}

    def _members_gone(self, nodes: frozenset[str]) -> None:
        rows = {row["name"]: row for row in self._membership_document()}
        by = "heartbeat" if self._options.gossip is None else "gossip"

        def found(node: str) -> Death | None:
            if self._membership.has_left(node):
                return None
            silent_for = self._failover.silent_for(node)
            return Death(by, rows.get(node, {}).get("lastSeen")) if silent_for is None else Death("bfd", silent_for)

        self._left |= {node for node in nodes if self._membership.has_left(node)}
        self._history.gone(nodes, found, asyncio.get_running_loop().time())

    def _is_on_link(self, address: Address) -> bool:
        known = (one.interface.addresses for one in self._layer2.interfaces())
        return any(address in own.network for addresses in known for own in addresses if own.version == address.version)

    def _join(self) -> Membership:
        if self._options.gossip is not None:
            # Imported here: only who gossips pays for the cryptography.
            from herald.engine.gossip import GossipMembership

            gossip = GossipMembership(
                self._options.node,
                self._options.gossip,
                self._members_changed,
                on_reached=lambda node: self._failover.answered(node),
                on_thought_dead=self._was_thought_dead,
            )
            self._membership_document, self._show_gossip = gossip.document, gossip.own_document
            self._closed_ways = gossip.closed
            self._failover = self._fast_failover(gossip)
            return gossip
        self._failover = self._fast_failover(None)
        if self._options.members_dir is None:
            return Alone(self._options.node, self._link.note_change)
        heartbeat = Heartbeat(self._options.members_dir, self._options.node, self._members_changed)
        self._membership_document = heartbeat.document
        return heartbeat

    def _fast_failover(self, group: Group | None) -> FastFailover:
        return FastFailover(
            self._bfd,
            group,
            on_change=self._members_changed,
            on_return=lambda delay: self._layer2.announce_again(delay),
            on_fenced=lambda seconds, why: self._history.fenced(time.time() - seconds, why),
        )

    def _was_thought_dead(self) -> None:
        """Whoever stood in for this node was believed: what it holds is announced again, and its claims yield."""
        self._layer2.announce_again(LET_GO_S)
        self._regency.was_thought_dead()

    def _follows_control(self) -> None:
        if not self._leaving.done():
            self._regency.control_is_back()

    def _let_go(self, change: Succeeded) -> None:
        if self._regency.taken(change.address):
            self._note_moves((), (change.address,))
            moved = Moved((change.address,), self._options.node, None, f"control of {self._options.node} is away")
            self._history.explain(moved, asyncio.get_running_loop().time())
        self._history.let_go(change.address, change.mac)

    def _leave_for(self, why: Departing | str) -> None:
        """Told by control how, or by the signal of that name."""
        if not self._leaving.done():
            self._leaving.set_result(why)

    def _expect(self, departing: Departing) -> None:
        self._departing = departing

    async def _manner(self, why: Departing | str) -> Departing:
        """How the peers are left: after the others have been told, for control may still learn something."""
        if isinstance(why, Departing):
            return why
        if await host.is_going_down():
            return Departing(Leaving.FOR_GOOD, "the host is going down")
        return self._departing

    async def _leave(self, why: Departing | str) -> None:
        reason = why.reason if isinstance(why, Departing) else why
        _log.info("leaving: %s", reason, extra={"event": "engineLeaving", "reason": reason})
        end = asyncio.get_running_loop().time() + LEAVE_SECONDS
        self._usable.close()
        handing_over = asyncio.ensure_future(self._hand_over(end, to_others=bool(able(self._others()))))
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._membership.leave()
        except TimeoutError:  # whatever holds it up must not keep us from what follows
            _log.warning("the other speakers could not be told in time", extra={"event": "engineLeaving"})
        self._monitor.close()
        try:
            async with asyncio.timeout_at(end):
                manner = await self._manner(why)
                returns = manner.leaving is Leaving.TO_RETURN
                extra = {"event": "peersLeft", "returns": returns, "reason": manner.reason}
                if self._peers.snapshots():
                    _log.info("BGP peers %s: %s", _WORDS[manner.leaving], manner.reason, extra=extra)
                stopping = self._peers.stop(f"{self._options.node}: {manner.reason}", manner.leaving)
                await asyncio.gather(self._failover.stop(), stopping)
        except TimeoutError:
            _log.warning("a peer did not close its session in time", extra={"event": "engineLeaving"})
        await handing_over

    def _others(self) -> Members:
        return {node: names for node, names in self._living().items() if node != self._options.node}

    async def _hand_over(self, end: float, *, to_others: bool) -> None:
        """Answer on until others do, if there are any; by the loop's time `end` at the latest."""
        if to_others:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await self._layer2.hand_over()
        self._layer2.close()

    async def _apply(self, parts: tuple[Apply, ...]) -> None:
        """Follow the wish in small steps: even the whole wish of a busy node must not hold up its answers.

        Others let go of an address for this node once it is ready, so it is ready when it answers for all of them: for
        the moment that gossip takes both answer, and no client is without.
        """
        async with self._applying:
            if self._leaving.done():
                return
            for address in self._regency.forget_taken():  # it is still in the wish: wanted again, it is news
                self._wish.holdings.pop(address, None)
            for difference in self._wish.follow(parts):
                self._peers.apply(difference)
                handed_over = tuple(one.address for one in difference.handed_over)
                log_holdings(difference, looks_first=self._options.probe_first)
                self._note_moves(difference.held, (*difference.released, *handed_over))
                self._layer2.apply(difference.held, difference.released, handed_over)
                await asyncio.sleep(0)
                if self._leaving.done():
                    return
            self._take_again(parts)
            self._peers.start_new(complete=parts[0].reset)

    def _take_again(self, parts: tuple[Apply, ...]) -> None:
        """What another node took over while this wish was followed."""
        late = self._regency.forget_taken()
        named = {one.address: one for part in parts for one in part.holdings} if late else {}
        for address in late - named.keys():
            self._wish.holdings.pop(address, None)
        again = tuple(named[address] for address in late & named.keys())
        self._note_moves(again, ())
        self._layer2.apply(again, ())

    def _hold_again(self, addresses: frozenset[Address]) -> None:
        """Their taker is gone, and nobody else is there; what control has dropped since is nobody's."""
        again = tuple(holding for address, holding in self._wish.holdings.items() if address in addresses)
        if not again or self._leaving.done():
            return
        log_holdings(Difference(held=again), looks_first=self._options.probe_first)
        self._note_moves(again, ())
        cause = f"whoever took it is gone, and control of {self._options.node} is away"
        moved = Moved(tuple(one.address for one in again), None, self._options.node, cause)
        self._history.explain(moved, asyncio.get_running_loop().time())
        self._layer2.apply(again, ())

    def _note_moves(self, held: tuple[Holding, ...], released: tuple[Address, ...]) -> None:
        now, wall = asyncio.get_running_loop().time(), time.time()
        self._history.took((one.address for one in held), now, wall)
        for address in released:
            self._history.released(address, self._layer2.first_sent(address), now, wall)

    def _facts(self) -> Facts:
        notes = self._membership.notes()
        return Facts(
            tuple(Member(node, names, notes.get(node)) for node, names in sorted(self._living().items())),
            tuple(interface_fact(one) for one in self._layer2.interfaces()),
            self._peers.facts(),
            self._layer2.conflicts(),
            tuple(UnansweredHolding(address, why) for address, why in self._layer2.unanswered()),
            closed=self._closed_ways(),
            left=self._left,
            absent_at=self._regency.absent_at,
        )

    def _bgp_summary(self, now: float) -> show.Document:
        peers = self._peers
        return bgp_document.summary(peers.snapshots(), now, peers.ways.links(), peers.listener.refusal)

    def _members_document(self) -> show.Document:
        rows = show.watched(self._membership_document(), self._failover.document())
        away = self._regency.away
        return [{**row, "away": away} if away and row["name"] == self._options.node else row for row in rows]

    def _show(self) -> show.ShowSocket:
        now = asyncio.get_running_loop().time
        return show.ShowSocket(
            self._options.node,
            {
                "members": self._members_document,
                "gossip": self._show_gossip,
                "interfaces": lambda: show.interfaces(self._layer2.interfaces()),
                "history": lambda: self._history.document(self._layer2.first_sent),
                "l2": lambda: show.layer2(self._layer2.snapshot()),
                "bfd": lambda: bfd_document.shown(self._peers.bfd, self._failover, now()),
                "bgp summary": lambda: self._bgp_summary(now()),
                "bgp listen": self._peers.listener.document,
            },
            {
                "bgp routes": lambda: bgp_document.routes(self._wish.routes, self._peers.snapshots()),
                "counters": lambda: counters.pieces(
                    self._peers.snapshots(),
                    self._peers.bfd,
                    self._layer2,
                    self._closed_ways(),
                    self._peers.listener,
                    self._failover,
                ),
            },
        )
