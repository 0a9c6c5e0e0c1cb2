"""What the controller has to do next: batches of the store in, steps out. No I/O.

A configuration with other pools begins a pass: everybody registers what they hold, the oldest first, and so do claims
of services that cannot be seen; then everybody is looked at, as `herald.allocator.assign` has it. A changed service is
looked at alone, and whoever waits is looked at again when something was let go. All look-ups stand in one queue, so
that long work is done in small steps.

Writes are confirmed one by one. A service whose status could not be written is looked at again on `retry`; until then
the addresses that its status still shows are held, so that nobody else is given them.

While a pool cannot be read, an address that is in no pool may well be in that one: it is not taken away.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from herald.allocator.allocator import Allocator
from herald.allocator.assign import by_standing, in_order, is_handled
from herald.allocator.converge import converge, converge_gone, reclaim
from herald.allocator.convergence import Convergence, ServiceEvent, as_written
from herald.api.ip_address_pool import IPAddressPool
from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.service import Service
from herald.config.compile import DEFAULT_NAMESPACE, Compiled, compile_config
from herald.config.config import Config
from herald.config.findings import ObjectKey
from herald.config.problem import Problem, Severity
from herald.controller import pool_status
from herald.controller.step import Step, Write, WriteClaim, WriteStatus, ordered
from herald.controller.words import deleted_line, outcome_lines, withheld_line
from herald.net.ip_family import IPAddress, parse_address
from herald.store.cache import Cache
from herald.store.store import Changes, Claim, Event, StatusPatch, service_key

_NOT_COMPILED = Compiled(Config(), (), {})
_MISPLACED = "HL030"


@dataclass(frozen=True, slots=True)
class Options:
    """`namespace` is where custom resources are read from; `load_balancer_class` None: services without a class."""

    namespace: str = DEFAULT_NAMESPACE
    load_balancer_class: str | None = None


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
        self._queue: dict[NamespacedName, None] = {}
        self._something_let_go = False
        self._shown: dict[NamespacedName, tuple[IPAddress, ...]] = {}
        self._showing: defaultdict[IPAddress, set[NamespacedName]] = defaultdict(set)
        self._told: dict[NamespacedName, tuple[ServiceEvent, ...]] = {}
        self._withheld: set[NamespacedName] = set()
        self._held_back: dict[NamespacedName, tuple[NamespacedName, ...]] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the objects now."""
        return (*self._cache.problems, *self._compiled.problems)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._compiled.config

    def take(self, batch: Changes) -> None:
        """The store has told this."""
        touched = self._cache.take(batch)
        for key in touched.services:
            self._show(key)
        if touched.configuration or not self._began:
            self._compiled = compile_config(
                self._cache.resources(), namespace=self._options.namespace, last_good=self._compiled.accepted
            )
        was_in_doubt, self._in_doubt = self._in_doubt, self._pools_are_in_doubt()
        pools = self._compiled.config.pools
        if not self._began or pools != self._allocator.pools or (was_in_doubt and not self._in_doubt):
            self._begin_pass()
        self._queue.update(dict.fromkeys(touched.services))

    def next_step(self) -> Step | None:
        """Look at the next service in the queue; None if there is nothing to do."""
        if not self._queue and self._something_let_go:
            self._something_let_go = False
            self._queue.update(dict.fromkeys(self._allocator.waiting()))
        if not self._queue:
            return None
        key = next(iter(self._queue))
        del self._queue[key]
        service = self._cache.services.get(key)
        if service is None or not is_handled(service, self._options.load_balancer_class):
            return self._step_away(key, service)
        return self._step(service)

    def confirm(self, write: Write) -> None:
        """The write was done."""
        match write:
            case WriteStatus(service=key, change=change):
                if key in self._cache.services:
                    self._cache.services[key] = as_written(self._cache.services[key], Convergence(key, change=change))
                self._show(key)
            case WriteClaim(service=key, claim=claim):
                if claim:
                    self._claims[key] = claim
                else:
                    self._claims.pop(key, None)

    def defer(self, step: Step) -> None:
        """A write of the step was not done: hold what the status still shows, and look again on `retry`."""
        self._told.pop(step.service, None)
        mine = self._allocator.allocation_of(step.service)
        stand_ins = []
        for address in self._shown.get(step.service, ()):
            if mine is None or address not in mine.addresses:
                name = NamespacedName(step.service.namespace, f"{step.service.name} (status not written, {address})")
                self._allocator.register(_stand_in(name), (address,))
                stand_ins.append(name)
        self._held_back[step.service] = tuple(stand_ins)

    @property
    def wants_retry(self) -> bool:
        """Whether writes have failed."""
        return bool(self._held_back)

    def retry(self) -> None:
        """Look again at the services whose writes failed, before anybody else."""
        for name in (name for stand_ins in self._held_back.values() for name in stand_ins):
            self._allocator.release(name)
        self._queue = {**dict.fromkeys(sorted(self._held_back)), **self._queue}
        self._something_let_go = True
        self._held_back.clear()

    def pool_patches(self) -> tuple[StatusPatch, ...]:
        """The pool statuses that do not show the present counters."""
        return pool_status.patches(self._own_pools(), self._allocator)

    def confirm_pool(self, patch: StatusPatch) -> None:
        """A pool status was written."""
        pool = self._cache.others.get(patch.about)
        if isinstance(pool, IPAddressPool):
            self._cache.others[patch.about] = pool_status.as_written(pool, patch)

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

    def _begin_pass(self) -> None:
        self._began = True
        self._allocator.set_pools(self._compiled.config.pools)
        services = self._cache.services
        handled = [each for each in services.values() if is_handled(each, self._options.load_balancer_class)]
        for service in by_standing(handled):
            reclaim(self._allocator, service, self._claim(service.key))
        for key in sorted(self._claims.keys() - services.keys()):
            claimed = self._claim(key)
            if claimed:
                self._allocator.register(_stand_in(key), claimed)
        self._something_let_go = True
        self._queue = dict.fromkeys([*(service.key for service in in_order(handled)), *sorted(services)])

    def _step(self, service: Service) -> Step:
        key = service.key
        outcome = converge(self._allocator, service, self._claim(key))
        if self._is_withheld(service, outcome):
            self._allocator.release(key)
            is_news = key not in self._withheld
            self._withheld.add(key)
            return Step(key, lines=(withheld_line(service),) if is_news else ())
        self._withheld.discard(key)
        self._something_let_go = self._something_let_go or outcome.reprocess_all
        told = self._told.get(key, ()) if outcome.change is None else ()
        news = tuple(event for event in outcome.events if event not in told)
        self._told[key] = outcome.events
        claim = tuple(map(str, outcome.addresses))
        return Step(
            key,
            ordered(
                key, outcome.change, None if claim == self._claims.get(key, ()) else claim, self._to_empty(outcome)
            ),
            tuple(Event(service_key(key), event.type, event.reason.value, event.message) for event in news),
            outcome_lines(service, outcome, news),
        )

    def _step_away(self, key: NamespacedName, service: Service | None) -> Step:
        """The service is gone (None), or is of another class, whose controller owns its status."""
        had = self._allocator.allocation_of(key)
        outcome = converge_gone(self._allocator, key)
        self._something_let_go = self._something_let_go or outcome.reprocess_all
        self._told.pop(key, None)
        self._withheld.discard(key)
        writes = (WriteClaim(key, ()),) if service is None and key in self._claims else ()
        lines = (deleted_line(str(key), tuple(map(str, had.addresses))),) if had else ()
        return Step(key, writes, lines=lines)

    def _is_withheld(self, service: Service, outcome: Convergence) -> bool:
        if not self._in_doubt or outcome.change is None or not service.is_load_balancer:
            return False
        lost = set(self._shown.get(service.key, ())) - set(outcome.addresses)
        return any(not self._allocator.in_any_pool(address) for address in lost)

    def _to_empty(self, outcome: Convergence) -> tuple[NamespacedName, ...]:
        """Services whose status shows an address that is not theirs any more and is given away here."""
        others = {
            other
            for address in outcome.addresses
            for other in self._showing.get(address, ())
            if other not in self._allocator.holders(address)
        }
        return tuple(sorted(others)) if outcome.change is not None else ()

    def _claim(self, key: NamespacedName) -> tuple[IPAddress, ...]:
        return _parsed(self._claims.get(key, ()))

    def _show(self, key: NamespacedName) -> None:
        """Note which addresses the status of a service shows."""
        for address in self._shown.pop(key, ()):
            self._showing[address].discard(key)
            if not self._showing[address]:
                del self._showing[address]
        service = self._cache.services.get(key)
        shown = _parsed(service.ingress_ips) if service is not None else ()
        if shown:
            self._shown[key] = shown
            for address in shown:
                self._showing[address].add(key)


def _parsed(texts: tuple[str, ...]) -> tuple[IPAddress, ...]:
    """The addresses among `texts`; somebody else may have written anything into a status."""
    found = []
    for text in texts:
        try:
            found.append(parse_address(text))
        except ValueError:
            continue
    return tuple(found)


def _stand_in(key: NamespacedName) -> Service:
    """Holds addresses in the place of a service that is not to be seen: it shares with nobody."""
    return Service(metadata=ObjectMeta(namespace=key.namespace, name=key.name))
