"""The CRDs say what MetalLB's say (facts only, in reference_crds/), and beyond that only what is listed here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from herald.api import manifest
from herald.api.crd import crds, dump_yaml

REFERENCE = {
    crd["metadata"]["name"]: crd
    for crd in (yaml.safe_load(path.read_text()) for path in (Path(__file__).parent / "reference_crds").glob("*.yaml"))
}
OURS = {crd["metadata"]["name"]: crd for crd in crds()}
SCHEMA = "schema.openAPIV3Schema.properties.spec.properties"
STATUS = "schema.openAPIV3Schema.properties.status"
OURS_ALONE = {"bgpsessionstatuses.metallb.io"}
ADDITIONS = {
    "bgppeers.metallb.io: spec.conversion",
    f"bgppeers.metallb.io: spec.versions[v1beta2].{SCHEMA}.gracefulRestart",
    f"bgppeers.metallb.io: spec.versions[v1beta2].{SCHEMA}.ttlSecurity",
    f"bgppeers.metallb.io: spec.versions[v1beta2].{SCHEMA}.tcpAO",
    *(f"bgppeers.metallb.io: spec.versions[v1beta2].{SCHEMA}.{field}" for field in ("role", "roleStrict")),
    f"bgppeers.metallb.io: spec.versions[v1beta2].{SCHEMA}.passive",
    f"bgppeers.metallb.io: spec.versions[v1beta2].{SCHEMA}.bfdStrict",
    f"bgpadvertisements.metallb.io: spec.versions[v1beta1].{SCHEMA}.asPrepend",
    f"bgpadvertisements.metallb.io: spec.versions[v1beta1].{SCHEMA}.linkBandwidth",
    f"bgpadvertisements.metallb.io: spec.versions[v1beta1].{SCHEMA}.med",
    *(
        f"l2advertisements.metallb.io: spec.versions[v1beta1].{SCHEMA}.{field}"
        for field in ("fastFailover", "failback", "failbackDelay", "flapDamping", "spread")
    ),
    *(
        f"servicel2statuses.metallb.io: spec.versions[v1beta1].{STATUS}.properties.{field}"
        for field in ("unanswered", "conflicts")
    ),
    *(f"bgppeers.metallb.io: spec.versions[{version}].{STATUS}.properties" for version in ("v1beta1", "v1beta2")),
    *(f"bgppeers.metallb.io: spec.versions[{version}].additionalPrinterColumns" for version in ("v1beta1", "v1beta2")),
}
UNORDERED = {"enum", "required"}


def differences(ours: Any, theirs: Any, path: str) -> list[str]:
    """Paths at which the two differ; our descriptions are our own."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted({*ours, *theirs})
        return [
            found
            for key in keys
            if not (key == "description" and isinstance(ours.get(key), str))
            for found in differences(ours.get(key), theirs.get(key), f"{path}.{key}".removeprefix("."))
        ]
    if isinstance(ours, list) and isinstance(theirs, list):
        if path.rpartition(".")[2] in UNORDERED:
            return [] if sorted(ours) == sorted(theirs) else [path]
        if path == "spec.versions":
            ours, theirs = ({v["name"]: v for v in versions} for versions in (ours, theirs))
            return [
                found
                for name in sorted({*ours, *theirs})
                for found in differences(ours.get(name), theirs.get(name), f"{path}[{name}]")
            ]
        if len(ours) == len(theirs):
            pairs = enumerate(zip(ours, theirs, strict=True))
            return [found for index, (a, b) in pairs for found in differences(a, b, f"{path}[{index}]")]
    return [] if ours == theirs and type(ours) is type(theirs) else [path]


def test_there_is_a_crd_for_every_kind_of_the_reference_and_one_of_our_own() -> None:
    assert len(REFERENCE) == 9
    assert set(OURS) == set(REFERENCE) | OURS_ALONE


def test_bgppeers_show_their_sessions_beside_the_columns_of_the_reference() -> None:
    name = "bgppeers.metallb.io"
    ours, theirs = (
        next(v for v in crd["spec"]["versions"] if v["name"] == "v1beta2")["additionalPrinterColumns"]
        for crd in (OURS[name], REFERENCE[name])
    )
    assert ours == [*theirs, {"name": "Sessions", "type": "string", "jsonPath": ".status.sessions"}]


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_a_crd_differs_from_the_reference_by_the_listed_additions_only(name: str) -> None:
    found = {f"{name}: {path}" for path in differences(OURS[name], REFERENCE[name], "")}
    assert found == {addition for addition in ADDITIONS if addition.startswith(f"{name}:")}


