"""Why a session does not come up: from what was observed to the cause, and what to do about it.

A session that fails looks the same for a dozen reasons. An observation is what the kernel or the peer said; evidence is
what was found out besides; a finding is the cause that remains, with a remedy in words. Where two causes cannot be told
apart, the finding says so and names both: a guess that is wrong costs an operator more than none.

                             observation                    told apart by
    wrong ASN                NOTIFICATION 2/2               who sent it
    router ID, hold time,    NOTIFICATION 2/3, 2/6, 2/7
    family, role
    missing multihop         TTL expired on the way,        a peer that is in no subnet of ours
                             or silence
    refused, rejected        RST, or ICMP                   ICMP comes from a firewall
    MD5 missing or wrong     silence                        an attempt without the password; the peer's own SYN,
    TCP-AO likewise          silence                        signed or not, and how
    filtered                 silence                        the same; ping
    GTSM of one end          nothing acknowledged           TCP came up before
    no TCP-AO                this kernel refuses the key
    collision                NOTIFICATION 6/7               another program of this node has the connection
"""

from dataclasses import dataclass
from enum import Enum, auto

from herald.bgp.family import Address
from herald.bgp.parameters import PeerParameters


class Cause(Enum):
    """What is wrong; the value is what programs read."""

    PEER_ASN = "peer-asn"  # the peer is of another AS than is configured here
    LOCAL_ASN = "local-asn"  # the peer expects another AS of us
    MULTIHOP = "multihop"
    MD5_MISSING = "md5-missing"  # the peer has one, we do not
    MD5_UNEXPECTED = "md5-unexpected"  # we have one, the peer does not
    MD5_WRONG = "md5-wrong"
    AO_MISSING = "ao-missing"  # the peer has TCP-AO, we do not
    AO_UNEXPECTED = "ao-unexpected"  # we have it, the peer does not
    AO_UNKNOWN_HERE = "ao-unknown-here"  # the kernel of this node has none
    REFUSED = "refused"
    FILTERED = "filtered"
    GTSM = "gtsm"  # one end has it, the other not
    SILENT = "silent"  # a password or a filter, and no telling which
    UNREACHABLE = "unreachable"
    ROUTER_ID = "router-id"
    FAMILY = "family"
    HOLD_TIME = "hold-time"
    COLLISION = "collision"
    NOT_CONFIGURED = "not-configured"  # the peer knows nothing of us, or not now
    SHUT_DOWN = "shut-down"
    ROLE = "role"
    TOO_MANY_PREFIXES = "too-many-prefixes"
    BFD_DOWN = "bfd-down"  # BFD of one end has lost the other

    @property
    def is_definite(self) -> bool:
        """Whether it is one cause and no other. The vague ones also follow from the others, as their echo."""
        return self not in (Cause.SILENT, Cause.NOT_CONFIGURED)


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause, why it is this one, and what to do."""

    cause: Cause
    why: str
    fix: str

    @property
    def text(self) -> str:
        return f"{self.why}; {self.fix}"


NO_TCP_AO = Finding(
    Cause.AO_UNKNOWN_HERE,
    "Linux has it since 6.7, where it is built with CONFIG_TCP_AO",
    "run such a kernel on this node, or use passwordSecret in the place of tcpAO, here and on the router",
)


class Obstacle(Enum):
    """How an attempt to connect ended."""

    REFUSED = auto()  # a reset
    REJECTED = auto()  # by ICMP: a firewall, or a router that has been told to
    TTL_EXPIRED = auto()
    NO_HOST = auto()  # nobody answers ARP or NDP, or a router says so
    NO_ROUTE = auto()  # of this node
    SILENCE = auto()


class PeerSyn(Enum):
    """How the peer dials us itself."""

    UNSIGNED = auto()
    SIGNED = auto()  # with a password; there is none here to compare
    SIGNED_ALIKE = auto()  # with our password
    SIGNED_OTHERWISE = auto()
    SIGNED_BY_AO = auto()  # with TCP-AO; whether by our key cannot be told


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about an attempt without success; None is not known.

    `reporter` is who sent the ICMP message. `on_link`: the peer is in a subnet of ours. `pings`: it answers echo
    requests. `takes_unsigned`: it answers an attempt without a signature. `peer_syn`: how it dials us.
    """

    reporter: Address | None = None
    on_link: bool | None = None
    pings: bool | None = None
    takes_unsigned: bool | None = None
    peer_syn: PeerSyn | None = None


