"""Follow-up findings about objects that are there, but failed their schema: nobody is told to create them."""

import pytest

from herald.config.collect import collect
from herald.config.problem import Problem
from herald.report.plan import plan

HEAD = "---\napiVersion: metallb.io/{version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: metallb-system}}\n"


def written(kind: str, name: str, spec: str) -> str:
    version = "v1beta2" if kind == "BGPPeer" else "v1beta1"
    return HEAD.format(version=version, kind=kind, name=name) + f"spec: {spec}\n"


POOL = written("IPAddressPool", "p", "{addresses: [10.0.0.0/30]}")
PEER = written("BGPPeer", "r", "{myASN: 64500, peerASN: 64501, peerAddress: 10.1.1.1}")
BAD_POOL = written("IPAddressPool", "p", "{addresses: 10.0.0.0/30}")
BAD_PEER = written("BGPPeer", "r", "{myASN: 64500, peerASN: none, peerAddress: 10.1.1.1}")
BGP = written("BGPAdvertisement", "b", "{}")
BAD_BGP = written("BGPAdvertisement", "b", "{ipAddressPools: p}")
BAD_L2 = written("L2Advertisement", "l", "{failback: Never}")
CASES = {
    "HL001, an L2Advertisement": (POOL + BAD_L2, "HL001", '(L2Advertisement "l": left out for its own errors)'),
    "HL001, both advertisements": (
        POOL + BAD_L2 + BAD_BGP,
        "HL001",
        '(BGPAdvertisement "b", L2Advertisement "l": left out for their own errors); services will get an IP',
    ),
    "HL002, the pool": (
        BAD_POOL + written("L2Advertisement", "l", "{ipAddressPools: [p]}"),
        "HL002",
        'IPAddressPool "p" is left out for its own errors',
    ),
    "HL004, the only peer": (
        POOL + BGP + BAD_PEER,
        "HL004",
        "no BGPPeer can be used (r: left out for its own errors): nobody hears these routes; correct it",
    ),
    "HL004, a peer that is named": (
        POOL + BAD_PEER + written("BGPAdvertisement", "b", "{peers: [r]}"),
        "HL004",
        'BGPPeer "r" is left out for its own errors',
    ),
    "HL005, the only advertisement": (
        POOL + PEER + BAD_BGP,
        "HL005",
        'no BGPAdvertisement can be used (BGPAdvertisement "b": left out for its own errors): the session carries',
    ),
}


def problems(text: str) -> tuple[Problem, ...]:
    found = collect([("a.yaml", text)])
    return plan(found.resources, already=found.problems).problems


@pytest.mark.parametrize(("text", "rule", "words"), CASES.values(), ids=CASES.keys())
def test_what_failed_its_schema_is_said_to_be_left_out(text: str, rule: str, words: str) -> None:
    (message,) = (each.message for each in problems(text) if each.rule == rule)
    assert words in message
    assert [word for word in ("create one", ". Add ") if word in message] == []


@pytest.mark.parametrize(
    ("text", "rule", "words"),
    [
        (POOL, "HL001", "no advertisement selects this pool; services"),
        (POOL + BGP, "HL004", "there is no BGPPeer: nobody hears these routes; create one"),
        (POOL + PEER, "HL005", "there is no BGPAdvertisement: the session carries no route. Add it"),
    ],
    ids=["HL001", "HL004", "HL005"],
)
def test_what_is_not_there_is_to_be_created(text: str, rule: str, words: str) -> None:
    (message,) = (each.message for each in problems(text) if each.rule == rule)
    assert words in message


def test_of_two_definitions_the_good_one_counts_and_nobody_misses_the_other() -> None:
    assert [each.rule for each in problems(POOL + BAD_PEER + PEER + BGP) if each.name != "r"] == []
