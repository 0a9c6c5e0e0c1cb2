"""BGPPeers → peers: identity, addresses and timers checked, secrets resolved (see `peer_secrets`)."""

from ipaddress import IPv4Address

from herald.api import bgp_peer as api
from herald.api import duration
from herald.bfd import profile as bfd_profile
from herald.bfd.profile import BFDProfile
from herald.bgp.graceful_restart import LONGEST_RESTART_TIME
from herald.bgp.role import parse_role
from herald.cluster.meta import PeerName
from herald.config.bgp_timers import resolve_timers
from herald.config.findings import Findings
from herald.config.nearest import suggestion
from herald.config.peer import GracefulRestart, Peer
from herald.config.peer_secrets import master_key, password
from herald.config.problem import Severity
from herald.config.selectors import check_selectors
from herald.config.surroundings import Surroundings
from herald.net.ip_family import IPAddress, parse_address


def compile_peer(resource: api.BGPPeer, found: Findings, around: Surroundings) -> Peer | None:
    """The peer, or None with what is wrong; what is accepted and has no effect is found too (HL210)."""
    spec = resource.spec
    _check_identity(spec, found)
    check_selectors(found, "spec.nodeSelectors", spec.node_selectors)
    hold_s, keepalive_s = resolve_timers(spec.hold_time, spec.keepalive_time, found)
    peer_address = _address(spec.peer_address, "peerAddress", "BGPPeer address", found)
    source_address = _address(spec.source_address, "sourceAddress", "source IP", found)
    router_id = _address(spec.router_id, "routerID", "router ID", found)
    secret, tcp_ao = password(spec, found, around), master_key(spec, found, around)
    _check_bfd_profile(spec.bfd_profile, found, around)
    graceful_restart = _graceful_restart(spec, found)
    connect_time_s = _whole_seconds(spec.connect_time, "connectTime", found)
    if found.fatal:
        return None
    _add_without_effect(spec, found)
    return Peer(
        name=PeerName(resource.metadata.name),
        my_asn=spec.my_asn,
        peer_asn=spec.peer_asn or None,
        dynamic_asn=spec.dynamic_asn,
        local_asn=spec.local_asn,
        peer_address=peer_address,
        interface=spec.interface or None,
        peer_port=spec.peer_port,
        source_address=_usable_source(source_address, peer_address, found),
        router_id=_usable_router_id(router_id, found),
        hold_time_s=hold_s,
        keepalive_time_s=keepalive_s,
        connect_time_s=connect_time_s,
        ebgp_multi_hop=spec.ebgp_multi_hop,
        ttl_security=spec.ttl_security,
        passive=spec.passive,
        bfd_strict=spec.bfd_strict,
        vrf=spec.vrf,
        password=secret,
        tcp_ao=tcp_ao,
        role=parse_role(spec.role) if spec.role else None,
        role_strict=spec.role_strict,
        bfd_profile=_bfd_profile(spec.bfd_profile, around),
        graceful_restart=graceful_restart,
        dual_stack_address_family=spec.dual_stack_address_family,
        disable_mp=spec.disable_mp,
        node_selectors=spec.node_selectors,
        created=resource.metadata.creation_timestamp,
    )


def _check_identity(spec: api.BGPPeerSpec, found: Findings) -> None:
    if spec.my_asn == 0:
        found.add("HL330", "spec.myASN", "missing local ASN: myASN is 0; set the AS number of the nodes")
    if not spec.peer_asn and not spec.dynamic_asn:
        found.add(
            "HL331", "spec.peerASN", "missing peer ASN and dynamicASN; set peerASN, or dynamicASN: internal or external"
        )
    if spec.peer_asn and spec.dynamic_asn:
        found.add(
            "HL331",
            "spec.dynamicASN",
            f"both peer ASN and dynamicASN specified ({spec.peer_asn} and {spec.dynamic_asn}); keep one of them",
        )
    if spec.peer_asn and spec.peer_asn == spec.my_asn and spec.ebgp_multi_hop:
        found.add(
            "HL075",
            "spec.ebgpMultiHop",
            f"invalid ebgp-multihop parameter set for an ibgp peer: peerASN and myASN are both {spec.my_asn}; "
            "leave ebgpMultiHop out, or correct the ASN",
        )
    if spec.ttl_security and spec.ebgp_multi_hop:
        found.add(
            "HL339",
            "spec.ttlSecurity",
            "ttlSecurity and ebgpMultiHop exclude each other: the one takes packets only that no router has passed on, "
            "the other is for a peer beyond routers; keep one of them",
        )
    if spec.role and _is_internal(spec):
        found.add(
            "HL342",
            "spec.role",
            f"role {spec.role} is for a peer of another AS (RFC 9234), and this one is of our own, "
            f"{spec.local_asn or spec.my_asn}; leave role out, or correct "
            f"{'dynamicASN' if spec.dynamic_asn else 'the ASN'}",
        )
    if not spec.peer_address and not spec.interface:
        found.add("HL332", "spec.peerAddress", "peer has no Address or Interface specified; set peerAddress")
    if spec.peer_address and spec.interface:
        found.add(
            "HL332",
            "spec.interface",
            f'peer has both Address and Interface specified ({spec.peer_address} and "{spec.interface}"); '
            "keep one of them",
        )


