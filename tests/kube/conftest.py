"""A real API server for tests: one for the whole run, and every test finds it as new.

    api_server     etcd and kube-apiserver, started by the first test that asks for them (2 s), stopped at the end
    cluster        that API server with Herald's CRDs and nothing else in it, for one test
    bare_cluster   the same without the CRDs

A test may leave anything behind and break anything: before the next one the faults of `ApiServer` are undone, and all
objects are put back as they were when the server was new, in etcd (`herald.lab.kubernetes.snapshot`), which takes some
milliseconds. Names therefore need not be unique. The kubeconfig of a test is `cluster.admin_kubeconfig`.

Every test in this folder has the marker `kube`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from shared_cluster import Shared

from herald.lab.kubernetes.api_server import ApiServer

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever is here talks to a real kube-apiserver."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.kube)


@pytest.fixture(scope="session")
def shared() -> Iterator[Shared]:
    """One per run, on first use."""
    with ApiServer() as server:
        yield Shared(server)


@pytest.fixture(scope="session")
def api_server(shared: Shared) -> ApiServer:
    """The API server in whatever state it is: for tests that only read."""
    return shared.server


@pytest.fixture
def cluster(shared: Shared) -> ApiServer:
    """The API server with Herald's CRDs and nothing else."""
    return shared.with_crds()


@pytest.fixture
def bare_cluster(shared: Shared) -> ApiServer:
    """The API server as it comes."""
    return shared.bare()
