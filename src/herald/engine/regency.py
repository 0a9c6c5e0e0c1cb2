"""What the engine does while control is away (`herald.engine.attendance`), and when it is back.

    away    the others are told that nobody is to count on this node (`Membership.away`)
            what is held is lent to whoever takes it, if there is anybody who could; otherwise it is held on as before
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

from herald.engine.membership import Membership
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
        has_others: Callable[[], bool],
        on_change: Callable[[], None],
        supervised: bool,
    ) -> None:
        """`has_others`: whether there is anybody who could answer for anything. `on_change`: `absent_at` is another."""
        self._layer2 = layer2
        self._membership = membership
        self._has_others = has_others
        self._on_change = on_change
        self._parent = os.getppid() if supervised else None
        self._away: str | None = None
        self._absent_at: float | None = None
        self._taken: set[Address] = set()

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
        if self._has_others():
            self._layer2.lend()
        else:
            self._layer2.take_back()

    def taken(self, address: Address) -> bool:
        """Another node was heard to have it. Gives whether control is away, so that nobody takes it out of the wish."""
        if self._away is None:
            return False
        self._taken.add(address)
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
        """It gives no sign any more."""
        _log.error("control gives no sign any more: it is to be started again", extra={"event": "controlHangs"})
        if self._parent is None or os.getppid() != self._parent:
            return
        try:
            os.kill(self._parent, signal.SIGUSR1)
        except OSError as error:
            _log.warning("the supervisor cannot be told: %s", error, extra={"event": "controlHangs"})
