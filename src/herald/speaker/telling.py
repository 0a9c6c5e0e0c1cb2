"""What this speaker tells the others, and what it makes of what they tell: `failback` and `flapDamping`. No I/O.

    members and notes ──▶ see ──▶ decider.see(members, Told)
    what is held      ──▶ note ──▶ Keeping ─┐
    who came and went ────────▶ Flaps ──────┴─▶ wish: a note for the engine, which tells it to all

A note that this speaker has composed counts for itself at once, as the others will read it; that of before is what its
engine reports, for control may be the younger of the two.
"""

import logging
from dataclasses import replace
from typing import Final

from herald.announcement import told as codec
from herald.announcement.claims import Claims, digest
from herald.announcement.told import Note, Told, compose, told_by
from herald.announcement.view import View
from herald.cluster.meta import NamespacedName, NodeName
from herald.engine.link import Tell
from herald.engine.membership import Notes
from herald.engine.metadata import room_beside
from herald.marks import WIDTH
from herald.net.ip_family import IPAddress
from herald.speaker import happening
from herald.speaker.decider import Decider, Step, Usable
from herald.speaker.flaps import Flaps
from herald.speaker.keeping import Keeping
from herald.speaker.publisher import Publisher

TICK_S: Final = 0.1
IDLE_TICK_S: Final = 0.5
FROZEN_S: Final = 0.25
"""A timer later than this: the whole process stood still, and others may have taken the node for dead."""
RETURN_S: Final = 1.0
"""What the claims of a member that has come back yield for in any case: if it stood still it says so by then."""

VAGUE: Final = 0.1
"""The part of all addresses that claims cover by mistake, from which on `failback` is no longer what it says."""

_log = logging.getLogger("herald.speaker")


