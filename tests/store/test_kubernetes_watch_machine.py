"""List and watch as a table of requests, answers and facts, and as a property of cut streams."""

import json
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.store.kubernetes.watch_events import (
    SILENCE_S,
    Chunk,
    Cut,
    Effect,
    Ended,
    Event,
    Fetch,
    Follow,
    Following,
    ListBegun,
    ListEnded,
    Opened,
    PageCame,
    Present,
    Put,
    Refused,
    Remove,
    Trouble,
)
from herald.store.kubernetes.watch_machine import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    MOST_REFUSALS,
    PAGE,
    STEADY_S,
    WATCH_S,
    Phase,
    WatchMachine,
)

GONE = Refused(410, "Expired", "too old resource version")
FORBIDDEN = Refused(403, "Forbidden", 'cannot list resource "nodes"')
BROKEN = Refused(500, "InternalError", "etcd")


def thing(name: str, version: int) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "default", "uid": f"u-{name}", "resourceVersion": str(version)}}


def page(version: int, *names: str, more: str = "") -> PageCame:
    items = [thing(name, version) for name in names]
    return PageCame(
        json.dumps({"metadata": {"resourceVersion": str(version), "continue": more}, "items": items}).encode()
    )


def line(type_: str, content: object) -> bytes:
    return json.dumps({"type": type_, "object": content}).encode() + b"\n"


def gone_line() -> bytes:
    return line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})


def told(effects: Iterable[Effect]) -> list[object]:
    """Effects as short words."""
    words: list[object] = []
    for effect in effects:
        match effect:
            case Present(identity):
                words.append(("present", identity.name))
            case Put(identity):
                words.append(("put", identity.name))
            case Remove(identity):
                words.append(("remove", identity.name))
            case Fetch(params):
                words.append(("fetch", params.get("continue", ""), params.get("limit")))
            case Follow(params):
                words.append(("follow", params["resourceVersion"]))
            case Trouble(cause, doing):
                words.append(("trouble", doing, cause))
            case _:
                words.append(type(effect))
    return words


def following(version: int = 100) -> WatchMachine:
    """A machine that follows since second 0."""
    machine = WatchMachine(random.Random(1))
    machine.wake(0.0)
    machine.handle(page(version, "a"), 0.0)
    machine.handle(Opened(), 0.0)
    return machine


def test_first_everything_is_listed_and_then_watched() -> None:
    machine = WatchMachine(random.Random(1))
    assert machine.deadline() == 0.0
    assert told(machine.wake(0.0)) == [ListBegun, ("fetch", "", PAGE)]
    assert told(machine.handle(page(100, "a", "b", more="token"), 0.0)) == [
        ("present", "a"),
        ("present", "b"),
        ("fetch", "token", PAGE),
    ]
    assert told(machine.handle(page(100, "c"), 0.0)) == [("present", "c"), ListEnded, ("follow", "100")]
    assert told(machine.handle(Opened(), 0.0)) == [Following]
    assert machine.snapshot().phase is Phase.FOLLOWING
    assert machine.deadline() is None


def test_a_watch_asks_for_bookmarks_and_ends_at_a_random_time() -> None:
    seconds = set()
    for seed in range(20):
        machine = WatchMachine(random.Random(seed))
        machine.wake(0.0)
        *_, follow = machine.handle(page(7), 0.0)
        assert isinstance(follow, Follow)
        assert follow.params["allowWatchBookmarks"] is True
        assert follow.params["watch"] is True
        assert follow.silence_s == SILENCE_S < WATCH_S
        seconds.add(follow.params["timeoutSeconds"])
    assert all(isinstance(each, int) and WATCH_S <= each <= 2 * WATCH_S for each in seconds)
    assert len(seconds) > 10


@pytest.mark.parametrize("items", ['"items": null', '"items": []', '"kind": "ServiceList"'])
def test_an_empty_list_may_be_written_in_several_ways(items: str) -> None:
    machine = WatchMachine(random.Random(1))
    machine.wake(0.0)
    body = f'{{"metadata": {{"resourceVersion": "5"}}, {items}}}'.encode()
    assert told(machine.handle(PageCame(body), 0.0)) == [ListEnded, ("follow", "5")]


STEADY, YOUNG = STEADY_S + 1, STEADY_S - 1
RESUME_106, RELIST = [("follow", "106")], [ListBegun, ("fetch", "", PAGE)]
EVENTS = line("ADDED", thing("b", 103)) + line("BOOKMARK", thing("", 106))


