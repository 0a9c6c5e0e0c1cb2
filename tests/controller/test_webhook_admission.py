"""What is refused when it is stored: MetalLB's catalogue, kind by kind; and what is not, whatever the order."""

from itertools import permutations
from typing import Any

import pytest
from webhook_requests import (
    bgp,
    community,
    create,
    delete,
    l2,
    node,
    peer,
    pool,
    profile,
    service,
    thing,
    update,
    world,
)

from herald.controller.webhook.admission import review
from herald.controller.webhook.world import World

SELECTED = {"matchLabels": {"a": "b"}}
BAD_SELECTOR = {"matchExpressions": [{"key": "a", "operator": "Likes", "values": ["b"]}]}
EMPTY = World()
EXCLUDED = {"node.kubernetes.io/exclude-from-external-load-balancers": ""}

# (id, what is stored, what is created, parts of the answer)
REFUSED: list[tuple[str, tuple[dict[str, Any], ...], dict[str, Any], tuple[str, ...]]] = [
    (
        "P1 no addresses",
        (),
        pool("p"),
        ("IPAddressPool metallb-system/p: spec.addresses", "pool has no prefixes defined"),
    ),
    ("P2 bare address", (), pool("p", "10.0.0.1"), ("spec.addresses[0]", "invalid CIDR '10.0.0.1'", "10.0.0.1/32")),
    ("P2 range backwards", (), pool("p", "10.0.0.9-10.0.0.1"), ("invalid IP range", "swap the two")),
    ("P2 dotted netmask", (), pool("p", "10.0.0.0/255.255.255.0"), ("invalid CIDR",)),
    ("P3 overlap inside", (), pool("p", "10.0.0.0/24", "10.0.0.5/32"), ("overlaps with already defined CIDR",)),
    (
        "P3 overlap across",
        (pool("old", "10.0.0.0/24"),),
        pool("p", "10.0.0.128-10.0.0.130"),
        ('CIDR "10.0.0.128-10.0.0.130" in pool "p" overlaps with already defined CIDR "10.0.0.0/24" of pool "old"',),
    ),
    (
        "P4 namespace twice",
        (),
        pool("p", "10.0.0.0/24", serviceAllocation={"namespaces": ["a", "a"]}),
        ("duplicate definition in namespaces field",),
    ),
    (
        "P5 selector twice",
        (),
        pool("p", "10.0.0.0/24", serviceAllocation={"serviceSelectors": [SELECTED, SELECTED]}),
        ("duplicate definition of serviceSelectors",),
    ),
    (
        "P5 malformed selector",
        (),
        pool("p", "10.0.0.0/24", serviceAllocation={"namespaceSelectors": [BAD_SELECTOR]}),
        ("spec.serviceAllocation.namespaceSelectors[0]", "Likes", "In, NotIn"),
    ),
    ("L1 pool twice", (), l2("a", ipAddressPools=["x", "x"]), ('duplicate definition of ipAddressPools "x"',)),
    ("L2 pool selector", (), l2("a", ipAddressPoolSelectors=[SELECTED, SELECTED]), ("duplicate definition of",)),
    ("L2 node selector", (), l2("a", nodeSelectors=[BAD_SELECTOR]), ("spec.nodeSelectors[0]", "Likes")),
    ("L2 service selector", (), l2("a", serviceSelectors=[BAD_SELECTOR]), ("spec.serviceSelectors[0]",)),
    (
        "L3 preference",
        (),
        l2("a", preferredNodeSelectors=[{"weight": 1, "preference": BAD_SELECTOR}]),
        ("spec.preferredNodeSelectors[0].preference", "Likes"),
    ),
    ("B1 pool twice", (), bgp("a", ipAddressPools=["x", "x"]), ('duplicate definition of ipAddressPools "x"',)),
    ("B1 peer twice", (), bgp("a", peers=["x", "x"]), ('duplicate definition of peers "x"',)),
    ("B1 community twice", (), bgp("a", communities=["1:2", "1:2"]), ('duplicate definition of community "1:2"',)),
    ("B2 node selector", (), bgp("a", nodeSelectors=[SELECTED, SELECTED]), ("duplicate definition of nodeSelectors",)),
    ("B4 length", (), bgp("a", aggregationLength=33), ("invalid aggregation length 33 for IPv4", "1 to 32")),
    ("B4 length V6", (), bgp("a", aggregationLengthV6=129), ("invalid aggregation length 129 for IPv6",)),
    ("B6 literal", (), bgp("a", communities=["65536:1"]), ("spec.communities[0]", "invalid community value")),
    ("R1 no local ASN", (), peer("r", myASN=0), ("spec.myASN", "missing local ASN")),
    ("R2 no peer ASN", (), peer("r", peerASN=0), ("missing peer ASN and dynamicASN",)),
    ("R2 both", (), peer("r", dynamicASN="external"), ("both peer ASN and dynamicASN specified",)),
    (
        "R4 iBGP multihop",
        (),
        peer("r", peerASN=64500, ebgpMultiHop=True),
        ("invalid ebgp-multihop parameter set for an ibgp peer",),
    ),
    ("R5 no address", (), peer("r", peerAddress=""), ("peer has no Address or Interface specified",)),
    ("R5 both", (), peer("r", interface="eth0"), ("peer has both Address and Interface specified",)),
    ("R6 hold time", (), peer("r", holdTime="2.9s"), ("invalid BGPPeer timers",)),
    ("R6 keepalive", (), peer("r", holdTime="9s", keepaliveTime="10s"), ("invalid BGPPeer timers",)),
    ("R7 address", (), peer("r", peerAddress="10.0.0.300"), ('invalid BGPPeer address "10.0.0.300"',)),
    ("R7 router ID", (), peer("r", routerID="one"), ('invalid router ID "one"',)),
    ("R7 source", (), peer("r", sourceAddress="10.0.0.1/24"), ('invalid source IP "10.0.0.1/24"',)),
    ("R8 node selector", (), peer("r", nodeSelectors=[SELECTED, SELECTED]), ("duplicate definition of nodeSelectors",)),
    ("C1 value", (), community("c", no="x:1"), ('parsing community "no"', "invalid community value")),
    (
        "C2 twice",
        (community("other", blue="1:1"),),
        community("c", blue="1:1"),
        ('duplicate definition of community "blue"', 'Community "other" defines it already'),
    ),
    *(
        (
            f"{kind} in another namespace",
            (),
            thing(kind, "x", spec, namespace="default"),
            ("resource must be created in metallb-system namespace", "set metadata.namespace to metallb-system"),
        )
        for kind, spec in (
            ("IPAddressPool", {"addresses": ["10.0.0.0/24"]}),
            ("L2Advertisement", {}),
            ("BGPAdvertisement", {}),
            ("BGPPeer", {"myASN": 1, "peerASN": 2, "peerAddress": "10.0.0.1"}),
            ("BFDProfile", {}),
            ("Community", {}),
        )
    ),
]


