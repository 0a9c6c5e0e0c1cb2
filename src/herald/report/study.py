"""A study: resources, and everything that follows from them.

resources ──compile──▶ config ──assign──▶ addresses ──decide──▶ decisions
     └────────────────────┴───────────────────┴──── lint ────▶ problems
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from herald.allocator.allocation import Refusal
from herald.allocator.assign import Assignments, Claims, assign_all
from herald.allocator.convergence import Convergence
from herald.announcement.decide import Decision, decide
from herald.announcement.gate import Addresses, class_reason
from herald.announcement.on_node import place
from herald.announcement.readiness import ASSUMED, NONE, Readiness, Slices
from herald.announcement.reason import Code, Reason, because
from herald.announcement.told import Told
from herald.announcement.view import View
from herald.cluster.meta import NamespacedName, NodeName
from herald.cluster.service import Service, with_cluster_ip_defaults
from herald.config.compile import DEFAULT_NAMESPACE, Compiled, compile_config
from herald.config.findings import ObjectKey
from herald.config.problem import Problem
from herald.config.resources import Resources
from herald.lint import LintInputs, lint
from herald.net.ip_family import IPAddress


@dataclass(frozen=True, slots=True)
class AtWork:
    """What the speaker of `node` does in Layer 2 at the moment.

    `answered`: the addresses that it answers for, and on which interfaces. `unanswered`: those that it is to answer for
    and cannot, and why. `in_use`: those that it keeps back, and who uses them.
    """

    node: NodeName
    answered: Mapping[IPAddress, tuple[str, ...]] = field(default_factory=dict)
    unanswered: Mapping[IPAddress, str] = field(default_factory=dict)
    in_use: Mapping[IPAddress, str] = field(default_factory=dict)

    def why_not(self, address: IPAddress) -> str:
        """Why it does not answer for an address that it is to answer for."""
        if address in self.in_use:
            return f"{self.in_use[address]} uses it (--probe-before-announcing)"
        return self.unanswered.get(address, "its speaker does not have the address; does it run on these manifests?")


@dataclass(frozen=True, slots=True)
class Alive:
    """What a running speaker has: who is alive, the usable interfaces of those, and what they tell of themselves.

    `at_work` is what it does itself, where that is known.
    """

    members: frozenset[NodeName]
    interfaces: Mapping[NodeName, frozenset[str]]
    told: Told
    at_work: AtWork | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is not in the manifests: who is alive, and how the controller and the speakers were started.

    `members` None means that every Node runs a speaker. `assume_ready`: a service without any EndpointSlice counts as
    ready everywhere. `claims` are addresses that services hold although their status does not say so. `alive`, if it is
    known, counts instead of `members`.
    """

    namespace: str = DEFAULT_NAMESPACE
    members: frozenset[NodeName] | None = None
    load_balancer_class: str | None = None
    ignore_exclude_lb: bool = False
    assume_ready: bool = False
    claims: Claims = field(default_factory=dict)
    alive: Alive | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """`services` and `decisions` are of every Service of type LoadBalancer, by namespace and name."""

    resources: Resources
    circumstances: Circumstances
    compiled: Compiled
    assignments: Assignments
    view: View
    services: Mapping[NamespacedName, Service]
    readiness: Mapping[NamespacedName, Readiness]
    decisions: Mapping[NamespacedName, Decision]
    problems: tuple[Problem, ...]

    def outcome(self, service: NamespacedName) -> Convergence:
        """What the allocator gave the service, or why nothing."""
        return self.assignments.services[service]


def study(resources: Resources, circumstances: Circumstances, already: Iterable[Problem] = ()) -> Study:
    """Everything that follows from `resources`; `already` are problems that were found while reading them."""
    completed = [with_cluster_ip_defaults(service) for service in resources.services]
    already = tuple(already)
    compiled = compile_config(resources, namespace=circumstances.namespace, spoilt=_spoilt(already))
    assignments = assign_all(
        compiled.config,
        completed,
        load_balancer_class=circumstances.load_balancer_class,
        claims=circumstances.claims,
    )
    alive = circumstances.alive
    members = alive.members if alive else circumstances.members
    view = View(
        compiled.config,
        members=members,
        ignore_exclude_lb=circumstances.ignore_exclude_lb,
        interfaces=alive.interfaces if alive else None,
        told=alive.told if alive else None,
    )
    services = {s.key: s for s in sorted(completed, key=lambda s: s.key) if s.is_load_balancer}
    slices = Slices(resources.endpoint_slices)
    unseen = ASSUMED if circumstances.assume_ready else NONE
    readiness = {key: slices.readiness(key, unseen) for key in services}
    addresses = {
        key: class_reason(service, circumstances.load_balancer_class) or addresses_of(assignments.services[key])
        for key, service in services.items()
    }
    _spread(services, addresses, readiness, view)
    decisions = {key: decide(service, addresses[key], readiness[key], view) for key, service in services.items()}
    linted = lint(
        LintInputs(
            resources,
            compiled,
            assignments,
            members,
            circumstances.load_balancer_class,
            circumstances.ignore_exclude_lb,
            circumstances.namespace,
        )
    )
    problems = sorted({*already, *compiled.problems, *linted}, key=lambda problem: problem.order)
    return Study(resources, circumstances, compiled, assignments, view, services, readiness, decisions, tuple(problems))


def _spoilt(problems: Iterable[Problem]) -> frozenset[ObjectKey]:
    """What was read and does not fit its schema: it is there, but cannot be used."""
    return frozenset(ObjectKey(each.kind, each.namespace, each.name) for each in problems if each.rule == "HL202")


def _spread(
    services: Mapping[NamespacedName, Service],
    addresses: Mapping[NamespacedName, Addresses | Reason],
    readiness: Mapping[NamespacedName, Readiness],
    view: View,
) -> None:
    """Divide the addresses for which an advertisement says `spread: even`, before anything is decided."""
    places = []
    for key, service in services.items() if view.spreads_evenly else ():
        found = addresses[key]
        where = None if isinstance(found, Reason) else place(service, found, readiness[key], view)
        if where is not None:
            places.append((key, where))
    for _ in view.spreads.fill(places):
        pass


def addresses_of(outcome: Convergence) -> Addresses | Reason:
    """What the service has, or why it has nothing."""
    return outcome.addresses or because(Code.NO_ADDRESS, refusal=refusal_text(outcome.refusal))


def refusal_text(refusal: Refusal | None) -> str:
    """`CODE: words` of the allocator's refusal."""
    return "no address was asked for" if refusal is None else f"{refusal.reason}: {refusal}"
