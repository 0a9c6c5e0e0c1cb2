"""From what was observed to the cause, and what to do about it."""

import string
from dataclasses import replace
from ipaddress import ip_address
from itertools import product

import pytest

from herald.bgp import explanation
from herald.bgp.diagnosis import Cause, Evidence, Obstacle, PeerSyn, diagnose
from herald.bgp.notification import Notification
from herald.bgp.parameters import Algorithm, MasterKey, Password, PeerParameters

PEER = PeerParameters("r1", ip_address("10.0.0.1"), 64500, 64501)
SECURE = replace(PEER, password=Password("secret"))
KEYED = replace(PEER, tcp_ao=MasterKey(1, 2, Algorithm.HMAC_SHA_1_96, Password("secret")))
FAR = replace(PEER, multihop=True)
MIDDLE = ip_address("10.0.9.1")
ON_LINK, OFF_LINK = Evidence(on_link=True), Evidence(on_link=False)
SILENCE = Obstacle.SILENCE

CASES = {
    "a reset": (PEER, Obstacle.REFUSED, ON_LINK, Cause.REFUSED, "nothing takes connections on its TCP port 179"),
    "a firewall speaks": (PEER, Obstacle.REJECTED, replace(ON_LINK, reporter=MIDDLE), Cause.FILTERED, "at 10.0.9.1"),
    "TTL 1 and a router": (PEER, Obstacle.TTL_EXPIRED, replace(OFF_LINK, reporter=MIDDLE), Cause.MULTIHOP, "10.0.9.1"),
    "TTL 255 and a loop": (FAR, Obstacle.TTL_EXPIRED, OFF_LINK, Cause.UNREACHABLE, "in a circle"),
    "silence beyond a router": (PEER, SILENCE, OFF_LINK, Cause.MULTIHOP, "10.0.0.1 is on no link of this node"),
    "no host beyond a router": (PEER, Obstacle.NO_HOST, OFF_LINK, Cause.MULTIHOP, "lives for one hop"),
    "no host on the link": (PEER, Obstacle.NO_HOST, ON_LINK, Cause.UNREACHABLE, "nobody on the link answers"),
    "no host beyond, multihop": (FAR, Obstacle.NO_HOST, OFF_LINK, Cause.UNREACHABLE, "no way leads to 10.0.0.1"),
    "no route": (FAR, Obstacle.NO_ROUTE, OFF_LINK, Cause.UNREACHABLE, "this node has no route"),
    "it takes unsigned": (SECURE, SILENCE, Evidence(takes_unsigned=True), Cause.MD5_UNEXPECTED, "takes connections"),
    "it dials unsigned": (SECURE, SILENCE, Evidence(peer_syn=PeerSyn.UNSIGNED), Cause.MD5_UNEXPECTED, "dials us"),
    "another password": (SECURE, SILENCE, Evidence(peer_syn=PeerSyn.SIGNED_OTHERWISE), Cause.MD5_WRONG, "another"),
    "the password, and silence": (SECURE, SILENCE, Evidence(peer_syn=PeerSyn.SIGNED_ALIKE), Cause.FILTERED, "right"),
    "signed, and we have none": (PEER, SILENCE, Evidence(peer_syn=PeerSyn.SIGNED), Cause.MD5_MISSING, "has none"),
    "unsigned, and silence": (PEER, SILENCE, Evidence(peer_syn=PeerSyn.UNSIGNED), Cause.FILTERED, "it knows us"),
    "no ping": (PEER, SILENCE, replace(ON_LINK, pings=False), Cause.FILTERED, "no answer to ping either"),
    "no ping, with a password": (SECURE, SILENCE, replace(ON_LINK, pings=False), Cause.FILTERED, "a wrong password"),
    "ping": (PEER, SILENCE, replace(ON_LINK, pings=True), Cause.SILENT, "it wants a TCP MD5 password"),
    "ping, with a password": (SECURE, SILENCE, replace(ON_LINK, pings=True), Cause.SILENT, "is another than this one"),
    "nothing known": (PEER, SILENCE, Evidence(), Cause.SILENT, "or it has GTSM, which needs ttlSecurity"),
    "AO, and it takes unsigned": (KEYED, SILENCE, Evidence(takes_unsigned=True), Cause.AO_UNEXPECTED, "takes connec"),
    "AO, and it dials unsigned": (KEYED, SILENCE, Evidence(peer_syn=PeerSyn.UNSIGNED), Cause.AO_UNEXPECTED, "dials us"),
    "AO, and it has MD5": (KEYED, SILENCE, Evidence(peer_syn=PeerSyn.SIGNED), Cause.AO_UNEXPECTED, "TCP MD5 password"),
    "AO at both ends": (KEYED, SILENCE, Evidence(peer_syn=PeerSyn.SIGNED_BY_AO), Cause.SILENT, "both IDs"),
    "AO, no ping": (KEYED, SILENCE, replace(ON_LINK, pings=False), Cause.FILTERED, "a wrong key looks like this"),
    "it has AO, we nothing": (
        PEER,
        SILENCE,
        Evidence(peer_syn=PeerSyn.SIGNED_BY_AO),
        Cause.AO_MISSING,
        "dials us with",
    ),
    "it has AO, we MD5": (SECURE, SILENCE, Evidence(peer_syn=PeerSyn.SIGNED_BY_AO), Cause.AO_MISSING, "TCP MD5 passw"),
    "GTSM of ours": (replace(PEER, ttl_security=True), SILENCE, Evidence(), Cause.SILENT, "TTL below 255"),
}


