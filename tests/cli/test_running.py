"""What the running commands refuse before anything is started."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from herald.cli.main import main


@pytest.mark.parametrize(
    "command", [["speaker", "--node-name=n1"], ["controller"], ["standalone"]], ids=lambda words: str(words[0])
)
@pytest.mark.parametrize(
    ("option", "words"),
    [
        pytest.param("--tls-min-version=1.3", "VersionTLS12 or VersionTLS13 is needed", id="TLS version"),
        pytest.param("--tls-cipher-suites=RC4", "TLS_ECDHE", id="cipher"),
        pytest.param("--metrics-address=here", "does not appear to be an IPv4 or IPv6 address", id="address"),
        pytest.param("--port=70000", "70000 is not in the range", id="port"),
    ],
)
def test_an_option_that_cannot_be_kept_is_refused_at_once(
    tmp_path: Path, command: list[str], option: str, words: str
) -> None:
    done = CliRunner().invoke(main, [*command, f"--config={tmp_path}", option])
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


@pytest.mark.parametrize(
    "words",
    [["--port=9120", "--controller-port=9120"], ["--health-probe-port=9120", "--controller-port=9120"]],
    ids=["two metrics", "metrics and probes"],
)
def test_two_servers_on_one_port_are_refused_at_once(tmp_path: Path, words: list[str]) -> None:
    done = CliRunner().invoke(main, ["standalone", f"--config={tmp_path}", *words])
    assert done.exit_code == 2
    assert "port 9120 is given to more than one" in " ".join(done.output.split())


@pytest.mark.parametrize("command", [["speaker", "--node-name=n1"], ["standalone"]], ids=" ".join)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--ml-bindaddr=192.0.2.1", "--ml-join=node 2"], "expected addresses or names such", id="no name"),
        pytest.param(["--ml-bindaddr=192.0.2.1", "--ml-join=fc00::2"], "cannot be reached from", id="IPv6 from IPv4"),
        pytest.param(["--ml-join=192.0.2.2"], "--ml-join needs --ml-bindaddr", id="no address of its own"),
        pytest.param(["--ml-bindaddr=192.0.2.1"], "--ml-bindaddr with --config needs --ml-join", id="nobody to join"),
        pytest.param(
            ["--ml-secret-key-path=/k"], "--ml-secret-key-path with --config needs --ml-join", id="secret alone"
        ),
    ],
)
def test_where_gossip_finds_the_others_is_checked_at_once(
    tmp_path: Path, command: list[str], words: list[str], told: str
) -> None:
    done = CliRunner().invoke(main, [*command, f"--config={tmp_path}", *words])
    assert done.exit_code == 2
    assert told in " ".join(done.output.split())


@pytest.mark.parametrize(
    "command",
    [["speaker", "--node-name=n1"], ["speaker", "--node-name=n1", "--config=."], ["standalone", "--config=."]],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(
            ["--ml-bindaddr=foo"],
            '"foo" is no IP address; the others are told this address: it must be this node\'s own',
            id="a word",
        ),
        pytest.param(["--ml-bindaddr=0.0.0.0"], "0.0.0.0 is not the address of one host", id="every IPv4 address"),
        pytest.param(["--ml-bindaddr=::"], ":: is not the address of one host", id="every IPv6 address"),
        pytest.param(["--ml-bindaddr=239.1.1.1"], "is not the address of one host", id="multicast"),
        pytest.param(["--ml-bindaddr=192.0.2.1", "--ml-bindport=0"], "0 is not in the range 1<=x<=65535", id="port 0"),
        pytest.param(["--ml-bindaddr=192.0.2.1", "--ml-bindport=70000"], "70000 is not in the range", id="port 70000"),
    ],
)
def test_where_gossip_is_to_happen_is_checked_at_once(command: list[str], words: list[str], told: str) -> None:
    done = CliRunner().invoke(main, [*command, *words, "--ml-secret-key-path=/k"])
    assert done.exit_code == 2
    assert told in " ".join(done.output.split())


def test_in_a_cluster_gossip_asks_for_pods_and_takes_no_list() -> None:
    words = ["speaker", "--node-name=n1", "--ml-bindaddr=192.0.2.1", "--ml-join=192.0.2.2"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "--ml-join goes with --config" in " ".join(done.output.split())
