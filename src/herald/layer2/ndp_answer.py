"""What a frame of Neighbor Discovery deserves: an answer, or a reason for none, and what it claims. No state.

Each frame walks this table; the first row that applies decides. The first two need no decoding and stand in the
responder, as for ARP; the third is `ndp.decode`.

    cut short                                                     drop, MALFORMED
    neither its source nor its target is an address held here     drop, NOT_HELD
    not to be believed (RFC 4861 §7.1)                            drop, MALFORMED
    an advertisement                                              drop, NOT_A_REQUEST
    sent neither to a group nor to this link's MAC                drop, NOT_FOR_US
    its target is not held                                        drop, NOT_HELD
    its target is held, but not on this link                      drop, OTHER_INTERFACE
    this machine itself looks for duplicates                      drop, OWN_PROBE
    otherwise                                                     answer with this link's MAC

So a solicitation is answered wherever it was sent: to the solicited-node group, or to the held address itself, which is
how a neighbour makes sure that it is still there (RFC 4861 §7.3.3). One without a source MAC is answered to the source
of its Ethernet frame. A probe for duplicates (source `::`) is answered before all nodes, which defends the address.
"""

from collections.abc import Iterator, Set

from herald.layer2 import ndp
from herald.layer2.drop import Drop
from herald.layer2.holding import Address, Holding
from herald.layer2.link import NdpLink
from herald.net.interface import Mac


def judge(frame: ndp.Frame, holding: Holding | None, link: NdpLink, own_macs: Set[Mac]) -> Drop | None:
    """Why `frame` is not answered, None if it is; `holding` is that of its target, if there is one."""
    if not isinstance(frame.message, ndp.NeighborSolicitation):
        return Drop.NOT_A_REQUEST
    if frame.destination != link.mac and not frame.destination[0] & 1:
        return Drop.NOT_FOR_US
    if holding is None:
        return Drop.NOT_HELD
    if not holding.covers(link.name):
        return Drop.OTHER_INTERFACE
    return Drop.OWN_PROBE if frame.sender == ndp.UNSPECIFIED and frame.source in own_macs else None


def claims(frame: ndp.Frame) -> Iterator[tuple[Address, Mac]]:
    """The addresses for which the sender of `frame` speaks, held here or not, each with the MAC that it gives them.

    It advertises one, or looks for duplicates of one that it wants; and it speaks from one.
    """
    message = frame.message
    match message:
        case ndp.NeighborAdvertisement():
            yield message.target, message.target_mac or frame.source
            if frame.sender != message.target:
                yield frame.sender, frame.source
        case ndp.NeighborSolicitation() if frame.sender == ndp.UNSPECIFIED:
            yield message.target, frame.source
        case ndp.NeighborSolicitation():
            yield frame.sender, message.source_mac or frame.source
