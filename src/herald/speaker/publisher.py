"""Who else is told what control comes to: in a cluster statuses, events and metrics; on a folder of manifests none."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from herald.announcement.reason import Reason
from herald.cluster.meta import NamespacedName
from herald.engine.link import ClosedWay, SessionFact
from herald.net.ip_family import IPAddress
from herald.speaker.decider import Step
from herald.speaker.status_object import Trouble
from herald.store.store import Changes, Event


class Publisher(Protocol):
    """Takes everything at once and at no cost worth mentioning; whatever takes time it does in `run`."""

    def took(self, batch: Changes) -> None:
        """The decider has taken this in; its problems may be others now."""
        ...

    def note(self, step: Step) -> None:
        """The decider came to this."""
        ...

    def settle(self) -> None:
        """The decider has no work at hand."""
        ...

    def see(self, sessions: Iterable[SessionFact]) -> None:
        """The engine sees these sessions."""
        ...

    def reach(self, ways: tuple[ClosedWay, ...]) -> None:
        """Gossip does not arrive on these ways, sorted."""
        ...

    def answer(self, troubles: Mapping[IPAddress, Trouble]) -> None:
        """Something is wrong with the answers for these addresses, and for no others."""
        ...

    def tell(self, event: Event) -> None:
        """This has happened."""
        ...

    def silent(self, service: NamespacedName, reason: Reason | None) -> None:
        """Nobody announces the service, and this speaker says so for all; None: that is not, or no longer so."""
        ...

    async def run(self) -> None:
        """For ever, or until there is nothing to do."""
        ...


class Nobody:
    """Without a cluster the log is where everything is told."""

    def took(self, batch: Changes) -> None:
        """See `Publisher`."""

    def note(self, step: Step) -> None:
        """See `Publisher`."""

    def settle(self) -> None:
        """See `Publisher`."""

    def see(self, sessions: Iterable[SessionFact]) -> None:
        """See `Publisher`."""

    def reach(self, ways: tuple[ClosedWay, ...]) -> None:
        """See `Publisher`."""

    def answer(self, troubles: Mapping[IPAddress, Trouble]) -> None:
        """See `Publisher`."""

    def tell(self, event: Event) -> None:
        """See `Publisher`."""

    def silent(self, service: NamespacedName, reason: Reason | None) -> None:
        """See `Publisher`."""

    async def run(self) -> None:
        """See `Publisher`."""
