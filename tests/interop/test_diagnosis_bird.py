"""What is wrong with a session, in the words of a running engine beside a real BIRD, which says it in its own way."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from frr_router import HERALD, ROUTER, FrrRouter, frr_beside_herald
from matrix_bird import HEAD, bird
from test_diagnosis_frr import PEER, expect, speaking

from herald.bgp.family import Family
from herald.bgp.parameters import Password, PeerParameters

pytestmark = [pytest.mark.netns, pytest.mark.interop]


@pytest.fixture
def place() -> Iterator[FrrRouter]:
    with frr_beside_herald() as router:
        yield router


US = f"neighbor {HERALD} as 64500; connect delay time 1; connect retry time 2;"
FAULTS = {
    "it is of another AS": (
        US,
        replace(PEER, peer_asn=64777),
        ("peer-asn", "the peer says it is AS 64501", "peerASN of the BGPPeer", "set peerASN to what the peer says"),
    ),
    "it expects another AS of us": (
        US.replace("64500", "64999"),
        PEER,
        ("local-asn", "they sent OPEN Message Error/Bad Peer AS", "it does not expect AS 64500 from us", "set myASN"),
    ),
    "it has our router ID": (
        US.replace("64500", "64501"),
        replace(PEER, local_asn=64501, router_id=ip_address(ROUTER)),
        ("router-id", "Bad BGP Identifier", "router ID", "set another routerID on the BGPPeer"),
    ),
    "no family in common": (
        US,
        replace(PEER, families=frozenset({Family.IPV6_UNICAST})),
        ("family", "does not offer ipv6-unicast", "without a family in common", "activate ipv6-unicast"),
    ),
    "it has a password": (
        f'{US} password "secret";',
        PEER,
        ("md5-missing", "no answer", "it dials us with a TCP MD5 password", "set password or passwordSecret"),
    ),
    "the passwords differ": (
        f'{US} password "secret";',
        replace(PEER, password=Password("other")),
        ("md5-wrong", "no answer", "it dials us with another TCP MD5 password", "set the same password on both"),
    ),
    "it has no password": (
        US,
        replace(PEER, password=Password("secret")),
        ("md5-unexpected", "no answer", "without a TCP MD5 password", "set the same password on the router"),
    ),
    "it has GTSM": (
        f"{US} ttl security on;",
        PEER,
        ("gtsm", "the peer acknowledges nothing that we send", "a peer with GTSM drops what", "set ttlSecurity: true"),
    ),
    "it does not know us": (
        "neighbor 10.50.0.99 as 64500;",
        PEER,
        ("not-configured", "before its OPEN", f"no session configured for {HERALD}", f"configure {HERALD} as"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("session", "peer", "told"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_named(
    place: FrrRouter, tmp_path: Path, session: str, peer: PeerParameters, told: tuple[str, str, str, str]
) -> None:
    cause, error, why, fix = told
    channel = "ipv4 { import all; export none; };"
    with bird(place.namespace, f"{HEAD}protocol bgp herald {{ local {ROUTER} as 64501; {session} {channel} }}\n"):
        async with speaking(place.herald_namespace, tmp_path, peer) as speaker:
            expect(await speaker.diagnosis(cause), error=error, why=why, fix=fix)
