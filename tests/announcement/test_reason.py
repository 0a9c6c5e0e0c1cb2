"""Reasons: one table of words, the log words of MetalLB, and equality as data."""

import pytest

from herald.announcement.reason import TABLE, Code, Protocol, Reason, argument_names, because

L2, BGP = Protocol.LAYER2, Protocol.BGP


@pytest.mark.parametrize("code", Code, ids=lambda code: code.value)
def test_every_code_has_words_that_name_all_its_arguments(code: Code) -> None:
    reason = because(code, **{name: f"<{name}>" for name in argument_names(code)})
    assert all(f"<{name}>" in reason.words for name in argument_names(code))
    assert str(reason) == f"{code.value}: {reason.words}"


def test_the_table_has_a_row_for_every_code() -> None:
    assert set(TABLE) == set(Code)


def test_an_argument_too_few_or_too_many_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="wanted"):
        because(Code.NOT_ELECTED, L2)
    with pytest.raises(AssertionError, match="wanted"):
        because(Code.NO_READY_ENDPOINT, L2, node="a")


@pytest.mark.parametrize(
    ("code", "protocol", "word"),
    [
        (Code.SERVICE_DELETED, None, "serviceDeleted"),
        (Code.NOT_LOAD_BALANCER, None, "notLoadBalancer"),
        (Code.NO_ADDRESS, None, "noIPAllocated"),
        (Code.INVALID_ADDRESS, None, "invalidIP"),
        (Code.ADDRESS_IN_NO_POOL, None, "ipNotAllowed"),
        (Code.ADDRESS_CHANGED, None, "loadBalancerIPChanged"),
        (Code.NO_READY_ENDPOINT, L2, "notOwner"),
        (Code.NO_READY_ENDPOINT, BGP, "noEndpoints"),
        (Code.NO_ENDPOINT_ON_NODE, L2, "notOwner"),
        (Code.NO_ENDPOINT_ON_NODE, BGP, "noLocalEndpoints"),
        (Code.NODE_EXCLUDED_BY_LABEL, L2, "notOwner"),
        (Code.NODE_EXCLUDED_BY_LABEL, BGP, "nodeLabeledExcludeBalancers"),
        (Code.NETWORK_UNAVAILABLE, L2, "notOwner"),
        (Code.NETWORK_UNAVAILABLE, BGP, "nodeNetworkUnavailable"),
        (Code.SHARED_IP_WITH_SERVICE_SELECTOR, L2, "sharedIPWithServiceSelector"),
        (Code.NO_ADVERTISEMENT_FOR_POOL, L2, "noMatchingAdvertisement"),
        (Code.NO_ADVERTISEMENT_FOR_POOL, BGP, "notOwner"),
        (Code.ADVERTISEMENT_SELECTS_OTHER_NODES, L2, "noMatchingAdvertisement"),
        (Code.ADVERTISEMENT_SELECTS_OTHER_NODES, BGP, "notOwner"),
        (Code.ADVERTISEMENT_SELECTS_OTHER_SERVICES, L2, "noMatchingAdvertisement"),
        (Code.ADVERTISEMENT_SELECTS_OTHER_SERVICES, BGP, "noMatchingAdvertisement"),
        (Code.NOT_ELECTED, L2, "notOwner"),
    ],
)
def test_the_log_word_is_that_of_metallb(code: Code, protocol: Protocol | None, word: str) -> None:
    assert Reason(code, protocol).log_word == word


def test_equal_reasons_are_equal_whatever_the_order_of_arguments() -> None:
    one = because(Code.INTERFACE_MISSING, L2, node="a", interfaces="eth0")
    assert one == because(Code.INTERFACE_MISSING, L2, interfaces="eth0", node="a")
    assert one != because(Code.INTERFACE_MISSING, L2, node="b", interfaces="eth0")
