"""The machine that keeps each link a member of the solicited-node groups of the addresses that are held there.

A switch that snoops MLD brings the solicitations for an address only to ports that have joined its group; without a
switch like that the network card still drops them. Addresses that end alike share a group, so they are counted: it is
left when the last of them is gone from that link. A link that appears is a member of nothing yet, whatever it was
before, and joins everything at once. With a link that goes away its memberships go too, without a word.

Groups are joined before the announcer says that an address is here; for that the shell asks this machine first.
"""

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import assert_never

from herald.layer2 import solicited_node
from herald.layer2.event import (
    AnnounceAgain,
    Contested,
    Effect,
    Event,
    FrameReceived,
    HoldingsChanged,
    JoinGroup,
    LeaveGroup,
    LinksChanged,
    ProbeLeft,
    ProbeNotWatched,
    SendFailed,
    Succeeded,
)
from herald.layer2.holding import Holding
from herald.layer2.link import NdpLink


class GroupMember:
    """A `herald.machine.Machine` of Layer 2 events and effects."""

    def __init__(self) -> None:
        self._holdings: dict[IPv6Address, Holding] = {}
        self._links: dict[int, NdpLink] = {}
        self._joined: dict[int, Counter[IPv6Address]] = {}  # link → group → addresses in it

    def handle(self, event: Event, now: float) -> list[Effect]:
        """See `herald.machine.Machine.handle`."""
        match event:
            case Succeeded(address, still):
                return self._change(address, still)
            case HoldingsChanged(held, released):
                effects = [effect for address in released for effect in self._change(address, None)]
                effects += [effect for holding in held for effect in self._change(holding.address, holding)]
                return effects
            case LinksChanged():
                return self._replace_links({link.index: link for link in event.ndp_links})
            case FrameReceived() | SendFailed() | AnnounceAgain() | Contested() | ProbeLeft() | ProbeNotWatched():
                return []
            case _:
                assert_never(event)

    def wake(self, now: float) -> list[Effect]:
        """See `herald.machine.Machine.wake`. There is nothing to wait for."""
        return []

    def deadline(self) -> float | None:
        """See `herald.machine.Machine.deadline`."""
        return None

    def snapshot(self) -> dict[int, frozenset[IPv6Address]]:
        """The groups of each link, by its index."""
        return {index: frozenset(counts) for index, counts in self._joined.items()}

    def _change(self, address: object, after: Holding | None) -> list[Effect]:
        """The holding of `address` is now `after`. Joins come first, so that a group is not left and joined again."""
        if not isinstance(address, IPv6Address):
            return []
        before = self._holdings.pop(address, None)
        if after is not None:
            self._holdings[address] = after
        effects: list[Effect] = []
        for index, link in self._links.items():
            was, is_now = _covers(before, link), _covers(after, link)
            if is_now and not was:
                effects += self._join(index, address)
            elif was and not is_now:
                effects += self._leave(index, address)
        return effects

    def _replace_links(self, links: dict[int, NdpLink]) -> list[Effect]:
        before, self._links = self._links, links
        for index in before.keys() - links.keys():
            del self._joined[index]
        effects: list[Effect] = []
        for index, link in links.items():
            known = before.get(index)
            if known is None or known.name != link.name:
                effects += self._recount(index, link)
        return effects

    def _recount(self, index: int, link: NdpLink) -> list[Effect]:
        """A link that is new, or has a new name and with it other holdings."""
        left = self._joined.get(index, Counter())
        covered = (address for address, holding in self._holdings.items() if holding.covers(link.name))
        self._joined[index] = wanted = Counter(map(solicited_node.group, covered))
        return [
            *(JoinGroup(index, group) for group in sorted(wanted.keys() - left.keys())),
            *(LeaveGroup(index, group) for group in sorted(left.keys() - wanted.keys())),
        ]

    def _join(self, index: int, address: IPv6Address) -> Iterable[Effect]:
        group = solicited_node.group(address)
        self._joined[index][group] += 1
        return [JoinGroup(index, group)] if self._joined[index][group] == 1 else []

    def _leave(self, index: int, address: IPv6Address) -> Iterable[Effect]:
        group = solicited_node.group(address)
        self._joined[index][group] -= 1
        if self._joined[index][group] > 0:
            return []
        del self._joined[index][group]
        return [LeaveGroup(index, group)]


def _covers(holding: Holding | None, link: NdpLink) -> bool:
    return holding is not None and holding.covers(link.name)
