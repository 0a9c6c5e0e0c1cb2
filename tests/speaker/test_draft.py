"""Changes put together for the engine come to the same as one after the other."""

import random
from ipaddress import ip_address, ip_network

import pytest

from herald.announcement.incremental import Change, RouteChange
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.cluster.meta import NodeName, PeerName
from herald.engine.link import Apply, Handover
from herald.engine.wish import Wish
from herald.layer2.holding import Holding
from herald.speaker.draft import Draft

ADDRESSES = [ip_address(f"192.0.2.{n}") for n in range(4)]
PREFIXES = [ip_network(f"{address}/32") for address in ADDRESSES]
PEERS = [PeerName("a"), PeerName("b")]


def peer(name: PeerName) -> PeerParameters:
    return PeerParameters(name=name, peer_address=ip_address("192.0.2.254"), local_asn=64500, peer_asn=64501)


def some_change(chance: random.Random, known: set[PeerName]) -> Change:
    """A change such as the upkeep makes: routes only for peers that are there."""
    match chance.randrange(4):
        case 0:
            name = chance.choice(PEERS)
            if name in known:
                known.remove(name)
                return Change(peers_dropped=(name,))
            known.add(name)
            return Change(peers=(peer(name),))
        case 1 if known:
            name, prefix = chance.choice(sorted(known)), chance.choice(PREFIXES)
            withdrawn = chance.random() < 0.5
            routes = RouteChange((), (prefix,)) if withdrawn else RouteChange((Route(prefix, chance.randrange(9)),))
            return Change(routes={name: routes})
        case _:
            address = chance.choice(ADDRESSES)
            if chance.random() < 0.5:
                return Change(released=(address,))
            return Change(held=(Holding(address, chance.choice([None, frozenset({"eth0"})])),))


def follow(wish: Wish, apply: Apply) -> None:
    for _ in wish.follow((apply,)):
        pass


@pytest.mark.parametrize("seed", range(40))
def test_many_changes_in_one_apply_lead_where_single_ones_do(seed: int) -> None:
    chance = random.Random(seed)
    known: set[PeerName] = set()
    one_by_one, together = Wish(), Wish()
    draft = Draft()
    for _ in range(60):
        change = some_change(chance, known)
        single = Draft()
        single.add(change)
        draft.add(change)
        if (apply := single.take()) is not None:
            follow(one_by_one, apply)
        if chance.random() < 0.2 and (apply := draft.take()) is not None:
            follow(together, apply)
    if (apply := draft.take()) is not None:
        follow(together, apply)
    assert together.holdings == one_by_one.holdings
    assert together.peers == one_by_one.peers
    tables = [{name: table for name, table in wish.routes.items() if table} for wish in (together, one_by_one)]
    assert tables[0] == tables[1]


def test_an_empty_draft_is_nothing_to_tell() -> None:
    draft = Draft()
    draft.add(Change())
    assert draft.take() is None
    draft.add(Change(held=(Holding(ADDRESSES[0]),)))
    assert draft.take() is not None
    assert draft.take() is None


@pytest.mark.parametrize(
    ("changes", "handovers"),
    [
        (
            [Change(released=(ADDRESSES[0],), successors={ADDRESSES[0]: NodeName("n2")})],
            (Handover(ADDRESSES[0], "n2"),),
        ),
        ([Change(released=(ADDRESSES[0],))], ()),
        (
            [
                Change(released=(ADDRESSES[0],), successors={ADDRESSES[0]: NodeName("n2")}),
                Change(held=(Holding(ADDRESSES[0]),)),
            ],
            (),
        ),
        (
            [
                Change(released=(ADDRESSES[0],), successors={ADDRESSES[0]: NodeName("n2")}),
                Change(held=(Holding(ADDRESSES[0]),)),
                Change(released=(ADDRESSES[0],)),
            ],
            (),
        ),
    ],
    ids=["another has it", "nobody has it", "it is back", "it is back and gone"],
)
def test_who_has_an_address_next_is_told_with_its_end(changes: list[Change], handovers: tuple[Handover, ...]) -> None:
    draft = Draft()
    for change in changes:
        draft.add(change)
    apply = draft.take()
    assert apply is not None
    assert apply.handovers == handovers
