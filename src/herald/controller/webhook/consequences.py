"""What an allowed change brings with it, as `kubectl` prints it: `Warning: …`, one line each.

Told are: whatever compiling and linting say of the changed object itself, what becomes wrong with others because of it,
and the Services that lose their address or the last one who announces it. Only lint rules about the kind of the object
are asked, and none that looks at every Service.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address

from herald.allocator.allocator import Allocator
from herald.allocator.assign import Assignments, assign_all, is_handled
from herald.cluster.meta import PoolName
from herald.cluster.service import Service, with_cluster_ip_defaults
from herald.config.compile import Compiled
from herald.config.pool import Pool
from herald.config.problem import Problem, Severity
from herald.controller.webhook.admission_review import LONGEST_WARNING
from herald.controller.webhook.change import Change, Configured, is_about
from herald.lint import LintInputs, advertisements, nodes, peers, pools, selectors
from herald.lint.checks import Check
from herald.lint.facts import Facts
from herald.net.ip_family import IPAddress

MOST_OTHERS = 4
"""So many objects are named that have a new problem because of the change."""
TOLD_INFOS = frozenset({"HL076", "HL095", "HL210"})
"""Rules of severity INFO that are about what has just been written; the others are for `herald lint`."""

_POOL_CHECKS: tuple[Check, ...] = (
    pools.not_advertised,
    pools.contains_node_address,
    pools.overlaps_cluster_network,
    pools.host_bits_set,
    advertisements.selects_nothing,
    selectors.matches_nothing,
)
_ADVERTISEMENT_CHECKS: tuple[Check, ...] = (
    pools.not_advertised,
    peers.hears_nothing,
    peers.local_pref_toward_ebgp,
    advertisements.selects_nothing,
    advertisements.restriction_undone,
    nodes.all_excluded,
    nodes.no_speaker,
    selectors.matches_nothing,
)
_PEER_CHECKS: tuple[Check, ...] = (
    peers.hears_nothing,
    peers.one_source_for_many_nodes,
    peers.password_in_manifest,
    peers.local_pref_toward_ebgp,
    selectors.matches_nothing,
)
_CHECKS: Mapping[str, tuple[Check, ...]] = {
    "IPAddressPool": _POOL_CHECKS,
    "L2Advertisement": _ADVERTISEMENT_CHECKS,
    "BGPAdvertisement": _ADVERTISEMENT_CHECKS,
    "BGPPeer": _PEER_CHECKS,
    "BFDProfile": (),
    "Community": (),
}


def consequences(configured: Configured, tolerated: Iterable[Problem]) -> tuple[str, ...]:
    """The warnings, gravest first. `tolerated` are errors of the object for which it is not refused."""
    change = configured.change
    if change.key.namespace != configured.world.namespace:
        return tuple(map(_words, tolerated))
    after = _found(configured, configured.after)
    known = {_identity(each) for each in _found(configured, configured.before)}
    own = [each for each in after if is_about(each, change.key) and _is_told(each)]
    others = [each for each in after if not is_about(each, change.key) and _identity(each) not in known]
    graver = [each for each in others if each.severity is not Severity.INFO]
    return (
        *_addresses_lost(configured),
        *_silenced(configured),
        *map(_words, own),
        *_bounded(graver),
    )


def _found(configured: Configured, compiled: Compiled) -> list[Problem]:
    """What compiling and the rules about the changed object's kind find. Of the resources they see the shared ones."""
    world = configured.world
    inputs = LintInputs(
        configured.resources,
        compiled,
        Assignments({}, Allocator({})),
        world.members,
        world.load_balancer_class,
        world.ignore_exclude_lb,
    )
    facts = Facts(inputs)
    linted = {each for check in _CHECKS[configured.change.key.kind] for each in check(facts)}
    return sorted({*compiled.problems, *linted}, key=lambda each: each.order)


