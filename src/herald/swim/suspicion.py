"""How long an accused member has to answer (Lifeguard): the more members confirm the accusation, the shorter.

    shortest  profile.suspicion_shortest(n)            longest  shortest × suspicion_max_timeout_mult
    after c of k confirmations                         longest − (longest − shortest) × ln(c + 1) / ln(k + 1)

With k = 0, as in groups where nobody could confirm, the shortest counts at once.
"""

import math

from herald.swim.profile import Profile


class Suspicion:
    """An accusation that stands."""

    def __init__(self, accuser: str, members: int, profile: Profile, now: float) -> None:
        """`members` counts all that are on the list, this node and the dead too."""
        self.started = now
        self._needed = profile.confirmations if members - 2 >= profile.confirmations else 0
        self._shortest = profile.suspicion_shortest(members)
        self._longest = self._shortest * profile.suspicion_max_timeout_mult
        self._accusers = {accuser}

    def confirm(self, accuser: str) -> bool:
        """Somebody accuses too. Whether that counts: each does once, and no more than are needed."""
        if accuser in self._accusers or len(self._accusers) > self._needed:
            return False
        self._accusers.add(accuser)
        return True

    def accused_by(self, name: str) -> bool:
        """Whether that member is among those that accuse."""
        return name in self._accusers

    def ends(self) -> float:
        """When the member is dead, as it stands now."""
        if self._needed == 0:
            return self.started + self._shortest
        share = math.log(len(self._accusers)) / math.log(self._needed + 1)
        total = math.floor((self._longest - (self._longest - self._shortest) * share) * 1000) / 1000
        return self.started + max(self._shortest, total)

    def prolong(self, now: float) -> float:
        """It has answered meanwhile: the time begins anew. When it ends then."""
        self.started = now
        return now + self._shortest
