"""Why a pool, a peer or a node is of use, or not."""

from collections.abc import Iterable
from typing import Any

from herald.announcement.eligibility import BGP, L2
from herald.announcement.reason import Code, Reason, because
from herald.announcement.sessions import Session, parameters
from herald.cluster.meta import NodeName, PeerName, PoolName
from herald.config.config import Config
from herald.config.nearest import suggestion
from herald.config.peer import Peer
from herald.config.pool import Pool
from herald.config.wording import counted
from herald.net.ip_family import IPAddress, IPFamily
from herald.report.expectation import lacks_nodes, names
from herald.report.explain import Explanation, Section, State, Verdict, concerning, unknown
from herald.report.explain_now import kept, look
from herald.report.plan import Plan
from herald.report.study import AtWork


def explain_pool(plan: Plan, name: PoolName) -> Explanation:
    """One IPAddressPool: its addresses, who has some, and who announces them."""
    config = plan.study.compiled.config
    pool = config.pools.get(name)
    if pool is None:
        known = [pool.metadata.name for pool in plan.study.resources.ip_address_pools]
        return _left_out(plan, "pool", "IPAddressPool", name, known)
    holders = [row for row in plan.services if row.pool == name]
    covering = [("L2Advertisement", ad.name) for ad in config.l2_advertisements if name in ad.pools]
    covering += [("BGPAdvertisement", ad.name) for ad in config.bgp_advertisements if name in ad.pools]
    problems = concerning(plan.problems, [("IPAddressPool", name), *covering])
    unheard = [row for row in holders if row.silence is not None]
    sections = (
        Section("ADDRESSES", (", ".join(entry.text for entry in pool.ranges), *_room(plan, pool), _rules(pool))),
        Section("SERVICES", tuple(f"{row.service} {', '.join(map(str, row.ips))}" for row in holders) or ("none",)),
        Section("ADVERTISED", tuple(f"by {kind} {ad}" for kind, ad in covering) or ("by nothing",)),
    )
    facts = {
        "addresses": [entry.text for entry in pool.ranges],
        "services": [str(row.service) for row in holders],
        "advertisements": [{"kind": kind, "name": ad} for kind, ad in covering],
    }
    if not covering:
        verdict = Verdict(State.NOT_ANNOUNCED, "no L2Advertisement or BGPAdvertisement covers the pool")
    elif unheard:
        first, state = unheard[0], State.DEGRADED if len(unheard) < len(holders) else State.NOT_ANNOUNCED
        silent = f"{len(unheard)} of {counted(len(holders), 'Service')} with an address of it"
        verdict = Verdict(state, f"nobody announces {silent}: {first.service}, {first.silence}")
    else:
        services = counted(len(holders), "Service")
        verdict = Verdict(State.ANNOUNCED, f"advertised by {names(ad for _, ad in covering)}; {services}")
    return Explanation("pool", name, f"IPAddressPool {name}", sections, verdict, facts, problems)


def _room(plan: Plan, pool: Pool) -> Iterable[str]:
    counters = plan.study.assignments.allocator.counters(pool.name)
    families = pool.families()
    if IPFamily.IPV4 in families:
        yield f"IPv4: {counters.assigned_ipv4} used, {counters.available_ipv4} free"
    if IPFamily.IPV6 in families:
        yield f"IPv6: {counters.assigned_ipv6} used, {counters.available_ipv6} free"


def _rules(pool: Pool) -> str:
    rules = ["given automatically" if pool.auto_assign else "given only on request (autoAssign: false)"]
    if pool.avoid_buggy_ips:
        rules.append("without addresses that end in 0 or 255")
    if pool.allocation is not None:
        allocation = pool.allocation
        if allocation.namespaces is not None:
            rules.append(f"only to namespaces {names(allocation.namespaces) or '(none)'}")
        if allocation.service_selectors:
            rules.append("only to services with " + " or ".join(f"({s})" for s in allocation.service_selectors))
        if allocation.priority:
            rules.append(f"priority {allocation.priority}")
    return "; ".join(rules)


def explain_peer(plan: Plan, name: PeerName) -> Explanation:
    """One BGPPeer: which nodes keep a session with it, as what, and what it hears."""
    config = plan.study.compiled.config
    peer = config.peers.get(name)
    if peer is None:
        return _left_out(plan, "peer", "BGPPeer", name, [p.metadata.name for p in plan.study.resources.bgp_peers])
    sessions = _sessions_of_peer(plan, name)
    routes = _heard(plan, sessions)
    session_lines, opened = _session_lines(name, sessions)
    sections = (
        Section("SESSIONS", session_lines or (_NODELESS if lacks_nodes(plan) else _no_session(peer),)),
        Section("ROUTES", tuple(_by_count(routes)) or ("none",)),
        Section("ADVERTISED", _advertised(plan, name, sessions) or ("no BGPAdvertisement reaches it",)),
    )
    facts = {"nodes": sorted(sessions), "routes": dict(sorted(routes.items())), "names": _all_names(sessions)}
    problems = concerning(plan.problems, [("BGPPeer", name)])
    return Explanation(
        "peer", name, _peer_headline(peer), sections, _peer_verdict(plan, sessions, routes, opened), facts, problems
    )


