"""The side of a speaker that is turned to the cluster: its statuses, events, metrics, probes, and where the others are.

decider, engine ──▶ ClusterPublisher ─┬─ StatusWish ─▶ StatusBook ─▶ StatusWriter ─▶ API server
                                      ├─ EventDesk ─────────────────────────────────▶ API server
                                      └─ SpeakerMetrics ─▶ /metrics
"""

import argparse
import asyncio
import logging
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from herald.announcement.reason import Reason
from herald.cluster.meta import NamespacedName
from herald.engine.link import ClosedWay, SessionFact
from herald.net.ip_family import IPAddress
from herald.observe import engine_counts, serving
from herald.observe.serving import ServingOptions
from herald.observe.speaker_metrics import SpeakerMetrics
from herald.observe.store_metrics import StoreCounts
from herald.speaker.control import Control
from herald.speaker.decider import Decider, Options, Step
from herald.speaker.event_desk import EventDesk
from herald.speaker.own_objects import OwnObjects
from herald.speaker.status_book import Slot, StatusBook
from herald.speaker.status_object import StatusKind, Trouble
from herald.speaker.status_wish import StatusWish
from herald.speaker.status_writer import StatusWriter
from herald.speaker.superseded import Superseded
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.credentials import CredentialsError
from herald.store.kubernetes.event_recorder import EventRecorder
from herald.store.kubernetes.objects import Objects, Owner
from herald.store.kubernetes.pod_deletion import pod_deletion
from herald.store.kubernetes.pods import pod_addresses
from herald.store.kubernetes.review import Reviewer
from herald.store.kubernetes.sources import Scope
from herald.store.kubernetes.store import KubernetesStore
from herald.store.kubernetes.watch_events import NO_JSON
from herald.store.store import Changes, Event, StoreError

FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
FIELD_MANAGER: Final = "herald-speaker"
COMPONENT: Final = "metallb-speaker"
"""MetalLB's name for the source of its events."""

_log: Final = logging.getLogger("herald.speaker")


class _Meta(msgspec.Struct, frozen=True):
    uid: str


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Meta


class ClusterPublisher:
    """See `herald.speaker.publisher.Publisher`. `pod`: the name of this pod, if it is one."""

    def __init__(
        self,
        decider: Decider,
        recorder: EventRecorder,
        client: ApiClient,
        counts: StoreCounts,
        pod: str | None,
        show_socket: Path | None,
    ) -> None:
        node, namespace = decider.options.node, decider.options.namespace
        self._decider = decider
        self._client = client
        self._pod = pod
        self._book = StatusBook()
        self._wish = StatusWish(decider, self._book)
        self._desk = EventDesk(recorder)
        objects = Objects(client)
        superseded = Superseded(client, objects, namespace, node, self._answers_for)
        self._counts = counts
        self._writer = StatusWriter(
            self._book, node, namespace, objects, superseded, self._desk.tell, self._counts.failed
        )
        self._own = OwnObjects(client, namespace, node, self._book, self._writer.stir)
        self.metrics = SpeakerMetrics(
            node,
            decider.upkeep.contributions,
            self._counts,
            partial(engine_counts.ask, show_socket),
            not_announced=self._desk.silences,
        )

    def took(self, batch: Changes) -> None:
        """See `Publisher.took`."""
        deleted = getattr(batch, "deleted", ())
        self._counts.took(len(batch.objects) + len(deleted), complete=batch.complete)
        self._counts.configured(self._decider.problems)
        self._wish.judge()
        self._stir()

    def note(self, step: Step) -> None:
        """See `Publisher.note`."""
        self._wish.note(step)
        self.metrics.note(step.change.verdicts)
        self._stir()

    def settle(self) -> None:
        """See `Publisher.settle`."""
        self._wish.settle()
        self._stir()

    def see(self, sessions: Iterable[SessionFact]) -> None:
        """See `Publisher.see`."""
        self._wish.see(sessions)
        self._stir()

    def reach(self, ways: tuple[ClosedWay, ...]) -> None:
        """See `Publisher.reach`."""
        self._wish.reach(ways)
        self._stir()

    def answer(self, troubles: Mapping[IPAddress, Trouble]) -> None:
        """See `Publisher.answer`."""
        self._wish.answer(troubles)
        self._stir()

    def tell(self, event: Event) -> None:
        """See `Publisher.tell`."""
        self._desk.tell(event)

    def silent(self, service: NamespacedName, reason: Reason | None) -> None:
        """See `Publisher.silent`."""
        self._desk.silent(service, reason)

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._desk.run())
            owner = None if self._pod is None else await self._find_owner(self._pod)
            tasks.create_task(self._own.run(owner.uid if owner else None))
            tasks.create_task(self._writer.run(owner))

    def _stir(self) -> None:
        if self._book.has_due:
            self._writer.stir()

    def _answers_for(self, service: str) -> bool:
        return self._book.wanted(Slot(StatusKind.LAYER2, service)) is not None

    async def _find_owner(self, pod: str) -> Owner:
        """Statuses go with their pod; until it is known none is written. The API server may be away for long."""
        path = f"/api/v1/namespaces/{self._decider.options.namespace}/pods/{pod}"
        wait_s, told = FIRST_RETRY_S, ""
        while True:
            try:
                found = msgspec.json.decode(await self._client.get(path), type=_Pod)
                return Owner("v1", "Pod", pod, found.metadata.uid)
            except (StoreError, *NO_JSON) as error:
                if str(error) != told:
                    told = str(error)
                    extra = {"event": "podNotFound", "pod": pod, "error": told}
                    _log.warning("no statuses yet: pod %s, their owner, cannot be read: %s", pod, told, extra=extra)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_RETRY_S)


class CannotStartError(Exception):
    """Something that only whoever started this process can put right."""


async def run(given: argparse.Namespace, options: Options, wanted: ServingOptions) -> None:
    """Control on the objects of a cluster, for ever. Raises `CannotStartError`."""
    try:
        client = ApiClient.connect(given.kubeconfig, field_manager=FIELD_MANAGER)
    except CredentialsError as error:
        raise CannotStartError(str(error)) from error
    try:
        store = KubernetesStore(client, Scope.of_speaker(options.namespace))
        recorder = EventRecorder(client, options.namespace, COMPONENT, options.node, store.uid)
        addresses = partial(pod_addresses, client, options.namespace, given.ml_labels) if given.ml_labels else None
        publishers: list[ClusterPublisher] = []

        def publish(decider: Decider) -> ClusterPublisher:
            counts = StoreCounts(contacts=store.contacts)
            publisher = ClusterPublisher(decider, recorder, client, counts, given.pod_name, given.show_socket)
            publishers.append(publisher)
            return publishers[0]

        deletion = partial(pod_deletion, client, options.namespace, given.pod_name) if given.pod_name else None
        control = Control(store, given.link, options, publish, addresses, deletion)
        async with serving.serving(
            wanted,
            name="speaker",
            render=publishers[0].metrics.render,
            checks={"speaker": control.complaint},
            health_host=serving.LOOPBACK,
            authorise=Reviewer(client),
        ):
            await control.run()
    finally:
        await client.close()
