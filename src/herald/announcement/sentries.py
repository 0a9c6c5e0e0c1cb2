"""Who watches whom for `fastFailover`: the owner of an address and the two nodes next in line.

    in line   owner, 2nd, 3rd        for each service that an L2Advertisement with fastFailover reaches
    pairs     {owner, 2nd}, {owner, 3rd}, {2nd, 3rd}, each once however many services share it
    chosen    as many as leave every node with `MOST_PARTNERS` at most

Both ends of a pair must come to it by themselves, so the choice depends on nothing but the lines: the pairs with the
second in line come first, then those with the third, then those of the two in line, by whom the third learns at once
that the second died with the owner; among equals by a hash of the two names. A service that comes or goes adds or takes
away its own pairs and leaves the order of the others alone. In groups of up to nine nodes nothing is ever left out; in
larger ones addresses whose pairs are left out move at the speed of gossip.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import combinations
from typing import Final, TypeAlias

from herald.cluster.meta import NodeName

NEXT_IN_LINE: Final = 2
MOST_PARTNERS: Final = 8

Pair: TypeAlias = tuple[NodeName, NodeName]
"""Two nodes that watch each other, by name."""
Line: TypeAlias = tuple[NodeName, ...]
"""The owner of an address and who takes over from it, in that order; longer ones are cut."""


def pairs(lines: Iterable[Line]) -> dict[Pair, int]:
    """Every pair with the rank of what it is for: 0 the owner and the second in line, then as in the table above."""
    found: dict[Pair, int] = {}
    for line in lines:
        for rank, (one, other) in enumerate(combinations(line[: 1 + NEXT_IN_LINE], 2)):
            both = (one, other) if one < other else (other, one)
            found[both] = min(rank, found.get(both, rank))
    return found


def chosen(wanted: Mapping[Pair, int]) -> frozenset[Pair]:
    """Those of the pairs that watch each other."""
    partners: Counter[NodeName] = Counter()
    taken: set[Pair] = set()
    for both in sorted(wanted, key=lambda pair: (wanted[pair], _ticket(pair))):
        if all(partners[node] < MOST_PARTNERS for node in both):
            partners.update(both)
            taken.add(both)
    return frozenset(taken)


def partners_of(node: NodeName, lines: Iterable[Line]) -> frozenset[NodeName]:
    """With whom `node` watches each other, by all the lines there are."""
    return frozenset(one for both in chosen(pairs(lines)) if node in both for one in both if one != node)


def _ticket(pair: Pair) -> bytes:
    return sha256("#".join(pair).encode()).digest()