def test_a_difference_in_any_fact_is_seen() -> None:
    name = "bgppeers.metallb.io"
    for old, new in (("16384", "65535"), ("default: 179", "default: 180"), ("self == oldSelf", "true")):
        changed = yaml.safe_load(yaml.safe_dump(REFERENCE[name]).replace(old, new))
        assert changed != REFERENCE[name]
        assert differences(changed, REFERENCE[name], "")


def test_our_additions_are_bounded() -> None:
    spec = OURS["bgpadvertisements.metallb.io"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][
        "spec"
    ]
    prepend = spec["properties"]["asPrepend"]
    assert prepend["required"] == ["count"]
    assert (prepend["properties"]["count"]["minimum"], prepend["properties"]["count"]["maximum"]) == (1, 10)
    assert prepend["properties"]["asn"]["maximum"] == 4294967295


def test_bgp_peers_are_converted_by_the_webhook_of_the_given_namespace() -> None:
    peer = next(crd for crd in crds("lb") if crd["metadata"]["name"] == "bgppeers.metallb.io")
    webhook = peer["spec"]["conversion"]["webhook"]
    assert webhook["clientConfig"]["service"] == {
        "name": "metallb-webhook-service",
        "namespace": "lb",
        "path": "/convert",
    }
    assert webhook["conversionReviewVersions"] == ["v1beta1", "v1beta2"]


def test_without_webhooks_the_api_server_converts_by_itself_and_nothing_else_differs() -> None:
    assert "Webhook" not in dump_yaml(webhooks=False)
    by_itself = {crd["metadata"]["name"]: crd for crd in crds(webhooks=False)}
    assert by_itself["bgppeers.metallb.io"]["spec"].pop("conversion") == {"strategy": "None"}
    for name, crd in by_itself.items():
        assert differences(crd, OURS[name], name) == [
            f"{name}.spec.conversion" for _ in range(name == "bgppeers.metallb.io")
        ]


def test_every_property_of_a_spec_says_what_it_is_for() -> None:
    silent = []
    for name, crd in OURS.items():
        for version in crd["spec"]["versions"]:
            spec = version["schema"]["openAPIV3Schema"]["properties"].get("spec", {})
            silent += [f"{name} {p}" for p, s in spec.get("properties", {}).items() if not s.get("description")]
    assert silent == []


def test_nothing_in_a_schema_is_nullable_or_referenced() -> None:
    assert "$ref" not in dump_yaml()
    assert "nullable" not in dump_yaml()
    assert "anyOf" not in dump_yaml()


def test_the_yaml_reads_back_as_the_same_crds() -> None:
    documents, findings = manifest.read(dump_yaml(), "crds.yaml")
    assert findings == ()
    assert [document.content for document in documents] == crds()


DOCS = Path(__file__).parents[2] / "docs"
FIELDS = sorted(
    (OURS[one.partition(":")[0]]["spec"]["names"]["kind"], one.rpartition(".")[2]) for one in ADDITIONS if SCHEMA in one
)


def _default(kind: str, field: str) -> str:
    """The cell with its default, in the table of all additions, without the marks of code."""
    text = (DOCS / "differences.md").read_text()
    (row,) = re.findall(rf"^\| {kind} \| `{field}[`:].*$", text, re.MULTILINE)
    return str(row).split(" | ")[2].replace("`", "")


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=(".".join(one) for one in FIELDS))
def test_what_is_beyond_metallb_is_documented_with_its_default(kind: str, field: str) -> None:
    (schema,) = (
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][field]
        for crd in OURS.values()
        if crd["spec"]["names"]["kind"] == kind
        for version in crd["spec"]["versions"]
        if version["storage"]
    )
    default = _default(kind, field)
    assert default == "false" or schema["type"] != "boolean"
    for name, below in schema.get("properties", {}).items():
        assert "default" not in below or f"{name}: {below['default']}" in default
    assert f"`{field}`" in (DOCS / "concepts.md").read_text()


def test_the_table_of_what_is_beyond_metallb_has_nothing_else() -> None:
    text = (DOCS / "differences.md").read_text()
    section = text[text.index("### Fields of Herald's own") : text.index("## Addresses")]
    rows = re.findall(r"^\| (\w+) \| `(\w+)", section, re.MULTILINE)
    assert sorted(rows) == FIELDS