@pytest.mark.parametrize(
    ("end", "at", "expected"),
    [
        pytest.param(Ended(), STEADY, RESUME_106, id="clean end of a long stream: resumed at once"),
        pytest.param(Ended(), YOUNG, [], id="clean end of a short stream: resumed after a pause"),
        pytest.param(Cut("reset"), STEADY, RESUME_106, id="reset of a long stream: resumed at once"),
        pytest.param(
            Cut("reset"), YOUNG, [("trouble", "watch", Cut("reset"))], id="reset of a short stream: trouble, a pause"
        ),
        pytest.param(Chunk(gone_line()), STEADY, RELIST, id="ERROR 410: a new list"),
        pytest.param(Chunk(gone_line()), YOUNG, RELIST, id="ERROR 410 early: a new list as well"),
        pytest.param(
            Chunk(line("ERROR", {"code": 422, "reason": "Invalid", "message": "x"})),
            STEADY,
            [("trouble", "watch", Refused(422, "Invalid", "x"))],
            id="ERROR of another code: trouble, a pause",
        ),
        pytest.param(Chunk(line("BOOKMARK", thing("", 50))), STEADY, RELIST, id="an older version: data was restored"),
    ],
)
def test_a_stream_that_ends_is_resumed_behind_the_last_event(end: Event, at: float, expected: list[object]) -> None:
    machine = following()
    assert told(machine.handle(Chunk(EVENTS), 1.0)) == [("put", "b")]
    effects = machine.handle(end, at)
    assert told(effects) == expected
    assert not machine.is_following
    if not any(isinstance(each, Fetch | Follow) for each in effects):
        due = machine.deadline()
        assert due is not None
        assert at < due <= at + LONGEST_PAUSE_S
        assert machine.wake(at) == []
        assert told(machine.wake(due)) == RESUME_106


@pytest.mark.parametrize("outage", [Cut("refused"), BROKEN], ids=["refused", "HTTP 500"])
@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param(100, [("follow", "100")], id="nothing happened meanwhile"),
        pytest.param(900, [("follow", "100")], id="something did"),
        pytest.param(99, RELIST, id="restored from a backup: only a list can tell what there is"),
    ],
)
def test_after_an_outage_it_is_asked_first_how_far_the_server_is(
    outage: Event, version: int, expected: list[object]
) -> None:
    machine = following()
    machine.handle(Ended(), STEADY)
    assert told(machine.handle(outage, STEADY)) == [("trouble", "watch", outage)]
    due = machine.deadline() or 0.0
    assert told(machine.wake(due)) == [("fetch", "", 1)]
    assert told(machine.handle(outage, due)) == [("trouble", "list", outage)]
    due = machine.deadline() or 0.0
    assert told(machine.wake(due)) == [("fetch", "", 1)]
    assert told(machine.handle(page(version, "any", more="more"), due)) == expected


def test_http_410_and_error_410_lead_to_the_same() -> None:
    by_http, by_event = following(), following()
    by_http.handle(Ended(), STEADY)
    assert told(by_http.handle(GONE, STEADY)) == told(by_event.handle(Chunk(gone_line()), STEADY)) == RELIST
    assert by_http.snapshot() == by_event.snapshot()


def test_a_version_that_is_forgotten_again_at_once_is_not_listed_in_a_loop() -> None:
    machine = following()
    machine.handle(Chunk(gone_line()), STEADY)
    machine.handle(page(200), STEADY)
    assert machine.handle(GONE, STEADY) == []
    due = machine.deadline()
    assert due is not None
    assert due > STEADY
    assert told(machine.wake(due)) == RELIST


def test_after_the_end_of_a_list_what_follows_is_new() -> None:
    machine = following()
    assert told(machine.handle(Chunk(gone_line()), 1.0)) == RELIST
    assert told(machine.handle(page(300, "z"), 1.0)) == [("present", "z"), ListEnded, ("follow", "300")]


def test_a_page_that_expires_starts_the_list_anew_and_then_it_is_read_in_one_piece() -> None:
    machine = WatchMachine(random.Random(1))
    machine.wake(0.0)
    machine.handle(page(100, "a", more="one"), 0.0)
    assert told(machine.handle(GONE, 0.0)) == RELIST
    machine.handle(page(101, "a", more="two"), 0.0)
    assert machine.handle(GONE, 0.0) == []
    due = machine.deadline()
    assert due is not None
    assert told(machine.wake(due)) == [ListBegun, ("fetch", "", None)]
    machine.handle(page(102, "a"), due)
    assert machine.snapshot().version == "102"


