"""The interop matrix: which features are shown against which daemons, and what a daemon or a kernel lacks.

A cell is one feature with one daemon. A test proves it by `@pytest.mark.matrix(daemon, feature)`; the shared cells are
in `test_interop_matrix`, and several older tests prove cells of their own. `matrix_page` makes the page of the
documentation out of what these tests say when they run.
"""

from collections.abc import Iterator
from dataclasses import dataclass

DAEMONS = ("FRR", "BIRD", "GoBGP", "ExaBGP")


@dataclass(frozen=True, slots=True)
class Feature:
    """A row of the matrix. `seen` is what the daemon itself is asked for, by its own command line."""

    key: str
    title: str
    seen: str


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a daemon does not offer a feature. An OPEN of the daemon has no capability whose name begins `without`."""

    why: str
    without: str | None = None


FEATURES = (
    Feature("ipv4", "IPv4 routes over IPv4", "prefix, next hop, AS path and origin"),
    Feature("ipv6", "IPv6 routes over IPv6", "prefix, global next hop, and the link-local one where it is shown"),
    Feature("ipv6-over-ipv4", "IPv6 routes over an IPv4 session", "prefix and next hop"),
    Feature("ipv4-over-ipv6", "IPv4 routes over an IPv6 session", "prefix and next hop"),
    Feature("extended-next-hop", "IPv4 routes with an IPv6 next hop (RFC 8950)", "next hop; the capability"),
    Feature("unnumbered", "Unnumbered peer", "link-local next hops of both families"),
    Feature("md5", "TCP MD5 password", "the session; none of a neighbor that has another password"),
    Feature("tcp-ao", "TCP-AO (RFC 5925)", "no daemon here has it"),
    Feature("gtsm", "GTSM (`ttlSecurity`, RFC 5082)", "the session and a route"),
    Feature("multihop", "Peer beyond a router (`ebgpMultiHop`)", "the session and a route's next hop"),
    Feature("passive", "Session that the daemon dials (`passive`)", "the session, to port 179 of the node; a route"),
    Feature("four-octet-as", "4-octet AS numbers (RFC 6793)", "remote AS and AS path"),
    Feature("as-trans", "A speaker of 2-octet AS numbers (AS_TRANS)", "the AS path"),
    Feature("local-as", "Another AS to this peer (`localASN`)", "remote AS and AS path"),
    Feature("dynamic-as-external", "Dynamic AS, external", "remote AS and AS path"),
    Feature("dynamic-as-internal", "Dynamic AS, internal", "empty AS path, local preference"),
    Feature("communities", "Standard communities", "each value"),
    Feature("large-communities", "Large communities (RFC 8092)", "each value"),
    Feature(
        "extended-communities",
        "Extended communities (RFC 4360): route target, site of origin",
        "each value; one that is not transitive within the AS only",
    ),
    Feature("link-bandwidth", "Extended community: link bandwidth", "AS and octets per second"),
    Feature("graceful-restart", "Graceful restart (RFC 4724)", "routes stay, stale, and are fresh afterwards"),
    Feature("route-refresh", "Route refresh (RFC 2918)", "the route comes a second time"),
    Feature("enhanced-route-refresh", "Enhanced route refresh (RFC 7313)", "begin and end of the refresh"),
    Feature("extended-message", "Extended messages (RFC 8654)", "a route with 1,200 communities"),
    Feature("hold-time-zero", "Hold time zero", "hold time; no keepalive where others send them"),
    Feature(
        "role",
        "BGP role (`role`, `roleStrict`, RFC 9234)",
        "its own role, the AS of Only to Customer; no session of roles that do not fit",
    ),
    Feature("hostname", "Hostname capability", "the node's name"),
    Feature("vrf", "Session inside a VRF", "the session and a route's next hop"),
    Feature("bfd-single-hop", "BFD on the link (RFC 5881)", "state up; the agreed intervals"),
    Feature("bfd-unnumbered", "BFD with an unnumbered peer", "state up, between link-local addresses"),
    Feature("bfd-multihop", "BFD over a router (RFC 5883)", "state up"),
    Feature("bfd-echo", "BFD echo", "echoes sent and come back"),
)

_NO_BFD = Lack("it has no BFD")
_NO_TCP_AO = Lack("it signs TCP by MD5 only")

LACKS: dict[tuple[str, str], Lack] = {
    **{(daemon, "tcp-ao"): _NO_TCP_AO for daemon in DAEMONS},
    ("BIRD", "bfd-echo"): Lack("its BFD has no echo function"),
    ("GoBGP", "as-trans"): Lack("it cannot be told to be without 4-octet AS numbers"),
    ("GoBGP", "route-refresh"): Lack("its soft reset takes what it has kept of us, so it asks for nothing"),
    ("GoBGP", "enhanced-route-refresh"): Lack(
        "it reads the capability and does not offer it", "enhanced-route-refresh"
    ),
    ("GoBGP", "extended-message"): Lack("it does not know the capability", "extended-message"),
    ("GoBGP", "role"): Lack("it does not know roles", "bgp-role"),
    ("GoBGP", "bfd-single-hop"): _NO_BFD,
    ("GoBGP", "bfd-unnumbered"): _NO_BFD,
    ("GoBGP", "bfd-multihop"): _NO_BFD,
    ("GoBGP", "bfd-echo"): _NO_BFD,
    ("ExaBGP", "unnumbered"): Lack("its neighbors have addresses"),
    ("ExaBGP", "graceful-restart"): Lack("it keeps no table, so there is nothing that it could keep for our return"),
    ("ExaBGP", "hostname"): Lack("it takes the capability for an unknown one", "fqdn"),
    ("ExaBGP", "role"): Lack("it does not know roles", "bgp-role"),
    ("ExaBGP", "bfd-single-hop"): _NO_BFD,
    ("ExaBGP", "bfd-unnumbered"): _NO_BFD,
    ("ExaBGP", "bfd-multihop"): _NO_BFD,
    ("ExaBGP", "bfd-echo"): _NO_BFD,
}

NOTES: dict[tuple[str, str], str] = {
    ("FRR", "as-trans"): "told to negotiate nothing, it reads two octets but is no old speaker: it drops AS4_PATH, so "
    "its path has AS 23456",
    ("GoBGP", "ipv4-over-ipv6"): "it always offers RFC 8950 on such a session, so the next hop is of IPv6",
    ("GoBGP", "hold-time-zero"): "only while it has nothing to say: it takes each message of its own for late at once, "
    "and ends the session; with GoBGP, set a hold time",
}
"""What is to be said of a cell that works."""

KERNEL_NEEDS = {"vrf": "VRF devices"}
"""What the kernel must have for a feature; a test probes for it."""


def feature(key: str) -> Feature:
    """The feature of that key. Raises `KeyError`."""
    return {one.key: one for one in FEATURES}[key]


def offered(daemon: str) -> Iterator[str]:
    """The keys of what the daemon has, in order."""
    return (one.key for one in FEATURES if (daemon, one.key) not in LACKS)


def not_offered(daemon: str, version: str, lack: Lack) -> str:
    """How a test that is skipped for it says so."""
    return f"not offered by {daemon} {version}: {lack.why}"


def kernel_lacks(what: str) -> str:
    """How a test that is skipped for it says so."""
    return f"this kernel lacks {what}"
