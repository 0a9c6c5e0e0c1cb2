"""The page about a run: docs/traffic.md."""

import platform
import subprocess
from datetime import UTC, datetime

import herald
from herald.lab.daemons.frr import DAEMONS
from herald.lab.proof import Proof

PAGE = """\
# What a fault costs: 1,000 requests a second through a router

<!-- Written by `herald lab run traffic --write docs/traffic.md`. -->

One client, one FRR router with ECMP, three nodes that run Herald with graceful restart and BFD at 50 ms × 3. The client
sends 1,000 requests a second over UDP, each from a port of its own, so that the router spreads them, and opens 100 TCP
connections a second. Everything is real, on one machine, in network namespaces: see for yourself with
`herald lab run traffic` (as root; ten minutes), or `--only PART` for a part of it.

{table}
{when}: Herald {herald}, FRR {frr}, Linux {linux}, Python {python}.
How quickly a process starts, and with it how long a restart takes, says more of this machine than of Herald; what is
lost does not depend on that.

## How to read it

* **Lost** is a request over UDP that was never answered, however long one waits. TCP repeats what is lost by itself,
  so that a connection fails only after 2 s; one that was reset, since the router moved it to another node, is
  *repeated*.
* **Converged after** is the time from the fault to the last request that was lost.
* **Why** is taken from what the router's kernel (`ip monitor route`) and its bgpd (log) wrote down, moment by moment,
  laid beside the instants at which lost requests were sent. `herald lab run traffic` prints all of these moments, and
  those of Herald's own log.
* The measurement watches itself. The same process asks the router itself, where no fault reaches; every fault has a
  quiet phase before it; datagrams that found a socket full are counted. If anything is lost there, the run fails, and
  so it does if a request is lost after the last moment that could explain it.

## What is done

* **Rolling restart**: each speaker in turn gets SIGTERM; the next one when the new one has its session, its route and
  BFD.
* **Drain**: `herald drain --wait 1s`; when it says that the node is drained, `--undo`.
* **Drain and reboot**: the same; in between all processes of the node are killed, its cable is pulled, and it boots.
* **Power-off**: all processes of a node are killed and its cable is pulled: no farewell, no FIN.
* **Link down**: the cable is pulled at the switch, so that the router's own port stays up and only BFD can tell.
* **Link loses 30 %**: nftables drops three packets of ten on a node's interface, in each direction.
* **Router frozen**: SIGSTOP of the router's zebra, bgpd and bfdd. Its kernel forwards on; BFD and BGP are silent.
* **Router goes on**: SIGCONT. It reads that Herald has given it up meanwhile, and learns every route again.
* **Router restart**: its bgpd is killed and started again; *graceful* with `bgp graceful-restart` and
  `preserve-fw-state`, with which its kernel keeps the routes. When BGP comes up, the bgpd of FRR 8 replaces a BFD
  session that was up before, takes that for a failure, and ends BGP once more for a second or so.
"""


def page(proof: Proof) -> str:
    """The page, with the table of the run."""
    assert proof.table is not None
    return PAGE.format(
        table=proof.table.to_markdown(),
        when=datetime.now(UTC).date().isoformat(),
        herald=herald.__version__,
        frr=frr_version(),
        linux=platform.release().partition("-")[0],
        python=platform.python_version(),
    )


def frr_version() -> str:
    """Of the bgpd that routers run."""
    told = subprocess.run([str(DAEMONS / "bgpd"), "--version"], capture_output=True, text=True, check=True)
    return told.stdout.split()[2]