class DiagnosedError(OSError):
    """An attempt to connect failed; the text says how, and `finding` why, if that is known."""

    def __init__(self, reason: str, finding: Finding | None = None) -> None:
        super().__init__(reason)
        self.finding = finding


def lives_for_one_hop(parameters: PeerParameters) -> bool:
    """Whether no packet of ours gets past a router, and a peer with GTSM takes none (TTL 1)."""
    return not (parameters.internal or parameters.multihop or parameters.ttl_security)


def diagnose(obstacle: Obstacle, parameters: PeerParameters, evidence: Evidence) -> Finding:
    """What is behind an attempt that came to nothing."""
    beyond = lives_for_one_hop(parameters) and evidence.on_link is False
    match obstacle:
        case Obstacle.REFUSED:
            return _refused(parameters)
        case Obstacle.REJECTED:
            where = f" at {evidence.reporter}" if evidence.reporter else ""
            why = f"a firewall{where} rejects our packets"
            return Finding(Cause.FILTERED, why, f"let this node through to TCP port {parameters.peer_port}")
        case Obstacle.TTL_EXPIRED if lives_for_one_hop(parameters):
            return _beyond_a_router(parameters, evidence)
        case Obstacle.TTL_EXPIRED:
            why = f"packets to it go round in a circle{_at(evidence)}"
            return Finding(Cause.UNREACHABLE, why, "correct the routes on the way")
        case Obstacle.NO_HOST | Obstacle.SILENCE if beyond:
            return _beyond_a_router(parameters, evidence)
        case Obstacle.NO_HOST:
            return _no_host(parameters, evidence)
        case Obstacle.NO_ROUTE:
            why = f"this node has no route to {parameters.peer_address}"
            return Finding(Cause.UNREACHABLE, why, "add a route or an address of its subnet, or correct peerAddress")
        case Obstacle.SILENCE:
            return _silence(parameters, evidence)


def _refused(parameters: PeerParameters) -> Finding:
    return Finding(
        Cause.REFUSED,
        f"the machine is there, and nothing takes connections on its TCP port {parameters.peer_port}",
        "start BGP on it, or correct peerAddress or peerPort",
    )


def _at(evidence: Evidence) -> str:
    return f", {evidence.reporter} says" if evidence.reporter else ""


def _beyond_a_router(parameters: PeerParameters, evidence: Evidence) -> Finding:
    where = f", {evidence.reporter} among them," if evidence.reporter else ""
    return Finding(
        Cause.MULTIHOP,
        f"{parameters.peer_address} is on no link of this node, and what we send to an external peer lives for one "
        f"hop: routers on the way{where} drop it",
        "set ebgpMultiHop: true on the BGPPeer, and its like on the router",
    )


def _no_host(parameters: PeerParameters, evidence: Evidence) -> Finding:
    if evidence.on_link:
        why = f"nobody on the link answers for {parameters.peer_address}"
        return Finding(Cause.UNREACHABLE, why, "switch the router on, or correct peerAddress, the VLAN or the cable")
    why = f"no way leads to {parameters.peer_address}{_at(evidence)}"
    return Finding(Cause.UNREACHABLE, why, "correct peerAddress or the routes on the way")


