"""Graceful restart (RFC 4724; RFC 8538 for a NOTIFICATION): what we say of ourselves, and what both words mean.

The kernel of a node forwards whether or not a speaker runs, so a router that keeps our routes for a while loses nothing
by a restart of ours. The capability asks it to:

    restart time, families    "keep these so long, should I vanish"; only with `restart_time` of the peer's parameters
    R bit                     "I have restarted": until each family's first End-of-RIB has left
    F bit of a family         "the forwarding went on meanwhile": without it, the router drops what it has kept
    N bit                     "and also if it was a NOTIFICATION that ended the session", but for a Hard Reset

Without `restart_time` the capability is sent with no family in it: a router that restarts itself then waits for our
End-of-RIB before it decides, instead of deciding without our routes (RFC 4724 §4.1). Of what a router sends nothing is
kept, so there is nothing that we would have to hold on to while it restarts.
"""

from dataclasses import dataclass
from enum import Enum, auto

from herald.bgp.capability import GracefulRestart, RestartFamily
from herald.bgp.family import Family
from herald.bgp.message import Open
from herald.bgp.parameters import PeerParameters

LONGEST_RESTART_TIME = 4095


class Past(Enum):
    """What may have been between this host and a peer before its first session of this process."""

    NOTHING = auto()  # the peer is new
    RESTARTED = auto()  # an earlier process, in whose stead the kernel has forwarded without a break
    REBOOTED = auto()  # perhaps an earlier process, and nobody knows that the forwarding went on


@dataclass(frozen=True, slots=True)
class Standing:
    """What is true of us at the moment of an OPEN: the R bit, and the F bit of every family."""

    restarting: bool = False
    forwarding: bool = True


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two OPENs mean together. `kept`: the families that the peer keeps when the session is lost.

    `notification`: also when one of us ends it with a NOTIFICATION, unless that is a Hard Reset.
    """

    kept: frozenset[Family] = frozenset()
    notification: bool = False


NO_AGREEMENT = Agreement()


def offered(parameters: PeerParameters, standing: Standing) -> GracefulRestart:
    """The capability of our OPEN."""
    if parameters.restart_time is None:
        return GracefulRestart(0, restarting=standing.restarting)
    families = sorted(parameters.families, key=lambda family: family.value)
    entries = tuple(RestartFamily(family, standing.forwarding) for family in families)
    return GracefulRestart(parameters.restart_time, entries, standing.restarting, notification=True)


def agree(ours: Open, theirs: Open) -> Agreement:
    """What holds between both. That the peer lists no family says nothing of ours: it then only keeps (RFC 4724 §3)."""
    mine, other = said(ours), said(theirs)
    if mine is None or other is None:
        return NO_AGREEMENT
    return Agreement(
        frozenset(entry.family for entry in mine.families) if mine.restart_time else frozenset(),
        mine.notification and other.notification,
    )


def said(message: Open) -> GracefulRestart | None:
    """The capability in an OPEN. Of several the last one counts (RFC 4724 §3)."""
    return next((entry for entry in reversed(message.capabilities) if isinstance(entry, GracefulRestart)), None)
