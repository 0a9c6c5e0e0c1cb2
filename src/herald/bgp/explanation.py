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


def no_answer(parameters: PeerParameters, seconds: float) -> str:
    """TCP did not come up in time."""
    hints = []
    if parameters.password is not None:
        hints.append("with a password set, a mismatch looks like this")
    if parameters.ttl_security:
        hints.append("with ttlSecurity the peer must be on the link and send with TTL 255, as its own GTSM does")
    elif not parameters.internal and not parameters.multihop:
        hints.append("a peer beyond a router needs ebgpMultiHop, one with GTSM needs ttlSecurity")
    text = f"timed out: {parameters.remote} did not answer within {seconds:g} s"
    return f"{text} ({'; '.join(hints)})" if hints else text


def closed_before_open(reason: str, local_address: Address) -> str:
    """The peer took the connection and dropped it without a word."""
    return (
        f"{reason} before the peer's OPEN: it may have no session configured for {local_address}, "
        "or has this one shut down"
    )


def notification(received: Notification, parameters: PeerParameters) -> str:
    """What the peer says, with what it usually means."""
    hint = _HINTS.get((received.code, received.subcode))
    return f"{received.text} ({hint.format(asn=parameters.local_asn)})" if hint else received.text
