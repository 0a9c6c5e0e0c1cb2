"""What is refused, row by row of MetalLB's catalogue of admission and run-time rules: that object, and no other."""

from typing import Any

import msgspec
import pytest
from config_resources import (
    OLD,
    YOUNG,
    bfd,
    bgp,
    community,
    compiled,
    errors,
    expression,
    l2,
    meta,
    namespace,
    node,
    peer,
    pinned,
    pool,
    preferred,
    secret,
    select,
)

from herald.api.bgp_advertisement import ASPrepend
from herald.api.bgp_peer import TCPAO, SecretRef
from herald.config.problem import Severity

TWICE = (select(a="b"), select(a="b"))
VALUES_REORDERED = (expression("a", "In", "x", "y"), expression("a", "In", "y", "x"))
MALFORMED = (expression("a", "Oops"),)
NO_VALUES = (expression("a", "In"),)
TOO_MANY_VALUES = (expression("a", "Exists", "x"),)
BAD_KEY = (select(**{"-a": "b"}),)
REPEATED_VALUE = (expression("a", "In", "x", "x"),)
LONG = "p" * 81
AO = TCPAO(send_id=1, receive_id=2, secret_ref=SecretRef(name="s"))

GOOD = [
    pool("good", "10.0.0.0/24"),
    l2("good", ip_address_pools=("good",)),
    bgp("good", ip_address_pools=("good",)),
    peer("good", peer_address="10.0.0.254"),
    node("node-a"),
    namespace("default"),
]

