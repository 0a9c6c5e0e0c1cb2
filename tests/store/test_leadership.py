"""Who leads: tables and scripted clocks, without a Lease."""

import random
from dataclasses import dataclass

import pytest

from herald.store.kubernetes.leadership import (
    LEASE_S,
    RENEW_S,
    RETRY_S,
    Effect,
    GiveBack,
    Granted,
    Leadership,
    Lease,
    Leaving,
    Lost,
    Observed,
    Read,
    Refused,
    Role,
    Take,
)


def leader(now: float = 0.0) -> Leadership:
    machine = Leadership("a", now)
    assert machine.wake(now) == [Read()]
    assert machine.handle(Observed(None), now) == [Take(None)]
    assert machine.handle(Granted(Lease("a", "1")), now) == []
    return machine


def test_a_lease_that_is_not_there_is_taken_at_once() -> None:
    assert leader().leads(0.0)


@pytest.mark.parametrize("holder", ["", "a"], ids=["given back", "our own from before a crash"])
def test_a_free_lease_is_taken_at_once(holder: str) -> None:
    machine = Leadership("a", 0.0)
    machine.wake(0.0)
    assert machine.handle(Observed(Lease(holder, "7")), 0.0) == [Take(Lease(holder, "7"))]


def test_the_lease_of_another_is_taken_only_when_it_has_not_changed_for_long() -> None:
    machine = Leadership("a", 0.0)
    machine.wake(0.0)
    for second in range(30):
        now = float(second)
        held = Lease("b", str(second // 4), renewed="2099-01-01T00:00:00Z")
        assert machine.handle(Observed(held), now) == []
        machine.wake(now + 1)
    dead = Lease("b", "dead")
    machine.handle(Observed(dead), 30.0)
    assert machine.handle(Observed(dead), 30.0 + LEASE_S - 0.1) == []
    assert machine.handle(Observed(dead), 30.0 + LEASE_S) == [Take(dead)]


def test_a_leader_renews_and_ceases_to_lead_when_it_cannot() -> None:
    machine = leader()
    assert machine.deadline() == RETRY_S
    assert machine.wake(RETRY_S) == [Take(Lease("a", "1"))]
    machine.handle(Refused(), RETRY_S + 1)
    assert machine.leads(RENEW_S - 0.01)
    assert not machine.leads(RENEW_S)
    machine.wake(RENEW_S)
    assert machine.snapshot().role is Role.CANDIDATE


def test_a_renewal_counts_from_when_it_was_asked_for_and_not_from_its_late_answer() -> None:
    machine = leader()
    machine.wake(RETRY_S)
    machine.handle(Granted(Lease("a", "2")), RETRY_S + 9.0)
    assert machine.leads(RETRY_S + RENEW_S - 0.01)
    assert not machine.leads(RETRY_S + RENEW_S)


def test_after_a_refused_renewal_it_looks_before_it_asks_again() -> None:
    machine = leader()
    machine.wake(RETRY_S)
    machine.handle(Refused(), RETRY_S)
    due = machine.deadline()
    assert due is not None
    assert machine.wake(due) == [Read()]
    assert machine.handle(Observed(Lease("b", "9")), due) == []
    assert not machine.leads(due)


def test_a_leader_whose_write_clashed_leads_no_longer_and_looks_before_it_asks_again() -> None:
    machine = leader()
    machine.wake(RETRY_S)
    assert machine.handle(Lost(), RETRY_S) == []
    assert not machine.leads(RETRY_S)
    due = machine.deadline()
    assert due is not None
    assert machine.wake(due) == [Read()]
    assert machine.handle(Observed(Lease("a", "2")), due) == [Take(Lease("a", "2"))]
    machine.handle(Granted(Lease("a", "3")), due)
    assert machine.leads(due)


@pytest.mark.parametrize(
    "seen", [None, Lease("", "9"), Lease("b", "9")], ids=["it is missing", "it was given back", "another has it"]
)
def test_a_leader_that_sees_that_the_lease_is_not_its_own_leads_no_longer(seen: Lease | None) -> None:
    machine = leader()
    machine.wake(RETRY_S)
    machine.handle(Refused(), RETRY_S)
    due = machine.deadline()
    assert due is not None
    machine.wake(due)
    machine.handle(Observed(seen), due)
    assert not machine.leads(due)


def test_who_led_until_now_makes_a_lease_that_is_missing_anew_at_once() -> None:
    machine = leader()
    machine.wake(RETRY_S)
    machine.handle(Lost(), RETRY_S)
    machine.wake(RETRY_S + 1)
    assert machine.handle(Observed(None), RETRY_S + 1) == [Take(None)]


def test_who_led_once_takes_a_missing_lease_only_after_whoever_may_have_led_since_leads_no_longer() -> None:
    machine = leader()
    machine.wake(RENEW_S)
    machine.wake(100.0)
    assert machine.handle(Observed(None), 100.0) == []
    assert machine.handle(Observed(None), 100.0 + LEASE_S - 0.1) == []
    assert machine.handle(Observed(None), 100.0 + LEASE_S) == [Take(None)]


def test_who_knew_a_holder_takes_a_missing_lease_only_when_that_one_leads_no_longer() -> None:
    machine = Leadership("a", 0.0)
    machine.wake(0.0)
    machine.handle(Observed(Lease("b", "1")), 0.0)
    assert machine.handle(Observed(None), 1.0) == []
    due = machine.deadline()
    assert due is not None
    assert due < 1.0 + LEASE_S
    assert machine.handle(Observed(None), 1.0 + LEASE_S - 0.1) == []
    assert machine.handle(Observed(None), 1.0 + LEASE_S) == [Take(None)]


def test_who_leaves_gives_the_lease_back_and_never_leads_again() -> None:
    machine = leader()
    assert machine.handle(Leaving(), 1.0) == [GiveBack(Lease("a", "1"))]
    assert not machine.leads(1.0)
    assert machine.handle(Granted(Lease("", "2")), 1.0) == []
    assert not machine.leads(1.0)
    assert machine.deadline() is None


@pytest.mark.parametrize(
    ("answer", "given_back"),
    [
        (Granted(Lease("a", "2")), [GiveBack(Lease("a", "2"))]),
        (Lost(), []),
        (Refused(), [GiveBack(Lease("a", "1"))]),
    ],
    ids=["done", "clashed", "nobody knows"],
)
def test_who_leaves_while_it_renews_gives_back_what_becomes_of_that(
    answer: Granted | Lost | Refused, given_back: list[Effect]
) -> None:
    machine = leader()
    machine.wake(RETRY_S)
    assert machine.handle(Leaving(), RETRY_S) == []
    assert not machine.leads(RETRY_S)
    assert machine.handle(answer, RETRY_S + 1) == given_back
    assert machine.handle(Granted(Lease("", "3")), RETRY_S + 2) == []
    assert machine.deadline() is None


def test_who_does_not_lead_gives_nothing_back() -> None:
    machine = Leadership("a", 0.0)
    assert machine.handle(Leaving(), 0.0) == []


@dataclass
class Server:
    """The Lease as an API server keeps it; whose renewal times are nonsense, as with clocks that jump."""

    chance: random.Random
    lease: Lease | None = None
    version: int = 0

    def answer(self, effect: Effect, identity: str) -> Observed | Granted | Lost | Refused:
        if self.chance.random() < 0.15:
            return Refused()
        match effect:
            case Read():
                return Observed(self.lease)
            case Take(lease=before):
                return self._write(identity, before)
            case GiveBack(lease=before):
                return self._write("", before)

    def _write(self, holder: str, before: Lease | None) -> Granted | Lost | Refused:
        if before != self.lease:
            return Lost()
        self.version += 1
        self.lease = Lease(holder, str(self.version), renewed=str(self.chance.randrange(10**9)))
        # An answer may be lost although the write was done.
        return Granted(self.lease) if self.chance.random() < 0.9 else Refused()


@pytest.mark.parametrize("seed", range(40))
def test_no_two_ever_lead_at_once_however_clocks_are_set_and_answers_delayed(seed: int) -> None:
    chance = random.Random(seed)
    server = Server(chance)
    offsets = [chance.uniform(0, 10**6) for _ in range(3)]  # monotonic clocks begin anywhere
    machines = [Leadership(name, offset) for name, offset in zip("abc", offsets, strict=True)]
    waiting: list[tuple[float, int, Observed | Granted | Lost | Refused]] = []
    busy: set[int] = set()
    frozen = dict.fromkeys(range(3), 0.0)
    led: set[int] = set()
    acquainted: set[int] = set()
    deleted_at = 0.0
    now = 0.0
    for _ in range(6000):
        now += 0.05
        for number, machine in enumerate(machines):
            if now < frozen[number]:
                continue
            if chance.random() < 0.0005:
                frozen[number] = now + chance.uniform(0, 40)
                continue
            local = now + offsets[number]
            effects: list[Effect] = []
            for entry in [entry for entry in waiting if entry[1] == number and entry[0] <= now]:
                waiting.remove(entry)
                busy.discard(number)
                effects += machine.handle(entry[2], local)
            due = machine.deadline()
            if not effects and number not in busy and due is not None and due <= local:
                effects += machine.wake(local)
            for effect in effects:
                busy.add(number)
                waiting.append((now + chance.uniform(0, 3), number, server.answer(effect, "abc"[number])))
            if machine.snapshot().holder:
                acquainted.add(number)
        if len(acquainted) == 3 and now > deleted_at + 60 and chance.random() < 0.002:
            server.lease, deleted_at = None, now
        leading = {number for number, machine in enumerate(machines) if machine.leads(now + offsets[number])}
        assert len(leading) <= 1
        led |= leading
    assert led
