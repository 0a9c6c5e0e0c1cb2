"""What the controller has to do next: batches of the store in, steps out. No I/O.

A configuration with other pools begins a pass: everybody registers what they hold, the oldest first, and so do claims
of services that cannot be seen; then everybody is looked at, as `herald.allocator.assign` has it. A changed service is
looked at alone, and whoever waits is looked at again when something was let go. All look-ups stand in one queue, so
that long work is done in small steps.

Steps may be performed side by side. A step is in flight from `next_step` until `finish` or `defer`; meanwhile nobody
looks at the services that it writes, and a pass waits until nothing is in flight. A step that gives away an address
which the status of a service in flight still shows says so in `after`.

Writes are confirmed one by one. A service whose status could not be written is looked at again on `retry`; until then
the addresses that its status still shows are held, so that nobody else is given them, and the address that was to be
written is claimed: it may have been.

A status that somebody else has changed since we wrote it is restored; the step says so, and the caller decides
whether it is worth it (`rivalry`). While a pool cannot be read, an address that is in no pool may well be in that one:
it is not taken away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from herald.allocator.allocator import Allocator
from herald.allocator.assign import by_standing, in_order, is_handled
from herald.allocator.converge import converge, converge_gone, reclaim
from herald.allocator.convergence import (
    Convergence,
    ServiceEvent,
    StatusChange,
    allocated_from,
    as_written,
    change_between,
)
from herald.api.ip_address_pool import IPAddressPool
from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.service import (
    CLAIMED_ADDRESSES,
    LoadBalancerIngress,
    LoadBalancerStatus,
    Service,
    ServiceStatus,
)
from herald.config.compile import DEFAULT_NAMESPACE, Compiled, compile_config
from herald.config.config import Config
from herald.config.findings import ObjectKey
from herald.config.problem import Problem, Severity
from herald.controller import pool_status
from herald.controller.showing import Showing, parsed
from herald.controller.step import Step, Write, WriteClaim, WriteStatus, ordered
from herald.controller.versions import Written, is_older
from herald.controller.words import deleted_line, outcome_lines, restored_line, withheld_line
from herald.net.ip_family import IPAddress
from herald.store.cache import Cache
from herald.store.store import Changes, Claim, Event, StatusPatch, service_key

_NOT_COMPILED = Compiled(Config(), (), {})
_MISPLACED = "HL030"


@dataclass(frozen=True, slots=True)
class Options:
    """`namespace` is where custom resources are read from; `load_balancer_class` None: services without a class.

    `reads_secrets` False: the store tells of no Secret, so that of one that is missing nothing is said.
    """

    namespace: str = DEFAULT_NAMESPACE
    load_balancer_class: str | None = None
    reads_secrets: bool = True


class Assigner:
    """Begins with the first batch, which must be a `Synced`. `claims` are those that the store has kept."""

    def __init__(self, options: Options, claims: Mapping[NamespacedName, Claim]) -> None:
        self._options = options
        self._claims = dict(claims)
        self._cache = Cache()
        self._compiled = _NOT_COMPILED
        self._allocator = Allocator()
        self._began = False
        self._in_doubt = True
        self._pass_is_due = False
        self._queue: dict[NamespacedName, None] = {}
        self._in_flight: set[NamespacedName] = set()
        self._postponed: set[NamespacedName] = set()
        self._something_let_go = False
        self._showing = Showing()
        self._written = Written()
        self._agreed: dict[NamespacedName, StatusChange] = {}
        self._told: dict[NamespacedName, tuple[ServiceEvent, ...]] = {}
        self._withheld: set[NamespacedName] = set()
        self._held_back: dict[NamespacedName, tuple[NamespacedName, ...]] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the objects now."""
        return (*self._compiled.with_consequences(self._cache.problems), *self._compiled.problems)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._compiled.config

    @property
    def allocator(self) -> Allocator:
        """Who has what; to be read only."""
        return self._allocator

    def take(self, batch: Changes) -> None:
        """The store has told this."""
        touched = self._cache.take(self._written.news(batch))
        for key in touched.services:
            self._see(key)
        if touched.configuration or not self._began:
            self._compiled = compile_config(
                self._cache.resources(),
                namespace=self._options.namespace,
                last_good=self._compiled.accepted,
                knows_secrets=self._options.reads_secrets,
            )
        was_in_doubt, self._in_doubt = self._in_doubt, self._pools_are_in_doubt()
        pools = self._compiled.config.pools
        if not self._began or pools != self._allocator.pools or (was_in_doubt and not self._in_doubt):
            self._pass_is_due = True
        self._queue.update(dict.fromkeys(touched.services))

    def next_step(self) -> Step | None:
        """Look at the next service in the queue; None if there is nothing to do, or not before something is finished.

        A step with writes is in flight from now on.
        """
        if self._pass_is_due:
            if self._in_flight:
                return None
            self._begin_pass()
        key = self._next_in_queue()
        if key is None:
            return None
        self._let_go(key)
        service = self._cache.services.get(key)
        if service is None or not is_handled(service, self._options.load_balancer_class):
            step = self._step_away(key, service)
        else:
            step = self._step(service)
        if step.writes:
            self._in_flight |= step.services
        return step

    def confirm(self, write: Write, version: str = "") -> None:
        """The write was done, and made this version of the object where the store has versions."""
        match write:
            case WriteStatus(service=key, change=change):
                service = self._cache.services.get(key)
                if service is not None and not is_older(version, service.metadata.resource_version):
                    self._cache.services[key] = _at(as_written(service, Convergence(key, change=change)), version)
                    if version != service.metadata.resource_version:
                        self._written.note(service_key(key), version)
                self._agreed[key] = change
                self._showing.note(key, self._cache.services.get(key))
            case WriteClaim(service=key, claim=claim):
                if claim:
                    self._claims[key] = claim
                else:
                    self._claims.pop(key, None)

    def finish(self, step: Step) -> None:
        """Everything in the step was written."""
        self._land(step)

    def defer(self, step: Step) -> None:
        """A write of the step was not done: hold what the status still shows, and look again on `retry`."""
        self._land(step)
        self._told.pop(step.service, None)
        for write in step.given:
            self._claims[write.service] = write.change.ingress
            self._showing.note_attempt(write.service, write.version, parsed(write.change.ingress))
        mine = self._allocator.allocation_of(step.service)
        stand_ins = list(self._held_back.get(step.service, ()))
        for address in self._showing.of(step.service):
            if mine is None or address not in mine.addresses:
                name = NamespacedName(step.service.namespace, f"{step.service.name} (status not written, {address})")
                self._allocator.register(_stand_in(name), (address,))
                stand_ins.append(name)
        self._held_back[step.service] = tuple(stand_ins)

    def retry(self, services: Iterable[NamespacedName]) -> None:
        """Look again at these, before anybody else, if their writes have failed."""
        again = [key for key in sorted(services) if key in self._held_back]
        if again:
            self._queue = {**dict.fromkeys(again), **self._queue}

    def pool_patches(self) -> tuple[StatusPatch, ...]:
        """The pool statuses that do not show the present counters."""
        return pool_status.patches(self._own_pools(), self._allocator)

    def confirm_pool(self, patch: StatusPatch, version: str = "") -> None:
        """A pool status was written."""
        pool = self._cache.others.get(patch.about)
        if isinstance(pool, IPAddressPool) and not is_older(version, pool.metadata.resource_version):
            self._cache.others[patch.about] = pool_status.as_written(pool, patch, version)
            if version != pool.metadata.resource_version:
                self._written.note(patch.about, version)

    def _own_pools(self) -> tuple[IPAddressPool, ...]:
        pools = (item for item in self._cache.others.values() if isinstance(item, IPAddressPool))
        return tuple(pool for pool in pools if pool.metadata.namespace == self._options.namespace)

    def _pools_are_in_doubt(self) -> bool:
        """Whether some pool cannot be told: its file was never read, or it has no version that was ever valid."""
        accepted = self._compiled.accepted
        return not self._cache.is_complete or any(
            problem.severity is Severity.ERROR
            and problem.kind == IPAddressPool.__name__
            and problem.rule != _MISPLACED
            and ObjectKey(problem.kind, problem.namespace, problem.name) not in accepted
            for problem in self.problems
        )

    def _see(self, key: NamespacedName) -> None:
        """The service has changed, or is new, or gone."""
        service = self._cache.services.get(key)
        self._showing.note(key, service)
        if service is None:
            self._agreed.pop(key, None)
        elif key not in self._claims:
            claim = _annotated_claim(service)
            if claim:
                self._claims[key] = claim

    def _next_in_queue(self) -> NamespacedName | None:
        if not self._queue and self._something_let_go:
            self._something_let_go = False
            self._queue.update(dict.fromkeys(self._allocator.waiting()))
        while self._queue:
            key = next(iter(self._queue))
            del self._queue[key]
            if key not in self._in_flight:
                return key
            self._postponed.add(key)
        return None

    def _land(self, step: Step) -> None:
        self._in_flight -= step.services
        again = self._postponed & step.services
        self._postponed -= again
        self._queue.update(dict.fromkeys(sorted(again)))

    def _let_go(self, key: NamespacedName) -> None:
        """What was held because the status of this service could not be written is decided anew."""
        for name in self._held_back.pop(key, ()):
            if self._allocator.release(name) is not None:
                self._something_let_go = True

    def _begin_pass(self) -> None:
        self._began, self._pass_is_due = True, False
        self._allocator.set_pools(self._compiled.config.pools)
        services = self._cache.services
        handled = [each for each in services.values() if is_handled(each, self._options.load_balancer_class)]
        for service in by_standing(handled):
            reclaim(self._allocator, self._as_agreed(service), self._claim(service.key))
        for key in sorted(self._claims.keys() - services.keys()):
            claimed = self._claim(key)
            if claimed:
                self._allocator.register(_stand_in(key), claimed)
        self._something_let_go = True
        self._queue = dict.fromkeys([*(service.key for service in in_order(handled)), *sorted(services)])

    def _step(self, service: Service) -> Step:
        key = service.key
        outcome = self._converge(service)
        if self._is_withheld(service, outcome):
            self._allocator.release(key)
            is_news = key not in self._withheld
            self._withheld.add(key)
            return Step(key, lines=(withheld_line(service),) if is_news else ())
        self._withheld.discard(key)
        self._something_let_go = self._something_let_go or outcome.reprocess_all
        if outcome.change is None:
            self._agreed[key] = StatusChange(service.ingress_ips, allocated_from(service))
        is_restored = outcome.change is not None and outcome.change == self._agreed.get(key)
        told = self._told.get(key, ()) if outcome.change is None or is_restored else ()
        news = tuple(event for event in outcome.events if event not in told)
        self._told[key] = outcome.events
        claim = tuple(map(str, outcome.addresses))
        busy, idle = self._others_showing(outcome)
        return Step(
            key,
            ordered(
                self._cache.services, key, outcome.change, None if claim == self._claims.get(key, ()) else claim, idle
            ),
            tuple(Event(service_key(key), event.type, event.reason.value, event.message) for event in news),
            (restored_line(service, outcome),) if is_restored else outcome_lines(service, outcome, news),
            after=busy,
            restores=is_restored,
        )

    def _converge(self, service: Service) -> Convergence:
        claim = self._claim(service.key)
        seen = self._as_agreed(service)
        outcome = converge(self._allocator, seen, claim)
        if seen is service:
            return outcome
        wanted = outcome.change or StatusChange(seen.ingress_ips, allocated_from(seen))
        ingress = tuple(LoadBalancerIngress(ip=text) for text in wanted.ingress)
        return replace(outcome, change=change_between(service, ingress, wanted.pool))

    def _as_agreed(self, service: Service) -> Service:
        """The service with the addresses that it was given, if somebody else has written other ones over them.

        That is so when the status is not the one that was last seen to be right; and after a start, about which nothing
        is known, when no pool has any of the addresses.
        """
        claim, shown = self._claims.get(service.key, ()), service.ingress_ips
        if not claim or not shown or shown == claim:
            return service
        agreed = self._agreed.get(service.key)
        if agreed is None and any(self._allocator.in_any_pool(address) for address in parsed(shown)):
            return service
        if agreed is not None and agreed.ingress in ((), shown):
            return service
        ingress = tuple(LoadBalancerIngress(ip=text) for text in claim)
        return msgspec.structs.replace(service, status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=ingress)))

    def _step_away(self, key: NamespacedName, service: Service | None) -> Step:
        """The service is gone (None), or is of another class, whose controller owns its status."""
        had = self._allocator.allocation_of(key)
        outcome = converge_gone(self._allocator, key)
        self._something_let_go = self._something_let_go or outcome.reprocess_all
        self._told.pop(key, None)
        self._agreed.pop(key, None)
        self._withheld.discard(key)
        writes = (WriteClaim(key, ()),) if service is None and key in self._claims else ()
        lines = (deleted_line(str(key), tuple(map(str, had.addresses))),) if had else ()
        return Step(key, writes, lines=lines)

    def _is_withheld(self, service: Service, outcome: Convergence) -> bool:
        if not self._in_doubt or outcome.change is None or not service.is_load_balancer:
            return False
        lost = set(self._showing.of(service.key)) - set(outcome.addresses)
        return any(not self._allocator.in_any_pool(address) for address in lost)

    def _others_showing(self, outcome: Convergence) -> tuple[frozenset[NamespacedName], tuple[NamespacedName, ...]]:
        """Services whose status shows an address that is not theirs any more and is given away here.

        First those that are being written, then those whose status is to be emptied.
        """
        if outcome.change is None:
            return frozenset(), ()
        others = {
            other
            for address in outcome.addresses
            for other in self._showing.by(address)
            if other not in self._allocator.holders(address)
        }
        return frozenset(others & self._in_flight), tuple(sorted(others - self._in_flight))

    def _claim(self, key: NamespacedName) -> tuple[IPAddress, ...]:
        return parsed(self._claims.get(key, ()))


def _at(service: Service, version: str) -> Service:
    if not version:
        return service
    return msgspec.structs.replace(
        service, metadata=msgspec.structs.replace(service.metadata, resource_version=version)
    )


def _annotated_claim(service: Service) -> Claim:
    """The claim that the service carries itself; none if it is not a list of addresses."""
    texts = tuple(text.strip() for text in service.metadata.annotations.get(CLAIMED_ADDRESSES, "").split(",") if text)
    return texts if len(parsed(texts)) == len(texts) else ()


def _stand_in(key: NamespacedName) -> Service:
    """Holds addresses in the place of a service that is not to be seen: it shares with nobody."""
    return Service(metadata=ObjectMeta(namespace=key.namespace, name=key.name))
