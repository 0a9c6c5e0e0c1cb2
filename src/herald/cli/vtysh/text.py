"""Tables and paragraphs in FRR's layout (bgpd and bfdd 8.4), for eyes and scripts that know it.

What Herald has no notion of is 0: versions of the table, memory. What FRR prints and Herald does not know, such as the
peer's host name, is left out.
"""

from collections.abc import Iterator

from herald import __version__
from herald.cli.vtysh import capabilities
from herald.cli.vtysh.state import Entry, Neighbor, Path, State

DAY, WEEK, YEAR = 86_400, 604_800, 31_536_000
_PREFIX_WIDTH = 17
_NEIGHBOR_WIDTH = 16
_LEGEND = """\
Status codes:  s suppressed, d damped, h history, * valid, > best, = multipath,
               i internal, r RIB-failure, S Stale, R Removed
Nexthop codes: @NNN nexthop's vrf id, < announce-nh-self
Origin codes:  i - IGP, e - EGP, ? - incomplete
RPKI validation codes: V valid, I invalid, N Not found

   Network          Next Hop            Metric LocPrf Weight Path"""
_NO_INSTANCE = "% BGP instance not found"
MESSAGES = (
    ("Opens", "open"),
    ("Notifications", "notification"),
    ("Updates", "update"),
    ("Keepalives", "keepalive"),
    ("Route Refresh", "route_refresh"),
)


def uptime(seconds: float | None) -> str:
    """As FRR shortens it: `00:01:02`, `1d02h03m`, `02w1d03h`, `01y02w3d`; `never`."""
    if seconds is None:
        return "never"
    whole = int(seconds)
    days, hours, minutes = whole // DAY, whole // 3600 % 24, whole // 60 % 60
    if whole < DAY:
        return f"{hours:02}:{minutes:02}:{whole % 60:02}"
    if whole < WEEK:
        return f"{days}d{hours:02}h{minutes:02}m"
    if whole < YEAR:
        return f"{days // 7:02}w{days % 7}d{hours:02}h"
    return f"{days // 365:02}y{days % 365 // 7:02}w{days % 365 % 7}d"


def summary(state: State, versions: tuple[int, ...]) -> str:
    """`show bgp summary`, a part for each address family that has neighbors."""
    if not state.neighbors:
        return _NO_INSTANCE
    parts = [_summary(state, version) for version in versions if state.of_family(version)]
    return "\n".join(parts) if parts else "% No BGP neighbors found in VRF default"


def _summary(state: State, version: int) -> str:
    neighbors = state.of_family(version)
    width = max(_NEIGHBOR_WIDTH, *(len(one.address) + 1 for one in neighbors))
    lines = [
        "",
        f"IPv{version} Unicast Summary (VRF default):",
        f"BGP router identifier {state.router_id}, local AS number {state.local_asn} vrf-id 0",
        "BGP table version 0",
        f"RIB entries {len(state.table(version))}, using 0 bytes of memory",
        f"Peers {len(neighbors)}, using 0 KiB of memory",
        "",
        f"{'Neighbor':<{width}}V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc",
        *(_summary_line(one, version, width) for one in neighbors),
        "",
        f"Total number of neighbors {len(neighbors)}",
    ]
    return "\n".join(lines)


def _summary_line(one: Neighbor, version: int, width: int) -> str:
    family = one.family(version)
    received, sent = (sum(one.messages(way).values()) for way in ("messagesIn", "messagesOut"))
    state = 0 if one.is_established else one.document["state"]
    return (
        f"{one.address:<{width}}4 {one.remote_asn:>10} {received:>9} {sent:>9} {0:>8} {0:>4} {family['pending']:>4} "
        f"{uptime(one.up_for):>8} {state:>12} {family['advertised']:>8} {one.description}"
    )


def table(state: State, version: int) -> str:
    """`show ip bgp`, `show bgp ipv6 unicast`."""
    if not state.neighbors:
        return _NO_INSTANCE
    entries = state.table(version)
    if not entries:
        return "No BGP prefixes displayed, 0 exist"
    paths = sum(len(entry.paths) for entry in entries)
    return "\n".join([*_rows(state, entries, None), "", f"Displayed  {len(entries)} routes and {paths} total paths"])


def advertised(state: State, neighbor: Neighbor, version: int) -> str:
    """`show bgp neighbors ADDRESS advertised-routes`; like FRR's, empty if there is nothing."""
    entries = state.advertised(neighbor, version)
    if not entries:
        return ""
    next_hop = neighbor.family(version)["nextHop"]
    return "\n".join([*_rows(state, entries, next_hop), "", f"Total number of prefixes {len(entries)}"])


def _rows(state: State, entries: tuple[Entry, ...], next_hop: str | None) -> Iterator[str]:
    yield f"BGP table version is 0, local router ID is {state.router_id}, vrf id 0"
    yield f"Default local pref 100, local AS {state.local_asn}"
    yield _LEGEND
    for entry in entries:
        for number, path in enumerate(entry.paths):
            yield _row(entry, path, next_hop, is_best=number == 0)


def _row(entry: Entry, path: Path, next_hop: str | None, *, is_best: bool) -> str:
    prefix = str(entry.prefix) if is_best else ""
    start = f"*{'>' if is_best else ' '} {prefix:<{_PREFIX_WIDTH}}"
    if len(prefix) >= _PREFIX_WIDTH:
        start = f"*> {prefix}\n{'':<20}"
    preference = "" if path.route["localPref"] is None else path.route["localPref"]
    hop = next_hop or unspecified(entry)
    as_path = f"{path.as_path} " if path.as_path else ""
    return f"{start}{hop:<16}{path.metric:>10}{preference:>7}{32768:>7} {as_path}i"


