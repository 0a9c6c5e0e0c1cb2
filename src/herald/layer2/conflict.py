"""Foreign claims to an address that is held here: two stations answering for one address.

An ARP packet whose *sender* is a held address but whose MAC is not ours proves that somebody else claims it. So does a
Neighbor Advertisement for it, or a solicitation that comes from it or looks for duplicates of it. It may be a second
speaker after a split, a machine with the address configured by hand, a DHCP lease inside a pool. Each (address, MAC) is
reported once and remembered until the address is released or nothing was heard of it for `SILENCE` seconds. A station
that invents MACs costs a bounded amount of memory and hides nothing: the ledger holds `PER_ADDRESS` entries of an
address and `CAPACITY` in all, but always one of each address, and counts what it turns away. So it is told in any case
that somebody else answers for an address; of many, not each.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from herald.layer2.holding import Address
from herald.net.interface import Mac

SILENCE: Final = 300.0
"""Seconds without a packet after which a claim counts as over. Stations refresh an entry more often than that."""
CAPACITY: Final = 256
PER_ADDRESS: Final = 8


@dataclass(frozen=True, slots=True)
class Conflict:
    """`mac`, which is not ours, claims `address` on the segment of `interface` (the name on this machine)."""

    address: Address
    interface: str
    mac: Mac


@dataclass(frozen=True, slots=True)
class Claim:
    """An open conflict, and the instants at which it was heard for the first and for the last time."""

    conflict: Conflict
    first: float
    last: float


class ConflictLedger:
    """The claims that are open, each with when it was heard."""

    def __init__(self, silence: float = SILENCE, capacity: int = CAPACITY) -> None:
        self._silence = silence
        self._capacity = capacity
        self._heard: dict[tuple[Address, Mac], Claim] = {}
        self._open_of: Counter[Address] = Counter()
        self.turned_away = 0

    def hear(self, conflict: Conflict, now: float) -> bool:
        """Note the claim; True if it is news."""
        key = (conflict.address, conflict.mac)
        known = self._heard.get(key)
        if known is None:
            if not self._has_room(conflict.address):
                self.turned_away += 1
                return False
            self._open_of[conflict.address] += 1
        self._heard.pop(key, None)  # re-inserted last, so that the order of the dict is the order of hearing
        self._heard[key] = Claim(conflict, now, now) if known is None else replace(known, last=now)
        return known is None

    def release(self, addresses: Iterable[object]) -> list[Conflict]:
        """Forget the claims to addresses that are no longer held; gives those that were open."""
        gone = set(addresses)
        return self._forget([key for key in self._heard if key[0] in gone])

    def expire(self, now: float) -> list[Conflict]:
        """Forget the claims not heard for long enough; gives those that were open."""
        return self._forget([key for key, claim in self._heard.items() if claim.last + self._silence <= now])

    def deadline(self) -> float | None:
        """When the claim that is silent for longest expires."""
        oldest = next(iter(self._heard.values()), None)
        return None if oldest is None else oldest.last + self._silence

    def open(self) -> tuple[Conflict, ...]:
        """All open claims, sorted by family, address and MAC."""
        return tuple(claim.conflict for claim in self.claims())

    def claims(self) -> tuple[Claim, ...]:
        """The same, with when each was heard."""
        return tuple(sorted(self._heard.values(), key=_by_address_and_mac))

    def _has_room(self, address: Address) -> bool:
        count = self._open_of[address]
        return not count or (count < PER_ADDRESS and len(self._heard) < self._capacity)

    def _forget(self, keys: list[tuple[Address, Mac]]) -> list[Conflict]:
        self._open_of -= Counter(address for address, _ in keys)
        return [self._heard.pop(key).conflict for key in keys]


def _by_address_and_mac(claim: Claim) -> tuple[int, bytes, Mac]:
    conflict = claim.conflict
    return conflict.address.version, conflict.address.packed, conflict.mac
