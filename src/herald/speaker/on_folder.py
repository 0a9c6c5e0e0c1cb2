"""A speaker on a folder of manifests: metrics and probes, where they are asked for. Everything else the log tells."""

import argparse
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from herald.announcement.reason import Reason
from herald.cluster.meta import NamespacedName
from herald.engine.link import ClosedWay, SessionFact
from herald.net.ip_family import IPAddress
from herald.observe import engine_counts, serving
from herald.observe.serving import ServingOptions
from herald.observe.speaker_metrics import SpeakerMetrics
from herald.observe.store_metrics import StoreCounts
from herald.speaker import places
from herald.speaker.control import Control
from herald.speaker.decider import Decider, Options, Step
from herald.speaker.silences import counted
from herald.speaker.status_object import Trouble
from herald.store.directory import Access, DirectoryStore
from herald.store.store import Changes, Event


class FolderPublisher:
    """See `herald.speaker.publisher.Publisher`: counts, and tells nobody anything by itself."""

    def __init__(self, decider: Decider, show_socket: Path | None) -> None:
        self._decider = decider
        self._counts = StoreCounts()
        self._silent: dict[NamespacedName, Reason] = {}
        self.metrics = SpeakerMetrics(
            decider.options.node,
            decider.upkeep.contributions,
            self._counts,
            partial(engine_counts.ask, show_socket),
            not_announced=self._silences,
        )

    def took(self, batch: Changes) -> None:
        """See `Publisher.took`."""
        deleted = getattr(batch, "deleted", ())
        self._counts.took(len(batch.objects) + len(deleted), complete=batch.complete)
        self._counts.configured(self._decider.problems)

    def note(self, step: Step) -> None:
        """See `Publisher.note`."""
        self.metrics.note(step.change.verdicts)

    def settle(self) -> None:
        """See `Publisher.settle`."""

    def see(self, sessions: Iterable[SessionFact]) -> None:
        """See `Publisher.see`."""

    def reach(self, ways: tuple[ClosedWay, ...]) -> None:
        """See `Publisher.reach`."""

    def answer(self, troubles: Mapping[IPAddress, Trouble]) -> None:
        """See `Publisher.answer`."""

    def tell(self, event: Event) -> None:
        """See `Publisher.tell`."""

    def silent(self, service: NamespacedName, reason: Reason | None) -> None:
        """See `Publisher.silent`."""
        if reason is None:
            self._silent.pop(service, None)
        else:
            self._silent[service] = reason

    async def run(self) -> None:
        """See `Publisher.run`."""

    def _silences(self) -> Mapping[tuple[str, str], int]:
        return counted(self._silent.values())


async def run(given: argparse.Namespace, options: Options, wanted: ServingOptions) -> None:
    """Control on the folder `given.config`, for ever."""
    publishers: list[FolderPublisher] = []

    def publish(decider: Decider) -> FolderPublisher:
        publishers.append(FolderPublisher(decider, given.show_socket))
        return publishers[0]

    addresses = partial(places.found, given.ml_join) if given.ml_join else None
    control = Control(DirectoryStore(given.config, Access.READ), given.link, options, publish, addresses)
    async with serving.serving(
        wanted,
        name="speaker",
        render=publishers[0].metrics.render,
        checks={"speaker": control.complaint},
        health_host=serving.LOOPBACK,
    ):
        await control.run()
