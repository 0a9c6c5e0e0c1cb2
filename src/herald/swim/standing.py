"""The rules by which a member's state changes.

                  alive, newer        suspect, not older    dead, not older    its time is up
    unknown       → alive, joined     –                     –                  –
    alive         stays, newer        → suspect             → dead or left     –
    suspect       → alive, refuted    confirms              → dead or left     → dead, unless it answers
    dead, left    → alive, joined     –                     –                  –
    this node     contradicts         contradicts           contradicts        –

"Newer" compares incarnations: only the member itself raises its own, so the last word is its. *Contradicting*: this
node takes an incarnation above the accuser's and tells everybody that it is alive; if the accusation is older than what
it said last, it says that once more. What changes a state is passed on. A member that is dead by its own word has left.
At another address a name is believed only once its old bearer is gone; where nobody has seen that one (it was only
heard of), also if something newer says so, or a proof.

Where the profile has second looks, a suspect that answered *us* after it was accused is not declared dead when its time
is up: the accuser's word stands against our own eyes. memberlist would; a lost refutation then kills a live node.
"""

from typing import Final

from herald.swim.event import Kind
from herald.swim.local import Local, ReconnectDue, SecondLook, SuspicionOver
from herald.swim.member import HIGHEST_INCARNATION, Endpoint, Member, State
from herald.swim.message import Alive, Dead, Suspect
from herald.swim.newcomer import Newcomers
from herald.swim.packet import Drop
from herald.swim.roster import MOST_MEMBERS
from herald.swim.suspicion import Suspicion

LOOK_PER_MEMBER: Final = 0.002
"""Seconds between second looks for each member of the group: a suspect is asked 500 times a second by all together."""
LOOKED_AT: Final = 8
"""Suspects that are looked at that often; where there are more at the same time, each is less often."""
_SAY_AGAIN: Final = 60.0


