"""The BFD sessions of this process, which several of its parts want: BGP peers and watched nodes.

There is one UDP port for BFD on a host, and RFC 5882 §2 wants one session between two ends. So there is one driver;
each part is a *user* of it with paths of its own. Where two want the same path, the one that wants to know sooner has
its way, and both hear of every change. While there is any session the engine goes before other processes.
"""

import random
from collections.abc import Callable
from typing import TypeAlias

from herald.bfd.control_packet import State
from herald.bfd.driver import BfdDriver, OnChange, Watched
from herald.bfd.network import Network
from herald.bfd.path import Lane, Path
from herald.bfd.profile import BFDProfile
from herald.bfd.reception import Reason
from herald.bfd.session import Changed
from herald.engine.precedence import Need, Precedence

Forget: TypeAlias = Callable[["BfdUser"], None]


class BfdSessions:
    """Made in the loop that it runs in."""

    def __init__(self, network: Network, rng: random.Random, precedence: Precedence | None = None) -> None:
        """`precedence`: of this process, None where nobody else asks for it."""
        self.driver = BfdDriver(network, rng, self._changed)
        self._users: list[BfdUser] = []
        self._precedence = precedence or Precedence()

    def user(self, on_change: OnChange) -> "BfdUser":
        """Another part that watches; `on_change` hears of its own paths."""
        made = BfdUser(self, on_change)
        self._users.append(made)
        return made

    def path_to(self, like: Path) -> Path:
        """The path of a session that there is between the same two ends, else `like`."""
        known = (path for user in self._users for path in user.profiles)
        return next((path for path in known if (Lane.of(path), path.peer) == (Lane.of(like), like.peer)), like)

    def settle(self, path: Path) -> None:
        """Have a session on this path if somebody wants it, and no more."""
        wanted = [user.profiles[path] for user in self._users if path in user.profiles]
        if wanted:
            self.driver.watch(path, min(wanted, key=_patience))
        else:
            self.driver.unwatch(path)
        self._precedence.need(Need.BFD, needed=any(user.profiles for user in self._users))

    async def leave(self, user: "BfdUser") -> None:
        """One part ends, with the last of them everything."""
        self._users.remove(user)
        for path in tuple(user.profiles):
            del user.profiles[path]
            self.settle(path)
        await (self.driver.wait_farewells() if self._users else self.driver.stop())

    def _changed(self, path: Path, change: Changed) -> None:
        for user in tuple(self._users):
            if path in user.profiles:
                user.on_change(path, change)


class BfdUser:
    """The paths that one part of the engine wants to be watched. `profiles` is to be read by others only."""

    def __init__(self, sessions: BfdSessions, on_change: OnChange) -> None:
        self._sessions = sessions
        self.on_change = on_change
        self.profiles: dict[Path, BFDProfile] = {}

    def watch(self, path: Path, profile: BFDProfile) -> None:
        """See `BfdDriver.watch`."""
        self.profiles[path] = profile
        self._sessions.settle(path)

    def unwatch(self, path: Path) -> None:
        """See `BfdDriver.unwatch`; the session lasts while somebody else wants it."""
        if self.profiles.pop(path, None) is not None:
            self._sessions.settle(path)

    def snapshots(self) -> dict[Path, Watched]:
        """The sessions on these paths."""
        return {path: one for path, one in self._sessions.driver.snapshots().items() if path in self.profiles}

    def state(self, path: Path) -> State:
        """See `BfdDriver.state`."""
        return self._sessions.driver.state(path)

    def dropped(self) -> dict[Reason, int]:
        """See `BfdDriver.dropped`: those of all users."""
        return self._sessions.driver.dropped()

    async def stop(self) -> None:
        """End these sessions, telling the peers that nothing has failed."""
        await self._sessions.leave(self)


def _patience(profile: BFDProfile) -> tuple[int, str]:
    return profile.detect_multiplier * max(profile.receive_interval_ms, profile.transmit_interval_ms), profile.name
