"""What `failback` and `failbackDelay` come to."""

import pytest

from herald.config.failback import NEVER, resolve_failback, words
from herald.config.findings import Findings, ObjectKey


@pytest.mark.parametrize(
    ("policy", "delay", "seconds", "said"),
    [
        pytest.param(None, None, 0.0, "immediate", id="not set: as MetalLB"),
        pytest.param("immediate", None, 0.0, "immediate", id="immediate"),
        pytest.param("delay", None, 300.0, "delay 300s", id="delay has a default"),
        pytest.param("delay", "90s", 90.0, "delay 90s", id="delay"),
        pytest.param("delay", "1500ms", 1.5, "delay 1.5s", id="a short delay"),
        pytest.param("never", None, NEVER, "never", id="never"),
    ],
)
def test_a_policy_is_a_number_of_seconds(policy: str | None, delay: str | None, seconds: float, said: str) -> None:
    found = Findings(ObjectKey("L2Advertisement", "metallb-system", "a"))
    assert resolve_failback(policy, delay, found) == seconds
    assert not found.problems
    assert words(seconds) == said