def _is_internal(spec: api.BGPPeerSpec) -> bool:
    return spec.dynamic_asn == "internal" or spec.peer_asn == (spec.local_asn or spec.my_asn)


def _address(text: str, field: str, meaning: str, found: Findings) -> IPAddress | None:
    if not text:
        return None
    try:
        return parse_address(text)
    except ValueError:
        found.add("HL334", f"spec.{field}", f'invalid {meaning} "{text}"; write an IP address such as 10.0.0.1')
        return None


def _usable_source(source: IPAddress | None, peer: IPAddress | None, found: Findings) -> IPAddress | None:
    if source is None or (peer is not None and source.version == peer.version):
        return source
    why = (
        f"{source} is not of the family of the peer's address {peer}: it is not used; the kernel chooses the source"
        if peer is not None
        else f"{source} is not used: a session by interface runs between link-local addresses"
    )
    found.add("HL337", "spec.sourceAddress", why)
    return None


def _usable_router_id(router_id: IPAddress | None, found: Findings) -> IPAddress | None:
    if router_id is None or (isinstance(router_id, IPv4Address) and int(router_id) != 0):
        return router_id
    found.add(
        "HL336",
        "spec.routerID",
        f"{router_id} is not used: a BGP identifier is an IPv4 address other than 0.0.0.0; the node's own is sent",
    )
    return None


def _check_bfd_profile(name: str, found: Findings, around: Surroundings) -> None:
    # The built-in profile takes the place of one of its name that is left out, as of one that was deleted.
    if not name or name in around.bfd_profiles or name == bfd_profile.DEFAULT.name:
        return
    field = "spec.bfdProfile"
    if around.is_left_out("BFDProfile", name):
        found.add("HL077", field, f'peer referencing bfd profile "{name}", which is left out for its own errors')
        return
    known = {bfd_profile.DEFAULT.name, *around.bfd_profiles}
    found.add("HL077", field, f'peer referencing non existing bfd profile "{name}"{suggestion(name, known)}')


def _bfd_profile(name: str, around: Surroundings) -> BFDProfile | None:
    return around.bfd_profiles.get(name, bfd_profile.DEFAULT) if name else None


def _graceful_restart(spec: api.BGPPeerSpec, found: Findings) -> GracefulRestart | None:
    wanted = spec.graceful_restart
    if wanted is None:
        return GracefulRestart() if spec.enable_graceful_restart else None
    seconds = _whole_seconds(wanted.restart_time, "gracefulRestart.restartTime", found)
    if not wanted.enabled:
        return None
    if seconds is None:
        return GracefulRestart()
    if not 1 <= seconds <= LONGEST_RESTART_TIME:
        found.add(
            "HL333",
            "spec.gracefulRestart.restartTime",
            f"invalid BGPPeer timers: restartTime {wanted.restart_time} is not 1s to {LONGEST_RESTART_TIME}s "
            "(RFC 4724)",
        )
        return None
    return GracefulRestart(seconds)


def _whole_seconds(text: str | None, field: str, found: Findings) -> int | None:
    if text is None:
        return None
    try:
        return int(duration.parse(text))
    except duration.DurationError as error:
        found.add("HL333", f"spec.{field}", f"invalid BGPPeer timers: {error}")
        return None


def _add_without_effect(spec: api.BGPPeerSpec, found: Findings) -> None:
    if spec.bfd_strict and not spec.bfd_profile:
        found.add(
            "HL210",
            "spec.bfdStrict",
            "bfdStrict has no effect without bfdProfile: the session comes up without BFD; set bfdProfile",
            Severity.WARNING,
        )
    if spec.role_strict and not spec.role:
        found.add(
            "HL210",
            "spec.roleStrict",
            "roleStrict has no effect without role: nothing is asked of the peer; set role to what the nodes are to it",
            Severity.WARNING,
        )
    if spec.disable_mp:
        found.add(
            "HL210",
            "spec.disableMP",
            "disableMP has no effect, nor has it in MetalLB, where it is deprecated; a session carries one family "
            "unless dualStackAddressFamily is set",
            Severity.INFO,
        )
