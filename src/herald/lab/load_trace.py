"""What became of a thousand requests a second: the trace that `load` leaves, read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from herald.lab.load import NO_ANSWER

STALL = "stall"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request: when it was sent (seconds since 1970), the wait for its answer in ms or None, and who or what told."""

    at: float
    stream: str
    waited_ms: float | None
    told: str

    @property
    def lost(self) -> bool:
        """Whether it was never answered."""
        return self.waited_ms is None


@dataclass(frozen=True, slots=True)
class LoadTrace:
    """All requests, and the (instant, seconds) at which the sender itself came too late."""

    requests: tuple[Sent, ...]
    stalls: tuple[tuple[float, float], ...]

    @classmethod
    def parse(cls, text: str) -> "LoadTrace":
        """The trace of a whole run, requests in the order in which they were sent. ValueError for anything else."""
        requests, stalls = [], []
        for line in text.splitlines():
            at, stream, waited, *told = line.split(" ", 3)
            if stream == STALL:
                stalls.append((float(at), float(waited)))
            else:
                requests.append(Sent(float(at), stream, None if waited == "-" else float(waited), told[0]))
        return cls(tuple(sorted(requests, key=lambda one: one.at)), tuple(stalls))

    def of(self, stream: str, since: float = 0.0, until: float = float("inf")) -> "LoadTrace":
        """The requests of one stream that were sent in a span of time."""
        chosen = (one for one in self.requests if one.stream == stream and since <= one.at < until)
        return LoadTrace(tuple(chosen), tuple(stall for stall in self.stalls if since <= stall[0] < until))

    @property
    def lost(self) -> list[Sent]:
        """The requests without an answer."""
        return [one for one in self.requests if one.lost]

    @property
    def longest_wait_ms(self) -> float:
        """For an answer that came."""
        return max((one.waited_ms for one in self.requests if one.waited_ms is not None), default=0.0)

    @property
    def longest_stall_ms(self) -> float:
        """For which nothing was sent."""
        return max((seconds * 1000 for _, seconds in self.stalls), default=0.0)

    def answers(self) -> Counter[str]:
        """Who answered how many."""
        return Counter(one.told for one in self.requests if not one.lost)


def complaints(lost: Iterable[Sent]) -> str:
    """What routers and hosts said of requests that were lost, as ` (12 × No route to host)`; empty if nobody did."""
    told = Counter(one.told for one in lost if one.told != NO_ANSWER)
    return f" ({', '.join(f'{count:,} × {what}' for what, count in told.most_common())})" if told else ""
