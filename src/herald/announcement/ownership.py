"""Who answers for an address where L2Advertisements ask for more than MetalLB's election.

    1  the plain winner, if its speaker is not Herald's     it follows the plain election whatever we think
    2  who claims the address (`failback`)                  several do: by score and ticket among them
    3  who has it in the even spread (`spread: even`)
    4  the plain winner among Herald's nodes

From the second on, damped nodes (`flapDamping`) do not stand unless all of them are damped. Nothing is decided by but
the configuration, who is alive, and what they tell of themselves (`herald.announcement.told`), so all come to the same.
The first line is what keeps a mixed group right: a speaker of MetalLB answers for what the plain election gives it and
for nothing else, and so the others divide exactly the rest. That election is over the nodes that *MetalLB* counts: it
knows neither drained nodes nor usable interfaces, so it may give an address to a node of Herald's that does not stand.
Then it is among the other nodes of Herald's, never one of MetalLB's, that a stand-in is found.
"""

from dataclasses import dataclass
from typing import Any

from herald.announcement.election import Electorate, Scores, order
from herald.announcement.reason import Code, Protocol, Reason, because
from herald.announcement.spread import Place, Spreads
from herald.announcement.told import Told
from herald.cluster.meta import NodeName
from herald.config.failback import IMMEDIATE, words
from herald.net.ip_family import IPAddress


@dataclass(frozen=True, slots=True)
class Terms:
    """What the advertisements of a service ask for together: the longest wait, the rest if one of them does."""

    failback_s: float = IMMEDIATE
    spread_evenly: bool = False
    flap_damping: bool = False

    @property
    def are_plain(self) -> bool:
        """Whether MetalLB's election is all there is."""
        return self == _PLAIN


_PLAIN = Terms()


class Ownership:
    """A fixed set of candidates with their scores, asked for many addresses; an `Electorate` under `terms`.

    `metallb` are those that MetalLB's election counts, all candidates at least; it matters beside MetalLB's speakers.
    """

    def __init__(
        self,
        candidates: frozenset[NodeName],
        scores: Scores,
        terms: Terms,
        told: Told,
        spreads: Spreads[Any],
        metallb: frozenset[NodeName] = frozenset(),
    ) -> None:
        self.candidates = candidates
        """All who may answer, damped or not."""
        self._scores = scores
        self._terms = terms
        self._spreads = spreads
        self._foreign = told.foreign & candidates
        self._metallb = metallb | candidates if self._foreign else candidates
        self._plain = Electorate(self._metallb, scores)
        ours = candidates - self._foreign
        steady = ours - told.damped if terms.flap_damping else ours
        self.damped = ours - steady if steady else frozenset()
        """Nodes that do not stand because they come and go too often."""
        self._ours = ours - self.damped
        self._electorate = Electorate(self._ours, scores)
        self._told = told
        self._keeps = bool(terms.failback_s and told.claims)

    def owner(self, address: IPAddress) -> NodeName | None:
        """The node that answers for `address`; None without candidates, or if only MetalLB's are left who do not."""
        return self._foreign_winner(address) or self._keeper(address) or self._in_turn(address)

    def wins(self, node: NodeName, address: IPAddress) -> bool:
        """Whether `node` is the owner of `address`."""
        if self._foreign or self._terms.spread_evenly:
            return self.owner(address) == node
        keeper = self._keeper(address)
        return self._electorate.wins(node, address) if keeper is None else keeper == node

    def in_turn(self, address: IPAddress) -> NodeName | None:
        """To whom the address goes back one day: who would answer if nobody claimed any, and shares did not matter."""
        return self._foreign_winner(address) or self._electorate.owner(address)

    def line(self, address: IPAddress) -> tuple[NodeName, ...]:
        """The owner, then who takes over from whom. A node that would never come to answer as things are is not in it.

        Such are MetalLB's speakers behind a node of Herald's that lives and does not stand.
        """
        mine = self._keeper(address) or self._in_turn(address)
        ours = [] if mine is None else [mine, *order(self._ours - {mine}, address, self._scores)]
        if not self._foreign:
            return tuple(ours)
        found: list[NodeName] = []
        waiting = list(order(self._metallb, address, self._scores))
        while waiting and (ours or waiting[0] in self._foreign):
            head = waiting[0] if waiting[0] in self._foreign else ours[0]
            waiting.remove(head)
            if head in ours:
                ours.remove(head)
            found.append(head)
        return tuple(found)

    def place(self, address: IPAddress) -> Place | None:
        """Where the address is to be spread, or None if it is not: spread is a matter of Herald's nodes."""
        if not self._terms.spread_evenly or not self._ours or self._foreign_winner(address) is not None:
            return None
        keeper = self._keeper(address)
        nodes = self._electorate.best
        return Place(address, nodes, keeper) if keeper is None or keeper in nodes else None

    def passed_over(self, address: IPAddress) -> NodeName | None:
        """MetalLB's winner, if another node owns the address."""
        winner = self._plain.owner(address)
        return None if winner == self.owner(address) else winner

    def instead(self, address: IPAddress) -> Reason | None:
        """Why another node than MetalLB's winner owns the address; None if that one does."""
        winner, owner = self.passed_over(address), self.owner(address)
        if winner is None or winner not in self.candidates:
            return None  # why it does not stand is its own reason
        if winner in self.damped:
            return because(Code.NODE_DAMPED, Protocol.LAYER2, node=winner)
        if self._keeper(address) == owner:
            policy = words(self._terms.failback_s)
            return because(Code.KEPT, Protocol.LAYER2, owner=owner, failback=policy, winner=winner)
        return because(Code.SPREAD, Protocol.LAYER2, owner=owner, winner=winner)

    def not_elected(self, node: NodeName, address: IPAddress) -> Reason:
        """Why `node`, which is a candidate, does not answer; another one does."""
        if node in self.damped:
            return because(Code.NODE_DAMPED, Protocol.LAYER2, node=node)
        if self.owner(address) is None:
            return because(Code.METALLB_WAITS, Protocol.LAYER2, node=node, winner=self._plain.owner(address))
        why = self.instead(address) if node == self.passed_over(address) else None
        return why or because(Code.NOT_ELECTED, Protocol.LAYER2, owner=self.owner(address))

    def _foreign_winner(self, address: IPAddress) -> NodeName | None:
        winner = self._plain.owner(address) if self._foreign else None
        return winner if winner in self._foreign else None

    def _keeper(self, address: IPAddress) -> NodeName | None:
        if not self._keeps:
            return None
        found = [node for node in self._told.claimants(address) if node in self._ours]
        if len(found) > 1:
            firm = [node for node in found if not self._told.claims[node].yields]
            found = list(order(firm or found, address, self._scores))
        return found[0] if found else None

    def _in_turn(self, address: IPAddress) -> NodeName | None:
        spread = self._spreads.owner(address, self._electorate.best) if self._terms.spread_evenly else None
        return spread or self._electorate.owner(address)
