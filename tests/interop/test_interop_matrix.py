"""The interop matrix: one check for each feature, asked of each daemon by its own command line.

What a daemon does not offer is a cell as well: it says so by name, and where an OPEN would show the feature, that the
daemon's OPEN indeed does not. See `matrix_registry` for the table and `docs/interoperability.md` for the outcome.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import matrix_place
import matrix_sessions
import pytest
from frr_router import eventually, run
from matrix_neighbor import Capability, Learnt, Neighbor, Router, Session
from matrix_place import Matrix
from matrix_registry import DAEMONS, KERNEL_NEEDS, LACKS, kernel_lacks, not_offered, offered
from matrix_sessions import (
    COMMUNITIES,
    FAR_HERALD,
    FOUR_OCTETS,
    MANY,
    NODE,
    RED_HERALD,
    TARGETS,
    prefix,
)
from peering_in_namespace import Started

pytestmark = [pytest.mark.netns, pytest.mark.interop]

ON_LINK = ("10.50.0.2", *(f"10.50.0.{matrix_sessions.number(name)}" for name in matrix_sessions.SESSIONS))
ON_LINK6 = ("2001:db8:50::2", *(f"2001:db8:50::{matrix_sessions.number(name)}" for name in matrix_sessions.SESSIONS))
"""The node's addresses on the link: which of them is the next hop of the other family is its own choice."""
OFFERED = {
    Capability.FOUR_OCTET_AS,
    Capability.ROUTE_REFRESH,
    Capability.ENHANCED_REFRESH,
    Capability.EXTENDED_MESSAGE,
    Capability.GRACEFUL_RESTART,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One session of one daemon. What is asked of the daemon is waited for."""

    matrix: Matrix
    name: str

    @property
    def router(self) -> Router:
        return self.matrix.router

    @property
    def neighbor(self) -> Neighbor:
        return self.matrix.neighbors[self.name]

    @property
    def ours(self) -> Started:
        return self.matrix.peerings[self.name]

    def beside(self, name: str) -> "Cell":
        """Another session of the daemon."""
        return replace(self, name=name)

    def session(self) -> Session:
        """What the daemon says of it, once it is up."""
        told: list[Session] = []

        def is_up() -> bool:
            told.append(self.router.session(self.neighbor))
            return told[-1].established

        eventually(is_up, f"{self.matrix.daemon} says that {self.name} is up; Herald says {self.ours.error!r}", 30)
        return told[-1]

    def learnt(self, family: int = 4) -> Learnt:
        """What the daemon says of the route."""
        of = prefix(self.name, family)
        told: list[Learnt] = []

        def is_there() -> bool:
            found = self.router.learnt(self.neighbor, of)
            told.extend([found] if found is not None else [])
            return found is not None

        eventually(is_there, f"{self.matrix.daemon} has {of}; Herald says {self.ours.error!r}", 30)
        return told[-1]


def ipv4(cell: Cell) -> None:
    learnt = cell.learnt()
    assert learnt.next_hops == (cell.neighbor.address,)
    assert (learnt.as_path, learnt.origin) == ((64500, 64500, 64500), "igp")
    assert cell.session().hold_time == 9


def ipv6(cell: Cell) -> None:
    learnt = cell.learnt(6)
    assert learnt.next_hops[0] == cell.neighbor.address
    assert all(hop.startswith("fe80::") for hop in learnt.next_hops[1:])
    assert learnt.as_path == (64500,)


def ipv6_over_ipv4(cell: Cell) -> None:
    hop, *link_local = cell.learnt(6).next_hops
    assert hop in ON_LINK6
    assert all(one.startswith("fe80::") for one in link_local)


def ipv4_over_ipv6(cell: Cell) -> None:
    """By an address of IPv4, unless the daemon offers RFC 8950 of itself."""
    extended = any(one.startswith("extended-next-hop") for one in cell.ours.snapshot.capabilities_received)
    (hop, *_) = cell.learnt().next_hops
    assert hop == cell.neighbor.address if extended else hop in ON_LINK


def extended_next_hop(cell: Cell) -> None:
    assert cell.learnt().next_hops[0] == cell.neighbor.address
    assert Capability.EXTENDED_NEXT_HOP in cell.session().capabilities


def md5(cell: Cell) -> None:
    assert cell.learnt().as_path == (64500,)
    other = cell.beside("other-md5")
    waiting = ("ss", "-Htno", "state", "syn-sent", "src", other.neighbor.address)
    resent = r"timer:\(on,[^,]*,[1-9]"
    eventually(
        lambda: re.search(resent, run("ip", "netns", "exec", cell.matrix.node, *waiting)), "its SYN finds no answer", 30
    )
    assert not cell.router.session(other.neighbor).established


def is_up_with_a_route(cell: Cell) -> None:
    assert cell.learnt().as_path == (64500,)
    assert cell.session().asn == 64500


def multihop(cell: Cell) -> None:
    assert cell.learnt().next_hops == (FAR_HERALD,)


def four_octet_as(cell: Cell) -> None:
    assert cell.learnt().as_path == (FOUR_OCTETS,)
    session = cell.session()
    assert (session.asn, Capability.FOUR_OCTET_AS in session.capabilities) == (FOUR_OCTETS, True)


def as_trans(cell: Cell) -> None:
    """FRR without capabilities reads two octets, but is no old speaker: it drops AS4_PATH (RFC 6793 §4.1)."""
    expected = (64999, 23456) if cell.matrix.daemon == "FRR" else (64999, FOUR_OCTETS)
    assert cell.learnt().as_path == expected


def local_as(cell: Cell) -> None:
    assert (cell.learnt().as_path, cell.session().asn) == ((65010,), 65010)


def dynamic_as_internal(cell: Cell) -> None:
    learnt = cell.learnt()
    assert (learnt.as_path, learnt.local_pref) == ((), 300)
    assert cell.ours.snapshot.remote_asn == cell.session().asn


def communities(cell: Cell) -> None:
    assert cell.learnt().communities == tuple(f"{high}:{low}" for high, low in COMMUNITIES)


def large_communities(cell: Cell) -> None:
    assert cell.learnt().large_communities == ("64500:1:4294967295",)


def extended_communities(cell: Cell) -> None:
    assert cell.learnt().extended_communities == set(TARGETS)
    told = cell.beside("internal").learnt().extended_communities
    assert (told & set(TARGETS), len(told - set(TARGETS))) == (set(TARGETS), 1), "and the one that is not transitive"


def link_bandwidth(cell: Cell) -> None:
    assert cell.learnt().bandwidths == ((64500, 375_000_000.0),), "3,000 Mbit/s in octets"


def route_refresh(cell: Cell) -> None:
    cell.learnt()
    before = cell.router.updates(cell.neighbor)
    cell.router.ask_refresh(cell.neighbor)
    eventually(lambda: cell.router.updates(cell.neighbor) > before, "the route comes again")
    assert Capability.ROUTE_REFRESH in cell.session().capabilities
    assert cell.ours.snapshot.flaps == 0


def enhanced_route_refresh(cell: Cell) -> None:
    cell.learnt()
    before = cell.router.refreshes(cell.neighbor)
    cell.router.ask_refresh(cell.neighbor)
    eventually(lambda: cell.router.refreshes(cell.neighbor) > before, "begin and end are heard")
    assert Capability.ENHANCED_REFRESH in cell.session().capabilities
    assert cell.learnt().next_hops == (cell.neighbor.address,), "the route is there as before"


def extended_message(cell: Cell) -> None:
    first = tuple(f"{high}:{low}" for high, low in MANY[:40])
    assert cell.learnt().communities[:40] == first
    assert cell.router.has_communities(cell.neighbor, prefix(cell.name, 4), len(MANY))
    assert Capability.EXTENDED_MESSAGE in cell.session().capabilities


def hold_time_zero(cell: Cell) -> None:
    """BIRD counts no keepalives; that it runs no hold timer is what it tells."""
    cell.learnt()
    assert cell.session().hold_time == 0
    busy = cell.beside("busy")
    assert busy.session().hold_time == 3
    if busy.session().keepalives is not None:
        eventually(lambda: (busy.session().keepalives or 0) >= 4, "a session with a hold time has keepalives")
        assert cell.session().keepalives == 1, "the one that answers the OPEN"
    assert cell.ours.snapshot.flaps == 0


def _refusal(cell: Cell) -> str:
    """Why the session is refused, whatever else has become of attempts since: a daemon may close those for a while."""
    told: list[str] = []

    def is_told() -> bool:
        error = cell.ours.snapshot.telling_error
        told.append(error.text if error is not None else "")
        return "Role Mismatch" in told[-1]

    eventually(is_told, f"{cell.name} is refused", 40)
    assert not cell.router.session(cell.neighbor).established
    return told[-1]


def role(cell: Cell) -> None:
    """Stated by both, by one or by the other; and what does not fit, or is missed in strict mode, has no session."""
    marked = {"role": 64500, "role-of-customer": None, "role-not-stated": None, "role-not-heard": 64500}
    assert {name: cell.beside(name).learnt().only_to_customer for name in marked} == marked
    assert cell.session().own_role == "customer"
    assert "bgp-role customer" in cell.ours.snapshot.capabilities_received
    assert "bgp-role provider" in cell.ours.snapshot.capabilities_offered
    assert "both ends must state counterparts" in _refusal(cell.beside("role-mismatch"))
    assert "we sent" in _refusal(cell.beside("role-missed"))


def hostname(cell: Cell) -> None:
    assert cell.session().host_name == NODE


def vrf(cell: Cell) -> None:
    assert cell.learnt().next_hops == (RED_HERALD,)


CHECKS: Mapping[str, tuple[str, Callable[[Cell], None]]] = {
    "ipv4": ("plain", ipv4),
    "ipv6": ("over-ipv6", ipv6),
    "ipv6-over-ipv4": ("plain", ipv6_over_ipv4),
    "ipv4-over-ipv6": ("over-ipv6", ipv4_over_ipv6),
    "extended-next-hop": ("extended-next-hop", extended_next_hop),
    "md5": ("md5", md5),
    "gtsm": ("gtsm", is_up_with_a_route),
    "multihop": ("multihop", multihop),
    "four-octet-as": ("four-octets", four_octet_as),
    "as-trans": ("two-octets", as_trans),
    "local-as": ("local-as", local_as),
    "dynamic-as-external": ("external", is_up_with_a_route),
    "dynamic-as-internal": ("internal", dynamic_as_internal),
    "communities": ("plain", communities),
    "large-communities": ("plain", large_communities),
    "extended-communities": ("plain", extended_communities),
    "link-bandwidth": ("plain", link_bandwidth),
    "route-refresh": ("plain", route_refresh),
    "enhanced-route-refresh": ("plain", enhanced_route_refresh),
    "extended-message": ("long", extended_message),
    "hold-time-zero": ("no-hold-time", hold_time_zero),
    "role": ("role", role),
    "hostname": ("plain", hostname),
    "vrf": ("vrf", vrf),
}
"""By feature: the session it is seen on, and the check. Features that are not here are proven by tests of their own."""
BESIDE = {
    "md5": ("other-md5",),
    "hold-time-zero": ("busy",),
    "extended-communities": ("internal",),
    "role": ("role-of-customer", "role-not-stated", "role-not-heard", "role-mismatch", "role-missed"),
}
"""Sessions that a check looks at besides its own."""


def cells() -> Iterator[Any]:
    """Those that are offered and checked here, and those that are not offered: all tests of a daemon in a row."""
    for daemon in DAEMONS:
        keys = [key for key in offered(daemon) if key in CHECKS]
        keys += [key for other, key in LACKS if other == daemon]
        for key in keys:
            yield pytest.param(daemon, key, id=f"{daemon}-{key}", marks=pytest.mark.matrix(daemon, key))


class OneAtATime:
    """The daemon that the present cells are asked of; it ends when another one is needed."""

    def __init__(self) -> None:
        self._running: Matrix | None = None
        self._end = ExitStack()

    def __call__(self, daemon: str) -> Matrix:
        """With the sessions of all that the daemon offers."""
        if self._running is None or self._running.daemon != daemon:
            self.close()
            self._running = self._end.enter_context(matrix_place.matrix(daemon, _sessions(daemon)))
        return self._running

    def close(self) -> None:
        self._running = None
        self._end.close()


def _sessions(daemon: str) -> tuple[str, ...]:
    keys = [key for key in offered(daemon) if key in CHECKS]
    names = [CHECKS[key][0] for key in keys] + [name for key in keys for name in BESIDE.get(key, ())]
    return tuple(dict.fromkeys(names))


@pytest.fixture(scope="module")
def running() -> Iterator[OneAtATime]:
    made = OneAtATime()
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(("daemon", "feature"), tuple(cells()))
def test_the_daemon_sees_what_herald_means(running: OneAtATime, daemon: str, feature: str) -> None:
    lack = LACKS.get((daemon, feature))
    if lack is None:
        name, check = CHECKS[feature]
        there = running(daemon)
        if name not in there.neighbors:
            pytest.skip(kernel_lacks(KERNEL_NEEDS[feature]))
        check(Cell(there, name))
        return
    if lack.without is not None:
        plain = Cell(running(daemon), "plain")
        plain.session()
        received = plain.ours.snapshot.capabilities_received
        assert not [one for one in received if one.startswith(lack.without)], "it does offer it: fill in the cell"
    pytest.skip(not_offered(daemon, matrix_place.version(daemon), lack))
