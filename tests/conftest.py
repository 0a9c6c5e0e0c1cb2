"""Hypothesis profiles: `gate` decides the same every time, `hunt` looks for what nobody has thought of (make fuzz)."""

import os

import pytest
from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "gate")

settings.register_profile("gate", derandomize=True, max_examples=100, deadline=None)
settings.register_profile(
    "hunt", max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A hunt takes as long as it takes; the time limit is for tests that hang."""
    if PROFILE == "hunt":
        for item in items:
            item.add_marker(pytest.mark.timeout(0))
