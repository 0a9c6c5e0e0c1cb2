"""What a run looks like, and what is true of it when a claim does not hold."""

import io
import json
import time

import pytest

from herald.lab.process import Result
from herald.lab.proof import Command, Outcome, Proof, RefutedError, Seen
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


def test_a_claim_is_one_aligned_line() -> None:
    out = io.StringIO()
    report = Report(out, width=100)
    report.proven(outcome("a remote client is served", Seen(True, "answered by node-2")))
    report.proven(outcome("short", Seen(True)))
    first, second = out.getvalue().splitlines()
    assert first.startswith("  ✓ a remote client is served: answered by node-2")
    assert first.index("client$") == second.index("client$")
    assert (len(first), first[-5:]) == (100, "12 ms")
    assert len(second) == 100


def test_a_command_that_does_not_fit_is_cut_and_a_claim_never_is() -> None:
    out = io.StringIO()
    Report(out, width=80).proven(outcome("x" * 60, Seen(True), "client$ " + "y" * 60))
    (line,) = out.getvalue().splitlines()
    assert "x" * 60 in line
    assert line.endswith("12 ms")


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
        return Seen(len(asked) == 3)

    proof = Proof(Silence(), list)
    proof.section("Step 1")
    await proof.that("in the end", YES, "the third answer", third_time)
    assert (len(asked), proof.holds) == (3, True)


async def test_the_first_claim_that_does_not_hold_ends_the_run() -> None:
    out = io.StringIO()
    proof = Proof(Report(out, width=100), lambda: ["controller: the reason"])
    proof.section("Step 1")
    await proof.that("holds", YES, "anything", lambda _result: Seen(True))
    with pytest.raises(RefutedError):
        await proof.that("does not", YES, "something else", lambda _result: Seen(False, "this"), within=0)
    assert not proof.holds
    assert "the reason" in out.getvalue()


async def test_time_is_measured_from_the_change_when_it_is_given() -> None:
    proof = Proof(Silence(), list)
    proof.section("Step 1")
    await proof.that("later", YES, "", lambda _result: Seen(True), since=time.monotonic() - 100)
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
