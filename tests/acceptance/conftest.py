"""How acceptance cases run: the real command line, in this process, on real files."""

import json
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest
from click.testing import CliRunner

from herald.cli.main import main

sys.path.insert(0, str(Path(__file__).parent))


class PlanCommand(Protocol):
    def __call__(self, *objects: dict[str, Any], args: tuple[str, ...] = ()) -> dict[str, Any]: ...


@pytest.fixture
def plan(tmp_path: Path) -> PlanCommand:
    """`herald plan -o json` over the given objects, one file each; returns the parsed document."""

    def run(*objects: dict[str, Any], args: tuple[str, ...] = ()) -> dict[str, Any]:
        for number, manifest in enumerate(objects):
            # JSON is YAML; the file name keeps the order in which the case gives its objects.
            (tmp_path / f"{number:03}.yaml").write_text(json.dumps(manifest))
        result = CliRunner().invoke(main, ["plan", "-f", str(tmp_path), "-o", "json", *args])
        assert result.exit_code == 0, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    return run