@pytest.mark.parametrize(("stored", "new", "parts"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_metallb_refuses_is_refused_with_object_field_and_value(
    stored: tuple[dict[str, Any], ...], new: dict[str, Any], parts: tuple[str, ...]
) -> None:
    answer = review(create(new), world(*stored))
    assert (answer.allowed, answer.code, answer.reason) == (False, 403, "Forbidden")
    for part in (f"{new['kind']} {new['metadata']['namespace']}/{new['metadata']['name']}", *parts):
        assert part in answer.message
    assert "left out" not in answer.message


@pytest.mark.parametrize(
    ("new", "stored", "parts"),
    [row[2:0:-1] + row[3:] for row in REFUSED if not row[0].endswith("namespace")],
    ids=[row[0] for row in REFUSED if not row[0].endswith("namespace")],
)
def test_an_edit_that_breaks_a_good_object_is_refused_too(
    new: dict[str, Any], stored: tuple[dict[str, Any], ...], parts: tuple[str, ...]
) -> None:
    good = {"IPAddressPool": {"addresses": ["192.168.0.0/24"]}}.get(new["kind"], {})
    if new["kind"] == "BGPPeer":
        good = {"myASN": 1, "peerASN": 2, "peerAddress": "10.0.0.1"}
    old = {**new, "spec": good}
    answer = review(update(old, new), world(*stored, old))
    assert not answer.allowed
    assert parts[-1] in answer.message
    assert "stays in force" not in answer.message


@pytest.mark.parametrize(("field", "length"), [("aggregationLength", 24), ("aggregationLengthV6", 64)])
def test_selectors_and_aggregation_exclude_each_other_as_the_schema_says(field: str, length: int) -> None:
    answer = review(create(bgp("a", serviceSelectors=[SELECTED], **{field: length})), EMPTY)
    assert (answer.allowed, answer.code) == (False, 400)
    assert f"serviceSelectors and {field} are mutually exclusive" in answer.message


def test_all_that_is_wrong_is_listed_at_once() -> None:
    answer = review(create(pool("p", "10.0.0.0/33", "10.0.1.9-10.0.1.1", "x")), EMPTY)
    assert answer.message.startswith("IPAddressPool metallb-system/p: 3 problems:\n- spec.addresses[0]: ")
    assert answer.message.count("\n- ") == 3


# (id, what is stored, what is created, part of a warning)
ALLOWED: list[tuple[str, tuple[dict[str, Any], ...], dict[str, Any], str | None]] = [
    ("a pool", (), pool("p", "10.0.0.0/24"), "no advertisement selects this pool"),
    ("host bits", (l2("a"),), pool("p", "10.20.30.40/24"), "the whole prefix 10.20.30.0/24"),
    ("both families", (l2("a"),), pool("p", "10.0.0.0/24", "2001:db8::/64"), None),
    ("an L2Advertisement for all pools", (pool("p", "10.0.0.0/24"),), l2("a"), None),
    ("unknown pool", (pool("blue", "10.0.0.0/24"),), l2("a", ipAddressPools=["bleu"]), 'did you mean "blue"?'),
    ("unknown peer", (peer("tor-1"),), bgp("a", peers=["tor1"]), 'did you mean "tor-1"?'),
    ("no peer at all", (pool("p", "10.0.0.0/24"),), bgp("a"), "nobody hears these routes"),
    ("unknown alias", (peer("r"),), bgp("a", communities=["blue"]), "no Community defines this alias"),
    ("unknown BFD profile", (bgp("a"),), peer("r", bfdProfile="fast"), 'non existing bfd profile "fast"'),
    ("built-in BFD profile", (pool("p", "10.0.0.0/24"), bgp("a")), peer("r", bfdProfile="default"), None),
    ("password beside a Secret", (), peer("r", password="x", passwordSecret={"name": "s"}), "keep passwordSecret"),
    ("inline password", (), peer("r", password="very-secret"), "spec.password"),
    (
        "a Secret that is not watched",
        (pool("p", "10.0.0.0/24"), bgp("a")),
        peer("r", passwordSecret={"name": "s"}),
        None,
    ),
    (
        "localPref to eBGP only",
        (peer("r"), pool("p", "10.0.0.0/24")),
        bgp("a", localPref=100),
        "localPref 100 has no effect",
    ),
    (
        "aggregate wider than a range",
        (peer("r"), pool("p", "10.0.0.240-10.0.0.250")),
        bgp("a", aggregationLength=24),
        "attracts",
    ),
    (
        "two localPrefs",
        (peer("r", peerASN=64500), pool("p", "10.0.0.0/24"), node("n"), bgp("b", localPref=200)),
        bgp("a", localPref=100),
        '"b" wins',
    ),
    ("one session, two names", (peer("one"), bgp("a")), peer("two"), 'BGPPeer "one" means the same session'),
    (
        "peers that disagree on myASN",
        (peer("one"), bgp("a")),
        peer("two", myASN=1, peerAddress="10.9.0.2"),
        "myASN is 1",
    ),
    ("disableMP", (bgp("a"),), peer("r", disableMP=True), "disableMP"),
    ("an IPv6 pool", (bgp("a"), peer("r")), pool("p", "2001:db8::/64"), None),
    ("a large community", (pool("p", "10.0.0.0/24"), peer("r")), bgp("a", communities=["large:1:2:3"]), None),
    ("a profile", (), profile("fast", receiveInterval=50, transmitInterval=50), None),
    ("aliases", (), community("c", blue="65000:1", red="large:1:2:3"), None),
    (
        "selector that matches nothing",
        (pool("p", "10.0.0.0/24"), node("n", rack="a")),
        l2("a", nodeSelectors=[{"matchLabels": {"rack": "z"}}]),
        "matches none of 1 node",
    ),
    (
        "graceful restart and VRF",
        (pool("p", "10.0.0.0/24"), bgp("a")),
        peer("r", vrf="red", enableGracefulRestart=True),
        None,
    ),
    ("a node restricted away", (pool("p", "10.0.0.0/24"), node("n", **EXCLUDED)), l2("a"), "none may announce"),
]


@pytest.mark.parametrize(("stored", "new", "part"), [row[1:] for row in ALLOWED], ids=[row[0] for row in ALLOWED])
def test_what_may_be_stored_is_stored_and_its_consequence_told(
    stored: tuple[dict[str, Any], ...], new: dict[str, Any], part: str | None
) -> None:
    answer = review(create(new), world(*stored))
    assert answer.allowed, answer.message
    if part is None:
        assert [text for text in answer.warnings if not text.startswith("HL210")] == []
    else:
        assert [text for text in answer.warnings if part in text]
    assert "very-secret" not in "".join(answer.warnings)


def test_a_missing_secret_is_told_where_secrets_are_watched() -> None:
    asked = create(peer("r", passwordSecret={"name": "s"}))
    answer = review(asked, world(bgp("a"), knows_secrets=True))
    assert answer.allowed
    assert [text for text in answer.warnings if 'there is no Secret "s"' in text]


@pytest.mark.parametrize("peers", [[], ["r"]], ids=["to all peers", "to that one"])
def test_an_advertisement_to_peers_whose_secrets_cannot_be_seen_is_in_order(peers: list[str]) -> None:
    stored = (pool("p", "10.0.0.0/24"), peer("r", passwordSecret={"name": "s"}))
    answer = review(create(bgp("a", ipAddressPools=["p"], peers=peers)), world(*stored))
    assert (answer.allowed, answer.warnings) == (True, ())
    answer = review(create(stored[1]), world(stored[0], bgp("a", ipAddressPools=["p"], peers=peers)))
    assert (answer.allowed, answer.warnings) == (True, ())


FOLDER = (
    pool("p", "10.0.0.0/24"),
    bgp("routes", ipAddressPools=["p"], peers=["tor"], communities=["blue"]),
    peer("tor", bfdProfile="fast", passwordSecret={"name": "later"}),
    profile("fast"),
    community("names", blue="65000:1"),
)


@pytest.mark.parametrize("order", [*permutations(range(len(FOLDER)))][::7], ids=str)
def test_a_folder_is_accepted_in_whatever_order_it_is_applied(order: tuple[int, ...]) -> None:
    stored: list[dict[str, Any]] = []
    for index in order:
        answer = review(create(FOLDER[index]), world(*stored))
        assert answer.allowed, answer.message
        stored.append(FOLDER[index])


def test_a_fault_of_others_stops_nobody() -> None:
    broken = (pool("bad", "10.0.0.9-10.0.0.1"), pool("a", "10.1.0.0/24"), pool("b", "10.1.0.0/24"))
    assert review(create(pool("p", "10.2.0.0/24")), world(*broken)).allowed


def test_an_annotation_or_a_finalizer_of_a_broken_object_may_change() -> None:
    broken = pool("bad", "10.0.0.9-10.0.0.1")
    noted = thing("IPAddressPool", "bad", broken["spec"], annotations={"a": "b"})
    answer = review(update(broken, noted), world(broken))
    assert answer.allowed
    assert [text for text in answer.warnings if "swap the two" in text]
    worse = thing("IPAddressPool", "bad", {"addresses": ["x"]}, deletionTimestamp="2026-01-01T00:00:00Z")
    assert review(update(broken, worse), world(broken)).allowed
    assert not review(update(broken, pool("bad", "x")), world(broken)).allowed


def test_an_object_elsewhere_may_be_edited_as_in_metallb() -> None:
    old = thing("L2Advertisement", "a", {}, namespace="default")
    new = thing("L2Advertisement", "a", {"interfaces": ["eth0"]}, namespace="default")
    answer = review(update(old, new), EMPTY)
    assert answer.allowed
    assert "resource must be created in metallb-system namespace" in answer.warnings[0]


def test_a_profile_in_use_is_not_deleted() -> None:
    used = world(
        profile("fast"), peer("one", bfdProfile="fast"), peer("two", bfdProfile="fast", peerAddress="10.9.0.2")
    )
    answer = review(delete(profile("fast")), used)
    assert not answer.allowed
    assert answer.message.startswith("failed to delete BFDProfile fast, used by BGPPeer one, two")
    assert review(delete(profile("slow")), used).allowed
    default = world(profile("default"), peer("one", bfdProfile="default"))
    assert review(delete(profile("default")), default).allowed


@pytest.mark.parametrize(
    "old",
    [pool("p", "10.0.0.0/24"), l2("a"), bgp("a"), peer("r"), community("c", blue="1:1"), pool("broken", "x")],
    ids=["pool", "l2", "bgp", "peer", "community", "broken"],
)
def test_everything_else_may_be_deleted(old: dict[str, Any]) -> None:
    stored = world(old, service("web", "10.0.0.1"), bgp("other", communities=["blue"]))
    assert review(delete(old), stored).allowed


def test_a_cache_that_lags_behind_does_not_matter_for_the_object_itself() -> None:
    old, new = pool("p", "10.0.0.0/24"), pool("p", "10.0.0.0/23")
    assert review(update(old, new), EMPTY).allowed
    assert review(create(pool("p", "10.0.0.0/25")), world(old)).allowed


def test_durations_that_the_schema_cannot_check_are_a_bad_request() -> None:
    answer = review(create(peer("r", holdTime="90")), EMPTY)
    assert (answer.allowed, answer.code) == (False, 400)
    assert "spec.holdTime" in answer.message


def test_other_kinds_are_a_bad_request_and_subresources_no_matter() -> None:
    assert review(create(thing("ConfigurationState", "x")), EMPTY).code == 400
    assert review(create(pool("p"), sub_resource="status"), EMPTY).allowed
    assert review(create({**pool("p"), "spec": None}), EMPTY).code == 400


def test_a_dry_run_gets_the_same_answer() -> None:
    for new in (pool("p"), pool("p", "10.0.0.0/24")):
        assert review(create(new, dry_run=True), EMPTY) == review(create(new), EMPTY)
