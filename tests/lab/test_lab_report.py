"""What a run looks like, and what is true of it when a claim does not hold."""

import io
import json
import time

import pytest

from herald.lab.process import Result
from herald.lab.proof import Command, Outcome, Proof, RefutedError, Seen, Table
from herald.lab.report import Report, Silence, as_json, duration

YES = Command(("true",), "client$ true")


def outcome(title: str, seen: Seen, shown: str = "client$ curl http://192.168.1.200") -> Outcome:
    return Outcome(title, Command(("curl", "http://192.168.1.200"), shown, "client"), "a name", seen, 0.012)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0004, "0 ms"),
        (0.0123, "12 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.9, "59.9 s"),
        (65.2, "1 min 05 s"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def told(width: int, *outcomes: Outcome) -> list[str]:
    out = io.StringIO()
    report = Report(out, width=width)
    for one in outcomes:
        report.proven(one)
    return out.getvalue().splitlines()


SERVED = outcome("a remote client is served", Seen(True, "answered by node-2"))
SHORT = outcome("short", Seen(True, "as said", obvious=True))
LONG = outcome("the local client noticed nothing", Seen(True, "255 requests, 0 failed, longest wait 17 ms"))
FOLDED = outcome("x " * 60 + "end", Seen(True, "y"), "client$ " + "z " * 70 + "last")


def test_on_a_wide_terminal_claim_command_and_time_stand_in_columns() -> None:
    first, second = told(120, SERVED, SHORT)
    assert first.startswith("  ✓ a remote client is served: answered by node-2 ")
    assert first.index("client$") == second.index("client$")
    assert [(len(line), line[-5:]) for line in (first, second)] == [(120, "12 ms")] * 2


def test_what_a_title_says_already_is_not_said_twice() -> None:
    assert "as said" not in "".join(told(120, SHORT))


@pytest.mark.parametrize("width", [60, 80, 100])
def test_on_a_narrow_terminal_every_command_has_a_line_of_its_own(width: int) -> None:
    lines = told(width, SERVED, SHORT)
    assert [line.strip() for line in lines[1::2]] == ["client$ curl http://192.168.1.200"] * 2
    assert [(len(line), line[-5:]) for line in lines[::2]] == [(width, "12 ms")] * 2


@pytest.mark.parametrize("width", [60, 80, 100, 120, 150])
def test_nothing_is_ever_cut_and_no_line_is_too_long(width: int) -> None:
    for one in (SERVED, SHORT, LONG, FOLDED):
        lines = told(width, one)
        words = " ".join(lines).split()
        assert max(map(len, lines)) <= width
        assert [word for word in one.title.split() if word.strip(":") not in {w.strip(":") for w in words}] == []
        assert [word for word in one.command.shown.split() if word not in words] == []
        assert lines[0].endswith("12 ms")


def test_a_claim_that_does_not_hold_shows_everything_needed_to_see_why() -> None:
    out = io.StringIO()
    Report(out, width=100).refuted(outcome("served", Seen(False, "timed out")), ["speaker-node-1: a line"])
    text = out.getvalue()
    for piece in ("✗ served", "a name", "timed out", "ip netns exec client curl http://192.168.1.200", "a line"):
        assert piece in text


def test_no_colour_and_no_passing_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    report = Report(out, width=100)
    report.section("Step 1", "a note")
    report.trying("served", YES)
    report.act("$ kubectl apply")
    assert "\033" not in out.getvalue()
    assert out.getvalue() == "\nStep 1\n  a note\n  $ kubectl apply\n"


async def test_a_claim_is_asked_until_it_holds() -> None:
    asked = []

    def third_time(_result: Result) -> Seen:
        asked.append(1)
        return Seen(len(asked) == 3, "asked")

    proof = Proof(Silence(), list)
    proof.section("Step 1")
    await proof.that("in the end", YES, "the third answer", third_time)
    assert (len(asked), proof.holds) == (3, True)


async def test_the_first_claim_that_does_not_hold_ends_the_run() -> None:
    out = io.StringIO()
    proof = Proof(Report(out, width=100), lambda: ["controller: the reason"])
    proof.section("Step 1")
    await proof.that("holds", YES, "anything", lambda _result: Seen(True, "yes"))
    with pytest.raises(RefutedError):
        await proof.that("does not", YES, "something else", lambda _result: Seen(False, "this"), within=0)
    assert not proof.holds
    assert "the reason" in out.getvalue()


async def test_time_is_measured_from_the_change_when_it_is_given() -> None:
    proof = Proof(Silence(), list)
    proof.section("Step 1")
    await proof.that("later", YES, "", lambda _result: Seen(True, "yes"), since=time.monotonic() - 100)
    assert proof.outcomes[0].seconds > 100


async def test_a_run_as_json() -> None:
    proof = Proof(Silence(), list)
    proof.section("Step 1")
    await proof.that("holds", YES, "anything", lambda _result: Seen(True, "this"))
    document = json.loads(json.dumps(as_json("dual", proof, 1.5)))
    assert (document["scenario"], document["ok"], document["error"]) == ("dual", True, None)
    (claim,) = document["sections"][0]["claims"]
    assert {key: claim[key] for key in ("title", "command", "expected", "seen", "ok")} == {
        "title": "holds",
        "command": "true",
        "expected": "anything",
        "seen": "this",
        "ok": True,
    }
    assert as_json("dual", proof, 1.5, ended_early="interrupted")["ok"] is False


TABLE = Table(
    ("Fault", "Lost", "Why"), [("link down", "64", "until BFD noticed | 155 ms"), ("drain", "0", "word " * 30)]
)


def test_a_table_has_columns_and_folds_the_last() -> None:
    out = io.StringIO()
    Report(out, width=60).table(TABLE)
    lines = out.getvalue().splitlines()[1:]
    assert lines[0].split() == ["Fault", "Lost", "Why"]
    assert {line.index(word) for line, word in zip(lines, ("Lost", "64", "0"), strict=False)} == {13}
    assert "".join(lines).count("word") == 30
    assert max(map(len, lines)) <= 60


def test_a_table_is_markdown_and_json_too() -> None:
    lines = TABLE.to_markdown().splitlines()
    assert lines[:2] == ["| Fault | Lost | Why |", "| --- | --- | --- |"]
    assert lines[2] == r"| link down | 64 | until BFD noticed \| 155 ms |"
    assert TABLE.to_json()[0] == {"Fault": "link down", "Lost": "64", "Why": "until BFD noticed | 155 ms"}


def test_what_was_measured_is_in_the_json_of_a_run() -> None:
    proof = Proof(Silence(), list)
    assert "measured" not in as_json("dual", proof, 1.0)
    proof.table = TABLE
    assert as_json("traffic", proof, 1.0)["measured"] == TABLE.to_json()
