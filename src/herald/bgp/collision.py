"""Two connections with one peer: which of them is kept (RFC 4271 §6.8, RFC 6286 §2.3).

If both ends dial at once there are two connections. The one that was initiated by the speaker with the higher BGP
identifier is kept, and with equal identifiers, which only speakers of different ASes may have, the one by the higher
AS number: that speaker is dominant. The other connection is closed with Cease/Connection Collision Resolution.

The RFC judges when an OPEN comes on one connection while the other is in OpenConfirm. That alone lets both ends close a
different one: either may have come further than the other knows. So an end commits itself to one connection at a time,
and the dominant one's decision counts:

* On the second connection the OPEN is held back (DelayOpen, RFC 4271 §8.1.1) until the first is over, or until the
  peer's OPEN on the second decides for it.
* An attempt whose TCP is not up is given up as soon as the peer's OPEN comes on the other connection.
* The dominant speaker judges at the first OPEN, also while its own connection is in OpenSent (the RFC's MAY): it lets
  no other connection become Established.
* The other speaker, once it has agreed to its own connection, goes on with that until the dominant one agrees too, or
  closes it: whoever judges by the letter may have agreed before its own connection came up. This is where we depart
  from the RFC, which closes it at the OPEN on the second one, and with it a session that the peer may believe in.
* The dominant speaker says its KEEPALIVE on the connection that is kept only after the peer's, which shows that the
  peer has read our OPEN and judged too. FRR (seen with 8.4) lets a connection that it has accepted take the place of
  its own in the moment of Established. If it reads OPEN and KEEPALIVE in one go, its own is not over by then, and what
  was to end that ends the session instead. Should the peer say nothing, our next KEEPALIVE still leaves when it is due.

So at both ends the same connection survives, however the messages of the two overtake each other.
"""

from enum import Enum, auto

from herald.bgp.event import Initiator
from herald.bgp.fsm import State
from herald.bgp.message import Open


class Verdict(Enum):
    """What becomes of the connection on which an OPEN came, and of the other one."""

    KEEP_OPENED = auto()  # the one with the OPEN; the other is closed
    KEEP_OTHER = auto()
    KEEP_BOTH = auto()  # for now


_US, _PEER = Initiator.US, Initiator.PEER

# (who has initiated the connection with the OPEN, the state of the other one, who is dominant)
VERDICTS: dict[tuple[Initiator, State, Initiator], Verdict] = {
    (_US, State.OPEN_SENT, _US): Verdict.KEEP_OPENED,
    (_US, State.OPEN_SENT, _PEER): Verdict.KEEP_BOTH,
    (_PEER, State.OPEN_SENT, _US): Verdict.KEEP_OTHER,
    (_PEER, State.OPEN_SENT, _PEER): Verdict.KEEP_OPENED,
    (_US, State.OPEN_CONFIRM, _US): Verdict.KEEP_OPENED,
    (_US, State.OPEN_CONFIRM, _PEER): Verdict.KEEP_OTHER,
    (_PEER, State.OPEN_CONFIRM, _US): Verdict.KEEP_OTHER,
    (_PEER, State.OPEN_CONFIRM, _PEER): Verdict.KEEP_BOTH,
    # A second connection is let live beside an Established one only if the peer has announced that it may restart
    # (RFC 4724 §5), and takes its place at the OPEN.
    (_US, State.ESTABLISHED, _US): Verdict.KEEP_OPENED,
    (_US, State.ESTABLISHED, _PEER): Verdict.KEEP_OPENED,
    (_PEER, State.ESTABLISHED, _US): Verdict.KEEP_OPENED,
    (_PEER, State.ESTABLISHED, _PEER): Verdict.KEEP_OPENED,
}


def dominant(ours: Open, theirs: Open) -> Initiator:
    """Whose connection is the one to keep."""
    return _US if (int(ours.router_id), ours.asn) > (int(theirs.router_id), theirs.asn) else _PEER


def judge(opened: Initiator, other: State, ours: Open, theirs: Open) -> Verdict:
    """What to do at `theirs`, which came on the connection that `opened` has initiated; `other` is connected."""
    return VERDICTS[opened, other, dominant(ours, theirs)]
