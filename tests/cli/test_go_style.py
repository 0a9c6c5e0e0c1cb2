"""The arguments of MetalLB's manifests, in every spelling that Go's flag package takes."""

import pytest

from herald.cli.go_style import translated

FLAGS, OTHERS = frozenset({"ml-wan-config", "help"}), frozenset({"port", "node-name"})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["-port", "9120"], ["--port", "9120"], id="one dash"),
        pytest.param(["-port=9120"], ["--port=9120"], id="one dash and a value"),
        pytest.param(["--port=9120"], ["--port=9120"], id="as click has it"),
        pytest.param(["-node-name", "-port"], ["--node-name", "-port"], id="a value that looks like an option"),
        pytest.param(["--ml-wan-config=true"], ["--ml-wan-config"], id="switch on"),
        pytest.param(["-ml-wan-config=false", "-port=1"], ["--port=1"], id="switch off"),
        pytest.param(["--ml-wan-config=maybe"], ["--ml-wan-config=maybe"], id="left to click to complain about"),
        pytest.param(["-n", "x"], ["-n", "x"], id="short option"),
        pytest.param(["-unknown"], ["-unknown"], id="unknown"),
        pytest.param(["--", "-port"], ["--", "-port"], id="after the end of options"),
        pytest.param(["-port"], ["--port"], id="value missing"),
    ],
)
def test_options_in_the_style_of_go(given: list[str], expected: list[str]) -> None:
    assert translated(given, FLAGS, OTHERS) == expected
