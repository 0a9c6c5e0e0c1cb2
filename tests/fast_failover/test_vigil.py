"""From the silence of a node to its death or its return: a table of stories, and what holds in every one."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.fast_failover.vigil import (
    ASK_EVERY,
    ASK_FOR,
    CALM,
    FORGIVEN,
    LINGER,
    LONGEST_CALM,
    Answered,
    CameUp,
    Effect,
    Event,
    LeaveToGossip,
    MembersChanged,
    Phase,
    Question,
    Spare,
    TakeForAlive,
    TakeForDead,
    Vigil,
    WatchChanged,
    WatchedNodesChanged,
    WentSilent,
)

HERE: Final = frozenset({"a", "b", "c"})
BOTH: Final = frozenset({"a", "b"})
SILENT: Final = WentSilent("a", 0.15)


class Story:
    """A vigil over `a` and `b`, both there, and what it wants done."""

    def __init__(self) -> None:
        self.now = 100.0
        self.vigil = Vigil()
        self.effects: list[tuple[float, Effect]] = []
        self.tell(MembersChanged(HERE))
        self.tell(WatchChanged(BOTH))
        self.effects.clear()

    def tell(self, event: Event) -> None:
        self.effects += [(self.now, effect) for effect in self.vigil.handle(event, self.now)]

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.vigil.deadline()) is not None and deadline <= end:
            assert deadline > self.now or self.vigil.wake(self.now) is not None
            self.now = max(self.now, deadline)
            self.effects += [(self.now, effect) for effect in self.vigil.wake(self.now)]
        self.now = end

    def seen(self, *kinds: type) -> list[Effect]:
        return [effect for _, effect in self.effects if isinstance(effect, kinds)]

    def phase(self, node: str = "a") -> Phase | None:
        return next((one.phase for one in self.vigil.snapshot(self.now) if one.node == node), None)

    def falsely_dead(self) -> None:
        self.tell(SILENT)
        self.sleep(ASK_FOR)
        assert self.vigil.dead() == {"a"}
        self.tell(Answered("a"))


def test_who_is_silent_is_asked_at_once_and_again_and_then_is_dead() -> None:
    story = Story()
    story.tell(SILENT)
    assert story.effects == [(100.0, Question("a"))]
    story.sleep(ASK_FOR - 0.001)
    assert story.seen(Question) == [Question("a")] * (1 + int(ASK_FOR / ASK_EVERY))
    assert story.vigil.dead() == frozenset()
    story.sleep(0.001)
    assert [round(one.silent_for, 3) for one in story.seen(TakeForDead) if isinstance(one, TakeForDead)] == [0.19]
    assert story.vigil.dead() == {"a"}


def test_who_answers_in_time_is_spared() -> None:
    story = Story()
    story.tell(SILENT)
    story.sleep(ASK_FOR / 2)
    story.tell(Answered("a"))
    story.sleep(10)
    assert story.seen(TakeForDead, Spare) == [Spare("a")]
    assert story.phase() is Phase.WATCHED


def test_a_false_alarm_costs_no_trust() -> None:
    story = Story()
    for _ in range(3):
        story.tell(SILENT)
        story.tell(Answered("a"))
    story.tell(SILENT)
    story.sleep(ASK_FOR)
    assert story.vigil.dead() == {"a"}


def test_the_dead_are_asked_on_and_live_as_soon_as_they_answer() -> None:
    story = Story()
    story.tell(SILENT)
    story.sleep(1)
    assert len(story.seen(Question)) >= 10
    story.tell(Answered("a"))
    assert story.vigil.dead() == frozenset()
    assert story.seen(TakeForAlive) == [TakeForAlive("a", CALM)]


def test_that_a_session_comes_up_is_no_proof_but_a_reason_to_ask() -> None:
    story = Story()
    story.tell(SILENT)
    story.sleep(ASK_FOR)
    story.effects.clear()
    story.tell(CameUp("a"))
    assert story.effects == [(story.now, Question("a"))]
    assert story.vigil.dead() == {"a"}


def test_whoever_was_taken_for_dead_wrongly_is_left_to_gossip_for_a_while_each_time_longer() -> None:
    story, calms = Story(), []
    for _ in range(6):
        story.falsely_dead()
        (told,) = story.seen(TakeForAlive)
        assert isinstance(told, TakeForAlive)
        calms.append(told.calm)
        story.effects.clear()
        story.tell(SILENT)
        assert story.seen(LeaveToGossip, Question) == [LeaveToGossip("a")]
        story.sleep(told.calm)
        story.effects.clear()
    assert calms == [10, 20, 40, 80, LONGEST_CALM, LONGEST_CALM]
    story.sleep(FORGIVEN)
    story.falsely_dead()
    assert story.seen(TakeForAlive) == [TakeForAlive("a", CALM)]


def test_trust_outlasts_that_somebody_is_not_watched_for_a_moment() -> None:
    story = Story()
    story.tell(SILENT)
    story.sleep(ASK_FOR)
    story.tell(WatchChanged(frozenset({"b"})))
    story.tell(Answered("a"))
    story.sleep(LINGER)
    assert story.vigil.nodes() == {"b"}
    story.tell(WatchChanged(BOTH))
    story.tell(SILENT)
    assert story.seen(LeaveToGossip) == [LeaveToGossip("a")]


@pytest.mark.parametrize("phase", [Phase.ASKED, Phase.DEAD])
def test_what_gossip_says_of_who_is_gone_ends_it_without_a_mark_of_distrust(phase: Phase) -> None:
    story = Story()
    story.tell(SILENT)
    if phase is Phase.DEAD:
        story.sleep(ASK_FOR)
    assert story.phase() is phase
    story.tell(MembersChanged(HERE - {"a"}))
    assert story.vigil.dead() == frozenset()
    assert story.phase() is Phase.WATCHED
    story.tell(MembersChanged(HERE))
    story.tell(SILENT)
    story.sleep(ASK_FOR)
    assert story.vigil.dead() == {"a"}


def test_silence_of_who_is_not_there_by_gossip_or_not_watched_means_nothing() -> None:
    story = Story()
    story.tell(WentSilent("c", 0.15))
    story.tell(MembersChanged(HERE - {"a"}))
    story.tell(SILENT)
    story.sleep(1)
    assert story.seen(Question, TakeForDead) == []


def test_the_dead_are_watched_on_though_nobody_counts_them_in_line() -> None:
    story = Story()
    story.tell(SILENT)
    story.sleep(ASK_FOR)
    story.tell(WatchChanged(frozenset({"b"})))
    story.sleep(60)
    assert story.vigil.nodes() == BOTH
    story.tell(MembersChanged(HERE - {"a"}))
    assert story.vigil.nodes() == {"b"}
    assert story.seen(WatchedNodesChanged) == [WatchedNodesChanged()]


def test_who_is_no_longer_to_be_watched_is_let_go_a_little_later() -> None:
    story = Story()
    story.tell(WatchChanged(frozenset({"b"})))
    story.sleep(LINGER - 0.1)
    assert story.vigil.nodes() == BOTH
    story.tell(WatchChanged(BOTH))
    story.sleep(60)
    assert story.vigil.nodes() == BOTH
    story.tell(WatchChanged(frozenset()))
    story.sleep(LINGER)
    assert story.vigil.nodes() == frozenset()
    assert story.vigil.deadline() is None


nodes = st.sampled_from(sorted(HERE))
sets = st.frozensets(nodes)
events = st.one_of(
    st.builds(WatchChanged, sets),
    st.builds(MembersChanged, sets),
    st.builds(WentSilent, nodes, st.just(0.15)),
    st.builds(CameUp, nodes),
    st.builds(Answered, nodes),
)


@given(st.lists(st.tuples(events, st.floats(0, 30)), max_size=40))
def test_whatever_happens_only_members_that_did_not_answer_are_dead(story_of: list[tuple[Event, float]]) -> None:
    vigil, now, present = Vigil(), 0.0, frozenset[str]()
    told: dict[str, list[Effect]] = {node: [] for node in HERE}

    def note(effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, TakeForDead):
                told[effect.node].append(effect)

    for event, wait in story_of:
        note(vigil.handle(event, now))
        if isinstance(event, MembersChanged):
            present = event.present
        if isinstance(event, Answered):
            assert event.node not in vigil.dead()
        assert vigil.dead() <= present
        end = now + wait
        while (deadline := vigil.deadline()) is not None and deadline <= end:
            now = max(now, deadline)
            effects = vigil.wake(now)
            assert effects
            note(effects)
        now = end
    assert all(told[node] for node in vigil.dead())
    vigil.handle(WatchChanged(frozenset()), now)
    vigil.handle(MembersChanged(frozenset()), now)
    vigil.wake(now + LINGER)
    assert vigil.nodes() == frozenset()