@pytest.mark.parametrize(("peer", "obstacle", "evidence", "cause", "words"), CASES.values(), ids=CASES)
def test_the_cause_follows_from_the_evidence(peer, obstacle, evidence, cause, words):
    found = diagnose(obstacle, peer, evidence)
    assert found.cause is cause
    assert words in found.text


def test_whatever_is_observed_has_a_cause_a_reason_and_a_remedy_and_no_secret():
    truths = (None, True, False)
    peers = (PEER, SECURE, KEYED, FAR, replace(PEER, ttl_security=True), replace(SECURE, peer_asn=64500))
    evidence = product((None, MIDDLE), truths, truths, truths, (None, *PeerSyn))
    for peer, obstacle, facts in product(peers, Obstacle, list(evidence)):
        found = diagnose(obstacle, peer, Evidence(*facts))
        assert found.why
        assert found.fix
        assert "secret" not in found.text.replace("passwordSecret", "")


ALL_NOTES = [Notification(code, subcode) for code in range(9) for subcode in range(13)]


def test_what_a_notification_means_is_filled_in():
    for note in ALL_NOTES:
        for finding in (explanation.they_sent(note, PEER), explanation.we_sent(note, PEER)):
            if finding is not None:
                assert not any(fields for _, fields, _, _ in string.Formatter().parse(finding.text) if fields)


@pytest.mark.parametrize(
    ("note", "theirs", "ours"),
    [
        ((2, 2), Cause.LOCAL_ASN, Cause.PEER_ASN),
        ((2, 3), Cause.ROUTER_ID, Cause.ROUTER_ID),
        ((2, 6), Cause.HOLD_TIME, Cause.HOLD_TIME),
        ((2, 7), Cause.FAMILY, Cause.FAMILY),
        ((6, 7), Cause.COLLISION, None),
        ((6, 5), Cause.NOT_CONFIGURED, None),
        ((3, 1), None, None),
    ],
    ids=["asn", "router-id", "hold-time", "family", "collision", "rejected", "anything else"],
)
def test_who_says_it_decides_what_it_means(note, theirs, ours):
    for finding, cause in (
        (explanation.they_sent(Notification(*note), PEER), theirs),
        (explanation.we_sent(Notification(*note), PEER), ours),
    ):
        assert (finding.cause if finding else None) is cause