class Standing:
    """Applies the table to the roster."""

    def __init__(self, local: Local, newcomers: Newcomers) -> None:
        self._local = local
        self._newcomers = newcomers
        self._suspicions: dict[str, Suspicion] = {}
        self._conflicts: dict[str, float] = {}

    def suspicion(self, name: str) -> Suspicion | None:
        """The accusation against that member that stands."""
        return self._suspicions.get(name)

    def shift(self, by: float) -> None:
        """This node was held up for so long: that is not held against the suspects."""
        for one in self._suspicions.values():
            one.started += by

    def look_every(self) -> float:
        """Seconds between two second looks."""
        each = max(self._local.profile.second_look or 0.0, LOOK_PER_MEMBER * len(self._local.roster))
        return each * max(1.0, len(self._suspicions) / LOOKED_AT)

    def alive(self, said: Alive, *, is_proof: bool = False) -> None:
        """Somebody says that a member is alive; `is_proof`: it cannot have been recorded before."""
        local = self._local
        said = self._with_port(said)
        if said.node == local.name:
            self._alive_us(said)
            return
        versions = said.versions
        if versions.pmin == 0 or versions.pmax == 0 or versions.pmin > versions.pmax:
            local.dropped[Drop.VERSIONS] += 1
            return
        member = local.roster.get(said.node)
        if member is None:
            if len(local.roster) >= MOST_MEMBERS:
                local.dropped[Drop.TOO_MANY] += 1
                return
            member = _newcomer(said, local.now)
            local.roster.add(member)
        elif member.endpoint != said.endpoint:
            if not self._may_move(member, said, is_proof=is_proof):
                self._conflict(said.node, said.endpoint, member.endpoint)
                return
            member = _newcomer(said, local.now)  # what is asked at the old address tells nothing of the new one
            local.roster.replace(member)
        elif said.incarnation <= member.incarnation:
            if is_proof and said.incarnation == member.incarnation and member.state.present:
                local.prove(member)
            return
        if is_proof:
            local.prove(member)
        self._take(member, said)
        if not member.is_proven:
            self._newcomers.ask(member)

    def _take(self, member: Member, said: Alive) -> None:
        local, was, meta = self._local, member.state, member.meta
        self._acquit(member.name)
        local.broadcast(said.node, said)
        member.endpoint, member.versions, member.meta = said.endpoint, said.versions, said.meta
        member.incarnation = said.incarnation
        local.set_state(member, State.ALIVE)
        if not was.present:
            local.note(Kind.JOINED, member.name, f"at {member.endpoint}")
            local.changed()
        elif was is State.SUSPECT:
            local.note(Kind.REFUTED, member.name, f"it is alive, incarnation {member.incarnation}")
        if meta != member.meta:
            local.changed()

    def suspect(self, said: Suspect) -> None:
        """Somebody got no answer from a member."""
        local = self._local
        member = local.roster.get(said.node)
        if member is None or self._is_outdated(said, member):
            return
        if said.node == local.name:
            self._contradict(said.incarnation, f"{said.accuser} got no answer from this node")
            return
        standing = self._suspicions.get(said.node)
        if standing is not None:
            if standing.confirm(said.accuser):
                local.timers.set(SuspicionOver(said.node), standing.ends())
                local.broadcast(said.node, said)
            return
        if member.state is not State.ALIVE:
            return
        local.broadcast(said.node, said)
        member.incarnation = said.incarnation
        local.set_state(member, State.SUSPECT)
        standing = Suspicion(said.accuser, len(local.roster), local.profile, local.now)
        self._suspicions[said.node] = standing
        local.timers.set(SuspicionOver(said.node), standing.ends())
        if local.profile.second_look is not None:
            local.timers.set(SecondLook(said.node), local.now + local.rng.random() * self.look_every())
        local.note(Kind.SUSPECTED, said.node, f"{said.accuser} got no answer from it")

    def dead(self, said: Dead) -> None:
        """Somebody says that a member is dead; of itself: that it has left."""
        local = self._local
        member = local.roster.get(said.node)
        if member is None or self._is_outdated(said, member) or not member.state.present:
            return
        if said.node == local.name:
            self._contradict(said.incarnation, f"{said.accuser} has declared this node dead")
            local.thought_dead()
            return
        self._acquit(said.node)
        local.broadcast(said.node, said)
        member.incarnation = said.incarnation
        left = said.node == said.accuser
        local.set_state(member, State.LEFT if left else State.DEAD)
        if left:
            local.note(Kind.LEFT, said.node, "by its own word")
        else:
            local.note(Kind.DIED, said.node, f"declared dead by {said.accuser}")
            if local.profile.reconnect_interval is not None and not local.timers.is_set(ReconnectDue()):
                local.timers.set(ReconnectDue(), local.now + local.profile.reconnect_interval)
        local.changed()

    def time_is_up(self, name: str) -> None:
        """A suspect has not contradicted in time."""
        local, standing, member = self._local, self._suspicions.get(name), self._local.roster.get(name)
        if standing is None or member is None or member.state is not State.SUSPECT:
            return
        if local.profile.second_look is not None and member.heard is not None and member.heard > standing.started:
            local.timers.set(SuspicionOver(name), standing.prolong(local.now))
            return
        self.dead(Dead(member.incarnation, name, local.name))

    def leave(self) -> Dead:
        """This node has left. What is to be told."""
        local = self._local
        local.leaving = True
        own = local.roster.get(local.name)
        assert own is not None
        local.set_state(own, State.LEFT)
        farewell = Dead(local.incarnation, local.name, local.name)
        local.broadcast(local.name, farewell)
        return farewell

    def announce(self) -> None:
        """Tell everybody what this node is now, under a new incarnation."""
        self._raise_to(self._local.incarnation + 1)

    def _alive_us(self, said: Alive) -> None:
        local = self._local
        if local.leaving:
            return
        if said.endpoint != local.me.endpoint:
            self._conflict(said.node, said.endpoint, local.me.endpoint)
            return
        same = said.incarnation == local.incarnation and said == local.alive()
        if said.incarnation >= local.incarnation and not same:
            self._contradict(said.incarnation, "it is known with what an earlier speaker said")

    def _is_outdated(self, said: Suspect | Dead, member: Member) -> bool:
        """Whether something newer is known of the member. If it is this node, the accuser missed that we contradicted
        somebody before; it would suspect us until the next exchange of whole states, so it is told once more."""
        is_outdated = said.incarnation < member.incarnation
        if is_outdated and said.node == self._local.name and not self._local.leaving:
            self._local.broadcast(said.node, self._local.alive())
        return is_outdated

    def _contradict(self, incarnation: int, why: str) -> None:
        local = self._local
        if local.leaving:
            return
        local.worse(1)
        self._raise_to(max(local.incarnation, incarnation) + 1)
        local.note(Kind.ACCUSED, local.name, f"{why}; contradicted, incarnation {local.incarnation}")

    def _raise_to(self, incarnation: int) -> None:
        local = self._local
        own = local.roster.get(local.name)
        assert own is not None
        # Above, nobody accepts it. Who drove us there has the key, and can do worse.
        local.incarnation = own.incarnation = min(incarnation, HIGHEST_INCARNATION)
        own.meta = local.meta
        local.broadcast(local.name, local.alive())

    def _acquit(self, name: str) -> None:
        if self._suspicions.pop(name, None) is not None:
            self._local.timers.cancel(SuspicionOver(name))

    def _may_move(self, member: Member, said: Alive, *, is_proof: bool) -> bool:
        if member.state is State.LEFT:
            return True
        if member.is_proven:
            return member.state is State.DEAD and self._local.profile.reclaim
        # Only what is newer: else two that were recorded would drive each other out for ever, in the whole group.
        return is_proof or member.state is State.DEAD or said.incarnation > member.incarnation

    def _conflict(self, name: str, claimed: Endpoint, known: Endpoint) -> None:
        local = self._local
        local.dropped[Drop.CONFLICT] += 1
        self._conflicts = {one: until for one, until in self._conflicts.items() if until > local.now}
        if name not in self._conflicts and len(self._conflicts) < MOST_MEMBERS:
            self._conflicts[name] = local.now + _SAY_AGAIN
            local.note(Kind.CONFLICT, name, f"{claimed} bears this name too; it is known at {known}")

    def _with_port(self, said: Alive) -> Alive:
        if said.endpoint.port:
            return said
        endpoint = Endpoint(said.endpoint.address, self._local.me.endpoint.port)
        return Alive(said.incarnation, said.node, endpoint, said.meta, said.versions)


def _newcomer(said: Alive, now: float) -> Member:
    """Nothing is known of it, but that somebody says this."""
    return Member(said.node, said.endpoint, said.versions, b"", 0, State.DEAD, now, is_proven=False)