def _silence(parameters: PeerParameters, evidence: Evidence) -> Finding:
    if parameters.tcp_ao is not None:
        return _silence_with_ao(parameters, evidence)
    if parameters.password is None:
        return _silence_without_password(parameters, evidence)
    if evidence.peer_syn is PeerSyn.SIGNED_BY_AO:
        return _ao_missing("a TCP MD5 password")
    if evidence.takes_unsigned or evidence.peer_syn is PeerSyn.UNSIGNED:
        how = "takes connections" if evidence.takes_unsigned else "dials us"
        return Finding(
            Cause.MD5_UNEXPECTED,
            f"it {how} without a TCP MD5 password, and this BGPPeer has one",
            "set the same password on the router, or take it off the BGPPeer",
        )
    if evidence.peer_syn is PeerSyn.SIGNED_OTHERWISE:
        return Finding(
            Cause.MD5_WRONG,
            "it dials us with another TCP MD5 password than the one of this BGPPeer",
            "set the same password on both",
        )
    if evidence.peer_syn is PeerSyn.SIGNED_ALIKE:
        return _filtered(parameters, "it dials us with the right password")
    return _undecided(
        parameters,
        evidence,
        "its TCP MD5 password is another than this one",
        "compare the passwords (the router's log tells of a mismatch)",
    )


def _silence_without_password(parameters: PeerParameters, evidence: Evidence) -> Finding:
    match evidence.peer_syn:
        case PeerSyn.UNSIGNED:
            return _filtered(parameters, "it dials us, without a password")
        case PeerSyn.SIGNED | PeerSyn.SIGNED_ALIKE | PeerSyn.SIGNED_OTHERWISE:
            return Finding(
                Cause.MD5_MISSING,
                "it dials us with a TCP MD5 password, and this BGPPeer has none",
                "set password or passwordSecret to that of the router, or take it off there",
            )
        case PeerSyn.SIGNED_BY_AO:
            return _ao_missing("nothing to sign with")
        case None:
            missing = "it wants a TCP MD5 password, and this BGPPeer has none"
            return _undecided(parameters, evidence, missing, "see whether the router has a password for this node")


def _silence_with_ao(parameters: PeerParameters, evidence: Evidence) -> Finding:
    match evidence.peer_syn:
        case _ if evidence.takes_unsigned:
            how = "takes connections without TCP-AO"
        case PeerSyn.UNSIGNED:
            how = "dials us without TCP-AO"
        case PeerSyn.SIGNED | PeerSyn.SIGNED_ALIKE | PeerSyn.SIGNED_OTHERWISE:
            how = "dials us with a TCP MD5 password"
        case PeerSyn.SIGNED_BY_AO | None:
            return _undecided(
                parameters,
                evidence,
                "its TCP-AO key is another than this one, or has other numbers or another algorithm",
                "compare key, algorithm and both IDs (our sendID is its RecvID)",
            )
    why = f"it {how}, and this BGPPeer has tcpAO"
    return Finding(Cause.AO_UNEXPECTED, why, "set the same key on the router, or take tcpAO off the BGPPeer")


def _ao_missing(ours: str) -> Finding:
    return Finding(
        Cause.AO_MISSING,
        f"it dials us with TCP-AO, and this BGPPeer has {ours}",
        "set tcpAO to the key of the router, or take it off there",
    )


def _filtered(parameters: PeerParameters, known: str) -> Finding:
    why = f"{known}, so it knows us, and our packets to its TCP port {parameters.peer_port} are dropped"
    return Finding(Cause.FILTERED, why, "let them through the firewall of the router or on the way to it")


def _undecided(parameters: PeerParameters, evidence: Evidence, password: str, remedy: str) -> Finding:
    port = f"TCP port {parameters.peer_port}"
    if evidence.pings is False:
        heard = "nothing at all is heard of it, no answer to ping either"
        why = f"{heard}: a firewall drops our packets, or it is down{_or_password(parameters)}"
        return Finding(Cause.FILTERED, why, f"let this node through to {port}, or see whether the router is up")
    alive = "it answers ping and is silent on" if evidence.pings else "it is silent on"
    gtsm = ", or it has GTSM, which needs ttlSecurity" if lives_for_one_hop(parameters) else ""
    if parameters.ttl_security:
        gtsm = ", or it is not on the link or sends with a TTL below 255, which ttlSecurity does not take"
    why = f"{alive} {port}: {password}, or a firewall drops that port{gtsm}"
    return Finding(Cause.SILENT, why, f"{remedy}, then the firewall")


def _or_password(parameters: PeerParameters) -> str:
    what = "key" if parameters.tcp_ao else "password" if parameters.password else ""
    return f"; if it lets no ping through, a wrong {what} looks like this" if what else ""
