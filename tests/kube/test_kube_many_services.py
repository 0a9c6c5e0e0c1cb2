"""Services that come all at once, as in a cluster that moves to Herald: everyone gets an address, and none twice.

kube-apiserver, which does most of the work, takes some 300 statuses per second on two processors.
"""

import time
from pathlib import Path

import pytest
from controller_stand import PATIENCE_S, Process, Stand, comes_true

from herald.lab.kubernetes import bulk
from herald.lab.kubernetes.api_server import ApiServer

COUNT = 3_000
LOOK_EVERY_S = 0.5
"""The log is read, not the API: to list thousands of Services takes the API server from its work."""


@pytest.mark.timeout(300)
def test_thousands_of_services_in_one_go_get_an_address_each(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path, "10.0.0.0/18")
    with stand.controller() as process:
        comes_true(lambda: bool(process.lines("leading")), "a leader")
        cluster.seed_each("services/specs", bulk.services(COUNT))
        until_written(process, COUNT)
        shown = stand.shown()
    assert len(shown) == COUNT
    assert {len(addresses) for addresses in shown.values()} == {1}
    assert len(set(shown.values())) == COUNT


def until_written(process: Process, count: int) -> None:
    """As many are written; for as long as there is progress."""
    written, since = 0, time.monotonic()
    while written < count:
        time.sleep(LOOK_EVERY_S)
        before, written = written, len(process.lines("serviceUpdated"))
        if written > before:
            since = time.monotonic()
        assert time.monotonic() - since < PATIENCE_S, f"{written} of {count} were written, and no more"