def test_a_list_that_is_cut_goes_on_from_the_page_it_was_at() -> None:
    machine = WatchMachine(random.Random(1))
    machine.wake(0.0)
    machine.handle(page(100, "a", more="one"), 0.0)
    assert told(machine.handle(Cut("reset"), 0.0)) == [("trouble", "list", Cut("reset"))]
    due = machine.deadline()
    assert due is not None
    assert told(machine.wake(due)) == [("fetch", "one", PAGE)]


def test_pauses_grow_to_a_bound_with_jitter() -> None:
    machine, now, pauses = WatchMachine(random.Random(3)), 0.0, []
    for _ in range(12):
        machine.wake(now)
        machine.handle(Cut("refused"), now)
        due = machine.deadline()
        assert due is not None
        pauses.append(due - now)
        now = due
    assert pauses[0] <= 0.5
    assert all(0.25 <= pause <= LONGEST_PAUSE_S for pause in pauses)
    assert min(pauses[6:]) >= LONGEST_PAUSE_S / 2
    assert len(set(pauses)) == len(pauses)


def test_a_long_stream_makes_past_failures_forgotten() -> None:
    machine = WatchMachine(random.Random(3))
    now = 0.0
    for _ in range(8):
        machine.wake(now)
        machine.handle(Cut("refused"), now)
        now = machine.deadline() or 0.0
    machine.wake(now)
    machine.handle(page(5), now)
    machine.handle(Opened(), now)
    assert machine.snapshot().failures == 8
    machine.handle(Ended(), now + STEADY)
    assert machine.snapshot().failures == 0


def silent_for(machine: WatchMachine, attempts: int) -> float:
    """After a steady stream nobody answers so many attempts; the instant of the next."""
    machine.handle(Ended(), STEADY)
    now = STEADY
    for _ in range(attempts):
        machine.handle(Cut("refused"), now)
        now = machine.deadline() or 0.0
        machine.wake(now)
    return now


def test_a_server_that_has_just_come_back_is_asked_again_soon_though_it_refuses() -> None:
    machine = following()
    now = silent_for(machine, 10)
    machine.handle(FORBIDDEN, now)
    assert (machine.deadline() or 0.0) <= now + FIRST_PAUSE_S


def test_a_server_that_came_back_without_its_history_is_listed_at_once() -> None:
    machine = following()
    now = silent_for(machine, 10)
    assert told(machine.handle(page(100), now)) == [("follow", "100")]
    assert told(machine.handle(GONE, now)) == RELIST


def test_a_server_that_comes_and_goes_is_asked_ever_more_rarely() -> None:
    machine = following()
    now = silent_for(machine, 10)
    for _ in range(6):
        machine.handle(FORBIDDEN, now)
        now = machine.deadline() or 0.0
        machine.wake(now)
        machine.handle(Cut("refused"), now)
        now = machine.deadline() or 0.0
        machine.wake(now)
    machine.handle(FORBIDDEN, now)
    assert (machine.deadline() or 0.0) >= now + LONGEST_PAUSE_S / 2


def test_streams_that_end_early_but_bring_something_new_are_resumed_soon() -> None:
    machine, now = following(), 0.0
    for version in range(101, 120):
        machine.handle(Chunk(line("ADDED", thing("a", version))), now)
        machine.handle(Cut("reset"), now)
        due = machine.deadline()
        assert due is not None
        assert due <= now + FIRST_PAUSE_S
        now = due
        machine.wake(now)
        machine.handle(Opened(), now)


def test_a_watch_that_is_refused_for_whatever_reason_ends_in_a_list() -> None:
    machine = following()
    machine.handle(Ended(), STEADY)
    now, words = STEADY, []
    for _ in range(MOST_REFUSALS):
        words = told(machine.handle(Refused(504, "Timeout", "Too large resource version"), now))
        now = machine.deadline() or 0.0
        words += told(machine.wake(now))
    assert words[-2:] == RELIST


