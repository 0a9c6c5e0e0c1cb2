"""Members of whom others say that they are there are asked themselves before they count.

Without the key nobody can say that a member is alive. But whoever has recorded what it once said can say that again:
the packets of a node that is gone for good would make it a member anew, until the group finds it dead. So a name that
was not known counts once it has answered a ping of ours, which comes a moment after it was heard of. Such an answer
cannot be recorded before: it bears the number of the ping, and these begin anywhere.

    heard of      a ping, by UDP                                 an answer by any way, also to a probe: it counts
    0.05 s later  a ping, and after that through others too      …
    after 10      the round of probes goes on, as for everybody

At once counts who is told of in an answer that we asked for where a member is or should be, and who connects to us from
the address that it tells. `herald.swim.exchange` says which is which.
"""

from typing import Final

from herald.swim.local import Local, NewcomersDue
from herald.swim.member import Member, State
from herald.swim.message import IndirectPing, Ping

ASK_AGAIN: Final = 0.05
TIMES: Final = 10
ALONE: Final = 2
"""Of these times, those before others are asked for help."""
AT_A_TIME: Final = 64
MOST_ASKED: Final = 4096
"""Newcomers, and pings to which an answer is still taken."""


class Newcomers:
    """Those who are asked, and how often they were."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self._asked: dict[str, int] = {}
        self._pings: dict[int, Member] = {}

    def ask(self, member: Member) -> None:
        """Somebody says that it is there."""
        local = self._local
        if len(self._asked) < MOST_ASKED:
            self._asked[member.name] = 0
            if len(self._asked) <= AT_A_TIME:
                self._ask(member)
            if not local.timers.is_set(NewcomersDue()):
                local.timers.set(NewcomersDue(), local.now + ASK_AGAIN)

    def ask_again(self) -> None:
        """Those who have not answered, some at a time."""
        local = self._local
        for name in list(self._asked)[:AT_A_TIME]:
            member, times = local.roster.get(name), self._asked.pop(name)
            if member is not None and not member.is_proven and member.state.present and times < TIMES:
                self._asked[name] = times  # at the end: the others have their turn
                self._ask(member)
        if self._asked:
            local.timers.set(NewcomersDue(), local.now + ASK_AGAIN)

    def _ask(self, member: Member) -> None:
        local, sequence, times = self._local, self._local.next_sequence(), self._asked[member.name]
        self._asked[member.name] = times + 1
        self._pings[sequence] = member
        if len(self._pings) > MOST_ASKED:
            del self._pings[next(iter(self._pings))]
        if times:
            local.keys.silent(member.endpoint)
        ping = Ping(sequence, member.name, local.me.endpoint, local.name)
        local.send(member.endpoint, ping, is_heard=False)
        if times >= ALONE:
            request = IndirectPing(sequence, member.endpoint, member.name, False, local.me.endpoint, local.name)
            for helper in local.roster.pick(
                local.profile.indirect_checks, lambda one: one.state is State.ALIVE and one.is_proven
            ):
                local.send(helper.endpoint, request)

    def acked(self, sequence: int) -> None:
        """An ack has come; perhaps one of these has answered."""
        member = self._pings.pop(sequence, None)
        if member is not None:
            self._local.answered(member)
