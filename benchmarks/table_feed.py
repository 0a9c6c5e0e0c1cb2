"""Herald's BGP engine with a table of routes and one peer: the speaker side of `peer_table`, as a process of its own.

    python -m benchmarks.table_feed COUNT PEER_ADDRESS LOCAL_ASN PEER_ASN

Prints each state of the session, and keeps it until the process is stopped.
"""

import asyncio
import random
import sys
from ipaddress import IPv4Network, ip_address

from benchmarks.population import FIRST_ADDRESS
from herald.bgp.community import Community
from herald.bgp.driver import Peering
from herald.bgp.parameters import PeerParameters
from herald.bgp.route import Route
from herald.bgp.snapshot import SessionSnapshot
from herald.engine.tcp import dial


async def feed(count: int, peer: str, local_asn: int, peer_asn: int) -> None:
    community = (Community((64500 << 16) + 100),)
    routes = [Route(IPv4Network((FIRST_ADDRESS + number, 32)), communities=community) for number in range(count)]
    parameters = PeerParameters(name="bench", peer_address=ip_address(peer), local_asn=local_asn, peer_asn=peer_asn)
    peering = Peering(parameters, dial=dial, rng=random.Random(1), on_change=_say)
    peering.apply_routes(tuple(routes), ())
    peering.start()
    await asyncio.Event().wait()


def _say(snapshot: SessionSnapshot, reason: str | None) -> None:
    print(f"state {snapshot.state.value} {reason or ''}".rstrip(), flush=True)


if __name__ == "__main__":
    asyncio.run(feed(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