_NODELESS = "open: there is no Node in the input; use --members NODE,…, or add nodes (`kubectl get nodes -o yaml`)"


def _no_session(peer: Peer) -> str:
    if not peer.node_selectors:
        return "on no node"
    return f"on no node: no Node has labels that match {' or '.join(f'({s})' for s in peer.node_selectors)}"


def _advertised(plan: Plan, name: PeerName, sessions: dict[NodeName, Session]) -> tuple[str, ...]:
    config = plan.study.compiled.config
    if not lacks_nodes(plan):
        return tuple(_reaching(config, sessions))
    meant = (ad for ad in config.bgp_advertisements if ad.admits_peer(frozenset({name})))
    return tuple(f"by BGPAdvertisement {ad.name}" for ad in meant)


def _sessions_of_peer(plan: Plan, name: PeerName) -> dict[NodeName, Session]:
    view = plan.study.view
    of_nodes = {node: view.sessions(node) for node in plan.study.compiled.config.nodes}
    return {node: session for node, found in of_nodes.items() for session in found if name in session.names}


def _heard(plan: Plan, sessions: dict[NodeName, Session]) -> dict[NodeName, int]:
    heard: dict[NodeName, int] = {}
    for row in plan.bgp:
        if row.node in sessions and sessions[row.node].name == row.peer:
            heard[row.node] = heard.get(row.node, 0) + 1
    return heard


def _session_lines(name: PeerName, sessions: dict[NodeName, Session]) -> tuple[tuple[str, ...], Reason | None]:
    """What kind of session which nodes keep, and why it cannot be opened, if so."""
    nodes_of: dict[str, list[NodeName]] = {}
    refused = None
    for node, session in sorted(sessions.items()):
        answer = parameters(session)
        others = sorted(session.names - {name})
        shared = f"; the same session as {', '.join(others)}" if others else ""
        under = "" if session.name == name else f", with the values of {session.name}, which is older"
        if isinstance(answer, Reason):
            refused = answer
            under += f"; cannot be opened. {answer}"
        nodes_of.setdefault(shared + under, []).append(node)
    return tuple(f"from {names(nodes)}{kind}" for kind, nodes in nodes_of.items()), refused


def _by_count(routes: dict[NodeName, int]) -> Iterable[str]:
    for number in sorted(set(routes.values())):
        senders = [node for node, found in routes.items() if found == number]
        yield f"{number} from {'each of ' if len(senders) > 1 else ''}{names(senders)}"


def _all_names(sessions: dict[NodeName, Session]) -> list[str]:
    return sorted({name for session in sessions.values() for name in session.names})


def _reaching(config: Config, sessions: dict[NodeName, Session]) -> Iterable[str]:
    for advertisement in config.bgp_advertisements:
        nodes = [
            node
            for node, session in sessions.items()
            if node in advertisement.nodes and advertisement.admits_peer(session.names)
        ]
        if nodes:
            yield f"by BGPAdvertisement {advertisement.name} from {names(nodes)}"


def _peer_headline(peer: Peer) -> str:
    host = peer.peer_address or f"interface {peer.interface}"
    remote = peer.dynamic_asn or f"AS {peer.peer_asn}"
    own = f"AS {peer.local_asn or peer.my_asn}"
    vrf = f"  VRF {peer.vrf}" if peer.vrf else ""
    role = f", its {peer.role.text}" if peer.role else ""
    return f"BGPPeer {peer.name}  {host} port {peer.peer_port}  {remote}, we are {own}{role}{vrf}"


def _peer_verdict(
    plan: Plan, sessions: dict[NodeName, Session], routes: dict[NodeName, int], refused: Reason | None
) -> Verdict:
    if lacks_nodes(plan):
        return Verdict(State.NOT_ANNOUNCED, "there is no Node in the input: use --members NODE,… or add nodes")
    if not sessions:
        return Verdict(State.NOT_ANNOUNCED, "no node keeps a session with it")
    if refused is not None:
        return Verdict(State.NOT_ANNOUNCED, str(refused))
    if not routes:
        return Verdict(State.NOT_ANNOUNCED, "it hears no route from anybody")
    total = f"{counted(sum(routes.values()), 'route')} from {names(routes)}"
    silent = sorted(sessions.keys() - routes.keys())
    if silent:
        return Verdict(State.DEGRADED, f"{total}; no route from {names(silent)}, though there is a session")
    return Verdict(State.ANNOUNCED, total)


