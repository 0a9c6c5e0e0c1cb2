"""Whatever stands in an object of the API server, in any place: it is read or refused in words, and ends nothing."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from herald.config.compile import compile_config
from herald.store.cache import Cache
from herald.store.kubernetes import wire
from herald.store.kubernetes.sources import kind_of
from herald.store.store import KINDS, Synced

SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
METADATA = {
    "name": "x",
    "namespace": "metallb-system",
    "resourceVersion": "5",
    "uid": "u",
    "labels": {"kubernetes.io/service-name": "web"},
    "annotations": {"metallb.io/loadBalancerIPs": "192.0.2.1"},
    "creationTimestamp": "2026-01-01T00:00:00Z",
}
REST: dict[str, dict[str, Any]] = {
    "Service": {
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.0.0.1",
            "clusterIPs": ["10.0.0.1"],
            "ports": [{"port": 80, "protocol": "TCP", "name": "a"}],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "selector": {"a": "b"},
            "externalTrafficPolicy": "Local",
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    },
    "EndpointSlice": {"endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}, "nodeName": "n"}]},
    "Node": {
        "status": {
            "conditions": [{"type": "NetworkUnavailable", "status": "False"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        }
    },
    "Namespace": {},
    "Secret": {"type": "kubernetes.io/basic-auth", "data": {"password": "cGFzcw=="}},
    "IPAddressPool": {
        "spec": {
            "addresses": ["192.0.2.0/24"],
            "serviceAllocation": {"priority": 5, "namespaces": ["a"], "serviceSelectors": [SELECTOR]},
        },
        "status": {"assignedIPv4": 1},
    },
    "L2Advertisement": {"spec": {"ipAddressPools": ["a"], "interfaces": ["eth0"], "nodeSelectors": [SELECTOR]}},
    "BGPAdvertisement": {
        "spec": {"aggregationLength": 32, "localPref": 100, "communities": ["65000:1"], "peers": ["p"]}
    },
    "BGPPeer": {
        "spec": {
            "myASN": 64500,
            "peerASN": 64501,
            "peerAddress": "192.0.2.1",
            "holdTime": "90s",
            "passwordSecret": {"name": "s"},
            "nodeSelectors": [SELECTOR],
        }
    },
    "BFDProfile": {"spec": {"receiveInterval": 300, "detectMultiplier": 3, "echoMode": False}},
    "Community": {"spec": {"communities": [{"name": "a", "value": "65000:1"}]}},
}
WRONG: tuple[Any, ...] = (
    None,
    [],
    {},
    1,
    -1,
    "x",
    1e308,
    True,
    [None],
    {"a": None},
    2**70,
    [[1]],
    [{}],
    "\0",
    "é" * 300,
)


def places(document: object, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    if isinstance(document, dict):
        for key, value in document.items():
            yield from places(value, (*here, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from places(value, (*here, index))


def spoilt(document: dict[str, Any], place: tuple[Any, ...], value: object) -> dict[str, Any]:
    made: Any = deepcopy(document)
    inner = made
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return dict(made)


@pytest.mark.parametrize("kind", KINDS)
def test_no_value_in_any_place_of_an_object_ends_anything(kind: str) -> None:
    document = {"metadata": METADATA, **REST[kind]}
    for place in places(document):
        if len(place) == 0 or place == ("metadata",):
            continue  # without these it is no object, which the watch sees to
        for value in WRONG:
            reading = wire.read(kind_of(kind), json.dumps(spoilt(document, place, value)).encode())
            assert reading.item is not None or reading.problems, (place, value)
            cache = Cache()
            cache.take(Synced(() if reading.item is None else (reading.item,)))
            compile_config(cache.resources(), namespace="metallb-system")
