"""Whether the host has forwarded without a break since peers were told anything."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from herald.bgp.graceful_restart import Past
from herald.bgp.parameters import PeerParameters
from herald.engine.past import Boot, look

PEER = PeerParameters(
    name="r1", peer_address=ip_address("10.0.0.1"), local_asn=64500, peer_asn=64501, hold_time=90, restart_time=120
)


@pytest.mark.parametrize(
    ("boot", "peer", "past"),
    [
        (Boot(True, 5.0), PEER, Past.RESTARTED),
        (Boot(False, 5.0), PEER, Past.REBOOTED),
        (Boot(False, 210.0), PEER, Past.REBOOTED),
        (Boot(False, 211.0), PEER, Past.RESTARTED),
        (Boot(False, 100.0), replace(PEER, hold_time=9, restart_time=30), Past.RESTARTED),
        (Boot(False, 1e9), replace(PEER, hold_time=0), Past.REBOOTED),
        (Boot(True, 1.0), replace(PEER, hold_time=0), Past.RESTARTED),
    ],
    ids=["mark", "young-host", "just-so", "old-host", "short-times", "peer-without-hold-time", "mark-is-enough"],
)
def test_what_a_peer_may_have_and_whether_the_host_forwarded_meanwhile(boot: Boot, peer: PeerParameters, past: Past):
    assert boot.past_with(peer) is past


def test_the_mark_of_an_earlier_engine_counts_within_one_boot_only(tmp_path: Path) -> None:
    boot_id, show_socket = tmp_path / "boot_id", tmp_path / "n1.sock"
    boot_id.write_text("one\n")
    assert not look(show_socket, boot_id).ran_before
    assert look(show_socket, boot_id).ran_before
    boot_id.write_text("two\n")
    assert not look(show_socket, boot_id).ran_before
    assert look(show_socket, boot_id).ran_before
    assert not look(tmp_path / "n2.sock", boot_id).ran_before


def test_without_a_place_for_the_mark_the_age_of_the_boot_counts(tmp_path: Path) -> None:
    assert not look(None).ran_before
    assert not look(tmp_path / "no" / "such" / "n1.sock").ran_before
    assert look(None).up_for > 0
