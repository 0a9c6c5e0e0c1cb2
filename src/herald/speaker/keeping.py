"""Which addresses this node claims, so that who returns does not take them: the working out of `failback`.

    held ──claimed at once──▶ kept ──in turn is another one, for `failback_s`──▶ given back: claimed no longer

What decides is not this but what comes of it: the claims that all speakers read (`herald.announcement.told`). So there
is no clock that two nodes would have to agree on: who holds an address lets its claim go when the time has come, and
with that the address is the other one's, for all.

**At the start.** A node that has just begun claims nothing until it has seen as many speakers as there should be, or
`START_S` has passed: after a power cut the first one up would otherwise keep everything.

**A node that was away without knowing** must not insist on what it held: it was cut off (of those it saw more than
half vanished within `CALM_S`), it stood still (`froze`), or its engine says that others took it for dead or for unable
to decide (`absent`). It claims on, but its claims *yield* to those of others
until it has been well for `CALM_S`.

**Giving back** loses nothing: this node goes by its own former claim for `LINGER_S` more, while the others already go
by the new ones, so that the other one answers before this one falls silent.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from herald.announcement.incremental import Tenure
from herald.cluster.meta import NamespacedName, NodeName
from herald.net.ip_family import IPAddress

START_S: Final = 30.0
CALM_S: Final = 15.0
LINGER_S: Final = 0.6


class Keeping:
    """Of one node. No clock: `now` is given in, in seconds."""

    def __init__(self) -> None:
        self._tenures: dict[NamespacedName, Tenure] = {}
        self._waiting: dict[NamespacedName, tuple[NodeName, float]] = {}
        self._lingering: dict[IPAddress, float] = {}
        self._claimed: frozenset[IPAddress] = frozenset()
        self._begun_at: float | None = None
        self._is_settled = False
        self._seen: deque[tuple[float, int]] = deque()
        self._cut_off_from = 0
        self._unwell_until = float("-inf")
        self._absent_until = float("-inf")

    def see(self, present: int, expected: int, now: float) -> None:
        """So many speakers are alive, this one included, and there should be `expected`."""
        if self._begun_at is None:
            self._begun_at = now
        self._is_settled = self._is_settled or present >= expected or now >= self._begun_at + START_S
        while self._seen and self._seen[0][0] <= now - CALM_S:
            self._seen.popleft()
        self._seen.append((now, present))
        most = max(count for _, count in self._seen)
        if 2 * present < most:
            self._unwell_until, self._cut_off_from = float("inf"), max(most, self._cut_off_from)
        elif self._cut_off_from and 2 * present >= self._cut_off_from:
            self._unwell_until, self._cut_off_from = now + CALM_S, 0

    def resume(self) -> None:
        """This node has held addresses before: it is not at the start, only its control is."""
        self._is_settled = True

    def froze(self, now: float) -> None:
        """This node stood still for so long that others may have taken it for dead."""
        self._unwell_until = max(self._unwell_until, now + CALM_S)

    def absent(self, at: float) -> None:
        """The others last may have counted on this node no longer at that instant; infinite: they still do not."""
        self._absent_until = at + CALM_S

    def engine_is_new(self, now: float) -> None:
        """Whatever the one of before said of its absence, it can no longer say that it is over."""
        if self._absent_until == float("inf"):
            self.absent(now)

    def hold(self, tenures: Mapping[NamespacedName, Tenure | None], node: NodeName, now: float) -> None:
        """These services are held so from now on, None: not by this `node`, or without `failback`."""
        for service, tenure in tenures.items():
            if tenure is None:
                self._tenures.pop(service, None)
                self._waiting.pop(service, None)
                continue
            self._tenures[service] = tenure
            waiting = self._waiting.get(service)
            if tenure.in_turn in (None, node):
                self._waiting.pop(service, None)
            elif waiting is None or waiting[0] != tenure.in_turn:
                assert tenure.in_turn is not None
                self._waiting[service] = tenure.in_turn, now

    @property
    def services(self) -> Iterable[NamespacedName]:
        """All that are held under `failback`."""
        return self._tenures

    def claimed(self, now: float) -> frozenset[IPAddress]:
        """What this node tells that it keeps."""
        begun = self._begun_at is not None and now >= self._begun_at + START_S
        self._is_settled = self._is_settled or begun
        kept = {one.address for key, one in self._tenures.items() if self._is_settled and not self._is_due(key, now)}
        given_back = {tenure.address for tenure in self._tenures.values()} & (self._claimed - kept)
        self._lingering.update((address, now + LINGER_S) for address in given_back)
        self._lingering = {address: until for address, until in self._lingering.items() if now < until}
        self._claimed = frozenset(kept)
        return self._claimed

    def lingering(self, now: float) -> frozenset[IPAddress]:
        """What this node itself still takes for claimed, beside that."""
        return frozenset(address for address, until in self._lingering.items() if now < until)

    def yields(self, now: float) -> bool:
        """Whether the claims are to count less than those of others."""
        return now < max(self._unwell_until, self._absent_until)

    def deadline(self, now: float) -> float | None:
        """When one of the answers above may be another without anything being told."""
        instants = [*self._lingering.values(), self._unwell_until, self._absent_until]
        instants += [since + self._tenures[key].failback_s for key, (_, since) in self._waiting.items()]
        if not self._is_settled and self._begun_at is not None:
            instants.append(self._begun_at + START_S)
        return min((at for at in instants if now < at < float("inf")), default=None)

    def _is_due(self, service: NamespacedName, now: float) -> bool:
        waiting = self._waiting.get(service)
        return waiting is not None and now >= waiting[1] + self._tenures[service].failback_s
