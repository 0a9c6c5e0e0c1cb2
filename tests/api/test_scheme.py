"""Which kinds are known, and what is said of misspelt ones."""

import pytest

from herald.api.bgp_peer import BGPPeer
from herald.api.scheme import KINDS, find, misspelling
from herald.cluster.endpoints import EndpointSlice


def test_kinds_are_found_by_version_and_kind() -> None:
    peer = find("metallb.io/v1beta2", "BGPPeer")
    assert peer is not None
    assert (peer.type, peer.plural, peer.group, peer.version) == (BGPPeer, "bgppeers", "metallb.io", "v1beta2")
    assert find("apps/v1", "Deployment") is None


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("v1", "Service", "/api/v1/services"),
        ("discovery.k8s.io/v1", "EndpointSlice", "/apis/discovery.k8s.io/v1/endpointslices"),
        ("metallb.io/v1beta1", "Community", "/apis/metallb.io/v1beta1/communities"),
    ],
)
def test_a_kind_knows_its_path(api_version: str, kind: str, path: str) -> None:
    found = find(api_version, kind)
    assert found is not None
    assert found.path == path


def test_no_kind_is_listed_twice() -> None:
    assert len({(kind.api_version, kind.kind) for kind in KINDS}) == len(KINDS)
    assert any(kind.type is EndpointSlice for kind in KINDS)


MISSPELT = [
    ("metallb.io/v1beta1", "IPAddressPools", "did you mean apiVersion: metallb.io/v1beta1, kind: IPAddressPool?"),
    ("metallb.io/v1beta1", "IpAddressPool", "did you mean apiVersion: metallb.io/v1beta1, kind: IPAddressPool?"),
    ("metallb.io/v1beta1", "L2Advertisment", "kind: L2Advertisement?"),
    ("metallb.io/v1beta3", "BGPPeer", "did you mean apiVersion: metallb.io/v1beta2, kind: BGPPeer?"),
    ("metallb.io/v1beta1", "BgpPeer", "did you mean apiVersion: metallb.io/v1beta1, kind: BGPPeer?"),
    ("metallb.io/v1beta2", "IPAddressPool", "did you mean apiVersion: metallb.io/v1beta1, kind: IPAddressPool?"),
    ("metallb.io/v1", "Community", "did you mean apiVersion: metallb.io/v1beta1, kind: Community?"),
    ("metalb.io/v1beta1", "BFDProfile", "did you mean apiVersion: metallb.io/v1beta1, kind: BFDProfile?"),
    ("v1beta1", "IPAddressPool", "did you mean apiVersion: metallb.io/v1beta1, kind: IPAddressPool?"),
    ("v1", "BGPPeer", "did you mean apiVersion: metallb.io/v1beta2, kind: BGPPeer?"),
    ("metallb.io/v1beta1", "AddressPool", "AddressPool was removed"),
    ("metallb.io/v1alpha1", "AddressPool", "write an IPAddressPool"),
    ("metallb.io/v1beta1", "Deployment", "it has BFDProfile, BGPAdvertisement, BGPPeer"),
]


@pytest.mark.parametrize(("api_version", "kind", "why"), MISSPELT, ids=[f"{v} {k}" for v, k, _ in MISSPELT])
def test_a_misspelt_kind_of_ours_names_the_nearest(api_version: str, kind: str, why: str) -> None:
    assert find(api_version, kind) is None
    message = misspelling(api_version, kind)
    assert message is not None
    assert why in message


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("v1", "ConfigMap"),
        ("frrk8s.metallb.io/v1beta1", "FRRConfiguration"),
        ("metallb.io/v1beta1", "MetalLB"),
        ("example.com/v1", "Community"),
        ("discovery.k8s.io/v1beta1", "EndpointSlice"),
        ("", ""),
    ],
)
def test_a_kind_of_others_is_no_mistake(api_version: str, kind: str) -> None:
    assert find(api_version, kind) is None
    assert misspelling(api_version, kind) is None