class Telling:
    """Follows `decider`. `now` is monotonic seconds."""

    def __init__(self, decider: Decider, publisher: Publisher) -> None:
        self._decider = decider
        self._publisher = publisher
        self._node = decider.options.node
        self._keeping = Keeping()
        self._flaps = Flaps(self._node)
        self._members: Usable = {}
        self._notes: Notes = {}
        self._joined = 0
        self._returned: dict[str, float] = {}
        self._composed: Note | None = None
        self._wanted: tuple[frozenset[IPAddress], frozenset[NodeName], int, bool] | None = None
        self._told: bytes | None = b""
        self._is_vague = False
        self._changed: set[NamespacedName] = set()
        self._looked_at: View | None = None
        self._damped: frozenset[NodeName] = frozenset()

    def engine_is_new(self, now: float) -> None:
        """It has been told nothing, or, if it is the one of before, something else than what is true by now.

        After the first one others may have taken over meanwhile what this node claims.
        """
        self._keeping.engine_is_new(now)
        if self._composed is not None:
            self._told = None
            self._keeping.froze(now)

    def absent(self, at: float | None) -> None:
        """When the others last may have counted on this node no longer, see `herald.engine.link.Facts`."""
        if at is not None:
            self._keeping.absent(at)

    def expect(self, speakers: int) -> None:
        """So many may be found somewhere."""
        self._joined = speakers

    def see(self, members: Usable, notes: Notes, now: float) -> None:
        """The engine sees these live speakers, and what they tell."""
        if self._composed is None and notes.get(self._node):
            self._keeping.resume()
            self._told = notes[self._node] or b""
        self._returned = {node: at for node, at in self._returned.items() if now < at + RETURN_S}
        if self._members:
            self._returned.update((str(node), now) for node in members.keys() - self._members.keys())
        self._members, self._notes = members, notes
        self._flaps.see(members, now, counts=self._damps)
        self._keeping.see(len(members), self._expected(), now)
        self.look_again(now)

    def look_again(self, now: float) -> None:
        """Time has passed: what this node lets go slowly may be gone."""
        if not self._members:
            return
        notes = {NodeName(node): self._read(node, octets, now) for node, octets in self._notes.items()}
        told = told_by({**notes, self._node: self._own(now)})
        self._decider.see(self._members, told)
        if self._damps:
            self._say_who_is_damped(told, now)

    def note(self, step: Step) -> None:
        """The decider came to this. Who else would have an address may be new though this node holds it as before."""
        self._changed.update(step.services)
        self._changed.update(key for key, _ in step.change.contributions)
        if self._decider.view is not self._looked_at:
            self._looked_at = self._decider.view
            self._changed.update(self._decider.upkeep.contributions())
            self._changed.update(self._keeping.services)
            if not self._damps:
                self._flaps.forget()

    def froze(self, now: float) -> None:
        """This process stood still for a while."""
        self._keeping.froze(now)

    def wish(self, now: float) -> Tell | None:
        """What is to be told and was not; the decider has no work at hand. None: nothing."""
        if not self._decider.is_ready or not self._members:
            return None
        upkeep = self._decider.upkeep
        tenures = {key: upkeep.tenure(key) for key in self._changed} if self._keeps else {}
        self._keeping.hold(tenures, self._node, now)
        self._changed.clear()
        self._keeping.see(len(self._members), self._expected(), now)
        octets = self._compose(now)
        if octets == self._told:
            return None
        self._told = octets
        self.look_again(now)
        return Tell(octets)

    def deadline(self, now: float) -> float | None:
        """When `wish` or `look_again` may come to something else without being told anything."""
        instants = [self._keeping.deadline(now), self._flaps.deadline(now) if self._damps else None]
        instants += [at + RETURN_S for at in self._returned.values() if now < at + RETURN_S]
        return min((at for at in instants if at is not None), default=None)

    def _compose(self, now: float) -> bytes:
        room = room_beside(self._members.get(self._node))
        held = self._keeping.claimed(now) if self._keeps else frozenset()
        damped = self._flaps.damped(now) if self._damps else {}
        wanted = (held, frozenset(damped), room, bool(held) and self._keeping.yields(now))
        if wanted != self._wanted or self._composed is None:
            self._wanted, self._composed = wanted, compose(held, damped, room, yields=wanted[3])
            self._say_if_vague(len(held), self._composed.claims, room)
        return codec.encode(self._composed)

    def _say_if_vague(self, held: int, claims: Claims, room: int) -> None:
        before, self._is_vague = self._is_vague, bool(held) and not (claims and claims.mistaken < VAGUE)
        if self._is_vague and not before:
            text = (
                "failback is not in force as it should be: the claims of this node to %d addresses do not fit into the "
                "%d octets that are left for them beside the names of its interfaces, so addresses may go back at once"
            )
            _log.warning(text, held, room, extra={"event": "claimsVague", "addresses": held, "octets": room})
        elif before and not self._is_vague:
            _log.info("the claims of this node fit again", extra={"event": "claimsExact", "addresses": held})

    def _own(self, now: float) -> Note:
        """The note of this node as it goes by it itself.

        Claims that are empty say nothing of whether they yield; what lingers beside them must all the same.
        """
        yields = self._keeping.yields(now)
        if self._composed is None:
            note = codec.decode(self._notes.get(self._node) or b"")
            return replace(note, claims=replace(note.claims, yields=yields or note.claims.yields))
        claims = self._composed.claims
        lingering = {digest(address) >> (WIDTH - claims.bits) for address in self._keeping.lingering(now)}
        return replace(self._composed, claims=replace(claims, marks=claims.marks | lingering, yields=yields))

    def _read(self, node: str, octets: bytes | None, now: float) -> Note | None:
        """The note of a member; that of one that has only just come back yields."""
        note = None if octets is None else codec.decode(octets)
        if note is None or now >= self._returned.get(node, float("-inf")) + RETURN_S:
            return note
        return replace(note, claims=replace(note.claims, yields=True))

    @property
    def tick_s(self) -> float:
        """How often to look whether this process stands still."""
        return TICK_S if self._keeps else IDLE_TICK_S

    @property
    def _keeps(self) -> bool:
        view = self._decider.view
        return view is not None and any(ad.failback_s for ad in view.config.l2_advertisements)

    @property
    def _damps(self) -> bool:
        view = self._decider.view
        return view is not None and any(ad.flap_damping for ad in view.config.l2_advertisements)

    def _expected(self) -> int:
        """How many speakers there should be. Before anything is known more than there can be."""
        view = self._decider.view
        return 1_000_000 if view is None else max(len(view.config.nodes), self._joined)

    def _say_who_is_damped(self, told: Told, now: float) -> None:
        before, self._damped = self._damped, told.damped
        view = self._decider.view
        speaker = min(self._members.keys() - told.damped, default=None)
        for node in sorted((self._damped - before) | (before & self._members.keys()) - self._damped):
            is_damped = node in self._damped
            record = self._flaps.damped(now).get(node)
            text = happening.damping_words(node, record, now) if is_damped else f"{node} stands for election again"
            extra = {"event": "nodeDamped" if is_damped else "nodeSteady", "node": node}
            _log.log(logging.WARNING if is_damped else logging.INFO, text, extra=extra)
            if speaker == self._node and view is not None:
                for advertisement in (ad for ad in view.config.l2_advertisements if ad.flap_damping):
                    namespace = self._decider.options.namespace
                    self._publisher.tell(happening.damping(namespace, advertisement.name, text, is_damped=is_damped))
