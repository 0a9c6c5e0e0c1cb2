"""How fast a node may send what nobody asked for: the two limits that announcements and probes share.

first rounds, and probes for what is to be announced    FIRST_FACTOR × rate, evenly, in portions of FIRST_PORTION
everything else                                         rate frames in any one second, first rounds counted

Probes are not counted there: addresses that others use are asked for again and again, and that of a hundred of them
would leave no room for the repetitions of one that was taken.
"""

from typing import Final

from herald.layer2.rate_window import RateWindow

DEFAULT_RATE: Final = 200
"""Frames in any one second besides first rounds and probes, for the whole node and both families."""
FIRST_FACTOR: Final = 40
"""How many times faster first rounds may go: 8,000 frames a second, about 5 Mbit/s."""
FIRST_PORTION: Final = 0.005
"""Seconds; in any so many there are no more frames of first rounds than belong to them."""
FRAMES_PER_ROUND: Final = 2
"""Of ARP; a round of NDP is one frame."""
_WINDOW: Final = 1.0


class Pace:
    """What went out, as far as it still counts. `first` and `second` say when there is room."""

    def __init__(self, rate: int = DEFAULT_RATE) -> None:
        """`rate` is in frames per second for the whole node, at least 2 (one round)."""
        if rate < FRAMES_PER_ROUND:
            raise ValueError(f"gratuitous ARP rate {rate}: at least {FRAMES_PER_ROUND} frames per second are needed")
        portion = max(FRAMES_PER_ROUND, int(rate * FIRST_FACTOR * FIRST_PORTION))
        self.first = RateWindow(portion / (rate * FIRST_FACTOR), portion)
        self.second = RateWindow(_WINDOW, rate)

    def pass_to(self, now: float) -> None:
        """Forget what counts no longer."""
        self.first.pass_to(now)
        self.second.pass_to(now)

    def room_for_first(self, frames: int) -> float:
        """When so many frames may go that cannot wait; more than a portion go when a whole one is free."""
        return self.first.room_for(min(frames, self.first.capacity))

    def note_probes(self, frames: int, now: float) -> None:
        """So many went out."""
        self.first.note(frames, now)

    def note(self, frames: int, now: float, *, is_first: bool) -> None:
        """So many went out, whether or not there was room."""
        if is_first:
            self.first.note(frames, now)
        self.second.note(frames, now)
