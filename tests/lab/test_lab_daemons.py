"""What routers are told, and how the little that BIRD says is read."""

from herald.lab.daemons import bird, frr
from herald.lab.daemons.router import Neighbor, Router

ROUTER = Router(
    "edge",
    64501,
    "10.0.0.1",
    (Neighbor("10.0.0.10", 64500, password="s3cret"), Neighbor("10.9.0.2", 64510, passive=False)),
)


def test_frr_is_told_of_every_neighbour() -> None:
    lines = [line.strip() for line in frr.configuration(ROUTER).splitlines()]
    assert lines[:4] == ["hostname edge", "log timestamp precision 6", "router bgp 64501", "bgp router-id 10.0.0.1"]
    assert "neighbor 10.0.0.10 remote-as 64500" in lines
    assert "neighbor 10.0.0.10 password s3cret" in lines
    assert "neighbor 10.0.0.10 passive" in lines
    assert "neighbor 10.9.0.2 activate" in lines
    assert "neighbor 10.9.0.2 passive" not in lines


def test_frr_takes_routes_without_a_policy_and_shares_between_different_ases() -> None:
    text = frr.configuration(ROUTER)
    assert "no bgp ebgp-requires-policy" in text
    assert "bgp bestpath as-path multipath-relax" in text
    assert "maximum-paths 8" in text


def test_bird_is_told_of_every_neighbour() -> None:
    text = bird.configuration(ROUTER)
    assert (
        'neighbor 10.0.0.10 as 64500; error wait time 1, 2; connect retry time 1; passive on; password "s3cret";'
        in text
    )
    assert "protocol bgp n_10_9_0_2 { local as 64501; neighbor 10.9.0.2 as 64510;" in text
    assert text.count("passive on") == 1


def test_routes_of_bird_are_read_with_all_their_next_hops() -> None:
    text = """\
BIRD 2.0.12 ready.
Table master4:
10.100.0.0/32        unicast [n_10_0_0_10 09:10:11.123] * (100) [AS64512i]
\tvia 10.0.0.10 on eth0
                     unicast [n_10_0_0_11 09:10:11.456] (100) [AS64512i]
\tvia 10.0.0.11 on eth0
203.0.113.0/32       unicast [n_10_0_0_10 09:10:12.001] * (100) [AS64512i]
\tvia 10.0.0.10 on eth0
"""
    assert bird.routes(text) == {"10.100.0.0/32": ["10.0.0.10", "10.0.0.11"], "203.0.113.0/32": ["10.0.0.10"]}


def test_an_empty_table_of_bird_has_no_routes() -> None:
    assert bird.routes("BIRD 2.0.12 ready.\n") == {}
