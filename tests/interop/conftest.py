"""The interop matrix as tests tell of it: the marker of a cell, and the page that a run of all of them writes."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import matrix_page
import matrix_place
import pytest
from matrix_page import Key, Said
from matrix_registry import DAEMONS, FEATURES
from segment import Network

OPTION = "--write-interoperability"
PROPERTY = "interop matrix"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help=f"write {matrix_page.PAGE.name} of the documentation")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "matrix(daemon, feature): proves that cell of the interop matrix")
    if config.getoption(OPTION, default=False):
        config.pluginmanager.register(PageWriter())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a test proves goes with its report, also from one process to another."""
    known = {feature.key for feature in FEATURES}
    for item in items:
        for mark in item.iter_markers("matrix"):
            daemon, feature = mark.args
            assert daemon in DAEMONS, f"{item.nodeid}: the interop matrix has no daemon {daemon}"
            assert feature in known, f"{item.nodeid}: the interop matrix has no feature {feature}"
            item.user_properties.append((PROPERTY, [daemon, feature]))


class PageWriter:
    """Listens to what the tests say, and writes the page at the end."""

    def __init__(self) -> None:
        self._said: dict[Key, list[Said]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        why = str(report.longrepr[2]) if report.skipped and isinstance(report.longrepr, tuple) else ""
        for cell in _cells(report.user_properties):
            self._said[cell].append(Said(report.outcome, why))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):
            return  # the process that started this one writes
        text = matrix_page.page(self._said, {daemon: matrix_place.version(daemon) for daemon in DAEMONS})
        matrix_page.PAGE.write_text(text)


def _cells(properties: list[tuple[str, Any]]) -> Iterator[Key]:
    for name, value in properties:
        if name == PROPERTY:
            daemon, feature = value
            yield daemon, feature


@pytest.fixture
def network() -> Iterator[Network]:
    """Namespaces of a test's own, and what connects them."""
    made = Network()
    yield made
    made.close()
