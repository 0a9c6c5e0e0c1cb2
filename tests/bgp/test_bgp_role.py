import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest

from herald.bgp import capability, explanation, message
from herald.bgp.adj_rib_out import AdjRibOut, Egress
from herald.bgp.diagnosis import Cause
from herald.bgp.family import Family
from herald.bgp.message import Framer, MessageType, Open
from herald.bgp.negotiation import negotiate, offer
from herald.bgp.notification import Notification, WireError
from herald.bgp.parameters import PeerParameters
from herald.bgp.path_attribute import WireContext
from herald.bgp.role import Role, check_roles, parse_role, role_text
from herald.bgp.route import Route

PEER = PeerParameters("r1", ip_address("10.0.0.1"), 64500, 64501)
ROUTER_ID = IPv4Address("10.0.0.2")
BASE = (capability.Multiprotocol(Family.IPV4_UNICAST), capability.FourOctetAs(64501))

WORDS = {
    Role.PROVIDER: (0, "provider", Role.CUSTOMER, True),
    Role.RS_SERVER: (1, "rs-server", Role.RS_CLIENT, True),
    Role.RS_CLIENT: (2, "rs-client", Role.RS_SERVER, False),
    Role.CUSTOMER: (3, "customer", Role.PROVIDER, False),
    Role.PEER: (4, "peer", Role.PEER, True),
}


def theirs(*roles: int) -> Open:
    return Open(64501, 90, IPv4Address("10.0.0.1"), (*BASE, *map(capability.Role, roles)))


@pytest.mark.parametrize("role", Role, ids=lambda role: role.text)
def test_each_role_has_a_number_a_word_and_one_counterpart(role: Role) -> None:
    number, word, counterpart, marks = WORDS[role]
    assert (role.value, role.text, role.counterpart, role.marks_routes) == (number, word, counterpart, marks)
    assert role.counterpart.counterpart is role
    assert parse_role(word) is role
    assert (role_text(number), role_text(77)) == (word, "77")


@pytest.mark.parametrize("ours", Role, ids=lambda role: role.text)
@pytest.mark.parametrize("said", [0, 1, 2, 3, 4, 5, 255])
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
def test_only_the_counterpart_is_accepted(ours: Role, said: int, strict: bool) -> None:
    if said == ours.counterpart.value:
        check_roles(ours, frozenset({said}), strict=strict)
        return
    with pytest.raises(WireError, match=f"ours is {ours.text}, which goes with {ours.counterpart.text}") as raised:
        check_roles(ours, frozenset({said}), strict=strict)
    assert (raised.value.notification.code, raised.value.notification.subcode) == (2, 11)


def test_a_peer_without_a_role_is_refused_in_strict_mode_only() -> None:
    check_roles(Role.PEER, frozenset(), strict=False)
    with pytest.raises(
        WireError, match="role is none, which roleStrict does not accept; ours is peer, which goes with peer"
    ):
        check_roles(Role.PEER, frozenset(), strict=True)


@pytest.mark.parametrize(
    ("ours", "said", "refused"),
    [
        (Role.CUSTOMER, (0,), None),
        (Role.CUSTOMER, (0, 0), None),
        (Role.CUSTOMER, (0, 4), "role is provider and peer; ours is customer, which goes with provider"),
        (Role.CUSTOMER, (3,), "the peer's BGP role is customer"),
        (Role.CUSTOMER, (9,), "the peer's BGP role is 9;"),
        (Role.CUSTOMER, (), None),
        (None, (3,), None),
        (None, (3, 4), None),
    ],
    ids=["fits", "twice the same", "two roles", "mismatch", "unknown", "none", "we state none", "nor judge"],
)
def test_roles_are_compared_in_the_open(ours: Role | None, said: tuple[int, ...], refused: str | None) -> None:
    peer = replace(PEER, role=ours)
    if refused is None:
        assert negotiate(peer, offer(peer, ROUTER_ID), theirs(*said)).remote_asn == 64501
        return
    with pytest.raises(WireError, match=re.escape(refused)):
        negotiate(peer, offer(peer, ROUTER_ID), theirs(*said))


def test_a_role_of_a_wrong_length_is_as_if_none_were_stated() -> None:
    peer = replace(PEER, role=Role.CUSTOMER)
    odd = replace(theirs(), capabilities=(*BASE, *capability.decode_all(bytes.fromhex("09020000"))))
    assert negotiate(peer, offer(peer, ROUTER_ID), odd).remote_asn == 64501
    with pytest.raises(WireError, match="BGP role is none"):
        negotiate(replace(peer, role_strict=True), offer(peer, ROUTER_ID), odd)


def test_a_role_is_offered_only_if_it_is_configured() -> None:
    assert not [one for one in offer(PEER, ROUTER_ID).capabilities if isinstance(one, capability.Role)]
    assert capability.Role(4) in offer(replace(PEER, role=Role.PEER), ROUTER_ID).capabilities


@pytest.mark.parametrize(
    "changes", [{"peer_asn": 64500}, {"peer_asn": None, "dynamic_asn": "internal"}], ids=["peer_asn", "dynamic_asn"]
)
def test_an_internal_peer_has_no_role(changes) -> None:
    with pytest.raises(ValueError, match="role is for external peers"):
        replace(PEER, role=Role.PEER, **changes)


@pytest.mark.parametrize("four_octet_as", [True, False], ids=["four octets", "two octets"])
def test_routes_are_marked_with_our_as_in_four_octets_whatever_the_peer_reads(four_octet_as: bool) -> None:
    wire = WireContext(four_octet_as=four_octet_as)
    rib = AdjRibOut()
    rib.change([Route(IPv4Network("192.168.1.200/32"))], ())
    rib.begin(Egress(4200000001, wire, {Family.IPV4_UNICAST: (IPv4Address("10.0.0.2"),)}, only_to_customer=4200000001))
    first = rib.take(10_000) or rib.take(10_000)
    ((_, body),) = Framer().feed(first[0])
    update = message.decode(MessageType.UPDATE, body, wire)
    assert update.attributes.only_to_customer == 4200000001
    assert bytes.fromhex("c02304" + "fa56ea01") in first[0]


@pytest.mark.parametrize(
    ("ours", "refused", "refusing"),
    [
        (None, "we state none; set role on the BGPPeer", None),
        (
            Role.CUSTOMER,
            "(RFC 9234), and with customer here it is not provider; set its role for this node to provider, or correct",
            "set the router's role for this node to provider, or correct role on the BGPPeer",
        ),
    ],
    ids=["no role", "customer"],
)
def test_either_end_of_a_mismatch_is_explained(ours: Role | None, refused: str, refusing: str | None) -> None:
    peer, note = replace(PEER, role=ours), Notification(2, 11)
    told, said = explanation.they_sent(note, peer), explanation.we_sent(note, peer)
    assert told is not None
    assert told.cause is Cause.ROLE
    assert refused in told.text
    assert (said is None) == (refusing is None)
    assert refusing is None or (said is not None and said.text.endswith(refusing))
    strict = explanation.we_sent(note, replace(peer, role_strict=True))
    assert strict is None or strict.fix.endswith(", or take roleStrict off")
