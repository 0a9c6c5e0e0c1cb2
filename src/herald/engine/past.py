"""What peers may still have of this host from before this engine, and whether it has forwarded since (RFC 4724 §4.1).

The F bit says "the forwarding went on while BGP was away". A restarted process may say so, for the kernel forwards
without it; a restarted host may not. Two signs tell them apart, and either will do:

* An engine has left the id of this boot beside the show socket. Where that folder goes with the container, as the one
  of a pod does, nothing is found.
* The host has been up for longer than a peer can have kept anything: the hold time until it misses us, and the restart
  time after that. Whatever it still has was told in this boot.

With neither sign the host may have been restarted, and the peer is told to forget. That costs a speaker that is
replaced within the first minutes of its host a moment without routes, and never sends traffic to a host that was away.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from herald.bgp.graceful_restart import Past
from herald.bgp.parameters import PeerParameters

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
SUFFIX: Final = ".boot"

_log: Final = logging.getLogger("herald.engine")


@dataclass(frozen=True, slots=True)
class Boot:
    """`ran_before`: an engine of this node is known to have run in this boot. `up_for`: its age in seconds."""

    ran_before: bool
    up_for: float

    def past_with(self, peer: PeerParameters) -> Past:
        """What there may have been between this node and the peer."""
        return Past.RESTARTED if self.ran_before or self.up_for > _kept_for(peer) else Past.REBOOTED


def _kept_for(peer: PeerParameters) -> float:
    """How long the peer can have kept what it was told before this host went away. Without a hold time: for ever."""
    return peer.hold_time + (peer.restart_time or 0) if peer.hold_time else float("inf")


def look(show_socket: Path | None, boot_id: Path = BOOT_ID) -> Boot:
    """What the signs say; from now on an engine has run in this boot."""
    up_for = time.clock_gettime(time.CLOCK_BOOTTIME)
    if show_socket is None:
        return Boot(False, up_for)
    mark = show_socket.with_suffix(SUFFIX)
    try:
        present = boot_id.read_text()
        ran_before = mark.exists() and mark.read_text() == present
        mark.write_text(present)
    except OSError as error:
        _log.warning("cannot note the boot in %s: %s", mark, error.strerror, extra={"event": "bootNotNoted"})
        return Boot(False, up_for)
    return Boot(ran_before, up_for)
