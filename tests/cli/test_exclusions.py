"""The exclusion list, from its file to the arguments of the engine."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from herald.cli.exclusions import ExclusionFileError, read, supervisor_words
from herald.cli.main import main
from herald.engine import options
from herald.layer2.link import DEFAULT_EXCLUSIONS
from herald.speaker import supervisor


def engine_exclusions(words: list[str]) -> tuple[str, ...]:
    """What the engine excludes if the supervisor is started with these words."""
    given = supervisor.parser().parse_args(["--node-name", "n1", *words])
    engine, _ = supervisor.children(given, 7, Path("/run/link"))
    return options.parse(engine.command[3:]).exclude_interfaces


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        pytest.param('announcedInterfacesToExclude: ["^docker.*", "^lo$"]', ("^docker.*", "^lo$"), id="two patterns"),
        pytest.param("announcedInterfacesToExclude: []", (), id="an empty list excludes nothing"),
        pytest.param("announcedInterfacesToExclude:", (), id="no list excludes nothing"),
        pytest.param("", (), id="an empty file excludes nothing"),
    ],
)
def test_what_the_file_says_reaches_the_engine(tmp_path: Path, text: str, patterns: tuple[str, ...]) -> None:
    file = tmp_path / "excludel2.yaml"
    file.write_text(text)
    assert read(file, needed=True) == patterns
    assert engine_exclusions(supervisor_words(file)) == patterns


def test_without_a_file_the_shipped_list_is_in_force(tmp_path: Path) -> None:
    assert read(tmp_path / "none.yaml", needed=False) is None
    assert engine_exclusions([]) == DEFAULT_EXCLUSIONS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("announcedInterfacesToExclude: [", "is not YAML", id="no YAML"),
        pytest.param("- ^lo$", "a mapping with the key announcedInterfacesToExclude is needed", id="a list"),
        pytest.param("announcedInterfacesToExclude: ^lo$", "must be a list of regular expressions", id="one word"),
        pytest.param("announcedInterfacesToExclude: [1]", "must be a list of regular expressions", id="a number"),
        pytest.param('announcedInterfacesToExclude: ["(eth"]', '"(eth" is not a regular expression', id="no regex"),
    ],
)
def test_a_list_that_cannot_be_used_is_named_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "excludel2.yaml"
    file.write_text(text)
    with pytest.raises(ExclusionFileError) as refused:
        read(file, needed=False)
    assert str(file) in refused.value.message
    assert says in refused.value.message


def test_doctor_calls_a_list_it_cannot_use_no_error_of_the_host(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", "--exclude-interfaces-file", str(tmp_path / "nope")])
    assert result.exit_code == 2
    assert "there is no such file" in result.output


@pytest.mark.parametrize("command", [["speaker", "--node-name", "n1"], ["standalone"]], ids=["speaker", "standalone"])
@pytest.mark.parametrize("text", [None, 'announcedInterfacesToExclude: ["(eth"]'], ids=["not there", "bad pattern"])
def test_a_speaker_does_not_start_with_a_list_it_cannot_use(
    tmp_path: Path, command: list[str], text: str | None
) -> None:
    file = tmp_path / "excludel2.yaml"
    if text is not None:
        file.write_text(text)
    words = [*command, "--config", str(tmp_path), "--exclude-interfaces-file", str(file)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert str(file) in result.output
