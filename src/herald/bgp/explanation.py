"""Words for a session that does not come up, or ends: what happened and, where it is usually that, what is wrong.

A session that fails looks the same for a dozen reasons. What is known here, the configured peer and how far the attempt
got, is put into the message while it is known.
"""

from herald.bgp.family import Address
from herald.bgp.notification import Notification
from herald.bgp.parameters import PeerParameters

_HINTS = {
    (2, 2): "it does not expect AS {asn} from us",
    (2, 3): "our router ID is not acceptable to it, often because it is its own",
    (2, 7): "it wants a capability that we do not offer",
    (2, 11): "it is strict about BGP roles (RFC 9234), and we state none: make it not strict",
    (6, 1): "it has been sent more prefixes than it is configured to take",
    (6, 3): "it has no such session configured any more",
    (6, 5): "it refuses the connection: no session configured for our address, or not now",
    (6, 7): "it has another connection to us",
}
_OUR_GTSM = "with ttlSecurity the peer must be on the link and send with TTL 255, as its own GTSM does"
_THEIR_GTSM = "a peer with GTSM drops what we send without ttlSecurity"


def no_answer(parameters: PeerParameters, seconds: float) -> str:
    """TCP did not come up in time."""
    return f"timed out: {parameters.remote} did not answer within {seconds:g} s{why_no_answer(parameters)}"


def why_no_answer(parameters: PeerParameters) -> str:
    """What a peer that does not answer usually means, in brackets; nothing where nothing comes to mind."""
    hints = []
    if parameters.password is not None:
        hints.append("with a password set, a mismatch looks like this")
    if parameters.ttl_security:
        hints.append(_OUR_GTSM)
    elif lives_for_one_hop(parameters):
        hints.append("a peer beyond a router needs ebgpMultiHop, one with GTSM needs ttlSecurity")
    return f" ({'; '.join(hints)})" if hints else ""


def lives_for_one_hop(parameters: PeerParameters) -> bool:
    """Whether no packet of ours gets past a router, and a peer with GTSM takes none (TTL 1)."""
    return not (parameters.internal or parameters.multihop or parameters.ttl_security)


def closed_before_open(reason: str, parameters: PeerParameters, local_address: Address) -> str:
    """The peer took the connection and dropped it, or it broke, without a word."""
    text = (
        f"{reason} before the peer's OPEN: it may have no session configured for {local_address}, "
        "or has this one shut down"
    )
    return f"{text}; {_OUR_GTSM}" if parameters.ttl_security else text


def no_open(parameters: PeerParameters, seconds: float) -> str:
    """The connection stands and the peer says nothing."""
    text = f"no OPEN from the peer within {seconds:g} s"
    return f"{text} ({_OUR_GTSM})" if parameters.ttl_security else text


def no_keepalive(parameters: PeerParameters, seconds: float) -> str:
    """The peer's OPEN came, and nothing else: it may never have seen ours."""
    text = f"nothing received after the peer's OPEN for {seconds:g} s"
    return f"{text} ({_THEIR_GTSM})" if lives_for_one_hop(parameters) else text


def notification(received: Notification, parameters: PeerParameters) -> str:
    """What the peer says, with what it usually means."""
    hint = _HINTS.get((received.code, received.subcode))
    return f"{received.text} ({hint.format(asn=parameters.local_asn)})" if hint else received.text
