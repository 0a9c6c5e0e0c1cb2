"""What the log says of an address that this node is given."""

import logging
from ipaddress import ip_address

import pytest

from herald.engine.holding_log import log_holdings
from herald.engine.wish import Difference
from herald.layer2.holding import Holding


@pytest.mark.parametrize(
    ("looks_first", "words"),
    [
        pytest.param(False, "this node answers for 192.0.2.106", id="at once"),
        pytest.param(
            True,
            "this node is to answer for 192.0.2.106, and looks first whether somebody uses it",
            id="with --probe-before-announcing",
        ),
    ],
)
def test_nothing_is_claimed_that_is_yet_to_be_seen(
    looks_first: bool, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    log_holdings(Difference(held=(Holding(ip_address("192.0.2.106")),)), looks_first=looks_first)
    (record,) = caplog.records
    assert (record.getMessage(), vars(record)["event"]) == (words, "addressHeld")
