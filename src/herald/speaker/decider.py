"""What this node is to announce: batches of the store and facts of the engine in, changes of the wish out. No I/O.

    batch ──▶ cache ──compile──▶ configuration ─┐
    facts ──▶ members and their interfaces ─────┴─▶ view ──▶ upkeep ──▶ changes

Nothing comes out before the first batch *and* the first members are there, and the wish is not to be told before the
first round over all services is over (`is_ready`): half a wish would withdraw the other half.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TypeAlias

from herald.announcement.desired import Desired
from herald.announcement.incremental import Change, Upkeep
from herald.announcement.readiness import Slices
from herald.announcement.told import Told
from herald.announcement.view import View
from herald.cluster.meta import NamespacedName, NodeName, ObjectMeta
from herald.cluster.node import Node
from herald.config.compile import DEFAULT_NAMESPACE, Compiled, compile_config
from herald.config.config import Config
from herald.config.findings import ObjectKey
from herald.config.problem import Problem
from herald.config.resources import Resources
from herald.net.usable_names import BOTH, UsableNames, can_answer
from herald.store.cache import SLICE, Cache, Touched
from herald.store.store import Changes

HOSTNAME_LABEL = "kubernetes.io/hostname"
_NOTHING_TOLD = Told()
_NOT_COMPILED = Compiled(Config(), (), {})

Usable: TypeAlias = Mapping[NodeName, frozenset[str] | None]
"""The live speakers and their usable interfaces, in the words of `herald.net.usable_names`; None if not known."""
Asked: TypeAlias = tuple[bool, ...]
"""For each thing that elections ask about the interfaces of a node, the answer."""


@dataclass(frozen=True, slots=True)
class Options:
    """`assume_node`: without any Node object this host is the node. `assume_ready`: see `Upkeep`."""

    node: NodeName
    namespace: str = DEFAULT_NAMESPACE
    load_balancer_class: str | None = None
    ignore_exclude_lb: bool = False
    assume_node: bool = False
    assume_ready: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What a piece of work changed, and the services it was about.

    If it is the view that changed, `services` is empty (all of them) and `view_before` is what was decided by before.
    """

    change: Change
    services: tuple[NamespacedName, ...] = ()
    view_before: View | None = None


