"""Every kind of BGP message that Herald emits, with what it is meant to say in the words of tshark's fields."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import product

from capture_file import OURS, Emitted, tcp

from herald.bgp import capability, message, negotiation, notification
from herald.bgp.adj_rib_out import AdjRibOut, Egress
from herald.bgp.community import Community, ExtendedCommunity, LargeCommunity
from herald.bgp.family import Address, Family
from herald.bgp.graceful_restart import Standing
from herald.bgp.message import Keepalive, Open, RouteRefresh
from herald.bgp.notification import CeaseSubcode, Code, Notification
from herald.bgp.parameters import PeerParameters
from herald.bgp.path_attribute import WireContext
from herald.bgp.role import Role
from herald.bgp.route import Route

V4, V6 = Family.IPV4_UNICAST, Family.IPV6_UNICAST
LINK_LOCAL = IPv6Address("fe80::2")
VIP, VIP6 = IPv4Address("192.168.1.200"), IPv6Address("2001:db8:cafe::1")


def bgp() -> Iterator[Emitted]:
    """Each message on a connection of its own, over IPv4 and over IPv6."""
    said = [*_opens(), *_updates(), *_notifications(), *_others()]
    for number, (name, wire, meant) in enumerate(said):
        for version in (4, 6):
            frames = tcp(wire, 2 * number + version // 6, version)
            yield Emitted(f"{name}, over IPv{version}", frames, {"bgp.length": [str(len(wire))], **meant})


Said = tuple[str, bytes, dict[str, list[str]]]


def _texts(values: Iterable[object]) -> list[str]:
    return [str(value) for value in values]


def _opens() -> Iterator[Said]:
    plain = PeerParameters("r", ip_address("10.50.0.1"), 64500, 64501)
    wide = replace(plain, local_asn=4200000001)
    families = (frozenset({V4}), frozenset({V6}), frozenset(Family))
    unnumbered = replace(plain, peer_address=ip_address("fe80::1"), interface="eth0")
    peers = {
        "numbered": plain,
        "wide ASN": wide,
        "unnumbered": unnumbered,
        "no keepalives": replace(plain, hold_time=0),
    }
    standings = {"fresh": Standing(), "restarted": Standing(True, True), "rebooted": Standing(True, False)}
    for (who, peer), some, restart, (since, standing), host in product(
        peers.items(), families, (None, 120), standings.items(), ("", "node-1")
    ):
        said = negotiation.offer(
            replace(peer, families=some, restart_time=restart), IPv4Address("10.50.0.2"), standing, host
        )
        name = f"OPEN, {who}, {since}, {len(some)} families {sorted(one.text for one in some)}, {restart}, {host!r}"
        yield name, message.encode(said, WireContext()), _open_fields(said)
    for role in Role:
        said = negotiation.offer(replace(plain, role=role), IPv4Address("10.50.0.2"))
        yield f"OPEN, {role.text}", message.encode(said, WireContext()), _open_fields(said)


def _open_fields(said: Open) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {
        "bgp.type": ["1"],
        "bgp.open.version": ["4"],
        "bgp.open.myas": [str(min(said.asn, 23456) if said.asn > 0xFFFF else said.asn)],
        "bgp.open.holdtime": [str(said.hold_time)],
        "bgp.open.identifier": [str(said.router_id)],
        "bgp.cap.type": _texts(capability.encode(one)[0] for one in said.capabilities),
        "bgp.cap.4as": [str(said.asn)],
        "bgp.cap.mp.afi": [],
    }
    for one in said.capabilities:
        match one:
            case capability.Multiprotocol(family):
                fields["bgp.cap.mp.afi"].append(str(family.afi))
            case capability.ExtendedNextHop(families):
                fields["bgp.cap.enh.afi"] = [str(family.afi) for family in families]
                fields["bgp.cap.enh.nhafi"] = ["2" for _ in families]
            case capability.GracefulRestart():
                fields["bgp.cap.gr.timers.restart_time"] = [str(one.restart_time)]
                fields["bgp.cap.gr.timers.restart_flag"] = [str(int(one.restarting))]
                fields["bgp.cap.gr.timers.notification_flag"] = [str(int(one.notification))]
                fields["bgp.cap.gr.afi"] = [str(entry.family.afi) for entry in one.families]
                fields["bgp.cap.gr.flag.pfs"] = [str(int(entry.forwarding)) for entry in one.families]
            case capability.Role(number):
                fields["bgp.cap.unknown"] = [f"{number:02x}"]  # RFC 9234 is younger than tshark 4.0
            case capability.HostName(host, _):
                fields["bgp.cap.orf.fqdn.hostname"] = [host]
            case _:
                pass
    return fields


# No default route: after its length of 0 tshark looks for the path identifiers of RFC 7911.
PREFIXES = {V4: ("10.0.0.0/9", "192.168.1.200/32"), V6: ("2001:db8::/33", "2001:db8:cafe::1/128")}
NEXT_HOPS: dict[str, dict[Family, tuple[Address, ...]]] = {
    "plain": {V4: (OURS[4],), V6: (OURS[6],)},
    "with its link-local twin": {V4: (OURS[4],), V6: (OURS[6], LINK_LOCAL)},
    "link-local only": {V4: (LINK_LOCAL,), V6: (LINK_LOCAL,)},
    "IPv6 for IPv4": {V4: (OURS[6],), V6: (OURS[6],)},
    "IPv6 with its twin for IPv4": {V4: (OURS[6], LINK_LOCAL), V6: (OURS[6], LINK_LOCAL)},
}
ATTRIBUTES: dict[str, dict[str, object]] = {
    "nothing": {},
    "local preference": {"local_pref": 250},
    "communities": {"communities": (Community(64500 << 16 | 7), Community(0xFFFF0000))},
    "many communities": {"communities": tuple(Community(64500 << 16 | number) for number in range(73))},
    "large communities": {
        "large_communities": (LargeCommunity(64500, 1, 4294967295), LargeCommunity(4200000001, 2, 3))
    },
    "prepended": {"prepend": (64500, 64500, 4200000001)},
    "link bandwidth": {"link_bandwidth": 8000},
    "metric": {"med": 70},
    "extended communities": {
        "extended_communities": tuple(
            ExtendedCommunity(value)
            for value in (
                0x0002_FDE8_FFFF_FFFF,  # route target of AS 65000
                0x0003_FDE8_0000_0007,  # site of origin
                0x0102_C000_0201_0009,  # of 192.0.2.1
                0x0202_FA56_EA00_FFFF,  # of AS 4200000000
                0x430C_FDE8_0000_0001,  # opaque, not transitive
            )
        )
    },
    "everything": {
        "local_pref": 1,
        "communities": (Community(0xFFFFFF01),),
        "large_communities": (LargeCommunity(1, 2, 3),),
        "prepend": (64500,),
        "link_bandwidth": 1,
        "med": 4294967295,
    },
}


def _updates() -> Iterator[Said]:
    for family, (hops, by_family), (what, attributes), internal in product(
        Family, NEXT_HOPS.items(), ATTRIBUTES.items(), (False, True)
    ):
        rib, egress = AdjRibOut(), Egress(64500, WireContext(True, internal), {family: by_family[family]})
        rib.change([Route(ip_network(prefix), **attributes) for prefix in PREFIXES[family]], ())  # type: ignore[arg-type]
        side = "internal" if internal else "external"
        name = f"{family.text}, next hop {hops}, {what}, {side}"
        reach, *ends = _all(rib, egress)
        yield f"UPDATE {name}", reach, _update_fields(family, by_family[family], attributes, internal)
        if what != "nothing":
            continue
        for end in ends:
            yield f"End-of-RIB after {name}", end, {"bgp.type": ["2"]}
        rib.change((), [ip_network(prefix) for prefix in PREFIXES[family]])
        for gone in rib.take(10_000):
            yield f"withdrawal {name}", gone, _withdrawal_fields(family, by_family[family])
    yield from _marked_updates()
    yield from _long_updates()
    narrow = AdjRibOut()
    narrow.change([Route(ip_network("10.0.0.0/9"), prepend=(4200000001,))], ())
    first, *_ = _all(narrow, Egress(4200000002, WireContext(four_octet_as=False), NEXT_HOPS["plain"]))
    trans = {"bgp.update.path_attribute.as_path_segment.as2": ["23456", "23456"]}
    yield "UPDATE to a peer of two-octet ASNs", first, trans


def _marked_updates() -> Iterator[Said]:
    """Only to Customer (RFC 9234), which tshark 4.0 does not know by name."""
    for family in Family:
        rib = AdjRibOut()
        rib.change([Route(ip_network(prefix)) for prefix in PREFIXES[family]], ())
        hops = {family: NEXT_HOPS["plain"][family]}
        first, *_ = _all(rib, Egress(4200000001, WireContext(), hops, only_to_customer=4200000001))
        known = ["1", "2", "3"] if family is V4 else ["14", "1", "2"]
        yield (
            f"UPDATE {family.text}, only to customer",
            first,
            {
                "bgp.type": ["2"],
                "bgp.update.path_attribute.type_code": [*known, "35"],
                "bgp.update.path_attribute.flags": [*("0x40" if code != "14" else "0x90" for code in known), "0xc0"],
            },
        )


def _long_updates() -> Iterator[Said]:
    """As many prefixes as a message holds. tshark 4.0 knows no longer messages (RFC 8654): it calls them invalid."""
    crowd = AdjRibOut()
    hosts = [ip_network((0x0A640000 + number, 32)) for number in range(1000)]
    crowd.change([Route(host) for host in hosts], ())
    first, *_ = _all(crowd, Egress(64500, WireContext(), {V4: (OURS[4],)}))
    room = (4096 - 23 - 20) // 5  # headers and lengths; ORIGIN, AS_PATH and NEXT_HOP
    told = [str(host.network_address) for host in hosts[-room:]]
    yield "UPDATE, full", first, {"bgp.type": ["2"], "bgp.nlri_prefix": told}


def _all(rib: AdjRibOut, egress: Egress) -> list[bytes]:
    rib.begin(egress)
    found: list[bytes] = []
    while rib.pending:
        found += rib.take(10_000)
    return found


def _update_fields(
    family: Family, hops: tuple[Address, ...], attributes: dict[str, object], internal: bool
) -> dict[str, list[str]]:
    own = [] if internal else [64500]
    fields = {"bgp.type": ["2"], "bgp.update.path_attribute.origin": ["0"]}
    path = [*attributes.get("prepend", ()), *own]  # type: ignore[misc]
    fields["bgp.update.path_attribute.as_path_segment.as4"] = _texts(path)
    fields["bgp.update.path_attribute.local_pref"] = [str(attributes.get("local_pref", 100))] if internal else []
    fields["bgp.update.path_attribute.multi_exit_disc"] = [str(attributes["med"])] if "med" in attributes else []
    communities = [one.value for one in attributes.get("communities", ())]  # type: ignore[attr-defined]
    known = [value for value in communities if value >> 16 == 0xFFFF]
    fields["bgp.update.path_attribute.community_wellknown"] = [f"0x{value:08x}" for value in known]
    fields["bgp.update.path_attribute.community_value"] = [
        str(value & 0xFFFF) for value in communities if value not in known
    ]
    bandwidth = attributes.get("link_bandwidth")
    fields["bgp.ext_com.value_link_bw"] = [] if bandwidth is None else [f"{bandwidth * 125_000:g}"]  # type: ignore[operator]  # octets/s
    if "extended_communities" in attributes:
        fields["bgp.ext_com.stype_tr_as2"] = ["0x02", "0x03"]
        fields["bgp.ext_com.value_as2"] = ["65000", "65000"]
        fields["bgp.ext_com.value_an4"] = ["4294967295", "7"]
        fields["bgp.ext_com.stype_tr_IP4"] = fields["bgp.ext_com.stype_tr_as4"] = ["0x02"]
        fields["bgp.ext_com.value_IP4"], fields["bgp.ext_com.value_as4"] = ["192.0.2.1"], ["4200000000"]
        fields["bgp.ext_com.value_an2"] = ["9", "65535"]
        fields["bgp.ext_com.stype_ntr_opaque"] = ["0x0c"] if internal else []
    large = attributes.get("large_communities", ())
    fields["bgp.large_communities.ga"] = [str(one.global_admin) for one in large]  # type: ignore[attr-defined]
    fields["bgp.large_communities.ldp2"] = [str(one.local2) for one in large]  # type: ignore[attr-defined]
    if hops[0].version == 4:
        fields["bgp.update.path_attribute.next_hop"] = [str(hops[0])]
        prefixes = [prefix.split("/")[0] for prefix in PREFIXES[family]]
        fields["bgp.nlri_prefix"] = prefixes
    else:
        first, *twin = _texts(hops)
        fields["bgp.update.path_attribute.mp_reach_nlri.afi"] = [str(family.afi)]
        fields["bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6"] = [first]
        fields["bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6.link_local"] = twin
        prefixes = [prefix.split("/")[0] for prefix in PREFIXES[family]]
        fields[f"bgp.mp_reach_nlri_ipv{'4' if family is V4 else '6'}_prefix"] = prefixes
    return fields


def _withdrawal_fields(family: Family, hops: tuple[Address, ...]) -> dict[str, list[str]]:
    prefixes = [prefix.split("/")[0] for prefix in PREFIXES[family]]
    if hops[0].version == 4:
        return {"bgp.type": ["2"], "bgp.withdrawn_prefix": prefixes}
    version = 4 if family is V4 else 6
    return {"bgp.type": ["2"], f"bgp.mp_unreach_nlri_ipv{version}_prefix": prefixes}


SUBCODES: dict[Code, type[IntEnum]] = {
    Code.MESSAGE_HEADER_ERROR: notification.HeaderSubcode,
    Code.OPEN_MESSAGE_ERROR: notification.OpenSubcode,
    Code.UPDATE_MESSAGE_ERROR: notification.UpdateSubcode,
    Code.FINITE_STATE_MACHINE_ERROR: notification.FsmSubcode,
    Code.CEASE: notification.CeaseSubcode,
    Code.ROUTE_REFRESH_MESSAGE_ERROR: notification.RouteRefreshSubcode,
}
MINOR = {
    Code.OPEN_MESSAGE_ERROR: "bgp.notify.minor_error_open",
    Code.UPDATE_MESSAGE_ERROR: "bgp.notify.minor_error_update",
    Code.MESSAGE_HEADER_ERROR: "bgp.notify.minor_error",
    Code.FINITE_STATE_MACHINE_ERROR: "bgp.notify.minor_error_state",
    Code.CEASE: "bgp.notify.minor_error_cease",
}
DATA = {
    (2, 1): b"\0\4",
    (2, 6): b"\0\1",
    (2, 7): b"\1\4\0\2\0\1",
    (3, 4): b"\x40\1\1\0",
    (1, 2): b"\0\x12",
    (1, 3): b"\x09",
}


def _notifications() -> Iterator[Said]:
    for code in Code:
        for subcode in SUBCODES.get(code, (0,)):
            note = Notification(code, subcode, DATA.get((code, subcode), b""))
            yield _said(note)
    for kind in (CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, CeaseSubcode.ADMINISTRATIVE_RESET):
        for text in ("cable work", "Wartung – Größe ändern", "x" * 300):
            note = notification.cease(kind, text)
            name, wire, meant = _said(note)
            told = notification.shutdown_text(note) or ""
            meant["bgp.notify.communication_length"] = [str(len(told.encode()))]
            meant["bgp.notify.communication"] = [told]
            yield f"{name} with {len(text)} characters", wire, meant
            yield _said(notification.hard_reset(note))


def _said(note: Notification) -> Said:
    meant = {"bgp.type": ["3"], "bgp.notify.major_error": [str(note.code)]}
    if note.code in MINOR:
        meant[MINOR[Code(note.code)]] = [str(note.subcode)]
    return f"NOTIFICATION {note.text[:60]}", message.encode(note, WireContext()), meant


def _others() -> Iterator[Said]:
    yield "KEEPALIVE", message.encode(Keepalive(), WireContext()), {"bgp.type": ["4"]}
    for family, subtype in product(Family, message.RefreshSubtype):
        meant = {
            "bgp.type": ["5"],
            "bgp.route_refresh.afi": [str(family.afi)],
            "bgp.route_refresh.subtype": [str(int(subtype))],
            "bgp.route_refresh.safi": ["1"],
        }
        wire = message.encode(RouteRefresh(*family.value, subtype), WireContext())
        yield f"ROUTE-REFRESH {subtype.name} {family.text}", wire, meant