def explain_node(plan: Plan, name: NodeName) -> Explanation:
    """One Node: whether it may announce, which sessions it keeps, what it answers for and sends."""
    landscape = plan.study.view.landscape
    if name not in landscape.everyone:
        return unknown("node", name, "Node", suggestion(name, landscape.everyone))
    why = landscape.node_reason(name, L2), landscape.node_reason(name, BGP)
    sessions = plan.study.view.sessions(name)
    owned = [row for row in plan.layer2 if row.node == name]
    routes = [row for row in plan.bgp if row.node == name]
    damped, at_work = _damped(plan, name), _at_work(plan, name)
    now = _node_now(plan, at_work, (row.ip for row in owned)) if at_work else ()
    sections = (
        Section("ELIGIBLE", (_eligible(why[0], damped),)),
        Section("L2", tuple(f"{row.ip} of {row.service}" for row in owned) or ("answers for nothing",)),
        Section(
            "BGP",
            tuple(_node_session(session, routes_to(plan, name, session)) for session in sessions)
            or ("no BGPPeer selects it",),
        ),
        *((Section("NOW", now),) if now else ()),
    )
    facts: dict[str, Any] = {
        "eligible": why[0] is None,
        "layer2": [str(row.ip) for row in owned],
        "bgp": {session.name: routes_to(plan, name, session) for session in sessions},
    }
    reason = why[0] or why[1] or (None if owned or routes else damped)
    if reason is not None:
        verdict = Verdict(State.NOT_ANNOUNCED, str(reason))
    elif owned or routes:
        held = counted(len(owned), "address", "addresses")
        verdict = Verdict(State.ANNOUNCED, f"answers for {held}, sends {counted(len(routes), 'route')}")
    else:
        verdict = Verdict(
            State.NOT_ANNOUNCED, "nothing is left to this node: it is elected for no address, and sends no route"
        )
    if now:
        verdict = Verdict(State.DEGRADED, f"{verdict.message}; but at the moment {'; '.join(now)}")
    return Explanation("node", name, f"Node {name}", sections, verdict, facts)


def _damped(plan: Plan, name: NodeName) -> Reason | None:
    """That the node stands aside, if others say so and an advertisement asks for it."""
    asked = any(advertisement.flap_damping for advertisement in plan.study.compiled.config.l2_advertisements)
    is_damped = asked and name in plan.study.view.landscape.told.damped
    return because(Code.NODE_DAMPED, L2, node=name) if is_damped else None


def _eligible(reason: Reason | None, damped: Reason | None) -> str:
    if reason is not None:
        return f"no. {reason}"
    return "yes" if damped is None else f"not in Layer 2 under flapDamping. {damped}"


def _at_work(plan: Plan, name: NodeName) -> AtWork | None:
    """What the speaker of that node does, if it is the one that was asked."""
    alive = plan.study.circumstances.alive
    at_work = None if alive is None else alive.at_work
    return at_work if at_work is not None and at_work.node == name else None


def _node_now(plan: Plan, at_work: AtWork, owned: Iterable[IPAddress]) -> tuple[str, ...]:
    """What its speaker does otherwise than the manifests would have it."""
    wanted = frozenset(owned)
    beyond = at_work.answered.keys() - at_work.in_use.keys() - wanted
    words = list(look(at_work, _in_order(wanted), planned=True).silences())
    if beyond:
        listed = ", ".join(map(str, _in_order(beyond)))
        end = kept(plan.problems)
        words.append(f"{at_work.node} answers for {listed}, which does not follow from these manifests{end}")
    return tuple(words)


def _in_order(addresses: Iterable[IPAddress]) -> list[IPAddress]:
    return sorted(addresses, key=lambda ip: (ip.version, int(ip)))


def routes_to(plan: Plan, node: NodeName, session: Session) -> int:
    """How many routes the node sends to the session."""
    return sum(1 for row in plan.bgp if row.node == node and row.peer == session.name)


def _node_session(session: Session, number: int) -> str:
    answer = parameters(session)
    closed = f"; cannot be opened. {answer}" if isinstance(answer, Reason) else ""
    return f"{counted(number, 'route')} to {', '.join(sorted(session.names))}{closed}"


def _left_out(plan: Plan, kind: str, word: str, name: str, known: list[str]) -> Explanation:
    """An object that is not in the configuration: not in the input at all, or left out because of an error."""
    if name not in known:
        return unknown(kind, name, word, suggestion(name, known))
    problems = concerning(plan.problems, [(word, name)])
    message = f"left out: {problems[0].message}" if problems else "left out"
    return Explanation(kind, name, f"{word} {name}", (), Verdict(State.NOT_ANNOUNCED, message), {}, problems)