class Decider:
    """The decisions of one node, kept up to date. Call `step` as long as it `has_work`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.cache = Cache()
        self.upkeep = Upkeep(
            options.node, load_balancer_class=options.load_balancer_class, assume_ready=options.assume_ready
        )
        self._compiled = _NOT_COMPILED
        self._members: Usable | None = None
        self._hosts = {options.node}
        self._told = _NOTHING_TOLD
        self.has_synced = False
        self._view: View | None = None
        self._view_before: View | None = None
        self._round: Iterator[Change] | None = None
        self._single: deque[Callable[[], Step]] = deque()
        self.is_ready = False
        self._is_departing = False

    @property
    def view(self) -> View | None:
        """What is decided by now; None before there is anything to decide by."""
        return self._view

    @property
    def slices(self) -> Slices:
        """The EndpointSlices, by service."""
        return self.upkeep.slices

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the objects now."""
        return (*self._compiled.with_consequences(self.cache.problems), *self._compiled.problems)

    @property
    def is_complete(self) -> bool:
        """Whether what the store does not have is really not there."""
        return self.cache.is_complete

    def desired(self) -> Desired:
        """The whole wish; only once `is_ready`."""
        assert self.is_ready
        return self.upkeep.desired()

    def take(self, batch: Changes) -> None:
        """The store has told this."""
        for _ in self.taking(batch):
            pass

    def taking(self, batch: Changes) -> Iterator[None]:
        """The same in slices. Nothing else is to be asked or told before it has ended."""
        touched = yield from self.cache.taking(batch)
        if self.has_synced:
            self._queue(touched)
        else:
            yield from self._fill()
            self.has_synced = True
        if touched.configuration or self._compiled is _NOT_COMPILED:
            before = self._compiled
            self._compile()
            if before is _NOT_COMPILED or self._compiled.config != before.config:
                self._look_again()

    def _compile(self) -> None:
        resources = self._with_hosts(self.cache.resources())
        last_good = self._compiled.accepted
        self._compiled = compile_config(resources, namespace=self.options.namespace, last_good=last_good)

    def see(self, members: Usable, told: Told = _NOTHING_TOLD) -> None:
        """The engine sees these live speakers, which tell `told`.

        Interfaces that no election asks for come and go without any effect: a node with containers has many of them.
        So does what is told, unless an advertisement has to do with it.
        """
        before, self._members = self._members, members
        told_before, self._told = self._told, told
        if self.options.assume_node and not members.keys() <= self._hosts:
            self._hosts |= members.keys()
            if self._compiled is not _NOT_COMPILED:
                self._compile()
        if (
            before is None
            or self._asked_for(before) != self._asked_for(members)
            or self._relevant(told_before) != self._relevant(told)
        ):
            self._look_again()

    @property
    def own_node(self) -> Node | None:
        """The Node object of this node, if there is one."""
        found = self.cache.others.get(ObjectKey(Node.__name__, "", self.options.node))
        return found if isinstance(found, Node) else None

    def depart(self, *, now: bool) -> None:
        """Whether this node, which is drained, still sends its routes, marked as about to go."""
        if now != self._is_departing:
            self._is_departing = now
            self._look_again()

    @property
    def has_work(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._single) or self._round is not None

    def step(self) -> Step:
        """Do a millisecond or two of the work there is, single changes first, and tell what it changes."""
        if self._single:
            return self._single.popleft()()
        assert self._round is not None
        change = next(self._round, None)
        if change is None:
            self._round = None
            self.is_ready = True
        return Step(change or Change(), view_before=self._view_before)

    def _fill(self) -> Iterator[None]:
        services, slices = iter(self.cache.services.values()), iter(self.cache.slices.values())
        while some := tuple(islice(services, SLICE)):
            self.upkeep.fill(some, ())
            yield
        while pieces := tuple(islice(slices, SLICE)):
            self.upkeep.fill((), pieces)
            yield

    def _queue(self, touched: Touched) -> None:
        for key in touched.services:
            self._single.append(partial(self._decide_service, key))
        for key in touched.slices:
            self._single.append(partial(self._decide_slice, key))

    def _decide_service(self, key: NamespacedName) -> Step:
        service = self.cache.services.get(key)
        change = self.upkeep.remove_service(key) if service is None else self.upkeep.put_service(service)
        return Step(change, (key,))

    def _decide_slice(self, key: NamespacedName) -> Step:
        piece, before = self.cache.slices.get(key), self.slices.service_of(key)
        change = self.upkeep.remove_slice(key) if piece is None else self.upkeep.put_slice(piece)
        touched = (before, self.slices.service_of(key))
        return Step(change, tuple(dict.fromkeys(service for service in touched if service is not None)))

    def _asked_for(self, members: Usable) -> Mapping[NodeName, Asked | None]:
        """What elections know of each node: for which families it has any usable interface, or those that are named."""
        named = sorted({name for ad in self._compiled.config.l2_advertisements for name in ad.interfaces or ()})
        wanted = [None, *([name] for name in named)]
        return {node: None if usable is None else _asked(usable, wanted) for node, usable in members.items()}

    def _relevant(self, told: Told) -> Told:
        """As much of it as an advertisement makes matter. Who is not Herald's always does: it has its own election."""
        advertisements = self._compiled.config.l2_advertisements
        keeps = any(ad.failback_s for ad in advertisements)
        damps = any(ad.flap_damping for ad in advertisements)
        return Told(
            told.claims if keeps else {},
            told.damped if damps else frozenset(),
            told.foreign,
        )

    def _look_again(self) -> None:
        if not self.has_synced or self._members is None or self._compiled is _NOT_COMPILED:
            return
        self._view_before = self._view
        self._view = View(
            self._compiled.config,
            members=frozenset(self._members),
            ignore_exclude_lb=self.options.ignore_exclude_lb,
            interfaces={node: usable for node, usable in self._members.items() if usable is not None},
            departing=frozenset({self.options.node}) if self._is_departing else frozenset(),
            told=self._relevant(self._told),
        )
        self._round = self.upkeep.look_again(self._view)

    def _with_hosts(self, resources: Resources) -> Resources:
        """Without any Node: this host, and every other whose speaker was ever seen."""
        if resources.nodes or not self.options.assume_node:
            return resources
        nodes = (Node(metadata=ObjectMeta(name=name, labels={HOSTNAME_LABEL: name})) for name in sorted(self._hosts))
        return replace(resources, nodes=tuple(nodes))


def _asked(usable: UsableNames, wanted: Iterable[list[str] | None]) -> Asked:
    return tuple(can_answer(usable, names, family) for names in wanted for family in sorted(BOTH))
