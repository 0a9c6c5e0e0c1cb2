"""Hypothesis: `gate` is short and always the same, `hunt` is long and random (`HYPOTHESIS_PROFILE=hunt`).

No test sets `max_examples` itself: that would hold in a hunt as well.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("gate", derandomize=True, max_examples=60, deadline=None)
settings.register_profile(
    "hunt", max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A hunt takes as long as it takes."""
    if settings.get_current_profile_name() == "hunt":
        for item in items:
            item.add_marker(pytest.mark.timeout(0))
