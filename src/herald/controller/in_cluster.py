"""The controller in a cluster: what runs in every replica, and what only in the one that leads.

    every replica:  Feed ─▶ webhooks     probes     metrics     LeaseElection
    the leader:     Feed ─▶ Controller ─▶ statuses, events     StateKeeper     PeerCounter     the group's Secret
                    ProblemTeller: events about what is misconfigured
                    SilentStatuses: what speakers said that have fallen silent

Whoever loses the Lease stops writing before another may begin: what only a leader writes goes by one fence. Whoever
gets it has everything listed anew before it gives anything: the one before may have written what the own watches have
not told yet.
"""

import argparse
import asyncio
import logging
import secrets
import socket
from dataclasses import replace
from typing import Final

from herald.allocator.allocator import Allocator
from herald.cluster.secret import Secret
from herald.controller import group_secret
from herald.controller.assigner import Assigner, Options
from herald.controller.feed import Feed
from herald.controller.loop import WATCHED, Controller, Hearing, Performance
from herald.controller.peer_counter import PeerCounter
from herald.controller.problem_teller import ProblemTeller
from herald.controller.silent_statuses import SilentStatuses
from herald.controller.state_keeper import StateKeeper
from herald.observe import serving
from herald.observe.controller_metrics import ControllerMetrics
from herald.observe.health import Check
from herald.observe.store_metrics import StoreCounts
from herald.observe.tls import TlsOptionsError
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.credentials import CredentialsError
from herald.store.kubernetes.event_recorder import EventRecorder
from herald.store.kubernetes.lease import LeaseElection
from herald.store.kubernetes.review import Reviewer
from herald.store.kubernetes.sources import Scope
from herald.store.kubernetes.store import KubernetesStore
from herald.store.kubernetes.writer import ClusterWriter
from herald.store.store import Changes

COMPONENT: Final = "metallb-controller"
FIELD_MANAGER: Final = "herald-controller"
SIDE_BY_SIDE: Final = 16
READ: Final = frozenset(WATCHED) - {Secret.__name__}
"""Passwords are the speakers' concern."""

_log = logging.getLogger("herald.controller")


class CannotStartError(Exception):
    """Something that only whoever started this process can put right."""


async def run(given: argparse.Namespace, options: Options) -> None:
    """The controller, for ever. Raises `CannotStartError`."""
    try:
        client = ApiClient.connect(given.kubeconfig, field_manager=FIELD_MANAGER)
    except CredentialsError as error:
        raise CannotStartError(str(error)) from error
    try:
        wanted = serving.options(given)
    except TlsOptionsError as error:
        raise CannotStartError(str(error)) from error
    try:
        replica = Replica(given, options, client)
        async with serving.serving(
            wanted,
            name="controller",
            render=replica.metrics.render,
            checks=replica.checks,
            health_host="",
            authorise=Reviewer(client),
        ):
            await replica.run()
    except BaseExceptionGroup as group:
        ours, others = group.split(OSError)
        if ours is None or others is not None:
            raise
        raise CannotStartError("; ".join(sorted({str(error) for error in _leaves(ours)}))) from group
    finally:
        await client.close()


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


class Replica:
    """One controller process. `given` are the words of the command line."""

    def __init__(self, given: argparse.Namespace, options: Options, client: ApiClient) -> None:
        self.given = given
        self.client = client
        self.allocates = given.webhook_mode != "onlywebhook"
        self.serves_webhooks = given.webhook_mode != "disabled"
        self._options = replace(options, reads_secrets=False)
        identity = given.pod_name or f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._events = EventRecorder(
            client,
            options.namespace,
            COMPONENT,
            identity,
            lambda key: self._store.uid(key),
            lambda: self._writer.is_busy,
        )
        self._lease = LeaseElection(client, options.namespace, identity)
        self._leading = client.behind(self._lease.fence)
        self._writer = ClusterWriter(self._leading, self._events, manager=FIELD_MANAGER)
        self._store = KubernetesStore(client, Scope.of_controller(options.namespace), self._writer)
        self._counts = StoreCounts(contacts=self._store.contacts)
        self.feed = Feed(self._store, READ, self._heard)
        self._assigner: Assigner | None = None
        self._state = StateKeeper(self._leading, options.namespace, given.pod_name or None)
        self._teller: ProblemTeller | None = None
        self.metrics = ControllerMetrics(self._allocator, self._counts, leads=self._lease.leads)
        self.checks: dict[str, Check] = {"cluster": self._not_read}

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.feed.run())
            tasks.create_task(self._events.run())
            if self.serves_webhooks:
                tasks.create_task(self._webhooks())
            if self.allocates:
                await self._lease.run(self._lead)

    async def _lead(self) -> None:
        given, namespace = self.given, self._options.namespace
        await self.feed.read_anew()
        self._assigner = Assigner(self._options, await self.feed.read_claims())
        self._teller = ProblemTeller(self._events.record)
        performance = Performance(SIDE_BY_SIDE, self._writer.rivals)
        hearing = Hearing(self._configured, self._counts.failed, self.metrics.refused)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(Controller(self.feed, self._assigner, performance, hearing).run())
                tasks.create_task(self._state.run())
                tasks.create_task(self._teller.run())
                tasks.create_task(PeerCounter(self._leading, self.feed, namespace).run())
                tasks.create_task(SilentStatuses(self._leading, namespace).run())
                if given.ml_secret_name:
                    wanted = group_secret.keep(self._leading, namespace, given.ml_secret_name, given.deployment)
                    tasks.create_task(wanted)
        finally:
            self._assigner = self._teller = None
            self._counts.configured(self.feed.cache.problems)

    async def _webhooks(self) -> None:
        # Only here: certificates and the server are large, and may be switched off.
        from herald.controller.webhook_wiring import run_webhooks_of

        await run_webhooks_of(self)

    def _heard(self, batch: Changes) -> None:
        deleted = getattr(batch, "deleted", ())
        self._counts.took(len(batch.objects) + len(deleted), complete=batch.complete)
        if self._assigner is None:
            # Who stands by has a configuration too, and must not be reported for having none.
            self._counts.configured(batch.problems)

    def _configured(self) -> None:
        if self._assigner is not None:
            self._counts.configured(self._assigner.problems)
            self._state.tell(self._assigner.problems)
        if self._assigner is not None and self._teller is not None:
            self._teller.tell(self._assigner.problems)

    def _allocator(self) -> Allocator:
        return self._assigner.allocator if self._assigner is not None else Allocator()

    def _not_read(self) -> str | None:
        if not self.feed.is_synced:
            return self._store.complaint or "the objects of the cluster have not been read yet"
        return self._store.complaint
