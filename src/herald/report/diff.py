"""What is different between two plans: who gains, loses or moves an address, an owner, a route.

A problem that is new or gone is a difference too. What did not change is not listed. Where both lack Nodes or
EndpointSlices, what is expected is compared as well: rows alone would show nothing.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from herald.announcement.routes import prefix_order
from herald.cluster.meta import NamespacedName, NodeName, PeerName
from herald.config.problem import Problem
from herald.net.ip_family import IPPrefix
from herald.report.expectation import expectations, lacking
from herald.report.plan import BGPRow, Layer2Row, Plan, ServiceRow, problem_json

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")


class Effect(Enum):
    """What happens to somebody. CHANGES: there is one before and after, and they differ."""

    GAINS = "gains"
    LOSES = "loses"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class Difference(Generic[Row]):
    """One thing before and after; one of the two may be missing, and they are never equal."""

    before: Row | None
    after: Row | None

    @property
    def effect(self) -> Effect:
        if self.before is None:
            return Effect.GAINS
        return Effect.LOSES if self.after is None else Effect.CHANGES

    @property
    def row(self) -> Row:
        """The later of the two there is."""
        row = self.after if self.after is not None else self.before
        assert row is not None
        return row


@dataclass(frozen=True, slots=True)
class Expected:
    """How a service will be announced once the input has the Nodes and EndpointSlices that it lacks."""

    service: NamespacedName
    words: str


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """`addresses` holds services whose addresses differ, `owners` one per address and service, `routes` one per node,
    peer and prefix, `expected` one per service of which it is open who announces it. `reasons` says of services that
    lose their address why they have none."""

    addresses: tuple[Difference[ServiceRow], ...]
    owners: tuple[Difference[Layer2Row], ...]
    routes: tuple[Difference[BGPRow], ...]
    expected: tuple[Difference[Expected], ...]
    new_problems: tuple[Problem, ...]
    gone_problems: tuple[Problem, ...]
    reasons: Mapping[NamespacedName, str]

    def __bool__(self) -> bool:
        changed = (self.addresses, self.owners, self.routes, self.expected, self.new_problems, self.gone_problems)
        return any(changed)

    def to_json(self) -> dict[str, Any]:
        """The document of `herald diff -o json`."""
        return {
            "addresses": [self._address_json(difference) for difference in self.addresses],
            "layer2": [_owner_json(difference) for difference in self.owners],
            "bgp": [_route_json(difference) for difference in self.routes],
            "expected": [_expected_json(difference) for difference in self.expected],
            "problems": {
                "new": [problem_json(problem) for problem in self.new_problems],
                "gone": [problem_json(problem) for problem in self.gone_problems],
            },
        }

    def _address_json(self, difference: Difference[ServiceRow]) -> dict[str, Any]:
        return {
            "service": str(difference.row.service),
            "effect": difference.effect.value,
            "before": ips_of(difference.before),
            "after": ips_of(difference.after),
            "reason": self.reasons.get(difference.row.service),
        }


def diff(old: Plan, new: Plan) -> PlanDiff:
    """What is different in `new`."""
    addresses = differences(_with_address(old), _with_address(new), lambda row: row.ips)
    owners = differences(
        {(row.ip, row.service): row for row in old.layer2},
        {(row.ip, row.service): row for row in new.layer2},
        lambda row: (row.node, row.interfaces),
    )
    routes = differences(_by_route(old), _by_route(new), lambda row: row.route)
    without = {row.service: row.reason for row in new.services if row.reason is not None}
    before, after = set(old.problems), set(new.problems)
    return PlanDiff(
        tuple(sorted(addresses, key=lambda difference: difference.row.service)),
        tuple(sorted(owners, key=_owner_order)),
        tuple(sorted(routes, key=_route_order)),
        tuple(sorted(_expected(old, new), key=lambda difference: difference.row.service)),
        tuple(problem for problem in new.problems if problem not in before),
        tuple(problem for problem in old.problems if problem not in after),
        without,
    )


def differences(
    old: Mapping[Key, Row], new: Mapping[Key, Row], value: Callable[[Row], object]
) -> Iterable[Difference[Row]]:
    """One for each key of either whose `value` is not the same in both."""
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before is None or after is None or value(before) != value(after):
            yield Difference(before, after)


def _expected(old: Plan, new: Plan) -> Iterable[Difference[Expected]]:
    """Nothing if the two do not lack the same: then they cannot be compared, or there are rows for it."""
    if lacking(old) is None or lacking(old) != lacking(new):
        return ()
    before, after = (
        {service: Expected(service, words) for service, words in expectations(plan).items()} for plan in (old, new)
    )
    return differences(before, after, lambda row: row.words)


def ips_of(row: ServiceRow | None) -> list[str]:
    """The addresses of a service that may not be there."""
    return [] if row is None else [str(ip) for ip in row.ips]


def _with_address(plan: Plan) -> dict[NamespacedName, ServiceRow]:
    return {row.service: row for row in plan.services if row.ips}


def _by_route(plan: Plan) -> dict[tuple[NodeName, PeerName, IPPrefix], BGPRow]:
    return {(row.node, row.peer, row.route.prefix): row for row in plan.bgp}


def _owner_order(difference: Difference[Layer2Row]) -> tuple[object, ...]:
    row = difference.row
    return (row.ip.version, int(row.ip), row.service)


def _route_order(difference: Difference[BGPRow]) -> tuple[object, ...]:
    row = difference.row
    return (row.node, row.peer, prefix_order(row.route.prefix))


def _owner_json(difference: Difference[Layer2Row]) -> dict[str, Any]:
    return {
        "ip": str(difference.row.ip),
        "service": str(difference.row.service),
        "effect": difference.effect.value,
        "before": None if difference.before is None else _owner(difference.before),
        "after": None if difference.after is None else _owner(difference.after),
    }


def _owner(row: Layer2Row) -> dict[str, Any]:
    document = row.to_json()
    return {"node": document["node"], "interfaces": document["interfaces"]}


def _expected_json(difference: Difference[Expected]) -> dict[str, Any]:
    return {
        "service": str(difference.row.service),
        "effect": difference.effect.value,
        "before": None if difference.before is None else difference.before.words,
        "after": None if difference.after is None else difference.after.words,
    }


def _route_json(difference: Difference[BGPRow]) -> dict[str, Any]:
    row = difference.row
    return {
        "node": row.node,
        "peer": row.peer,
        "prefix": str(row.route.prefix),
        "effect": difference.effect.value,
        "before": None if difference.before is None else _attributes(difference.before),
        "after": None if difference.after is None else _attributes(difference.after),
        "services": row.to_json()["services"],
    }


def _attributes(row: BGPRow) -> dict[str, Any]:
    document = row.to_json()
    return {name: document[name] for name in ("localPref", "communities", "asPath")}
