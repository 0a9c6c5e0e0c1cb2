"""Texts into Resources, with every problem and the count of what decides nothing."""

import pytest

from herald.api.finding import Fault, Finding
from herald.config.collect import collect, problem_of
from herald.config.problem import Severity

POOL = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: prod, namespace: metallb-system}\n"
POOL_A = POOL + "spec: {addresses: [10.0.0.0/24]}\n"
POOL_B = POOL + "spec: {addresses: [10.0.1.0/24]}\n"
EVERY_KIND = """
{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: x}, spec: {addresses: [10.0.0.0/24]}}
---
{apiVersion: metallb.io/v1beta1, kind: L2Advertisement, metadata: {name: x}}
---
{apiVersion: metallb.io/v1beta1, kind: BGPAdvertisement, metadata: {name: x}}
---
{apiVersion: metallb.io/v1beta2, kind: BGPPeer, metadata: {name: x}, spec: {myASN: 1}}
---
{apiVersion: metallb.io/v1beta1, kind: BFDProfile, metadata: {name: x}}
---
{apiVersion: metallb.io/v1beta1, kind: Community, metadata: {name: x}}
---
{apiVersion: v1, kind: Service, metadata: {name: x}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x}}
---
{apiVersion: v1, kind: Node, metadata: {name: x}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: x}}
---
{apiVersion: v1, kind: Secret, metadata: {name: x}}
"""


def test_every_kind_has_its_place() -> None:
    found = collect([("all.yaml", EVERY_KIND)])
    assert found.problems == ()
    for field in found.resources.__dataclass_fields__:
        (item,) = getattr(found.resources, field)
        assert type(item).__name__.lower().removesuffix("y") in field.replace("_", "")


def test_what_decides_nothing_is_counted_and_no_problem() -> None:
    text = "\n---\n".join(
        [
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}",
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: b}}",
            "{apiVersion: v1, kind: ConfigMap}",
            "{apiVersion: metallb.io/v1beta1, kind: ServiceL2Status, metadata: {name: s}}",
        ]
    )
    found = collect([("apps.yaml", text)])
    assert found.problems == ()
    assert found.ignored == {"Deployment": 2, "ConfigMap": 1, "ServiceL2Status": 1}


def test_of_two_definitions_the_later_counts_and_both_places_are_named() -> None:
    found = collect([("a.yaml", POOL_A), ("b.yaml", "---\n" + POOL_B)])
    (pool,) = found.resources.ip_address_pools
    assert pool.spec.addresses == ("10.0.1.0/24",)
    (problem,) = found.problems
    assert (problem.rule, problem.severity, problem.reason) == ("HL204", Severity.WARNING, "DefinedTwice")
    assert (problem.kind, problem.namespace, problem.name) == ("IPAddressPool", "metallb-system", "prod")
    assert "a.yaml:1" in problem.message
    assert "b.yaml:1" in problem.message


def test_both_versions_of_a_peer_are_one_object() -> None:
    new = "{apiVersion: metallb.io/v1beta2, kind: BGPPeer, metadata: {name: x}, spec: {myASN: 1}}"
    old = (
        "{apiVersion: metallb.io/v1beta1, kind: BGPPeer, metadata: {name: x},"
        " spec: {myASN: 1, peerASN: 2, peerAddress: 10.0.0.1}}"
    )
    found = collect([("a.yaml", f"{new}\n---\n{old}")])
    assert [peer.spec.peer_asn for peer in found.resources.bgp_peers] == [2]
    assert [problem.rule for problem in found.problems] == ["HL204"]


def test_a_later_definition_that_is_wrong_leaves_the_earlier_in_force() -> None:
    found = collect([("a.yaml", POOL_A), ("b.yaml", POOL + "spec: {}\n")])
    assert [pool.spec.addresses for pool in found.resources.ip_address_pools] == [("10.0.0.0/24",)]
    assert [(problem.rule, problem.field) for problem in found.problems] == [("HL202", "spec.addresses")]


def test_one_bad_object_spoils_only_itself() -> None:
    text = f"{POOL}spec: {{addresses: 5}}\n---\na: [\n---\n5\n---\n{EVERY_KIND}"
    found = collect([("a.yaml", text)])
    assert len(found.resources.services) == 1
    assert [problem.rule for problem in found.problems] == ["HL200", "HL205", "HL202"]


@pytest.mark.parametrize(
    ("fault", "severity"),
    [
        (Fault.UNREADABLE, Severity.ERROR),
        (Fault.UNKNOWN_KIND, Severity.ERROR),
        (Fault.SCHEMA, Severity.ERROR),
        (Fault.UNKNOWN_FIELD, Severity.WARNING),
        (Fault.DEFINED_TWICE, Severity.WARNING),
        (Fault.NOT_AN_OBJECT, Severity.ERROR),
        (Fault.OTHER_DOCUMENT, Severity.INFO),
        (Fault.LEGACY_CONFIGURATION, Severity.WARNING),
    ],
)
def test_a_finding_becomes_a_problem_of_its_severity(fault: Fault, severity: Severity) -> None:
    problem = problem_of(Finding(fault, "Service", "lb", "web", "spec", "is wrong"))
    assert (problem.rule, problem.severity) == (fault.value, severity)
    assert str(problem) == "Service lb/web: spec: is wrong"
    assert problem.reason.isalpha()


def test_problems_come_gravest_first() -> None:
    text = "{apiVersion: metallb.io/v1beta1, kind: BFDProfile, metadata: {name: a}, spec: {x: 1}}\n---\n5"
    assert [problem.severity for problem in collect([("a", text)]).problems] == [Severity.ERROR, Severity.WARNING]
