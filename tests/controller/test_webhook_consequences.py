"""What `kubectl` prints of an allowed change: who loses an address, who falls silent, what becomes wrong elsewhere."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_requests import bgp, community, create, delete, l2, peer, pool, service, thing, update, world

from herald.controller.webhook.admission import review
from herald.controller.webhook.admission_review import LONGEST_WARNING, MOST_WARNINGS, GroupVersionKind, bounded, cut
from herald.controller.webhook.consequences import named_within

POOL = pool("prod", "10.0.0.0/24")
USERS = tuple(service(f"web-{number}", f"10.0.0.{number}") for number in (10, 20, 130))
LIVE = world(POOL, l2("all"), *USERS)


def warnings(request: Any, live: Any = LIVE) -> list[str]:
    answer = review(request, live)
    assert answer.allowed, answer.message
    return bounded(answer.warnings)


def test_deleting_a_pool_in_use_names_the_services_that_lose_their_address() -> None:
    assert warnings(delete(POOL))[0] == (
        "deleting IPAddressPool prod takes the address of 3 Services: "
        "shop/web-10 (10.0.0.10), shop/web-130 (10.0.0.130), shop/web-20 (10.0.0.20)"
    )


def test_shrinking_a_pool_names_those_outside_of_it_only() -> None:
    told = warnings(update(POOL, pool("prod", "10.0.0.0/25")))
    assert told == ["this change of IPAddressPool prod takes the address of 1 Service: shop/web-130 (10.0.0.130)"]


@pytest.mark.parametrize(
    ("spec", "losing"),
    [
        ({"addresses": ["10.0.0.0/24"], "serviceAllocation": {"namespaces": ["shop"]}}, 0),
        ({"addresses": ["10.0.0.0/24"], "serviceAllocation": {"namespaces": ["other"]}}, 3),
        ({"addresses": ["10.0.0.0/24"], "autoAssign": False}, 0),
        ({"addresses": ["10.0.0.0/23"]}, 0),
        ({"addresses": ["10.0.0.10/32", "10.0.0.20/32", "10.0.0.130/32"]}, 0),
        ({"addresses": ["10.9.0.0/24"]}, 3),
    ],
    ids=["pinned to theirs", "pinned to others", "autoAssign off", "grown", "exactly", "moved"],
)
def test_an_edit_of_a_pool_tells_how_many_lose(spec: dict[str, Any], losing: int) -> None:
    told = [
        text for text in warnings(update(POOL, thing("IPAddressPool", "prod", spec))) if "takes the address" in text
    ]
    assert [f"of {losing} Service" in text for text in told] == ([True] if losing else [])


def test_services_of_others_do_not_count() -> None:
    foreign = service("foreign", "10.0.0.40")
    foreign["spec"]["loadBalancerClass"] = "example.com/other"
    hosted = service("hosted")
    hosted["status"]["loadBalancer"]["ingress"] = [{"hostname": "a.example"}]
    told = warnings(delete(POOL), world(POOL, l2("all"), foreign, hosted))
    assert [text.split()[0] for text in told] == ["HL003"]


def test_many_services_are_counted_and_as_many_named_as_there_is_room() -> None:
    crowd = [service(f"a-rather-long-name-{number:03}", f"10.0.0.{number}") for number in range(1, 201)]
    told = warnings(delete(POOL), world(POOL, l2("all"), *crowd))[0]
    assert told.startswith(
        "deleting IPAddressPool prod takes the address of 200 Services: shop/a-rather-long-name-001 ("
    )
    assert told.endswith(" more")
    assert len(told) <= LONGEST_WARNING


def test_deleting_the_last_advertisement_of_a_pool_names_who_falls_silent() -> None:
    told = warnings(delete(l2("all")))
    assert told[0] == "deleting L2Advertisement all silences 3 Services: shop/web-10, shop/web-130, shop/web-20"
    assert told[1].startswith("HL001 IPAddressPool prod: no advertisement selects this pool")
    assert warnings(delete(l2("all")), world(POOL, l2("all"), l2("second"), *USERS)) == []


def test_an_edit_that_leaves_a_pool_out_tells_it_too() -> None:
    told = warnings(update(l2("all"), l2("all", ipAddressPools=["other"])))
    assert told[0].startswith("this change of L2Advertisement all silences 3 Services")
    assert 'there is no IPAddressPool "other"; there are: prod' in told[1]


def test_deleting_a_peer_tells_which_advertisements_name_it() -> None:
    live = world(POOL, peer("tor"), bgp("routes", peers=["tor"]))
    assert warnings(delete(peer("tor")), live)[0].startswith(
        "HL004 BGPAdvertisement routes: spec.peers[0]: there is no "
    )


def test_deleting_a_community_in_use_tells_who_uses_it() -> None:
    blue = community("names", blue="65000:1")
    told = warnings(delete(blue), world(POOL, peer("tor"), blue, bgp("routes", communities=["blue"])))
    assert told[0].startswith("HL102 BGPAdvertisement routes: spec.communities[0]: ")
    assert "The last valid version" in told[0] or len(told[0]) == LONGEST_WARNING


def test_what_was_wrong_before_is_not_blamed_on_the_change() -> None:
    live = world(POOL, l2("all"), l2("lost", ipAddressPools=["nowhere"]))
    assert warnings(create(pool("more", "10.1.0.0/24")), live) == []


def test_many_others_are_counted() -> None:
    live = world(POOL, peer("tor"), *(bgp(f"routes-{number}", peers=["tor"]) for number in range(9)))
    told = warnings(delete(peer("tor")), live)
    assert len(told) == 5
    assert told[-1].startswith("5 more objects have a new problem because of this change")


def test_a_password_never_stands_in_an_answer() -> None:
    for new in (
        peer("tor", password="hunter2"),
        peer("tor", password="hunter2" * 40),
        peer("tor", password=["hunter2"]),
    ):
        answer = review(create(new), LIVE)
        assert "hunter2" not in answer.message + "".join(answer.warnings)


def test_writing_v1beta1_over_a_newer_peer_tells_what_is_lost() -> None:
    newer = peer("tor", passwordSecret={"name": "s"}, vrf="red", dualStackAddressFamily=False)
    written = GroupVersionKind(group="metallb.io", version="v1beta1", kind="BGPPeer")
    # The API server has put the old object through v1beta1 as well.
    asked = update(peer("tor"), peer("tor"), request_kind=written)
    told = warnings(asked, world(newer))[0]
    assert told.startswith("BGPPeer tor: v1beta1 has no passwordSecret, vrf: this update takes it away.")
    assert not [text for text in warnings(asked, world(peer("tor"))) if "v1beta1" in text]


@given(st.lists(st.text(max_size=600), max_size=30))
def test_warnings_are_always_few_short_and_on_one_line(texts: list[str]) -> None:
    told = bounded(texts)
    assert len(told) <= MOST_WARNINGS
    assert all(len(text) <= LONGEST_WARNING and (text.isprintable() or not text) for text in told)
    assert sum(map(len, told)) <= 4096


@given(st.text(), st.integers(min_value=12, max_value=300))
def test_a_cut_text_is_a_beginning_of_the_whole(text: str, longest: int) -> None:
    short = cut(text, longest)
    assert len(short) <= longest
    assert text.startswith(short.removesuffix("…").removesuffix(" ") if short != text else short)
    assert short == text or short.endswith("…")


def test_a_long_list_without_room_for_one_name_is_counted() -> None:
    assert named_within("deleting x takes the address of", ["n" * 300]) == "deleting x takes the address of 1 Service"
