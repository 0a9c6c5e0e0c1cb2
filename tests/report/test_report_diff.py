"""Differences between two plans."""

from report_manifests import DUAL, bgp, l2, peer, planned, pool, service

from herald.report.diff import PlanDiff, diff
from herald.report.diff_table import diff_tables
from herald.report.plan import Plan
from herald.report.table import plain

BASE = (pool("p", "10.0.0.0/30"), l2("l"), bgp("b"), peer("r1", "10.9.0.1"), service("web", "node-1"))


def after(old: Plan, *texts: str, **options: object) -> PlanDiff:
    return diff(old, planned(*texts, claims=old.addresses, **options))


def test_a_plan_does_not_differ_from_itself() -> None:
    found = after(planned(*DUAL), *DUAL)
    assert not found
    assert plain(diff_tables(found)).startswith("Nothing changes")
    assert found.to_json() == {
        "addresses": [],
        "layer2": [],
        "bgp": [],
        "expected": [],
        "problems": {"new": [], "gone": []},
    }


def test_a_new_service_takes_no_address_away_from_an_older_one_that_sorts_behind_it() -> None:
    document = after(planned(*BASE), *BASE, service("a-new-one", "node-1")).to_json()
    assert document["addresses"] == [
        {"service": "default/a-new-one", "effect": "gains", "before": [], "after": ["10.0.0.1"], "reason": None}
    ]
    assert {row["ip"] for row in document["layer2"]} == {"10.0.0.1"}
    assert {row["prefix"] for row in document["bgp"]} == {"10.0.0.1/32"}


def test_an_address_moves_when_its_pool_does() -> None:
    document = after(planned(*BASE), pool("p", "10.0.1.0/30"), *BASE[1:]).to_json()
    assert document["addresses"] == [
        {"service": "default/web", "effect": "changes", "before": ["10.0.0.0"], "after": ["10.0.1.0"], "reason": None}
    ]
    assert [(row["effect"], row["ip"]) for row in document["layer2"]] == [("loses", "10.0.0.0"), ("gains", "10.0.1.0")]


def test_a_service_that_loses_its_address_says_why() -> None:
    (entry,) = after(planned(*BASE), *BASE[1:]).to_json()["addresses"]
    assert (entry["effect"], entry["before"], entry["after"]) == ("loses", ["10.0.0.0"], [])
    assert entry["reason"]


def test_a_service_that_is_gone_has_no_reason_and_the_table_says_that_it_is_gone() -> None:
    found = after(planned(*BASE), *BASE[:4])
    assert found.to_json()["addresses"][0]["reason"] is None
    assert "the Service is gone" in plain(diff_tables(found))


def test_an_owner_that_dies_is_succeeded() -> None:
    old = planned(*BASE)
    (row,) = old.layer2
    others = " ".join(sorted({"node-1", "node-2", "node-3"} - {row.node}))
    (moved,) = after(old, *BASE, members=others).to_json()["layer2"]
    assert (moved["effect"], moved["before"]["node"]) == ("changes", row.node)
    assert moved["after"]["node"] in others


def test_attributes_that_change_are_shown_before_and_after() -> None:
    found = after(planned(*BASE), *BASE[:2], bgp("b", "localPref: 200"), *BASE[3:])
    (one, *_) = found.to_json()["bgp"]
    assert (one["effect"], one["before"]["localPref"], one["after"]["localPref"]) == ("changes", None, 200)
    assert "no attributes → local-pref 200" in plain(diff_tables(found))


def test_problems_that_come_and_go_are_differences() -> None:
    typo = bgp("b", "peers: [r-1]")
    new = after(planned(*BASE), *BASE[:2], typo, *BASE[3:]).to_json()["problems"]
    assert "HL004" in {problem["rule"] for problem in new["new"]}
    gone = after(planned(*BASE[:2], typo, *BASE[3:]), *BASE).to_json()["problems"]
    assert "HL004" in {problem["rule"] for problem in gone["gone"]}


def test_without_nodes_what_is_expected_is_compared() -> None:
    old = planned(*BASE, cluster="")
    found = diff(old, planned(BASE[0], *BASE[3:], claims=old.addresses, cluster=""))
    assert found.to_json()["expected"] == [
        {"service": "default/web", "effect": "loses", "before": "Layer 2 and BGP to r1", "after": None}
    ]
    assert "loses   default/web  Layer 2 and BGP to r1  nobody" in plain(diff_tables(found))
