"""Peers that hear nothing or cannot be reached, passwords that everybody can read, attributes that have no effect."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from herald.cluster.meta import PeerName
from herald.config.findings import problem
from herald.config.peer import Peer
from herald.config.problem import Problem
from herald.config.wording import listed
from herald.lint.facts import BGPEntry, Facts


def hears_nothing(facts: Facts) -> Iterator[Problem]:
    """HL005"""
    names = _session_names(facts)
    left_out = facts.left_out("BGPAdvertisement")
    for entry in facts.peers:
        if not _is_reached(facts, entry.value, names[entry.value.name]):
            none = "no BGPAdvertisement can be used" if left_out else "there is no BGPAdvertisement"
            why = "no BGPAdvertisement reaches it from one of its nodes" if facts.bgp else none
            fix = "Correct that, or add" if left_out else "Add"
            yield problem(
                "HL005",
                entry.key,
                "",
                f"{why}{left_out}: the session carries no route. {fix} it to the peers of an advertisement, or leave "
                "peers empty there.",
            )


def _session_names(facts: Facts) -> Mapping[PeerName, frozenset[PeerName]]:
    """All names under which the sessions of a peer go: peers with one endpoint are one session where they meet."""
    by_endpoint: dict[tuple[str, int, str], list[PeerName]] = defaultdict(list)
    for entry in facts.peers:
        by_endpoint[entry.value.endpoint].append(entry.value.name)
    nodes = facts.nodes_of_peers
    return {
        name: frozenset(other for other in same if other == name or not nodes[name].isdisjoint(nodes[other]))
        for same in by_endpoint.values()
        for name in same
    }


def _is_reached(facts: Facts, peer: Peer, names: frozenset[PeerName]) -> bool:
    nodes = facts.nodes_of_peers[peer.name]
    return any(
        entry.value.pools and entry.value.admits_peer(names) and (not nodes or not entry.value.nodes.isdisjoint(nodes))
        for entry in facts.bgp
    )


def one_source_for_many_nodes(facts: Facts) -> Iterator[Problem]:
    """HL071"""
    for entry in facts.peers:
        source, nodes = entry.value.source_address, facts.nodes_of_peers[entry.value.name]
        if source is not None and len(nodes) > 1:
            yield problem(
                "HL071",
                entry.key,
                "spec.sourceAddress",
                f"{source} can be an address of one node only{_owner(facts, str(source))}, but {len(nodes)} nodes "
                f"keep this session ({listed(nodes)}): the others cannot open it. Use one BGPPeer per node, or leave "
                "it out.",
            )


def _owner(facts: Facts, source: str) -> str:
    owners = [
        node.name for node in facts.config.nodes.values() if any(a.address == source for a in node.status.addresses)
    ]
    return f" (it is {owners[0]}'s)" if owners else ""


def password_in_manifest(facts: Facts) -> Iterator[Problem]:
    """HL073"""
    for entry in facts.peers:
        if entry.spec.password:
            yield problem(
                "HL073",
                entry.key,
                "spec.password",
                "a password in clear text: everybody who may read BGPPeers knows it. Put it into a Secret of type "
                "kubernetes.io/basic-auth and name that in passwordSecret.",
            )


def local_pref_toward_ebgp(facts: Facts) -> Iterator[Problem]:
    """HL078"""
    for entry in facts.bgp:
        names = _external_listeners(entry, facts)
        if entry.value.local_pref and names:
            yield problem(
                "HL078",
                entry.key,
                "spec.localPref",
                f"localPref {entry.value.local_pref} has no effect: LOCAL_PREF is sent to iBGP peers only. Use "
                f"communities that the router acts upon, or asPrepend; whoever hears it is of another AS ({names}).",
            )


def non_transitive_toward_ebgp(facts: Facts) -> Iterator[Problem]:
    """HL079"""
    for entry in facts.bgp:
        kept = [each.text for each in entry.value.extended_communities if not each.is_transitive]
        names = _external_listeners(entry, facts)
        if kept and names:
            yield problem(
                "HL079",
                entry.key,
                "spec.communities",
                f"not sent: {', '.join(kept)}. An extended community that is not transitive (0x40 in its first octet) "
                f"goes to iBGP peers only; whoever hears this is of another AS ({names}). Use one that is transitive.",
            )


def _external_listeners(entry: BGPEntry, facts: Facts) -> str:
    """The peers that hear it, if all are of another AS; else nothing."""
    heard_by = [peer.value for peer in facts.peers if entry.value.admits_peer(frozenset({peer.value.name}))]
    return "" if any(peer.is_ibgp for peer in heard_by) else listed(peer.name for peer in heard_by)
