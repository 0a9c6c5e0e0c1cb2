"""`python -m benchmarks [NAME…]`: measure and print; a run of all of them also writes benchmarks/RESULTS.md.

`--write` puts the sections of a run of some of them into RESULTS.md, in place of those of an earlier run.
"""

import importlib
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figure import table

SECTIONS = {
    "decisions": "Deciding",
    "bgp_tables": "Tables of routes to fresh routers",
    "one_route": "From a wish to bytes",
    "speaker": "A speaker at work",
    "kube": "In a cluster, on a real API server",
    "bfd": "BFD",
}
WRITE = "--write"
RESULTS = Path(__file__).parent / "RESULTS.md"


def main(words: list[str]) -> int:
    names = [word for word in words if word != WRITE]
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    sections = {}
    for name in names or SECTIONS:
        sections[name] = table(SECTIONS[name], importlib.import_module(f"benchmarks.{name}").measure())
        print(sections[name], flush=True)
    if WRITE in words or not names:
        known = _written() | {SECTIONS[name]: text for name, text in sections.items()}
        titles = [title for title in SECTIONS.values() if title in known]
        RESULTS.write_text("\n".join([_head(), *(known[title] for title in dict.fromkeys([*titles, *known]))]))
        print(f"written to {RESULTS}")
    return 0


def _written() -> dict[str, str]:
    """The sections of earlier runs by title; also those of benchmarks that are run by themselves."""
    texts = RESULTS.read_text().split("\n## ")[1:] if RESULTS.exists() else []
    return {text.partition("\n")[0]: f"## {text.strip()}\n" for text in texts}


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
