"""Random histories of wishes, foreign edits and failing writes end in exactly what is wanted, and then in silence."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from herald.speaker.status_book import (
    ECHO_S,
    LONGEST_REVERT_S,
    MEMORY_S,
    SPACING_S,
    UNHURRIED_S,
    Action,
    Remove,
    Slot,
    StatusBook,
    Write,
)
from herald.speaker.status_object import Answering, Essence, Found, StatusKind

WEB = Slot(StatusKind.LAYER2, "default/web")
API = Slot(StatusKind.LAYER2, "default/api")
KIND = StatusKind.LAYER2
ETH0, ETH1, ALL = Answering(("eth0",)), Answering(("eth1",)), Answering()


class Cluster:
    """The API server and its watch: writes show up in the book when the watch is looked at."""

    def __init__(self, book: StatusBook) -> None:
        self.book = book
        self.objects: dict[str, tuple[Slot, Essence | None]] = {}
        self.unseen: list[str] = []
        self.writes = 0

    def edit(self, slot: Slot, name: str, essence: Essence | None) -> None:
        self.objects[name] = (slot, essence)
        self.unseen.append(name)

    def delete(self, name: str) -> None:
        if self.objects.pop(name, None) is not None:
            self.unseen.append(name)

    def perform(self, action: Action) -> None:
        self.writes += 1
        match action:
            case Write(slot, essence, name):
                self.edit(slot, name or f"new-{slot.subject}", essence)
            case Remove(_, name):
                self.delete(name)

    def show(self) -> None:
        """The watch catches up."""
        unseen, self.unseen = self.unseen, []
        for name in unseen:
            if name in self.objects:
                slot, essence = self.objects[name]
                self.book.found(slot, Found(name, essence))
            else:
                self.book.gone(KIND, name)

    def settle(self, now: float) -> float:
        """Perform all there is to do, the watch being prompt; gives the time by then."""
        for _ in range(1000):
            self.show()
            action = self.book.next(now)
            if action is not None:
                self.perform(action)
                self.book.done(action, now)
                continue
            deadline = self.book.deadline()
            if deadline is None:
                return now
            now = max(now, deadline)
        raise AssertionError("it never comes to rest")


def ready(book: StatusBook | None = None) -> tuple[StatusBook, Cluster]:
    book = book or StatusBook()
    book.list(KIND, ())
    book.complete(KIND)
    return book, Cluster(book)


def test_what_is_wanted_is_written_once() -> None:
    book, cluster = ready()
    book.want(WEB, ETH0)
    cluster.settle(0.0)
    assert (cluster.writes, list(cluster.objects.values())) == (1, [(WEB, ETH0)])


def test_what_exists_already_is_adopted_without_a_write_whatever_its_name() -> None:
    book = StatusBook()
    cluster = Cluster(book)
    cluster.objects["l2-x7k2p"] = (WEB, ETH0)
    book.list(KIND, [(WEB.subject, Found("l2-x7k2p", ETH0))])
    book.want(WEB, ETH0)
    book.complete(KIND)
    assert cluster.settle(0.0) == 0.0
    assert cluster.writes == 0


def test_nothing_is_written_before_it_is_known_what_exists() -> None:
    book = StatusBook()
    book.want(WEB, ETH0)
    assert book.next(0.0) is None
    book.list(KIND, ())
    assert book.next(0.0) == Write(WEB, ETH0)


def test_nothing_is_removed_before_the_wish_is_known_whole() -> None:
    book = StatusBook()
    book.list(KIND, [(WEB.subject, Found("l2-a", ETH0))])
    assert book.next(0.0) is None
    book.complete(KIND)
    assert book.next(0.0) == Remove(WEB, "l2-a")


def test_redundant_objects_go_first_and_the_right_one_stays() -> None:
    book = StatusBook()
    book.list(KIND, [(WEB.subject, Found(name, essence)) for name, essence in (("a", ALL), ("b", ETH0), ("c", ETH1))])
    book.want(WEB, ETH0)
    for expected in (Remove(WEB, "a"), Remove(WEB, "c")):
        action = book.next(0.0)
        assert action == expected
        assert action is not None
        book.done(action, 0.0)
    assert book.next(0.0) is None


def test_a_burst_of_wishes_is_one_write_of_the_last() -> None:
    book, cluster = ready()
    for essence in (ETH0, ETH1, None, ALL, ETH1):
        book.want(WEB, essence)
    cluster.settle(0.0)
    assert (cluster.writes, list(cluster.objects.values())) == (1, [(WEB, ETH1)])


def test_a_change_of_mind_before_the_watch_has_shown_the_write_does_not_wait_for_it() -> None:
    book, cluster = ready()
    book.want(WEB, ETH0)
    first = book.next(0.0)
    assert first is not None
    book.done(first, 0.0)
    book.want(WEB, ETH1)
    assert book.next(0.0) is None
    assert book.next(SPACING_S) == Write(WEB, ETH1, before=ETH0)
    assert cluster.writes == 0


def test_an_old_echo_of_the_watch_is_not_taken_for_somebodys_edit() -> None:
    book, _ = ready()
    book.list(KIND, [(WEB.subject, Found("l2-a", ALL))])
    book.want(WEB, ETH0)
    action = book.next(0.0)
    assert action is not None
    book.done(action, 0.0)
    book.found(WEB, Found("l2-a", ETH1))  # older than our write
    assert book.next(SPACING_S) is None
    book.found(WEB, Found("l2-a", ETH0))
    assert book.next(ECHO_S) is None


def test_a_write_that_the_watch_never_shows_is_repeated() -> None:
    book, _ = ready()
    book.want(WEB, ETH0)
    action = book.next(0.0)
    assert action is not None
    book.done(action, 0.0)
    assert book.next(ECHO_S / 2) is None
    assert book.next(ECHO_S) == Write(WEB, ETH0)


def test_an_object_that_is_not_exact_is_written_though_its_status_is_right() -> None:
    book, _ = ready()
    book.list(KIND, [(WEB.subject, Found("l2-a", ETH0, is_exact=False))])
    book.want(WEB, ETH0)
    assert book.next(0.0) == Write(WEB, ETH0, "l2-a", ETH0)


def test_who_undoes_every_write_is_answered_ever_more_slowly_and_never_given_up() -> None:
    book, cluster = ready()
    book.want(WEB, ETH0)
    now, written = cluster.settle(0.0), []
    for _ in range(14):
        cluster.edit(WEB, "new-default/web", ALL)
        cluster.show()
        while (action := book.next(now)) is None:
            deadline = book.deadline()
            assert deadline is not None
            now = max(now, deadline)
        cluster.perform(action)
        book.done(action, now)
        cluster.show()
        written.append(now)
    gaps = [b - a for a, b in pairwise(written)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == LONGEST_REVERT_S


def test_failures_are_retried_with_a_growing_pause_and_then_only_the_latest_is_written() -> None:
    book, cluster = ready()
    book.want(WEB, ETH0)
    now, tries = 0.0, []
    for _ in range(10):
        action = book.next(now)
        assert action is not None
        tries.append(now)
        book.failed(action, now)
        assert book.next(now) is None
        deadline = book.deadline()
        assert deadline is not None
        now = deadline
    book.want(WEB, ETH1)
    cluster.settle(now)
    gaps = [b - a for a, b in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert (cluster.writes, list(cluster.objects.values())) == (1, [(WEB, ETH1)])


def test_what_is_not_hurried_waits_longer_after_the_last_write_and_what_is_hurried_overtakes_it() -> None:
    book, cluster = ready()
    book.want(WEB, ETH0)
    action = book.next(0.0)
    assert action is not None
    cluster.perform(action)
    book.done(action, 0.0)
    cluster.show()
    book.want(WEB, ALL, hurried=False)
    assert book.next(UNHURRIED_S - 1.0) is None
    book.want(WEB, ETH1)
    assert book.next(UNHURRIED_S - 1.0) == Write(WEB, ETH1, "new-default/web", ETH0)


def test_a_changed_label_moves_the_object_and_the_slot_it_left_is_filled_again() -> None:
    book, cluster = ready()
    book.want(WEB, ETH0)
    now = cluster.settle(0.0)
    cluster.edit(API, "new-default/web", ETH0)
    cluster.settle(now)
    assert list(cluster.objects.values()) == [(WEB, ETH0)]


SLOTS = st.sampled_from((WEB, API))
ESSENCES = st.sampled_from((None, ETH0, ETH1, ALL))
NAMES = st.sampled_from(("new-default/web", "new-default/api", "l2-other"))
STEPS = st.one_of(
    st.tuples(st.just("want"), SLOTS, ESSENCES),
    st.tuples(st.just("edit"), SLOTS, NAMES, ESSENCES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("show")),
    st.tuples(st.just("relist")),
    st.tuples(st.just("act")),
    st.tuples(st.just("fail")),
    st.tuples(st.just("wait"), st.floats(0.1, 20.0)),
)


@given(st.lists(STEPS, max_size=40), st.booleans())
def test_every_history_ends_in_exactly_what_is_wanted_and_then_in_silence(
    steps: list[tuple[object, ...]], is_complete_first: bool
) -> None:
    book = StatusBook()
    cluster = Cluster(book)
    if is_complete_first:
        book.complete(KIND)
    book.list(KIND, ())
    now = 0.0
    for step in steps:
        match step:
            case ("want", Slot() as slot, tuple() | None as essence):
                book.want(slot, essence)
            case ("edit", Slot() as slot, str() as name, tuple() | None as essence):
                cluster.edit(slot, name, essence)
            case ("delete", str() as name):
                cluster.delete(name)
            case ("show",):
                cluster.show()
            case ("relist",):
                cluster.unseen.clear()
                book.list(KIND, [(slot.subject, Found(name, e)) for name, (slot, e) in cluster.objects.items()])
            case ("act" | "fail" as what,):
                action = book.next(now)
                if action is not None and what == "fail":
                    book.failed(action, now)
                elif action is not None:
                    cluster.perform(action)
                    book.done(action, now)
            case ("wait", float() as seconds):
                now += seconds
    book.complete(KIND)
    now = cluster.settle(now)
    wanted = {slot: book.wanted(slot) for slot in (WEB, API) if book.wanted(slot) is not None}
    assert sorted(map(repr, cluster.objects.values())) == sorted(map(repr, wanted.items()))
    writes = cluster.writes
    cluster.settle(now + 2 * MEMORY_S)
    assert cluster.writes == writes


@pytest.mark.parametrize("kind", list(StatusKind), ids=lambda kind: kind.value)
def test_kinds_are_independent(kind: StatusKind) -> None:
    book = StatusBook()
    slot = Slot(kind, "x")
    book.want(slot, ETH0)
    for other in StatusKind:
        if other is not kind:
            book.list(other, ())
    assert book.next(0.0) is None
    book.list(kind, ())
    assert book.next(0.0) == Write(slot, ETH0)


def test_who_makes_again_what_is_removed_is_answered_ever_more_slowly() -> None:
    book, cluster = ready()
    now, removed = 0.0, []
    for _ in range(14):
        cluster.edit(WEB, "l2-foreign", ETH0)
        cluster.show()
        while (action := book.next(now)) is None:
            deadline = book.deadline()
            assert deadline is not None
            now = max(now, deadline)
        assert action == Remove(WEB, "l2-foreign")
        cluster.perform(action)
        book.done(action, now)
        removed.append(now)
    gaps = [b - a for a, b in pairwise(removed)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == LONGEST_REVERT_S


def test_a_hostile_writer_costs_no_more_memory_than_one_who_writes_once() -> None:
    book, cluster = ready()
    book.want(WEB, ETH0)
    now = cluster.settle(0.0)
    for _ in range(2000):
        now += 0.5
        cluster.edit(WEB, "new-default/web", ALL)
        cluster.show()
        action = book.next(now)
        if action is not None:
            cluster.perform(action)
            book.done(action, now)
    assert book.put_off == 1


def test_what_was_done_long_ago_is_forgotten() -> None:
    book, cluster = ready()
    for slot in (WEB, API):
        book.want(slot, ETH0)
        cluster.settle(0.0)
        book.want(slot, None)
    now = cluster.settle(SPACING_S)
    assert cluster.objects == {}
    assert book.deadline() is None
    assert now <= SPACING_S + 2 * MEMORY_S
    assert book.put_off == 0
