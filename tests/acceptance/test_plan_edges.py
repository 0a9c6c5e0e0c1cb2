"""Cases at the edges: found by comparing with the model, open to two readings, or odd in form but plausible."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from manifests import bfd, bgp, l2, namespace, node, peer, pool, ready, secret, service

from herald.cli.main import main

POOL = pool("p", "10.0.0.0/30")
DUAL = pool("d", "10.0.0.0/30", "fd00::/126")
DUAL_IPS = ["10.96.0.1", "fd01::1"]
V6_IPS = ["fd01::1"]
OLD, YOUNG = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def given(document: dict[str, Any]) -> dict[str, list[str]]:
    return {entry["name"]: entry["ips"] for entry in document["services"]}


def errors(document: dict[str, Any]) -> set[str]:
    return {p["name"] for p in document["problems"] if p["severity"] == "error"}


ALLOCATIONS: dict[str, tuple[list[dict[str, Any]], dict[str, list[str]]]] = {
    "who lost an address is served before who never had one": (
        [POOL, service("a", created=OLD), service("b", status=[{"ip": "9.9.9.9"}], created=YOUNG)],
        {"a": ["10.0.0.1"], "b": ["10.0.0.0"]},
    ),
    "a second address is added before newcomers are served": (
        [
            pool("d", "10.0.0.0/30", "fd00::/128"),
            service("a", cluster_ips=V6_IPS),
            service("b", status=[{"ip": "10.0.0.0"}], cluster_ips=DUAL_IPS, ipFamilyPolicy="PreferDualStack"),
        ],
        {"a": [], "b": ["10.0.0.0", "fd00::"]},
    ),
    "a dual-stack holder outranks a single-stack holder of the same address": (
        [
            DUAL,
            service("a", status=[{"ip": "10.0.0.0"}], created=OLD),
            service(
                "b",
                status=[{"ip": "10.0.0.0"}, {"ip": "fd00::"}],
                cluster_ips=DUAL_IPS,
                ipFamilyPolicy="RequireDualStack",
                created=YOUNG,
            ),
        ],
        {"a": ["10.0.0.1"], "b": ["10.0.0.0", "fd00::"]},
    ),
    "asking for a pool is no reason to come first": (
        [POOL, service("a"), service("b", annotations={"metallb.io/address-pool": "p"})],
        {"a": ["10.0.0.0"], "b": ["10.0.0.1"]},
    ),
    "a wish for one address is not stretched to two": (
        [
            DUAL,
            service(
                "a",
                status=[{"ip": "10.0.0.2"}],
                cluster_ips=DUAL_IPS,
                ipFamilyPolicy="PreferDualStack",
                loadBalancerIP="10.0.0.2",
            ),
        ],
        {"a": ["10.0.0.2"]},
    ),
    "pinned to namespaces that do not exist is pinned to nobody": (
        [
            pool(
                "p",
                "10.0.0.0/30",
                serviceAllocation={
                    "namespaceSelectors": [{"matchLabels": {"tier": "gold"}}],
                    "serviceSelectors": [{}],
                },
            ),
            namespace("default"),
            service("a"),
            service("b", annotations={"metallb.io/address-pool": "p"}),
            service("c", loadBalancerIP="10.0.0.1"),
        ],
        {"a": [], "b": [], "c": []},
    ),
    "a namespace is selected by the label that every API server gives it": (
        [
            pool(
                "p",
                "10.0.0.0/30",
                serviceAllocation={"namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": "team"}}]},
            ),
            namespace("team"),
            service("a", ns="team"),
            service("b"),
        ],
        {"a": ["10.0.0.0"], "b": []},
    ),
    "an address left in a service that cannot be served is nobody else's": (
        [POOL, service("a", cluster_ips=["None"], status=[{"ip": "10.0.0.0"}]), service("b")],
        {"a": ["10.0.0.0"], "b": ["10.0.0.1"]},
    ),
    "of two pools that overlap the older stays": (
        [
            pool("a", "10.0.0.0/24", meta={"creationTimestamp": YOUNG}),
            pool("b", "10.0.0.128/25", meta={"creationTimestamp": OLD}),
            service("s"),
        ],
        {"s": ["10.0.0.128"]},
    ),
    "capitals and long forms are the same address": (
        [
            DUAL,
            service("a", cluster_ips=V6_IPS, annotations={"metallb.io/loadBalancerIPs": " FD00:0:0:0::2 "}),
            service("b", cluster_ips=V6_IPS, status=[{"ip": "FD00:0000::1"}]),
        ],
        {"a": ["fd00::2"], "b": ["fd00::1"]},
    ),
    "an IPv4-mapped wish is an IPv4 wish": (
        [POOL, service("a", annotations={"metallb.io/loadBalancerIPs": "::ffff:10.0.0.3"})],
        {"a": ["10.0.0.3"]},
    ),
    "an entry with address and hostname counts as an address": (
        [POOL, service("a", status=[{"ip": "10.0.0.3", "hostname": "lb.example.com"}])],
        {"a": ["10.0.0.3"]},
    ),
    "one address twice in the status is no dual stack": (
        [POOL, service("a", status=[{"ip": "10.0.0.3"}, {"ip": "10.0.0.3"}])],
        {"a": ["10.0.0.0"]},
    ),
    "an empty annotation leaves the field in force": (
        [POOL, service("a", annotations={"metallb.io/loadBalancerIPs": ""}, loadBalancerIP="10.0.0.3")],
        {"a": ["10.0.0.3"]},
    ),
    "a trailing comma makes a wish unusable": (
        [POOL, service("a", annotations={"metallb.io/loadBalancerIPs": "10.0.0.3,"})],
        {"a": []},
    ),
    "a negative priority is none": (
        [
            pool("a", "10.0.0.0/30", serviceAllocation={"priority": -1}),
            pool("b", "10.0.1.0/30", serviceAllocation={"priority": 99}),
            service("s"),
        ],
        {"s": ["10.0.1.0"]},
    ),
    "the whole of both families is a pool like any other": (
        [pool("v4", "0.0.0.0/0"), pool("v6", "::/0"), service("a"), service("b", cluster_ips=V6_IPS)],
        {"a": ["0.0.0.0"], "b": ["::"]},
    ),
}


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_addresses_at_the_edges(name: str, plan: Any) -> None:
    objects, expected = ALLOCATIONS[name]
    assert given(plan(*objects)) == expected


@pytest.mark.parametrize(
    ("address", "spec", "prefixes"),
    [
        ("10.9.0.1", {}, ["10.0.0.0/32"]),
        ("fd00:9::1", {}, ["fd00::/128"]),
        ("10.9.0.1", {"dualStackAddressFamily": True}, ["10.0.0.0/32", "fd00::/128"]),
        (None, {"interface": "eth0"}, ["10.0.0.0/32", "fd00::/128"]),
    ],
    ids=["IPv4 session", "IPv6 session", "dualStackAddressFamily", "unnumbered"],
)
def test_a_session_carries_the_family_of_its_address(
    address: str | None, spec: dict[str, Any], prefixes: list[str], plan: Any
) -> None:
    web = service("web", cluster_ips=DUAL_IPS, ipFamilyPolicy="RequireDualStack")
    document = plan(DUAL, bgp("b"), peer("r", address, **spec), web, ready("web", "n"), node("n"))
    assert [row["prefix"] for row in document["bgp"]] == prefixes


@pytest.mark.parametrize(("port", "sessions"), [(179, ["a"]), (1179, ["a", "b"])], ids=["same port", "another port"])
def test_one_address_is_one_session_per_port(port: int, sessions: list[str], plan: Any) -> None:
    peers = [peer("a"), peer("b", peerPort=port)]
    document = plan(POOL, bgp("x"), *peers, service("web"), ready("web", "n"), node("n"))
    assert [row["peer"] for row in document["bgp"]] == sessions


def test_prepending_defaults_to_the_asn_that_the_session_speaks_as(plan: Any) -> None:
    document = plan(
        POOL,
        bgp("b", asPrepend={"count": 2}),
        peer("r", localASN=64777),
        service("web"),
        ready("web", "n"),
        node("n"),
    )
    assert [row["asPath"] for row in document["bgp"]] == [[64777, 64777]]


LEFT_OUT: dict[str, tuple[list[dict[str, Any]], set[str]]] = {
    "a peer goes with the BFD profile that it names": (
        [bfd("f", detectMultiplier=1), peer("r", bfdProfile="f")],
        {"f", "r"},
    ),
    "the built-in BFD profile outlives a bad object of its name": (
        [bfd("default", detectMultiplier=1), peer("r", bfdProfile="default")],
        {"default"},
    ),
    "a password may stand in stringData": (
        [
            {**secret("s"), "data": {}, "stringData": {"password": "x"}},
            peer("r", passwordSecret={"name": "s"}),
        ],
        set(),
    ),
    "an empty password is none": ([secret("s", password=""), peer("r", passwordSecret={"name": "s"})], {"r"}),
    "selectors and the default lengths agree": (
        [bgp("b", serviceSelectors=[{}], aggregationLength=32, aggregationLengthV6=128)],
        set(),
    ),
    "null is not set": (
        [
            pool("p", "10.0.0.0/24", autoAssign=None, serviceAllocation=None),
            bgp("b", aggregationLength=None, communities=None, peers=None, serviceSelectors=None, localPref=None),
        ],
        set(),
    ),
    "ranges that touch do not overlap": ([pool("a", "10.0.0.0-10.0.0.9"), pool("b", "10.0.0.10-10.0.0.20")], set()),
    "an old kind is not read any more": (
        [{"apiVersion": "metallb.io/v1beta1", "kind": "AddressPool", "metadata": {"name": "x"}, "spec": {}}],
        {"x"},
    ),
    "an object without a namespace is in the default one": (
        [{**POOL, "metadata": {"name": "p"}}],
        {"p"},
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_at_the_edges(name: str, plan: Any) -> None:
    objects, names = LEFT_OUT[name]
    assert errors(plan(*objects)) == names


WORKING = [POOL, l2("l"), service("web"), ready("web", "n"), node("n")]
YAML = "---\n".join(json.dumps(manifest, indent=1) + "\n" for manifest in WORKING)
LIST = json.dumps({"apiVersion": "v1", "kind": "List", "items": WORKING})
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1}\n"
FORMS: dict[str, dict[str, bytes]] = {
    "one file": {"all.yaml": YAML.encode()},
    "a List": {"all.json": LIST.encode()},
    "CRLF": {"all.yaml": YAML.replace("\n", "\r\n").encode()},
    "a byte order mark": {"all.yaml": b"\xef\xbb\xbf" + YAML.encode()},
    "folders in folders": {f"a/{number}/b/x.yml": json.dumps(each).encode() for number, each in enumerate(WORKING)},
    "strangers beside": {
        "all.yaml": YAML.encode(),
        "deployment.yaml": DEPLOYMENT.encode(),
        "values.yaml": b"image: {tag: 1}\n",
        "Chart.yaml": b"apiVersion: v2\nname: c\nversion: 0.1.0\n",
        "kustomization.yaml": b"resources: [all.yaml]\n",
        "README.md": b"# [",
        "empty.yaml": b"",
        "comment.yaml": b"# nothing\n---\n",
    },
}


@pytest.mark.parametrize("name", FORMS)
def test_the_form_of_the_files_does_not_matter(name: str, tmp_path: Path) -> None:
    for path, content in FORMS[name].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    document = json.loads(CliRunner().invoke(main, ["plan", "-f", str(tmp_path), "-o", "json"]).stdout)
    assert [row["ip"] for row in document["layer2"]] == ["10.0.0.0"]
    assert errors(document) == set()


BAD_FILES = {
    "a tab": b"kind: Service\nmetadata:\n\tname: x\n",
    "a key twice": b"apiVersion: v1\nkind: Service\nkind: Service\n",
    "no YAML": b"foo: [bar\n",
    "a template": b"{{- if .Values.a }}\nkind: Service\n{{- end }}\n",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_an_error_and_spoils_only_itself(name: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(YAML)
    (tmp_path / "bad.yaml").write_bytes(BAD_FILES[name])
    document = json.loads(CliRunner().invoke(main, ["plan", "-f", str(tmp_path), "-o", "json"]).stdout)
    assert [row["ip"] for row in document["layer2"]] == ["10.0.0.0"]
    assert [p["kind"] for p in document["problems"] if p["severity"] == "error"] == ["File"]
