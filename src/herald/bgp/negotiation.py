"""Two OPENs to one agreement: who the peer is, how long it may be silent, and which families are exchanged."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from herald.bgp import capability, graceful_restart
from herald.bgp.capability import (
    Capability,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    HostName,
    Multiprotocol,
    Role,
    RouteRefresh,
)
from herald.bgp.family import Family
from herald.bgp.graceful_restart import NO_AGREEMENT, Agreement, Standing
from herald.bgp.message import Open
from herald.bgp.notification import Code, OpenSubcode, WireError
from herald.bgp.parameters import PeerParameters, expected_peer
from herald.bgp.path_attribute import WireContext
from herald.bgp.role import check_roles


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What holds for one session. `hold_time` 0 means that nobody sends keepalives; `keepalive_time` in seconds.

    `extended_next_hop` are the families whose routes may have a next hop of IPv6 although they are not (RFC 8950).
    """

    remote_asn: int
    remote_router_id: IPv4Address
    hold_time: int
    keepalive_time: float
    families: frozenset[Family]
    wire: WireContext
    capabilities: tuple[Capability, ...]
    extended_next_hop: frozenset[Family] = frozenset()
    graceful_restart: Agreement = NO_AGREEMENT
    enhanced_refresh: bool = False
    extended_messages: bool = False


def offer(
    parameters: PeerParameters, router_id: IPv4Address, standing: Standing | None = None, host_name: str = ""
) -> Open:
    """Our OPEN: each family, the extended next hop over IPv6, route refresh of both kinds, and so on.

    `standing` as for one who has not restarted; without `host_name` none is told.
    """
    families = sorted(parameters.families, key=lambda family: family.value)
    multiprotocol = tuple(Multiprotocol(family) for family in families)
    capabilities: tuple[Capability, ...] = (
        *multiprotocol,
        *_extended_next_hop(parameters),
        RouteRefresh(),
        EnhancedRouteRefresh(),
        ExtendedMessage(),
        graceful_restart.offered(parameters, standing or Standing()),
        FourOctetAs(parameters.local_asn),
        *((Role(parameters.role.value),) if parameters.role is not None else ()),
        *((HostName(host_name),) if host_name else ()),
    )
    return Open(parameters.local_asn, parameters.hold_time, router_id, capabilities)


def negotiate(parameters: PeerParameters, ours: Open, theirs: Open) -> Negotiated:
    """The agreement. Raises `WireError` if the peer is not the one configured or nothing can be exchanged."""
    expected = expected_peer(parameters, theirs.asn)
    if expected is not None:
        reason = f"the peer says it is AS {theirs.asn}, configured is {expected}"
        raise WireError(Code.OPEN_MESSAGE_ERROR, OpenSubcode.BAD_PEER_AS, reason)
    internal = theirs.asn == ours.asn
    if internal and theirs.router_id == ours.router_id:
        reason = f"the peer of our own AS has our router ID {ours.router_id} too (RFC 6286)"
        raise WireError(Code.OPEN_MESSAGE_ERROR, OpenSubcode.BAD_BGP_IDENTIFIER, reason)
    stated = frozenset(entry.role for entry in theirs.capabilities if isinstance(entry, Role))
    check_roles(parameters.role, stated, strict=parameters.role_strict)
    hold_time = min(ours.hold_time, theirs.hold_time)
    return Negotiated(
        remote_asn=theirs.asn,
        remote_router_id=theirs.router_id,
        hold_time=hold_time,
        keepalive_time=_keepalive_time(parameters, hold_time),
        families=_families(parameters, theirs),
        wire=WireContext(four_octet_as=theirs.four_octet_as, internal=internal),
        capabilities=theirs.capabilities,
        extended_next_hop=_extended_families(ours) & _extended_families(theirs),
        graceful_restart=graceful_restart.agree(ours, theirs),
        enhanced_refresh=_both(ours, theirs, EnhancedRouteRefresh()),
        extended_messages=_both(ours, theirs, ExtendedMessage()),
    )


def offered_families(theirs: Open) -> frozenset[Family]:
    """What the peer can exchange. One that offers no multiprotocol families means IPv4 unicast (RFC 4760 §8).

    "Offers none" includes one that offers only families which Herald does not speak: those are kept raw, but they are
    multiprotocol capabilities nevertheless, and IPv4 is then not among what the peer wants.
    """
    families = frozenset(entry.family for entry in theirs.capabilities if isinstance(entry, Multiprotocol))
    foreign = any(
        isinstance(entry, capability.UnknownCapability) and entry.code == capability.MULTIPROTOCOL
        for entry in theirs.capabilities
    )
    return families if families or foreign else frozenset({Family.IPV4_UNICAST})


def _extended_next_hop(parameters: PeerParameters) -> tuple[ExtendedNextHop, ...]:
    """Over IPv6 only: elsewhere IPv4 routes have an IPv4 next hop anyhow (RFC 8950 §3)."""
    over_ipv4 = parameters.peer_address is not None and parameters.peer_address.version == 4
    if over_ipv4 or Family.IPV4_UNICAST not in parameters.families:
        return ()
    return (ExtendedNextHop((Family.IPV4_UNICAST,)),)


def _extended_families(said: Open) -> frozenset[Family]:
    offered = (entry.families for entry in said.capabilities if isinstance(entry, ExtendedNextHop))
    return frozenset(family for families in offered for family in families)


def _families(parameters: PeerParameters, theirs: Open) -> frozenset[Family]:
    common = parameters.families & offered_families(theirs)
    if not common:
        wanted = sorted(parameters.families, key=lambda family: family.value)
        names = " and ".join(family.text for family in wanted)
        data = b"".join(capability.encode(Multiprotocol(family)) for family in wanted)
        reason = f"the peer does not offer {names}, and nothing else is configured"
        raise WireError(Code.OPEN_MESSAGE_ERROR, OpenSubcode.UNSUPPORTED_CAPABILITY, reason, data)
    return common


def _both(ours: Open, theirs: Open, wanted: Capability) -> bool:
    return wanted in ours.capabilities and wanted in theirs.capabilities


def _keepalive_time(parameters: PeerParameters, hold_time: int) -> float:
    """The configured time, but never more than a third of what was agreed, so that two may get lost (RFC 4271 §4.4)."""
    third = hold_time / 3
    return third if parameters.keepalive_time is None else min(third, parameters.keepalive_time or third)
