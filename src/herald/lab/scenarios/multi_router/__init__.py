"""The how-to "BGP mode with multiple upstream routers": three routers of one AS, a core behind them.

    node-1 192.168.1.10 ─┐     ┌─ router-1 192.168.1.1 ─┐
    node-2 192.168.1.11 ─┼ lan ┼─ router-2 192.168.1.2 ─┼─ core ─── remote
    node-3 192.168.1.12 ─┘     ├─ router-3 192.168.1.3 ─┘ AS 64510  198.51.100.100
                               └─ reflector 192.168.1.4, in AS 64500 as the nodes

The routers are FRR in AS 64501; router-3 wants a TCP MD5 password
of 192.168.1.10, and of nobody else.
"""

from herald.lab.client import curl
from herald.lab.data_centre import DataCentre
from herald.lab.proof import Proof
from herald.lab.scenario import Scenario, diagram
from herald.lab.scenarios.multi_router import chapters, questions
from herald.lab.scenarios.multi_router.plan import BLUEPRINT, CRITICAL, HOWTO, URL
from herald.lab.walk import Walk


def tour(lab: DataCentre) -> list[tuple[str, str]]:
    """Commands to try in a lab that stands."""
    return [
        (lab.on("remote", *curl(URL)).full, "the remote client, through the core and any of three routers"),
        (
            lab.vtysh("router-1", f"show bgp ipv4 unicast {CRITICAL}/32").full,
            "what a router was told",
        ),
        (lab.on("core", "ip", "route", "show", CRITICAL).full, "equal paths in the core's kernel"),
        (lab.showing("node-1", "bgp summary"), "the sessions of node-1"),
        (lab.showing("node-1", "bgp routes"), "what node-1 tells each router"),
    ]


async def prove(lab: DataCentre, proof: Proof) -> None:
    """Every claim of the how-to, in its order."""
    walk = Walk(lab, proof, HOWTO)
    for part in (
        questions.installed,
        chapters.pools_and_peers,
        chapters.advertisements,
        chapters.failover_test,
        chapters.per_node,
        chapters.ecmp,
        chapters.graceful,
        chapters.bfd,
        chapters.filtering,
        chapters.prepending,
        chapters.pinned,
        chapters.inside,
        questions.monitoring,
        questions.troubleshooting,
    ):
        await part(walk)


SCENARIO = Scenario(
    name="multi-router",
    title="BGP with multiple upstream routers",
    picture=diagram(__doc__),
    blueprint=BLUEPRINT,
    howto=HOWTO,
    first=("ipaddresspool", "bgp-peers", "bgp-advertisement", "critical-service", "development-service"),
    tour=tour,
    prove=prove,
)
