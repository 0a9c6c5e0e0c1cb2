"""What is wrong with the answers of this node, by address: nobody can hear them, or somebody else gives them too.

At a planned move, and when a node comes back, the successor answers before this node lets go: for a moment both claim
the address. So only what stands for `STANDS_S` is told: a claim as an event, both in the status of the service.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

from herald.engine.link import UnansweredHolding
from herald.layer2.conflict import Conflict
from herald.net.interface import mac_text
from herald.speaker import whose_mac
from herald.speaker.decider import Decider
from herald.speaker.narrator import Narrator
from herald.speaker.publisher import Publisher
from herald.speaker.status_object import Claim, Trouble

STANDS_S: Final = 1.0
"""Gossip takes 0.2 s a step, and the loser a moment to let go."""

Troubles: TypeAlias = Mapping[IPv4Address | IPv6Address, Trouble]


@dataclass(slots=True)
class _Open:
    at: float
    since: str
    owner: str | None = None
    is_told: bool = False


class Contest:
    """Tells `narrator` and `publisher`. `now` is monotonic seconds, `wall` seconds of the epoch."""

    def __init__(self, decider: Decider, narrator: Narrator, publisher: Publisher) -> None:
        self._decider = decider
        self._narrator = narrator
        self._publisher = publisher
        self._open: dict[Conflict | UnansweredHolding, _Open] = {}
        self._known: Troubles = {}

    def see(
        self, conflicts: Iterable[Conflict], unanswered: Iterable[UnansweredHolding], now: float, wall: float
    ) -> None:
        """The engine sees these and no others."""
        since = datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        present: tuple[Conflict | UnansweredHolding, ...] = (*conflicts, *unanswered)
        self._open = {one: self._open.get(one) or _Open(now, since) for one in present}
        self.look_again(now)

    def deadline(self) -> float | None:
        """When something that is open will have stood long enough."""
        return min((one.at + STANDS_S for one in self._open.values() if not one.is_told), default=None)

    def look_again(self, now: float) -> None:
        """Tell what stands by now."""
        news = [one for one, state in self._open.items() if not state.is_told and state.at + STANDS_S <= now]
        for one in news:
            self._open[one].is_told = True
            if isinstance(one, Conflict):
                self._open[one].owner = owner = self._owner(one)
                self._narrator.tell_conflict(one, owner)
        troubles = self._troubles()
        if troubles != self._known:
            self._known = troubles
            self._publisher.answer(troubles)

    def _owner(self, conflict: Conflict) -> str | None:
        view = self._decider.view
        return whose_mac.node_at(conflict.mac, view.landscape.nodes.values() if view else ())

    def _troubles(self) -> Troubles:
        claims: dict[IPv4Address | IPv6Address, list[Claim]] = {}
        reasons: dict[IPv4Address | IPv6Address, str] = {}
        for one, state in self._open.items():
            if state.is_told and isinstance(one, Conflict):
                ip, mac = str(one.address), mac_text(one.mac)
                claims.setdefault(one.address, []).append(Claim(ip, one.interface, mac, state.owner or "", state.since))
            elif state.is_told and isinstance(one, UnansweredHolding):
                reasons[one.address] = one.reason
        return {
            address: Trouble(reasons.get(address, ""), tuple(sorted(claims.get(address, ()))))
            for address in claims.keys() | reasons.keys()
        }