def test_who_may_not_list_tries_again_for_ever() -> None:
    machine, now = WatchMachine(random.Random(3)), 0.0
    for _ in range(20):
        assert ("fetch", "", PAGE) in told(machine.wake(now))
        assert told(machine.handle(FORBIDDEN, now)) == [("trouble", "list", FORBIDDEN)]
        now = machine.deadline() or 0.0


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>\n",
        line("ADDED", "text"),
        line("RENAMED", thing("a", 200)),
        line("ADDED", {"metadata": {"name": "a"}}),
        b'{"type": "ADDED"}\n',
    ],
)
def test_what_is_no_event_leads_to_a_new_list_after_a_pause(garbage: bytes) -> None:
    machine = following()
    (trouble,) = machine.handle(Chunk(garbage + line("ADDED", thing("never", 900))), STEADY)
    assert isinstance(trouble, Trouble)
    assert isinstance(trouble.cause, Cut)
    assert told(machine.wake(machine.deadline() or 0.0)) == RELIST


def test_a_page_that_is_none_is_asked_for_again() -> None:
    machine = WatchMachine(random.Random(1))
    machine.wake(0.0)
    (trouble,) = machine.handle(PageCame(b"404 page not found"), 0.0)
    assert isinstance(trouble, Trouble)
    assert told(machine.wake(machine.deadline() or 0.0)) == RELIST


EVENT = st.tuples(st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]), st.text(max_size=8))


@given(events=st.lists(EVENT, max_size=8), data=st.data())
def test_octets_may_be_cut_anywhere(events: list[tuple[str, str]], data: st.DataObject) -> None:
    stream = b"".join(line(type_, thing(name, 101 + index)) for index, (type_, name) in enumerate(events))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    whole, cut = following(), following()
    expected = whole.handle(Chunk(stream), 1.0)
    found: list[Effect] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += cut.handle(Chunk(stream[start:end]), 1.0)
    assert found == expected
    assert cut.snapshot() == whole.snapshot()


@given(names=st.lists(st.text(max_size=5), min_size=1, max_size=6), data=st.data())
def test_a_connection_may_break_anywhere_and_nothing_is_lost_or_told_twice(
    names: list[str], data: st.DataObject
) -> None:
    """The server goes on behind the version that the machine asks for, as a real one does."""
    events = [(101 + index, line("MODIFIED", thing(name, 101 + index))) for index, name in enumerate(names)]
    machine, now, asked, found = following(), 0.0, 100, []
    for _ in range(100):
        stream = b"".join(octets for version, octets in events if version > asked)
        cut = data.draw(st.integers(0, len(stream)))
        found += machine.handle(Chunk(stream[:cut]), now)
        now += STEADY
        (follow,) = machine.handle(Cut("reset"), now)
        assert isinstance(follow, Follow)
        asked = int(follow.params["resourceVersion"])
        machine.handle(Opened(), now)
        if asked == events[-1][0]:
            break
    else:
        found += machine.handle(Chunk(b"".join(octets for version, octets in events if version > asked)), now)
    assert told(found) == [("put", name) for name in names]


@given(octets=st.binary(max_size=60), at=st.integers(0, 400))
def test_whatever_octets_come_they_are_taken_or_lead_to_a_new_list(octets: bytes, at: int) -> None:
    machine = following()
    stream = EVENTS + line("DELETED", thing("c", 120))
    cut = at % len(stream)
    effects = machine.handle(Chunk(stream[:cut] + octets + stream[cut + len(octets) :]), 1.0)
    assert machine.is_following or machine.deadline() is not None or isinstance(effects[-1], Fetch)


@given(st.binary(max_size=60), st.integers(0, 400))
def test_whatever_page_comes_it_is_taken_or_asked_for_again(octets: bytes, at: int) -> None:
    machine = WatchMachine(random.Random(1))
    machine.wake(0.0)
    body = page(7, "a", "b").body
    cut = at % len(body)
    machine.handle(PageCame(body[:cut] + octets + body[cut + len(octets) :]), 0.0)
    assert machine.snapshot().phase in (Phase.OPENING, Phase.LISTING, Phase.WAITING)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"metadata": {}, "items": []}, id="a list"),
        pytest.param({"kind": "Status", "metadata": {}, "status": "Failure"}, id="a status"),
    ],
)
def test_a_list_without_a_version_is_no_list_of_an_api_server_and_takes_nothing_away(body: dict[str, object]) -> None:
    machine = WatchMachine(random.Random(1))
    machine.wake(0.0)
    found = machine.handle(PageCame(json.dumps(body).encode()), 0.0)
    assert [type(effect) for effect in found] == [Trouble]
    assert machine.snapshot().phase is Phase.WAITING
