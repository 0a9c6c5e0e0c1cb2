"""What it means when this speaker is told to end: is another one about to take its place, or does the node go?

If another comes, peers with graceful restart keep our routes meanwhile and nobody notices. If the node goes, they must
forget them at once: a router that keeps the routes of a host that is down sends traffic into the void for as long as
the restart time. The signal itself does not tell the two apart, so the engine is told beforehand.

    the Node is drained, or labelled out of service          for good
    its kubelet says that the host is about to stop          for good
    our pod is not being deleted, and yet we are to end      for good: containers end so when their host stops
    our pod is being deleted                                 to return: the pods of a DaemonSet are replaced
    no pod, or nothing is known of it                        to return (the engine asks systemd about the host)

A mistake costs little where routes are given up for no need (flows move to other nodes for a second), and much where
they are kept for no good; hence the third line. It is wrong where the kubelet restarts a container that it finds dead.
"""

from enum import Enum, auto

from herald.bgp.event import Leaving
from herald.cluster.node import Node
from herald.engine.link import Departing


class Pod(Enum):
    """What is known of our pod."""

    UNKNOWN = auto()
    STAYS = auto()
    BEING_DELETED = auto()


def departing(node: Node | None, pod: Pod, *, ignore_exclude_lb: bool = False) -> Departing:
    """How the engine is to leave its peers, as things are now."""
    if node is not None and node.drain is not None:
        return Departing(Leaving.FOR_GOOD, "the node is drained")
    if node is not None and node.is_excluded and not ignore_exclude_lb:
        return Departing(Leaving.FOR_GOOD, "the node is out of service")
    if node is not None and node.is_shutting_down:
        return Departing(Leaving.FOR_GOOD, "the node is shutting down")
    if pod is Pod.STAYS:
        return Departing(Leaving.FOR_GOOD, "the speaker stops and its pod stays, as when the host stops")
    return Departing(Leaving.TO_RETURN, "the speaker is replaced" if pod is Pod.BEING_DELETED else "the speaker stops")
