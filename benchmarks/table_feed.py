"""Herald's BGP engine with a table of routes and some peers: the speaker side of `bgp_tables`, as a process of its own.

    python -m benchmarks.table_feed [--wait] COUNT LOCAL_ASN PEER_ASN PEER_ADDRESS…

Prints each state of the sessions, and keeps them until the process is stopped. With `--wait` it says "loaded" and
connects when it gets SIGUSR1.
"""

import argparse
import asyncio
import random
import signal
from ipaddress import IPv4Network, ip_address

from benchmarks.population import FIRST_ADDRESS
from herald.bgp.community import Community
from herald.bgp.driver import Peering
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.bgp.snapshot import SessionSnapshot
from herald.engine.tcp import dial


async def feed(given: argparse.Namespace) -> None:
    community = (Community((64500 << 16) + 100),)
    routes = tuple(
        Route(IPv4Network((FIRST_ADDRESS + number, 32)), communities=community) for number in range(given.count)
    )
    peerings = [_peering(given, peer, number) for number, peer in enumerate(given.peers)]
    for peering in peerings:
        peering.apply_routes(routes, ())
    if given.wait:
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
        print("loaded", flush=True)
        await told.wait()
    for peering in peerings:
        peering.start()
    await asyncio.Event().wait()


def _peering(given: argparse.Namespace, peer: str, number: int) -> Peering:
    parameters = PeerParameters(
        name=f"bench-{number}", peer_address=ip_address(peer), local_asn=given.local_asn, peer_asn=given.peer_asn
    )
    return Peering(parameters, dial=dial, rng=random.Random(number), on_change=_say)


def _say(snapshot: SessionSnapshot, reason: str | None) -> None:
    print(f"state {snapshot.state.value} {reason or ''}".rstrip(), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("count", type=int)
    parser.add_argument("local_asn", type=int)
    parser.add_argument("peer_asn", type=int)
    parser.add_argument("peers", nargs="+")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(feed(_arguments()))
