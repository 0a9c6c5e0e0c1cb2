"""Layer 2's options of the running commands: what reaches the engine."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from herald.cli.layer2_options import layer2_words
from herald.cli.main import main
from herald.engine import options

NOTHING = {"gratuitous_arp_interval": None, "self_probe_interval": None, "probe_before_announcing": False}


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(None, None), ("0", None), ("60", 60.0), ("5m", 300.0)],
)
def test_the_interval_reaches_the_engine(given: str | None, seconds: float | None) -> None:
    words = [word.removeprefix("--engine=") for word in layer2_words(NOTHING | {"gratuitous_arp_interval": given})]
    assert options.parse(["--node-name=n1", "--link-fd=3", *words]).gratuitous_interval == seconds


@pytest.mark.parametrize(("given", "seconds"), [(None, 3.0), ("0", None), ("10s", 10.0)])
def test_the_interval_of_self_probes_reaches_the_engine(given: str | None, seconds: float | None) -> None:
    words = layer2_words(NOTHING | {"self_probe_interval": given})
    parsed = options.parse(["--node-name=n1", "--link-fd=3", *(word.removeprefix("--engine=") for word in words)])
    assert parsed.self_probe_interval == seconds


@pytest.mark.parametrize("wanted", [True, False])
def test_whether_addresses_are_probed_first_reaches_the_engine(wanted: bool) -> None:
    words = layer2_words(NOTHING | {"probe_before_announcing": wanted})
    parsed = options.parse(["--node-name=n1", "--link-fd=3", *(word.removeprefix("--engine=") for word in words)])
    assert parsed.probe_first is wanted


@pytest.mark.parametrize("command", ["speaker", "standalone"])
def test_an_interval_that_cannot_be_is_refused_at_once(tmp_path: Path, command: str) -> None:
    words = [command, f"--config={tmp_path}", "--node-name=n1", "--gratuitous-arp-interval=10ms"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "write seconds, or e.g. 90s or 5m, from 1s to 24h, or 0 for never" in " ".join(done.output.split())


def test_metallb_s_environment_variable_counts(tmp_path: Path) -> None:
    environment = {"METALLB_GRATUITOUS_ARP_INTERVAL": "soon"}
    done = CliRunner().invoke(main, ["speaker", f"--config={tmp_path}", "--node-name=n1"], env=environment)
    assert done.exit_code == 2
    assert "'soon' is no interval" in " ".join(done.output.split())
