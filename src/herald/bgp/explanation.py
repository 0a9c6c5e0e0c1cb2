"""Words for a session that ends once there was a connection: what was said, and what that usually means.

What keeps the connection from coming up at all is the matter of `diagnosis`.
"""

from herald.bgp.diagnosis import Cause, Finding, lives_for_one_hop
from herald.bgp.family import Address
from herald.bgp.notification import CeaseSubcode, Code, Notification, OpenSubcode, cause_of
from herald.bgp.parameters import PeerParameters

_OUR_GTSM = "with ttlSecurity the peer must be on the link and send with TTL 255, as its own GTSM does"
_THEIR_GTSM = "a peer with GTSM drops what we send without ttlSecurity"

_Key = tuple[int, int]
_BAD_AS: _Key = (Code.OPEN_MESSAGE_ERROR, OpenSubcode.BAD_PEER_AS)
_BAD_ID: _Key = (Code.OPEN_MESSAGE_ERROR, OpenSubcode.BAD_BGP_IDENTIFIER)
_AUTHENTICATION: _Key = (Code.OPEN_MESSAGE_ERROR, OpenSubcode.AUTHENTICATION_FAILURE)
_HOLD_TIME: _Key = (Code.OPEN_MESSAGE_ERROR, OpenSubcode.UNACCEPTABLE_HOLD_TIME)
_CAPABILITY: _Key = (Code.OPEN_MESSAGE_ERROR, OpenSubcode.UNSUPPORTED_CAPABILITY)
_ROLE: _Key = (Code.OPEN_MESSAGE_ERROR, OpenSubcode.ROLE_MISMATCH)
_PREFIXES: _Key = (Code.CEASE, CeaseSubcode.MAXIMUM_NUMBER_OF_PREFIXES_REACHED)
_SHUT_DOWN: _Key = (Code.CEASE, CeaseSubcode.ADMINISTRATIVE_SHUTDOWN)
_DE_CONFIGURED: _Key = (Code.CEASE, CeaseSubcode.PEER_DE_CONFIGURED)
_REJECTED: _Key = (Code.CEASE, CeaseSubcode.CONNECTION_REJECTED)
_COLLISION: _Key = (Code.CEASE, CeaseSubcode.CONNECTION_COLLISION_RESOLUTION)
_BFD_DOWN: _Key = (Code.CEASE, CeaseSubcode.BFD_DOWN)

_BFD_FIX = "mend the link or the router, or let BFD through; `herald show bfd` has the session"

# What the peer means when it says so. Braces are filled in by `_facts`.
_THEY_SENT: dict[_Key, Finding] = {
    _BAD_AS: Finding(
        Cause.LOCAL_ASN,
        "it does not expect AS {local_asn} from us",
        "set myASN to the AS that it has for this node, or correct its own configuration",
    ),
    _BAD_ID: Finding(
        Cause.ROUTER_ID,
        "our router ID is not acceptable to it, often because it is its own",
        "set another routerID on the BGPPeer; every speaker and router needs its own",
    ),
    _AUTHENTICATION: Finding(Cause.MD5_WRONG, "it does not accept our password", "set the same on both"),
    _HOLD_TIME: Finding(
        Cause.HOLD_TIME,
        "it does not accept our hold time of {hold_time} s, most often because it is too short",
        "set holdTime to what the router allows, or relax its limit",
    ),
    _CAPABILITY: Finding(
        Cause.FAMILY,
        "it wants a capability that we do not offer, most often a family besides {families}",
        "activate {families} for this neighbour on the router",
    ),
    _PREFIXES: Finding(
        Cause.TOO_MANY_PREFIXES,
        "it has been sent more prefixes than it is configured to take",
        "raise its limit, or announce less: aggregationLength",
    ),
    _SHUT_DOWN: Finding(
        Cause.SHUT_DOWN, "its operator has shut this session down", "have it brought up on the router again"
    ),
    _DE_CONFIGURED: Finding(
        Cause.NOT_CONFIGURED, "it has no such session configured any more", "configure it on the router again"
    ),
    _REJECTED: Finding(
        Cause.NOT_CONFIGURED,
        "it refuses the connection: no session configured for our address, or not now",
        "configure a neighbour for the address of this node on the router, or bring it up there (in FRR `no neighbor …"
        " shutdown`)",
    ),
    _COLLISION: Finding(
        Cause.COLLISION,
        "it has another connection to us, from the same address",
        "give this one another sourceAddress, or let one program of this node do all its BGP",
    ),
    _BFD_DOWN: Finding(Cause.BFD_DOWN, "its BFD hears nothing of this node any more, or was ended", _BFD_FIX),
}

# What it means that we say so.
_WE_SENT: dict[_Key, Finding] = {
    _BAD_AS: Finding(
        Cause.PEER_ASN,
        "peerASN of the BGPPeer is not the AS of that router",
        "set peerASN to what the peer says, or correct peerAddress",
    ),
    _BAD_ID: Finding(
        Cause.ROUTER_ID, "two speakers cannot have one router ID", "set another routerID on the BGPPeer, or on the peer"
    ),
    _HOLD_TIME: Finding(
        Cause.HOLD_TIME, "a hold time is 0 or at least 3 s (RFC 4271)", "set the hold time of the router so"
    ),
    _CAPABILITY: Finding(
        Cause.FAMILY,
        "nothing can be sent to it without a family in common",
        "activate {families} for this neighbour on the router, or correct dualStackAddressFamily or peerAddress here",
    ),
    _BFD_DOWN: Finding(
        Cause.BFD_DOWN, "BFD hears nothing of the router any more, or hears that its own end is down", _BFD_FIX
    ),
}