def _is_told(problem: Problem) -> bool:
    return problem.severity is not Severity.INFO or problem.rule in TOLD_INFOS


def _identity(problem: Problem) -> tuple[str, str, str, str, str]:
    """What makes two findings the same one. The words may differ: they list what else there is."""
    return (problem.rule, problem.kind, problem.namespace, problem.name, problem.field)


def _words(problem: Problem) -> str:
    field = f" {problem.field}:" if problem.field else ""
    return f"{problem.rule} {problem.kind} {problem.name}:{field} {problem.message}"


def _bounded(problems: list[Problem]) -> Iterator[str]:
    yield from map(_words, problems[:MOST_OTHERS])
    hidden = len(problems) - MOST_OTHERS
    if hidden > 0:
        yield f"{hidden} more objects have a new problem because of this change; `herald lint` lists them"


def _addresses_lost(configured: Configured) -> Iterator[str]:
    """Services that hold an address of the changed pool and will not keep it."""
    change = configured.change
    pool = configured.before.config.pools.get(PoolName(change.key.name)) if change.key.kind == "IPAddressPool" else None
    if pool is None:
        return
    holders = {service.key: service for service in _holders(configured, lambda address: address in pool)}
    assigned = assign_all(
        configured.after.config,
        [with_cluster_ip_defaults(service) for service in holders.values()],
        load_balancer_class=configured.world.load_balancer_class,
    )
    losing = [
        f"{key} ({', '.join(gone)})"
        for key, service in sorted(holders.items())
        if (gone := _gone(service, pool, assigned.services[key].addresses))
    ]
    if losing:
        yield named_within(f"{_verb(change)} IPAddressPool {change.key.name} takes the address of", losing)


def _gone(service: Service, pool: Pool, kept: tuple[IPAddress, ...]) -> list[str]:
    return [str(address) for address in _addresses(service) if address in pool and address not in kept]


def _silenced(configured: Configured) -> Iterator[str]:
    """Services whose pool was advertised before, and is not any more."""
    unadvertised = _advertised(configured.before) - _advertised(configured.after)
    orphans = [pool for name, pool in configured.after.config.pools.items() if name in unadvertised]
    if not orphans:
        return
    holders = _holders(configured, lambda address: any(address in pool for pool in orphans))
    silent = sorted(str(service.key) for service in holders)
    if silent:
        change = configured.change
        yield named_within(f"{_verb(change)} {change.key.kind} {change.key.name} silences", silent)


def _verb(change: Change) -> str:
    return "deleting" if change.new is None else "this change of"


def _advertised(compiled: Compiled) -> set[PoolName]:
    config = compiled.config
    l2 = (pool for entry in config.l2_advertisements for pool in entry.pools)
    bgp = (pool for entry in config.bgp_advertisements for pool in entry.pools)
    return {*l2, *bgp}


def _holders(configured: Configured, is_meant: Callable[[IPAddress], bool]) -> list[Service]:
    """The Services that we serve and that have such an address in their status."""
    wanted = configured.world.load_balancer_class
    return [
        service
        for service in configured.resources.services
        if service.is_load_balancer and is_handled(service, wanted) and any(map(is_meant, _addresses(service)))
    ]


def _addresses(service: Service) -> list[IPAddress]:
    found = []
    for text in service.ingress_ips:
        try:
            found.append(ip_address(text))
        except ValueError:
            continue  # Somebody else's writing; no address of a pool.
    return found


def named_within(beginning: str, names: list[str]) -> str:
    """`beginning 3 Services: a, b, c`, with as many of the names as a warning has room for."""
    count = f"{len(names)} Service{'s' if len(names) != 1 else ''}"
    for shown in range(len(names), 0, -1):
        rest = f" and {len(names) - shown} more" if shown < len(names) else ""
        text = f"{beginning} {count}: {', '.join(names[:shown])}{rest}"
        if len(text) <= LONGEST_WARNING:
            return text
    return f"{beginning} {count}"
