"""What became of each address on this node, and why: the answer to `history` of the show socket.

    [{ip, at, what: taken, released or fenced, from, to, cause, detectedBy, detection, decision, announced, heard}]

                Newest first.

    at          when this node began or ceased to answer for it, seconds since 1970
    what        fenced: it was this node's and is, but for some seconds it answered nothing, and another one may have
                (`herald.fast_failover.fence`); told when it answers again, in `cause`
    from, to    the nodes that led before and after; null where nobody is known
    cause       in words, from control; null before control has said it
    detectedBy  how the node that led before was found gone: bfd (fastFailover), gossip or heartbeat; null if it
                did not die
    detection   how long it had been silent then; null if it did not die
    decision    from then until this node was told to answer
    announced   from then until the first gratuitous frame; for what no death brought about, from being told. Null
                where nothing was announced
    heard       the MAC that was heard to speak for it when it was released; null: nobody's, or it was taken

Seconds, each. It lasts as long as the engine process, for the last `PER_ADDRESS` moves of the last `ADDRESSES`
addresses, and the last `PER_ADDRESS` times that this node was fenced. Control tells the cause a moment after the move
(`Moved`), for it has more urgent things to do.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from herald.engine.link import Moved
from herald.layer2.holding import Address
from herald.net.interface import Mac, mac_text

PER_ADDRESS: Final = 20
ADDRESSES: Final = 2000
RECENT: Final = 30.0
"""Seconds within which a cause belongs to a move, and a move to the end of a node."""
TAKEN: Final = "taken"
RELEASED: Final = "released"
FENCED: Final = "fenced"


@dataclass(slots=True)
class _Entry:
    """A move. `at` is monotonic, as is `found_gone_at`; `wall` is what people read."""

    what: str
    at: float
    wall: float
    before: str | None = None
    after: str | None = None
    cause: str | None = None
    found_gone_at: float | None = None
    silent_for: float | None = None
    found_by: str | None = None
    first_sent: float | None = None
    heard: Mac | None = None


@dataclass(frozen=True, slots=True)
class Death:
    """How a speaker was found gone: by what, when it had been silent for so long, if that is known."""

    by: str
    silent_for: float | None


@dataclass(frozen=True, slots=True)
class _Gone:
    """A speaker went at `at`, and may be back. Without a death it has said farewell."""

    at: float
    death: Death | None


@dataclass(frozen=True, slots=True)
class _Fenced:
    """From `wall` on, for a while, this node answered for none of these."""

    addresses: tuple[Address, ...]
    wall: float
    cause: str


class History:
    """No clock: `now` is monotonic, `wall` seconds since 1970."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._moves: OrderedDict[Address, deque[_Entry]] = OrderedDict()
        self._gone: dict[str, _Gone] = {}
        self._fenced: deque[_Fenced] = deque(maxlen=PER_ADDRESS)

    def took(self, addresses: Iterable[Address], now: float, wall: float) -> None:
        """This node was told to answer for these. What it answers for already is no move."""
        for address in addresses:
            known = self._moves.get(address)
            if known is None or known[-1].what != TAKEN:
                self._add(address, _Entry(TAKEN, now, wall, after=self._node))

    def keep(self, first_sent: Callable[[Address], float | None]) -> None:
        """What is held may be announced anew without a move; `first_sent` still tells of the first time."""
        for address, moves in self._moves.items():
            if moves[-1].what == TAKEN and moves[-1].first_sent is None:
                moves[-1].first_sent = first_sent(address)

    def released(self, address: Address, first_sent: float | None, now: float, wall: float) -> None:
        """It was told to answer no longer; `first_sent` is when it first announced the address."""
        known = self._moves.get(address)
        if known is not None and known[-1].what == TAKEN and known[-1].first_sent is None:
            known[-1].first_sent = first_sent
        self._add(address, _Entry(RELEASED, now, wall, before=self._node))

    def let_go(self, address: Address, heard: Mac | None) -> None:
        """What was released is answered here no longer, because `heard` speaks for it; None: nobody was heard to."""
        known = self._moves.get(address)
        if known is not None and known[-1].what == RELEASED:
            known[-1].heard = heard

    def fenced(self, wall: float, cause: str) -> None:
        """From `wall` until now nothing was answered of what is held since then or longer."""
        held = (address for address, moves in self._moves.items() if moves[-1].what == TAKEN and moves[-1].wall <= wall)
        self._fenced.append(_Fenced(tuple(held), wall, cause))

    def gone(self, nodes: Iterable[str], found: Callable[[str], Death | None], now: float) -> None:
        """These speakers are gone; `found` gives how that was noticed, None where one has said farewell."""
        self._gone = {node: gone for node, gone in self._gone.items() if now - gone.at < RECENT}
        self._gone.update((node, _Gone(now, found(node))) for node in nodes)

    def explain(self, moved: Moved, now: float) -> None:
        """Control says why.

        The end of a node belongs to a move only if control, too, counted it as gone when it decided. One that is back
        by then may lose an address for many a reason, and one that is back by now may have lost it by its end.
        """
        what = TAKEN if moved.owner == self._node else RELEASED
        for address in moved.addresses:
            entry = self._unexplained(address, what, now)
            if entry is None:
                continue
            entry.before, entry.after, entry.cause = moved.previous, moved.owner, moved.cause
            gone = self._gone.get(moved.previous or "") if moved.previous_gone else None
            if what != TAKEN or gone is None or not 0 <= entry.at - gone.at < RECENT:
                continue
            if gone.death is None:
                entry.cause = f"{moved.previous} left in good order"
            else:
                entry.found_gone_at, entry.silent_for, entry.found_by = gone.at, gone.death.silent_for, gone.death.by

    def document(self, first_sent: Callable[[Address], float | None]) -> list[dict[str, Any]]:
        """See the head of the module; `first_sent` tells of addresses that are held now."""
        rows = []
        for address, moves in self._moves.items():
            for entry in moves:
                is_held = entry is moves[-1] and entry.what == TAKEN
                sent = first_sent(address) if is_held and entry.first_sent is None else entry.first_sent
                rows.append((entry.wall, _document(address, entry, sent)))
        for fenced in self._fenced:
            entry = _Entry(FENCED, 0.0, fenced.wall, before=self._node, cause=fenced.cause)
            rows += [(fenced.wall, _document(address, entry, None)) for address in fenced.addresses]
        rows.sort(key=lambda row: -row[0])
        return [document for _, document in rows]

    def _add(self, address: Address, entry: _Entry) -> None:
        self._moves.setdefault(address, deque(maxlen=PER_ADDRESS)).append(entry)
        self._moves.move_to_end(address)
        while len(self._moves) > ADDRESSES:
            self._moves.popitem(last=False)

    def _unexplained(self, address: Address, what: str, now: float) -> _Entry | None:
        """The last such move, if nobody has said why."""
        for entry in reversed(self._moves.get(address, ())):
            if entry.what == what:
                return entry if entry.cause is None and now - entry.at < RECENT else None
        return None


def _document(address: Address, entry: _Entry, first_sent: float | None) -> dict[str, Any]:
    since = entry.at if entry.found_gone_at is None else entry.found_gone_at
    return {
        "ip": str(address),
        "at": round(entry.wall, 3),
        "what": entry.what,
        "from": entry.before,
        "to": entry.after,
        "cause": entry.cause,
        "detectedBy": entry.found_by,
        "detection": _rounded(entry.silent_for),
        "decision": None if entry.found_gone_at is None else _rounded(entry.at - entry.found_gone_at),
        "announced": None if first_sent is None else _rounded(max(0.0, first_sent - since)),
        "heard": None if entry.heard is None else mac_text(entry.heard),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