def no_answer(parameters: PeerParameters, seconds: float) -> str:
    """TCP did not come up in time."""
    return f"timed out: {parameters.remote} did not answer within {seconds:g} s"


def closed_before_open(reason: str) -> str:
    """The peer took the connection and dropped it, or it broke, without a word."""
    return f"{reason} before its OPEN"


def why_closed_before_open(parameters: PeerParameters, local_address: Address) -> Finding:
    """What that means."""
    beyond = "" if parameters.internal else "; one that is beyond a router may lack its ebgp-multihop"
    gtsm = f"; {_OUR_GTSM}" if parameters.ttl_security else ""
    return Finding(
        Cause.NOT_CONFIGURED,
        f"it may have no session configured for {local_address}, or has this one shut down{beyond}{gtsm}",
        f"configure {local_address} as a neighbour on the router, or bring it up there (in FRR `no neighbor"
        f" {local_address} shutdown`), or set sourceAddress to the one it expects",
    )


def why_unacknowledged(parameters: PeerParameters) -> Finding:
    """TCP comes up, and nothing that we send over it is acknowledged: what that means."""
    if parameters.ttl_security:
        why = f"TCP comes up with it, and then nothing of it is heard: {_OUR_GTSM}"
        return Finding(Cause.GTSM, why, "give the router GTSM too (ttl-security), or take ttlSecurity off the BGPPeer")
    if lives_for_one_hop(parameters):
        return Finding(
            Cause.GTSM,
            f"TCP comes up with it, and then it takes nothing in, most often for GTSM: {_THEIR_GTSM}",
            "set ttlSecurity: true on the BGPPeer if the router has ttl-security; if not, look for a filter in between",
        )
    return Finding(
        Cause.FILTERED,
        "TCP comes up with it, and then what we send is dropped",
        f"look for what drops packets to TCP port {parameters.peer_port} on the way, or for GTSM on the router",
    )


def no_open(parameters: PeerParameters, seconds: float) -> str:
    """The connection stands and the peer says nothing."""
    text = f"no OPEN from the peer within {seconds:g} s"
    return f"{text} ({_OUR_GTSM})" if parameters.ttl_security else text


def no_keepalive(parameters: PeerParameters, seconds: float) -> str:
    """The peer's OPEN came, and nothing else: it may never have seen ours."""
    text = f"nothing received after the peer's OPEN for {seconds:g} s"
    return f"{text} ({_THEIR_GTSM})" if lives_for_one_hop(parameters) else text


def they_sent(received: Notification, parameters: PeerParameters) -> Finding | None:
    """What it means that the peer says this, if anything is known about it."""
    meant = cause_of(received) or received  # a Hard Reset says what it is about inside (RFC 8538)
    key = (meant.code, meant.subcode)
    return _role_refused(parameters) if key == _ROLE else _filled(_THEY_SENT.get(key), parameters)


def we_sent(note: Notification, parameters: PeerParameters) -> Finding | None:
    """What it means that we had to say this."""
    meant = cause_of(note) or note
    key = (meant.code, meant.subcode)
    return _role_wrong(parameters) if key == _ROLE else _filled(_WE_SENT.get(key), parameters)


def not_exchanged(family: str) -> str:
    """The session stands, and the peer does not take one family: what to do."""
    return f"activate {family} for this neighbour on the router"


def _role_refused(parameters: PeerParameters) -> Finding:
    ours = parameters.role
    if ours is None:
        return Finding(
            Cause.ROLE,
            "it is strict about BGP roles (RFC 9234), and we state none",
            "set role on the BGPPeer to what this node is to the router, or make the router not strict about them",
        )
    return Finding(
        Cause.ROLE,
        f"both ends must state counterparts (RFC 9234), and with {ours.text} here it is not {ours.counterpart.text}",
        f"set its role for this node to {ours.counterpart.text}, or correct role on the BGPPeer",
    )


def _role_wrong(parameters: PeerParameters) -> Finding | None:
    ours = parameters.role
    if ours is None:
        return None
    loose = ", or take roleStrict off" if parameters.role_strict else ""
    return Finding(
        Cause.ROLE,
        f"both ends must state counterparts (RFC 9234): {ours.text} here, {ours.counterpart.text} there",
        f"set the router's role for this node to {ours.counterpart.text}, or correct role on the BGPPeer{loose}",
    )


def _filled(finding: Finding | None, parameters: PeerParameters) -> Finding | None:
    if finding is None:
        return None
    families = " and ".join(family.text for family in sorted(parameters.families, key=lambda family: family.value))
    facts = {"local_asn": parameters.local_asn, "hold_time": parameters.hold_time, "families": families}
    return Finding(finding.cause, finding.why.format(**facts), finding.fix.format(**facts))
