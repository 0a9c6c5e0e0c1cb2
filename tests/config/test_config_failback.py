"""What `failback` and `failbackDelay` come to."""

import pytest

from herald.config.failback import NEVER, resolve_failback, words
from herald.config.findings import Findings, ObjectKey
from herald.config.problem import Severity


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


@pytest.mark.parametrize(
    ("policy", "delay", "severity", "told"),
    [
        pytest.param("delay", "-5s", Severity.ERROR, "write a duration above 0, such as 5m", id="negative"),
        pytest.param("delay", "0s", Severity.ERROR, "write a duration above 0, such as 5m", id="none"),
        pytest.param(None, "5m", Severity.ERROR, "failback is not set; set failback: delay", id="without failback"),
        pytest.param("delay", "999999h", Severity.WARNING, '"999999h" is 41667 days; to keep', id="114 years"),
    ],
)
def test_a_delay_that_cannot_be_meant_is_told_with_what_would_be_right(
    policy: str | None, delay: str, severity: Severity, told: str
) -> None:
    found = Findings(ObjectKey("L2Advertisement", "metallb-system", "a"))
    resolve_failback(policy, delay, found)
    assert [problem.severity for problem in found.problems] == [severity]
    assert told in found.problems[0].message


def test_a_delay_of_a_week_is_nothing_unusual() -> None:
    found = Findings(ObjectKey("L2Advertisement", "metallb-system", "a"))
    assert resolve_failback("delay", "168h", found) == 168 * 3600
    assert not found.problems
