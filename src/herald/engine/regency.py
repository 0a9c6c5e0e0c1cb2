"""What the engine does while control is away (`herald.engine.attendance`), and when it is back.

    away    the others are told that nobody is to count on this node (`Membership.away`)
            what is held is lent to whoever takes it, if there is anybody who could; otherwise it is held on as before
            what was taken is held again where everybody who could have taken it is gone, and nobody else could: nodes
            that are there and do not count, their control being away as well, may still answer for what they took
    back    the whole wish is in force: what nobody took is held again, and the others may count on this node

When that was is told to control (`Facts.absent_at`): others may have taken what it held, so its claims to that yield.
The same holds for a node that was taken for dead without its knowing.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

from herald.engine.membership import Members, Membership
from herald.layer2.holding import Address

_log: Final = logging.getLogger("herald.engine")


class Layer2(Protocol):
    """What is needed of `herald.layer2.driver.Layer2Driver`."""

    def lend(self) -> None:
        """Answer for what is held until somebody else does."""

    def take_back(self) -> None:
        """Hold what is lent and was not taken."""


class Regency:
    """Made and used in one loop, in the process that the supervisor started."""

    def __init__(
        self,
        layer2: Layer2,
        membership: Callable[[], Membership],
        *,
        others: Callable[[], Members],
        on_change: Callable[[], None],
        on_lend: Callable[[], None],
        on_alone: Callable[[frozenset[Address]], None],
        supervised: bool,
    ) -> None:
        """`others`: the nodes that are there besides this one.

        `on_change`: `absent_at` is another. `on_lend`: what is held is about to be lent. `on_alone`: the node that has
        taken these is gone, and nobody else could answer for them.
        """
        self._layer2 = layer2
        self._membership = membership
        self._others = others
        self._on_change = on_change
        self._on_lend = on_lend
        self._on_alone = on_alone
        self._parent = os.getppid() if supervised else None
        self._away: str | None = None
        self._absent_at: float | None = None
        self._taken: dict[Address, frozenset[str]] = {}
        """With the nodes one of which did so, or has taken it from that one since."""

    @property
    def away(self) -> str | None:
        """Why control is away, in words; None if it is not."""
        return self._away

    @property
    def absent_at(self) -> float | None:
        """See `herald.engine.link.Facts`."""
        return self._absent_at

    def control_is_away(self, why: str) -> None:
        """From now on nobody decides here."""
        text = "control is away: this node stands for no election, and keeps what it has until another one takes it: %s"
        _log.warning(text, why, extra={"event": "controlAway", "reason": why})
        self._away = why
        self._absent_at = inf
        self._membership().away()
        self.look_again()
        self._on_change()

    def look_again(self) -> None:
        """The members may be others now."""
        if self._away is None:
            return
        if takers := able(self._others()):
            self._taken = {address: before | takers for address, before in self._taken.items()}
            self._on_lend()
            self._layer2.lend()
        else:
            self._layer2.take_back()
            self._take_again()

    def taken(self, address: Address) -> bool:
        """Another node was heard to have it. Gives whether control is away, so that nobody takes it out of the wish."""
        if self._away is None:
            return False
        self._taken[address] = able(self._others())
        extra = {"event": "addressReleased", "ip": address, "protocol": "layer2"}
        _log.info("another node answers for %s, so this node does no longer: control is away", address, extra=extra)
        return True

    def forget_taken(self) -> frozenset[Address]:
        """Those that were taken since this was asked last."""
        taken = frozenset(self._taken)
        self._taken.clear()
        return taken

    def control_is_back(self) -> None:
        """Its whole wish is in force; told of every wish."""
        self._layer2.take_back()
        if self._away is not None:
            _log.info("control is back, and its wish in force", extra={"event": "controlBack"})
            self._away = None
            self._absent_at = asyncio.get_running_loop().time()
            self._on_change()
        self._membership().ready()

    def was_thought_dead(self) -> None:
        """The others know better now."""
        if self._away is None:
            self._absent_at = asyncio.get_running_loop().time()
            self._on_change()

    def end_control(self) -> None:
        """It gives no sign of life."""
        if self._parent is None or os.getppid() != self._parent:
            text = "control gives no sign of life, and nobody here can start it again: restart the speaker"
            _log.error(text, extra={"event": "controlHangs"})
            return
        _log.error("control gives no sign of life: it is to be started again", extra={"event": "controlHangs"})
        try:
            os.kill(self._parent, signal.SIGUSR1)
        except OSError as error:
            _log.warning("the supervisor cannot be told: %s", error, extra={"event": "controlHangs"})

    def _take_again(self) -> None:
        there = self._others().keys()
        orphaned = frozenset(address for address, takers in self._taken.items() if takers.isdisjoint(there))
        if orphaned:
            self._taken = {one: takers for one, takers in self._taken.items() if one not in orphaned}
            self._on_alone(orphaned)


def able(others: Members) -> frozenset[str]:
    """Those that could answer for anything; of MetalLB's speakers nobody knows, so they count."""
    return frozenset(node for node, names in others.items() if names is None or names)
