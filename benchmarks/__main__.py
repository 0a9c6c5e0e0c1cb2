"""`python -m benchmarks [NAME…]`: measure and print; a run of all of them also writes benchmarks/RESULTS.md."""

import importlib
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figure import table

SECTIONS = {
    "decisions": "Deciding",
    "peer_table": "A table of routes to a fresh router",
    "speaker": "A speaker at work",
}
RESULTS = Path(__file__).parent / "RESULTS.md"


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    sections = []
    for name in names or SECTIONS:
        sections.append(table(SECTIONS[name], importlib.import_module(f"benchmarks.{name}").measure()))
        print(sections[-1], flush=True)
    if not names:
        RESULTS.write_text("\n".join([_head(), *sections]))
        print(f"written to {RESULTS}")
    return 0


def _head() -> str:
    when = datetime.now(UTC).date().isoformat()
    return (
        "# Results of one run\n\n"
        "Written by `make bench`. Budgets are those of the design; “Used” is the share of the budget. Figures are\n"
        "medians where a range is given.\n\n"
        f"{when}, Python {platform.python_version()}, Linux {platform.release()}, {platform.machine()}, 2 cores.\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
