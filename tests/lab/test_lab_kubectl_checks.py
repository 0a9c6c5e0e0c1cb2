"""What kubectl prints is read as people read it: columns by their headings, empty cells too."""

import pytest

from herald.lab import kubectl_checks
from herald.lab.process import Result
from herald.lab.proof import Check

TABLES = """\
NAME                                           AUTO ASSIGN   ADDRESSES
ipaddresspool.metallb.io/dual-advertise-pool   true          ["192.168.1.200-192.168.1.210"]

NAME                                 ADDRESS       ASN     BFD PROFILE   SESSIONS
bgppeer.metallb.io/upstream-router   192.168.1.1   64501                 3/3
"""


def printed(text: str, code: int = 0) -> Result:
    return Result(("kubectl",), code, text, "", 0.1)


def test_every_row_of_every_table_is_read_with_its_empty_cells() -> None:
    pool, peer = kubectl_checks.rows(TABLES)
    assert pool["AUTO ASSIGN"] == "true"
    assert (peer["BFD PROFILE"], peer["SESSIONS"]) == ("", "3/3")


@pytest.mark.parametrize(
    ("check", "holds", "seen"),
    [
        (kubectl_checks.column("SESSIONS", {"upstream-router": "3/3"}), True, "upstream-router 3/3"),
        (kubectl_checks.column("SESSIONS", {"upstream-router": "2/3"}), False, "upstream-router 3/3"),
        (kubectl_checks.column("SESSIONS", {"other": "3/3"}), False, "other no such row"),
        (
            kubectl_checks.names({"upstream-router", "dual-advertise-pool"}),
            True,
            "dual-advertise-pool, upstream-router",
        ),
        (kubectl_checks.names({"upstream-router", "spare"}), False, "no spare"),
        (kubectl_checks.says("3/3", "64501"), True, "bgppeer.metallb.io/upstream-router 192.168.1.1 64501 3/3"),
        (kubectl_checks.says("3/3", "64999"), False, TABLES.strip()),
        (kubectl_checks.lines_with("nobody"), False, f"no nobody in: {TABLES.strip()}"),
    ],
    ids=["cell", "other-cell", "no-row", "names", "missing-name", "says", "does-not-say", "line-without-word"],
)
def test_a_claim_about_a_table_holds_or_tells_what_is_there(check: Check, holds: bool, seen: str) -> None:
    found = check(printed(TABLES))
    assert (found.holds, found.text) == (holds, seen)


def test_no_output_is_no_line() -> None:
    assert not kubectl_checks.lines_with("x")(printed("", 1)).holds
    assert not kubectl_checks.says("x")(printed("", 1)).holds
