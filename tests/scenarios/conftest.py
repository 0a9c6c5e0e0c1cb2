"""Scenarios wait more than they compute: where tests run side by side (pytest-xdist), they begin."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The order among themselves stays; without workers all order does."""
    if config.getoption("dist", "no") != "no" or hasattr(config, "workerinput"):
        items.sort(key=lambda item: FOLDER not in item.path.parents)