def unspecified(entry: Entry) -> str:
    """The next hop of a route of our own."""
    return "0.0.0.0" if entry.prefix.version == 4 else "::"  # noqa: S104


def entry(state: State, found: Entry) -> str:
    """`show bgp ipv4 unicast PREFIX`."""
    told = " ".join(one.address for one in found.told)
    lines = [
        f"BGP routing table entry for {found.prefix}, version 0",
        f"Paths: ({len(found.paths)} available, best #1, table default)",
        *((["  Advertised to non peer-group peers:", f"  {told}"]) if told else ["  Not advertised to any peer"]),
    ]
    for number, path in enumerate(found.paths):
        lines.extend(_path(state, found, path, is_best=number == 0))
    return "\n".join(lines)


def _path(state: State, found: Entry, path: Path, *, is_best: bool) -> Iterator[str]:
    hop, route = unspecified(found), path.route
    preference = "" if route["localPref"] is None else f", localpref {route['localPref']}"
    best = ", best (First path received)" if is_best else ""
    yield f"  {path.as_path or 'Local'}"
    yield f"    {hop} from {hop} ({state.router_id})"
    yield f"      Origin IGP, metric {path.metric}{preference}, weight 32768, valid, sourced, local{best}"
    for title, words in (
        ("Community", " ".join(route["communities"])),
        ("Extended Community", path.extended_communities),
        ("Large Community", " ".join(route["largeCommunities"])),
    ):
        if words:
            yield f"      {title}: {words}"


def neighbor(state: State, one: Neighbor) -> str:
    """One paragraph of `show bgp neighbors`."""
    ends, document = one.ends, one.document
    kind = "internal" if ends["internal"] else "external"
    up = f", up for {uptime(one.up_for)}" if one.is_established else ""
    configured_keepalive = ends["keepaliveTime"] or ends["holdTime"] // 3
    hold = document["holdTime"] if document["holdTime"] is not None else ends["holdTime"]
    keepalive = document["keepaliveTime"] if document["keepaliveTime"] is not None else configured_keepalive
    lines = [
        f"{_who(one)}, remote AS {one.remote_asn}, local AS {document['localASN']}, {kind} link",
        f" Description: {one.description}",
        f"  Local Role: {one.roles[0]}",
        f"  Remote Role: {one.roles[1]}",
        f"  BGP version 4, remote router ID {document['routerID'] or '0.0.0.0'}, local router ID {state.router_id}",  # noqa: S104
        f"  BGP state = {document['state']}{up}",
        f"  Hold time is {hold} seconds, keepalive interval is {keepalive:g} seconds",
        f"  Configured hold time is {ends['holdTime']} seconds, keepalive interval is {configured_keepalive} seconds",
        *capabilities.lines(one),
        *_statistics(one),
        *(line for version in (4, 6) if one.carries(version) for line in _family(one, version)),
        *_connection(one),
    ]
    return "\n".join(lines) + "\n"


def _statistics(one: Neighbor) -> Iterator[str]:
    sent, received = one.messages("messagesOut"), one.messages("messagesIn")
    yield "  Message statistics:"
    yield "    Inq depth is 0"
    yield f"    Outq depth is {sum(one.family(version)['pending'] for version in (4, 6))}"
    yield f"{'Sent':>29}{'Rcvd':>11}"
    for title, name in MESSAGES:
        yield f"    {title + ':':<14}{sent.get(name, 0):>11}{received.get(name, 0):>11}"
    yield f"    {'Total:':<14}{sum(sent.values()):>11}{sum(received.values()):>11}"


def _family(one: Neighbor, version: int) -> Iterator[str]:
    family = one.family(version)
    yield ""
    yield f" For address family: IPv{version} Unicast"
    if family["reason"]:
        yield f"  Not sent: {family['reason']}"
    yield "  0 accepted prefixes"
    yield f"  {family['advertised']} sent prefixes, {family['wanted']} wanted"


def _connection(one: Neighbor) -> Iterator[str]:
    document, ends = one.document, one.ends
    yield ""
    yield f"  Connections established {document['ups']}; dropped {document['flaps']}"
    if document["lastErrorAge"] is None:
        yield "  Last reset never"
    else:
        yield f"  Last reset {uptime(document['lastErrorAge'])},  {document['lastError'] or document['pinnedError']}"
    if not ends["internal"]:
        yield f"  External BGP neighbor may be up to {255 if ends['multihop'] else 1} hops away."
    if one.is_established:
        yield f"Local host: {ends['localAddress']}"
        yield f"Foreign host: {one.foreign_host}, Foreign port: {ends['port']}"
        hops = {version: one.family(version)["nextHop"] for version in (4, 6)}
        yield f"Nexthop: {hops[4] or '0.0.0.0'}"  # noqa: S104
        yield f"Nexthop global: {hops[6] or '::'}"
    elif document["nextRetry"] is not None:
        yield f"Next connect timer due in {document['nextRetry']:.0f} seconds"


def _who(one: Neighbor) -> str:
    if not one.is_unnumbered:
        return f"BGP neighbor is {one.address}"
    return f"BGP neighbor on {one.address}: {one.ends['address'] or 'None'}"


def version() -> str:
    """`show version`."""
    return f"Herald {__version__}, answering in the layout of FRRouting 8.4; `herald show` tells more."


def running_config() -> str:
    """What Herald is configured by stands elsewhere, and FRR's words could not say all of it."""
    return (
        "% Herald has no running-config: it follows the objects of the API server or of a folder.\n"
        "% kubectl get bgppeers,bgpadvertisements,ipaddresspools -n metallb-system -o yaml"
    )