# id: (objects, rule, name of the bad one, field, what the message must contain)
REJECTED: dict[str, tuple[list[Any], str, str, str, str]] = {
    "P1 no addresses": ([pool("bad")], "HL300", "bad", "spec.addresses", "pool has no prefixes defined"),
    "P2 bare address": ([pool("bad", "10.1.0.1")], "HL301", "bad", "spec.addresses[0]", "10.1.0.1/32"),
    "P2 variable": ([pool("bad", "${START}-${END}")], "HL301", "bad", "spec.addresses[0]", "for the placeholder first"),
    "P2 marker": ([pool("bad", "<ADDRESS>/32")], "HL301", "bad", "spec.addresses[0]", "for the placeholder first"),
    "P2 dotted netmask": ([pool("bad", "10.1.0.0/255.255.255.0")], "HL301", "bad", "spec.addresses[0]", "invalid CIDR"),
    "P2 hostmask": ([pool("bad", "10.1.0.0/0.0.0.255")], "HL301", "bad", "spec.addresses[0]", "invalid CIDR"),
    "P2 zone": ([pool("bad", "fe80::1%eth0/64")], "HL301", "bad", "spec.addresses[0]", "zone"),
    "P2 blank": ([pool("bad", "10.2.0.0/24", " 10.1.0.0/24")], "HL301", "bad", "spec.addresses[1]", "invalid CIDR"),
    "P2 backwards": ([pool("bad", "10.1.0.9-10.1.0.1")], "HL301", "bad", "spec.addresses[0]", "after the end IP"),
    "P2 v4 to v6": ([pool("bad", "1.2.3.4-2001:db8::1")], "HL301", "bad", "spec.addresses[0]", "family"),
    "P2 v6 to v4": ([pool("bad", "2001:db8::1-1.2.3.4")], "HL301", "bad", "spec.addresses[0]", "family"),
    "P2 no start": ([pool("bad", "x-10.1.0.1")], "HL301", "bad", "spec.addresses[0]", "invalid start IP"),
    "P3 overlap": (
        [pool("zbad", "10.0.0.128/25")],
        "HL302",
        "zbad",
        "spec.addresses",
        'CIDR "10.0.0.128/25" in pool "zbad" overlaps with already defined CIDR "10.0.0.0/24" of pool "good"',
    ),
    "P3 overlap of a range": ([pool("zbad", "10.0.0.250-10.0.1.5")], "HL302", "zbad", "spec.addresses", "10.0.0.0/24"),
    "P3 around another": ([pool("zbad", "9.0.0.0-11.0.0.0")], "HL302", "zbad", "spec.addresses", "10.0.0.0/24"),
    "P3 overlap inside": (
        [pool("bad", "10.1.0.0/24", "10.1.0.5-10.1.0.6")],
        "HL302",
        "bad",
        "spec.addresses",
        "overlaps with already defined CIDR",
    ),
    "P3 one entry twice": (
        [pool("bad", "10.1.0.0/24", "10.1.0.0/24")],
        "HL302",
        "bad",
        "spec.addresses",
        "overlaps with already defined CIDR",
    ),
    "P4": (
        [pinned("bad", "10.1.0.0/24", namespaces=("a", "b", "a"))],
        "HL303",
        "bad",
        "spec.serviceAllocation.namespaces",
        "duplicate definition in namespaces field",
    ),
    "P5 duplicate": (
        [pinned("bad", "10.1.0.0/24", namespace_selectors=TWICE)],
        "HL303",
        "bad",
        "spec.serviceAllocation.namespaceSelectors[1]",
        "duplicate definition of namespaceSelectors",
    ),
    "P5 malformed": (
        [pinned("bad", "10.1.0.0/24", service_selectors=MALFORMED)],
        "HL304",
        "bad",
        "spec.serviceAllocation.serviceSelectors[0].matchExpressions[0].operator",
        "label selector",
    ),
    "L1": (
        [l2("bad", ip_address_pools=("x", "x"))],
        "HL303",
        "bad",
        "spec.ipAddressPools[1]",
        'duplicate definition of ipAddressPools "x"',
    ),
    "L2 pools": (
        [l2("bad", ip_address_pool_selectors=VALUES_REORDERED)],
        "HL303",
        "bad",
        "spec.ipAddressPoolSelectors[1]",
        "duplicate definition of",
    ),
    "failbackDelay without delay": (
        [l2("bad", failback="never", failback_delay="5m")],
        "HL314",
        "bad",
        "spec.failbackDelay",
        "no effect while failback is never",
    ),
    "failbackDelay of nothing": (
        [l2("bad", failback="delay", failback_delay="0s")],
        "HL314",
        "bad",
        "spec.failbackDelay",
        "a duration above 0, such as 5m",
    ),
    "failbackDelay that is none": (
        [l2("bad", failback="delay", failback_delay="soon")],
        "HL314",
        "bad",
        "spec.failbackDelay",
        "not a duration",
    ),
    "L2 nodes": ([l2("bad", node_selectors=TWICE)], "HL303", "bad", "spec.nodeSelectors[1]", "duplicate definition of"),
    "L2 services": (
        [l2("bad", service_selectors=REPEATED_VALUE)],
        "HL303",
        "bad",
        "spec.serviceSelectors[0].matchExpressions[0].values",
        "duplicate definition of match expression value",
    ),
    "L2 malformed": (
        [l2("bad", node_selectors=NO_VALUES)],
        "HL304",
        "bad",
        "spec.nodeSelectors[0].matchExpressions[0].values",
        "at least one value",
    ),
    "L3": (
        [l2("bad", preferred_node_selectors=(preferred(5, TOO_MANY_VALUES[0]),))],
        "HL304",
        "bad",
        "spec.preferredNodeSelectors[0].preference.matchExpressions[0].values",
        "takes no values",
    ),
    "B1 pools": ([bgp("bad", ip_address_pools=("x", "x"))], "HL303", "bad", "spec.ipAddressPools[1]", '"x"'),
    "B1 peers": ([bgp("bad", peers=("x", "x"))], "HL303", "bad", "spec.peers[1]", 'duplicate definition of peers "x"'),
    "B1 communities": (
        [bgp("bad", communities=("1:1", "2:2", "1:1"))],
        "HL303",
        "bad",
        "spec.communities[2]",
        'duplicate definition of community "1:1"',
    ),
    "B1 aliases": (
        [bgp("bad", communities=("a", "a")), community("c", ("a", "1:1"))],
        "HL303",
        "bad",
        "spec.communities[1]",
        "duplicate definition of community",
    ),
    "B2": ([bgp("bad", node_selectors=BAD_KEY)], "HL304", "bad", "spec.nodeSelectors[0].matchLabels", "label key"),
    "B3": (
        [bgp("bad", service_selectors=(select(a="b"),), aggregation_length=24)],
        "HL310",
        "bad",
        "spec.aggregationLength",
        "serviceSelectors and aggregationLength are mutually exclusive",
    ),
    "B3 v6": (
        [bgp("bad", service_selectors=(select(a="b"),), aggregation_length_v6=64)],
        "HL310",
        "bad",
        "spec.aggregationLengthV6",
        "serviceSelectors and aggregationLengthV6 are mutually exclusive",
    ),
    "B4": (
        [bgp("bad", aggregation_length=33)],
        "HL311",
        "bad",
        "spec.aggregationLength",
        "invalid aggregation length 33",
    ),
    "B4 v6": ([bgp("bad", aggregation_length_v6=129)], "HL311", "bad", "spec.aggregationLengthV6", "for IPv6"),
    "the default route for IPv6": (
        [bgp("bad", aggregation_length_v6=0)],
        "HL311",
        "bad",
        "spec.aggregationLengthV6",
        "0",
    ),
    "B6": ([bgp("bad", communities=("70000:1",))], "HL312", "bad", "spec.communities[0]", "invalid community value"),
    "B6 four parts": ([bgp("bad", communities=("larg:1:2:3",))], "HL312", "bad", "spec.communities[0]", "larg:1:2:3"),
    "an extended community": (
        [bgp("bad", communities=("extended:rt:65000",))],
        "HL312",
        "bad",
        "spec.communities[0]",
        "extended:rt:65000: an extended community is extended:rt:A:B (route target)",
    ),
    "an extended community by an alias": (
        [community("bad", ("a", "extended:rt:65536:65536"))],
        "HL320",
        "bad",
        "spec.communities[0].value",
        "65536 is not within 0 to 65535",
    ),
    "B6 letters": ([bgp("bad", communities=("11111:11aaaa",))], "HL312", "bad", "spec.communities[0]", "11aaaa"),
    "B6 despite an alias of that name": (
        [bgp("bad", communities=("a:b",)), community("c", ("a:b", "1:1"))],
        "HL312",
        "bad",
        "spec.communities[0]",
        "invalid community value",
    ),
    "B7": (
        [bgp("bad", communities=("no-exprot",)), community("c", ("no-export", "65535:65281"))],
        "HL102",
        "bad",
        "spec.communities[0]",
        'did you mean "no-export"?',
    ),
    "B7 one number": (
        [bgp("bad", communities=("1234",))],
        "HL102",
        "bad",
        "spec.communities[0]",
        "invalid community format",
    ),
    "B7 three parts": ([bgp("bad", communities=("1:2:3",))], "HL102", "bad", "spec.communities[0]", "community format"),
    "a literal with a part too few": (
        [bgp("bad", communities=("large:65000:1",))],
        "HL102",
        "bad",
        "spec.communities[0]",
        "it is none of A:B, large:A:B:C, extended:rt:A:B, extended:soo:A:B and extended:generic:0xA:0xB",
    ),
    "a literal in the value of an alias": (
        [community("bad", ("a", "rt:65000:100"))],
        "HL320",
        "bad",
        "spec.communities[0].value",
        'did you mean "extended:rt:65000:100"?',
    ),
    "an alias that is near, and no form": (
        [bgp("bad", communities=("blackole",)), community("c", ("blackhole", "65535:666"))],
        "HL102",
        "bad",
        "spec.communities[0]",
        'no Community defines this alias; did you mean "blackhole"?',
    ),
    "prepend count": ([bgp("bad", as_prepend=ASPrepend(count=11))], "HL313", "bad", "spec.asPrepend.count", "11"),
    "prepend ASN": ([bgp("bad", as_prepend=ASPrepend(count=1, asn=0))], "HL313", "bad", "spec.asPrepend.asn", "0"),
    "R1": ([peer("bad", my_asn=0)], "HL330", "bad", "spec.myASN", "missing local ASN"),
    "R2 neither": ([peer("bad", peer_asn=None)], "HL331", "bad", "spec.peerASN", "missing peer ASN and dynamicASN"),
    "R2 zero": ([peer("bad", peer_asn=0)], "HL331", "bad", "spec.peerASN", "missing peer ASN and dynamicASN"),
    "R2 both": (
        [peer("bad", dynamic_asn="internal")],
        "HL331",
        "bad",
        "spec.dynamicASN",
        "both peer ASN and dynamicASN",
    ),
    "R4": ([peer("bad", peer_asn=64500, ebgp_multi_hop=True)], "HL075", "bad", "spec.ebgpMultiHop", "ebgp-multihop"),
    "R5 neither": ([peer("bad", peer_address="")], "HL332", "bad", "spec.peerAddress", "no Address or Interface"),
    "R5 both": ([peer("bad", interface="eth0")], "HL332", "bad", "spec.interface", "both Address and Interface"),
    "R6 hold 2s": ([peer("bad", hold_time="2s")], "HL333", "bad", "spec.holdTime", "must be 0 or >=3s"),
    "R6 hold 2.9s": ([peer("bad", hold_time="2.9s")], "HL333", "bad", "spec.holdTime", "must be 0 or >=3s"),
    "R6 keepalive alone 0.9s": ([peer("bad", keepalive_time="900ms")], "HL333", "bad", "spec.keepaliveTime", "2.7s"),
    "R6 keepalive above hold": (
        [peer("bad", hold_time="30s", keepalive_time="31s")],
        "HL333",
        "bad",
        "spec.keepaliveTime",
        "invalid BGPPeer timers",
    ),
    "R6 keepalive without hold": (
        [peer("bad", hold_time="0s", keepalive_time="1s")],
        "HL333",
        "bad",
        "spec.keepaliveTime",
        "invalid BGPPeer timers",
    ),
    "R6 negative": ([peer("bad", hold_time="-30s")], "HL333", "bad", "spec.holdTime", "negative"),
    "R6 no duration": ([peer("bad", hold_time="soon")], "HL333", "bad", "spec.holdTime", "soon"),
    "R7 address": ([peer("bad", peer_address="10.8.0")], "HL334", "bad", "spec.peerAddress", "invalid BGPPeer address"),
    "R7 router ID": ([peer("bad", router_id="x")], "HL334", "bad", "spec.routerID", "invalid router ID"),
    "R7 source": (
        [peer("bad", source_address="10.0.0.0/8")],
        "HL334",
        "bad",
        "spec.sourceAddress",
        "invalid source IP",
    ),
    "R8": ([peer("bad", node_selectors=TWICE)], "HL303", "bad", "spec.nodeSelectors[1]", "duplicate definition of"),
    "R8 malformed": ([peer("bad", node_selectors=BAD_KEY)], "HL304", "bad", "spec.nodeSelectors[0].matchLabels", "-a"),
    "R9": (
        [peer("bad", password="x", secret_name="s"), secret()],
        "HL335",
        "bad",
        "spec.passwordSecret",
        "can not have both password and secret ref",
    ),
    "R10 SOPS": (
        [peer("bad", secret_name="s"), secret(value="ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]")],
        "HL072",
        "bad",
        "spec.passwordSecret.name",
        "encrypted by SOPS",
    ),
    "R10": ([peer("bad", secret_name="s")], "HL072", "bad", "spec.passwordSecret.name", "secret ref not found"),
    "R11": (
        [peer("bad", secret_name="s"), secret(kind="Opaque")],
        "HL072",
        "bad",
        "spec.passwordSecret.name",
        'type "kubernetes.io/basic-auth" is expected',
    ),
    "R12": (
        [peer("bad", secret_name="s"), secret(key="pass")],
        "HL072",
        "bad",
        "spec.passwordSecret.name",
        "password not specified in the secret",
    ),
    "R12 empty": (
        [peer("bad", secret_name="s"), secret(value="")],
        "HL072",
        "bad",
        "spec.passwordSecret.name",
        "password not specified in the secret",
    ),
    "GTSM beyond routers": (
        [peer("bad", ttl_security=True, ebgp_multi_hop=True)],
        "HL339",
        "bad",
        "spec.ttlSecurity",
        "exclude each other",
    ),
    "a role within the AS": (
        [peer("bad", peer_asn=64500, role="peer")],
        "HL342",
        "bad",
        "spec.role",
        "role peer is for a peer of another AS (RFC 9234), and this one is of our own, 64500; leave role out",
    ),
    "a role within the AS that is shown to the peer": (
        [peer("bad", local_asn=64501, role="customer")],
        "HL342",
        "bad",
        "spec.role",
        "this one is of our own, 64501",
    ),
    "a role, dynamically within the AS": (
        [peer("bad", peer_asn=None, dynamic_asn="internal", role="customer")],
        "HL342",
        "bad",
        "spec.role",
        "or correct dynamicASN",
    ),
    "password too long": ([peer("bad", password=LONG)], "HL338", "bad", "spec.password", "81 octets"),
    "TCP-AO beside a password": (
        [peer("bad", password="x", tcp_ao=AO), secret()],
        "HL341",
        "bad",
        "spec.tcpAO",
        "tcpAO and password exclude each other",
    ),
    "TCP-AO beside a passwordSecret": (
        [peer("bad", secret_name="s", tcp_ao=AO), secret()],
        "HL341",
        "bad",
        "spec.tcpAO",
        "tcpAO and passwordSecret exclude each other",
    ),
    "TCP-AO without its Secret": (
        [peer("bad", tcp_ao=AO)],
        "HL072",
        "bad",
        "spec.tcpAO.secretRef.name",
        'there is no Secret "s"',
    ),
    "TCP-AO, a Secret of another type": (
        [peer("bad", tcp_ao=AO), secret(kind="Opaque")],
        "HL072",
        "bad",
        "spec.tcpAO.secretRef.name",
        'type "kubernetes.io/basic-auth" is expected',
    ),
    "TCP-AO, an empty key": (
        [peer("bad", tcp_ao=AO), secret(value="")],
        "HL072",
        "bad",
        "spec.tcpAO.secretRef.name",
        "is empty",
    ),
    "TCP-AO, a key too long": (
        [peer("bad", tcp_ao=AO), secret(value=LONG)],
        "HL338",
        "bad",
        "spec.tcpAO.secretRef",
        "the key has 81 octets; TCP-AO takes 80",
    ),
    "R13": ([peer("bad", bfd_profile="fast")], "HL077", "bad", "spec.bfdProfile", "non existing bfd profile"),
    "C1 value": (
        [community("bad", ("a", "70000:1"))],
        "HL320",
        "bad",
        "spec.communities[0].value",
        'parsing community "a": invalid community value',
    ),
    "C1 format": (
        [community("bad", ("a", "1:1"), ("b", "12345"))],
        "HL320",
        "bad",
        "spec.communities[1].value",
        'parsing community "b": invalid community format',
    ),
    "C2 in one object, equal values": (
        [community("bad", ("a", "1:1"), ("a", "1:1"))],
        "HL321",
        "bad",
        "spec.communities[1].name",
        'duplicate definition of community "a"',
    ),
    "C2 empty names": (
        [community("bad", ("", "1:1"), ("", "1:2"))],
        "HL321",
        "bad",
        "spec.communities[1].name",
        'duplicate definition of community ""',
    ),
    "C2 the younger object": (
        [community("a-bad", ("a", "1:1"), created=YOUNG), community("z", ("a", "1:1"), created=OLD)],
        "HL321",
        "a-bad",
        "spec.communities[0].name",
        'Community "z" defines it already',
    ),
    "D1": ([bfd("bad", detect_multiplier=1)], "HL340", "bad", "spec.detectMultiplier", "must be in 2-255 range"),
    "D1 interval": ([bfd("bad", echo_interval=9)], "HL340", "bad", "spec.echoInterval", "must be in 10-60000 range"),
    "D1 TTL": ([bfd("bad", minimum_ttl=255)], "HL340", "bad", "spec.minimumTtl", "must be in 1-254 range"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_an_object_that_breaks_a_rule_is_left_out_with_its_name_and_field(case: str) -> None:
    objects, rule, name, field, words = REJECTED[case]
    outcome = compiled(*GOOD, *objects)
    found = [problem for problem in outcome.problems if problem.severity is Severity.ERROR]
    assert [(problem.rule, problem.name, problem.field) for problem in found] == [(rule, name, field)]
    assert words in found[0].message
    assert found[0].message.endswith(f"This {found[0].kind} is left out.")
    assert not any(key.name == name and key.kind == found[0].kind for key in outcome.accepted)


@pytest.mark.parametrize("case", REJECTED)
def test_a_rejected_object_leaves_the_others_as_they_are(case: str) -> None:
    objects, _, name, _, _ = REJECTED[case]
    others = [each for each in objects if each.metadata.name != name]
    assert compiled(*GOOD, *objects).config == compiled(*GOOD, *others).config


@pytest.mark.parametrize("kind", [pool("x", "10.1.0.0/24"), l2("x"), bgp("x"), peer("x"), bfd("x"), community("x")])
def test_a_custom_resource_outside_of_the_namespace_is_refused_with_the_namespace_to_use(kind: Any) -> None:
    stray = msgspec.structs.replace(kind, metadata=meta("x", namespace="default"))
    outcome = compiled(stray)
    assert errors(outcome) == [("HL030", "x", "metadata.namespace")]
    assert "set metadata.namespace to metallb-system" in outcome.problems[0].message
    assert "--namespace default" in outcome.problems[0].message
    assert "resource must be created in metallb-system namespace" in outcome.problems[0].message
    assert outcome.accepted == {}


def test_a_peer_that_names_an_invalid_profile_is_left_out_as_well() -> None:
    outcome = compiled(bfd("fast", detect_multiplier=1), peer("r", bfd_profile="fast"))
    assert errors(outcome) == [("HL340", "fast", "spec.detectMultiplier"), ("HL077", "r", "spec.bfdProfile")]
    assert "left out" in next(p.message for p in outcome.problems if p.rule == "HL077")


def test_a_secret_in_another_namespace_is_named() -> None:
    outcome = compiled(peer("r", secret_name="s"), secret(namespace="default"))
    assert [problem.rule for problem in outcome.problems] == ["HL072", "HL031"]
    assert "-n metallb-system" in outcome.problems[1].message


def test_all_errors_of_one_object_are_reported_at_once() -> None:
    outcome = compiled(peer("r", my_asn=0, peer_address="x", hold_time="1s"))
    assert {problem.rule for problem in outcome.problems} == {"HL330", "HL334", "HL333"}


def test_the_older_pool_wins_whatever_their_names() -> None:
    young, old = pool("a", "10.0.0.0/24", created=YOUNG), pool("z", "10.0.0.128/25", created=OLD)
    outcome = compiled(young, old)
    assert list(outcome.config.pools) == ["z"]
    assert errors(outcome) == [("HL302", "a", "spec.addresses")]


def test_a_pool_that_is_invalid_takes_no_addresses_from_others() -> None:
    outcome = compiled(pool("a", "10.0.0.0/24", "nonsense"), pool("b", "10.0.0.0/24"))
    assert list(outcome.config.pools) == ["b"]


def test_no_message_and_no_value_shows_a_password() -> None:
    outcome = compiled(
        peer("a", password="hunter2"), peer("b", secret_name="s", password="hunter2"), secret(value="hunter2")
    )
    assert "hunter2" not in repr(outcome.problems)
    assert "hunter2" not in repr(outcome.config)
