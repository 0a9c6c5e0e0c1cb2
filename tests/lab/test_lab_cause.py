"""Why requests were lost: the logs of kernels, routers and Herald become moments, and moments end phases."""

from datetime import datetime

import pytest

from herald.lab import cause, timeline
from herald.lab.timeline import BGPD, KERNEL, LAB, Moment

NAMES = {"192.168.1.10": "node-1", "192.168.1.11": "node-2"}


def local(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


MONITOR = """\
[2026-11-21T18:14:03.480900] local fe80::b06c:42ff:feaf:e66 dev eth0 table local proto kernel metric 0 pref medium
[2026-11-21T18:14:06.160183] 203.0.113.10 nhid 19 proto bgp metric 20 \\\tnexthop via 192.168.1.11 dev eth0 weight 1 \
\\\tnexthop via 192.168.1.10 dev eth0 weight 1
[2026-11-21T18:14:09.913732] 203.0.113.10 nhid 12 via 192.168.1.11 dev eth0 proto bgp metric 20
[2026-11-21T18:14:10.000001] Deleted 203.0.113.10 nhid 12 via 192.168.1.11 dev eth0 proto bgp metric 20
[2026-11-21T18:14:10.500000] 203.0.113.100 via 192.168.1.11 dev eth0 proto bgp metric 20
"""


def test_a_kernel_has_a_route_by_names_and_then_none() -> None:
    assert list(timeline.of_kernel(MONITOR, "203.0.113.10", NAMES)) == [
        Moment(local("2026-11-21T18:14:06.160183"), KERNEL, "via node-1, node-2"),
        Moment(local("2026-11-21T18:14:09.913732"), KERNEL, "via node-2"),
        Moment(local("2026-11-21T18:14:10.000001"), KERNEL, "no route"),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[N9HHH-F8H1M] %ADJCHANGE: neighbor 192.168.1.10(node-1) in vrf default Up", "node-1 Up"),
        (
            "[PXVXG-TFNNT] %ADJCHANGE: neighbor 192.168.1.11(node-2) in vrf default Down NSF peer closed the session",
            "node-2 Down NSF peer closed the session",
        ),
        (
            "[HZN6M-XRM1G] %NOTIFICATION(Hard Reset): sent to neighbor 192.168.1.10 6/10 (Cease/BFD Down) 0 bytes ",
            "NOTIFICATION sent to node-1, Cease/BFD Down",
        ),
        (
            "[X] %NOTIFICATION: received from neighbor 192.168.1.10 6/2 (Cease/Administrative Shutdown) 0 bytes",
            "NOTIFICATION received from node-1, Cease/Administrative Shutdown",
        ),
    ],
    ids=["up", "down", "sent", "received"],
)
def test_bgpd_tells_of_its_sessions(line: str, told: str) -> None:
    text = f"2026/11/21 18:14:09.843255 BGP: {line}\n"
    at = local("2026-11-21T18:14:09.843255")
    assert list(timeline.of_bgpd(text, NAMES)) == [Moment(at, BGPD, told)]


@pytest.mark.parametrize(
    "line",
    [
        "2026/11/21 18:14:09.8 BGP: [P] %ADJCHANGE: neighbor 192.168.1.10(a) in vrf default Down BGP Notification send",
        "2026/11/21 18:14:02 BGP: [T83RR-8SM5G] bgpd 8.4.4 starting: vty@2605, bgp@<all>:179",
    ],
    ids=["told-before", "of-another-thing"],
)
def test_what_bgpd_repeats_or_says_of_other_things_is_no_moment(line: str) -> None:
    assert list(timeline.of_bgpd(line, NAMES)) == []


def test_a_log_of_herald_tells_of_bgp_and_bfd_alone() -> None:
    text = """\
{"event":"engineReady","level":"info","msg":"engine of node-1 is ready","ts":"2026-11-21T18:14:05.161Z"}
{"event":"bfdDown","level":"info","msg":"BFD session with 192.168.1.1 down: silence","ts":"2026-11-21T18:14:07.098Z"}
Traceback, which is no JSON
{"event":"sessionUp","level":"info","msg":"BGP session with router established","ts":"2026-11-21T18:14:08.000Z"}
"""
    found = list(timeline.of_herald(text, "node-1"))
    assert [moment.what for moment in found] == [
        "BFD session with 192.168.1.1 down: silence",
        "BGP session with router established",
    ]
    assert {moment.where for moment in found} == {"Herald on node-1"}
    assert found[0].at == datetime.fromisoformat("2026-11-21T18:14:07.098+00:00").timestamp()


CUT = Moment(100.0, LAB, "node-1: cable pulled")
NOTICED = Moment(100.15, BGPD, "NOTIFICATION sent to node-1, Cease/BFD Down")
OWN = Moment(100.16, "Herald on node-1", "BFD session with 192.168.1.1 down")
GONE = Moment(100.2, KERNEL, "via node-2")
BEFORE = Moment(90.0, KERNEL, "via node-1, node-2")
MOMENTS = (BEFORE, CUT, NOTICED, OWN, GONE)


def test_a_phase_ends_with_what_the_router_noticed() -> None:
    lost = [100.0, 100.05, 100.1, 100.17, 100.19]
    assert cause.reason(lost, MOMENTS, CUT.at) == (
        "3 in 150 ms until the router's bgpd: NOTIFICATION sent to node-1, Cease/BFD Down; "
        "2 in 50 ms until the router's kernel: via node-2"
    )
    assert cause.unexplained(lost, MOMENTS, CUT.at) == 0


def test_a_loss_after_the_last_moment_is_unexplained() -> None:
    assert cause.unexplained([100.1, 100.3, 101.0], MOMENTS, CUT.at) == 2
    assert "2 later, for which nothing was observed" in cause.reason([100.3, 101.0], MOMENTS, CUT.at)


@pytest.mark.parametrize(
    ("moments", "words"),
    [
        ((BEFORE, CUT, OWN), "the router's kernel kept its route all the time"),
        (MOMENTS, "the router's kernel changed its route once, and always had a way"),
        ((*MOMENTS, Moment(103.0, KERNEL, "via node-1, node-2")), "changed its route 2 times"),
    ],
    ids=["kept", "once", "twice"],
)
def test_a_fault_that_costs_nothing_is_explained_by_the_route(moments: tuple[Moment, ...], words: str) -> None:
    assert words in cause.reason([], moments, CUT.at)


def test_of_many_phases_the_routes_are_told_and_the_costliest_of_them() -> None:
    up, down = "via node-1, node-2", "via node-2"
    flapping = [Moment(100.0 + number, KERNEL, up if number % 2 else down) for number in range(1, 20)]
    costly = [100.5] * 3 + [103.5] * 4 + [107.5] * 5
    cheap = [101.5, 104.5, 108.5]
    assert cause.reason(costly + cheap, (BEFORE, CUT, *flapping), CUT.at) == (
        "13 while the router's kernel had via node-1, node-2; 2 while the router's kernel had via node-2 ("
        "3 in 1,000 ms until the router's kernel: via node-1, node-2; "
        "4 in 1,000 ms until the router's kernel: via node-2; "
        "5 in 1,000 ms until the router's kernel: via node-2; "
        "3 in 3 other phases)"
    )
