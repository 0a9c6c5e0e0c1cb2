"""What is shown of logs when a claim does not hold."""

import pytest

from herald.lab.data_centre import readable


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param(
            '{"level":"warn","msg":"no BGP session","ts":"2026-11-21T09:34:55.149Z","event":"sessionFailed"}',
            "09:34:55.149  warn   no BGP session",
            id="a line of Herald's log",
        ),
        pytest.param("Traceback (most recent call last):", "Traceback (most recent call last):", id="a traceback"),
        pytest.param('{"other": 1}', '{"other": 1}', id="JSON of somebody else"),
        pytest.param("7", "7", id="a number"),
    ],
)
def test_log_lines_are_told_for_people(line: str, told: str) -> None:
    assert readable(line) == told
