"""The metrics of a speaker: what control has decided, and what the engine has counted, in one page.

MetalLB's families of its native BGP mode, its further BGP counters as far as there is something to count, and ours.
Series are made from what there is at this moment, so that nothing is left behind by a service, address or peer that is
gone. While the engine does not answer its families are absent and `herald_engine_up` is 0.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final

from herald.announcement.incremental import Verdict
from herald.announcement.ledger import Contribution
from herald.announcement.reason import Protocol, Reason
from herald.cluster.meta import NamespacedName
from herald.net.ip_family import IPAddress
from herald.observe.engine_counts import BfdCounts, EngineCounts, FailoverCounts, ListenCounts, SessionCounts
from herald.observe.exposition import Family, Format, Kind, Page, Sample, Samples, single, write
from herald.observe.store_metrics import StoreCounts, processes

_PEER: Final = ("peer",)
_IP: Final = ("ip",)

ANNOUNCED: Final = Family(
    "metallb_speaker_announced",
    Kind.GAUGE,
    "Addresses that this node means to announce, by service and protocol.",
    ("service", "protocol", "node", "ip"),
)
REQUESTS: Final = Family(
    "metallb_layer2_requests_received", Kind.COUNTER, "ARP requests and neighbour solicitations to be answered.", _IP
)
RESPONSES: Final = Family("metallb_layer2_responses_sent", Kind.COUNTER, "Answers that left.", _IP)
GRATUITOUS: Final = Family("metallb_layer2_gratuitous_sent", Kind.COUNTER, "Frames sent without being asked.", _IP)

SESSION_UP: Final = Family("metallb_bgp_session_up", Kind.GAUGE, "1 while the session is established.", _PEER)
WANTED: Final = Family(
    "metallb_bgp_pending_prefixes_total", Kind.GAUGE, "Prefixes that the peer should have been sent.", _PEER
)
ADVERTISED: Final = Family(
    "metallb_bgp_announced_prefixes_total", Kind.GAUGE, "Prefixes sent on the present session.", _PEER
)
FLAPS: Final = Family("herald_bgp_session_flaps_total", Kind.COUNTER, "How often the session went down.", _PEER)
UPS: Final = Family("herald_bgp_session_ups_total", Kind.COUNTER, "How often the session came up.", _PEER)

ACCEPTED: Final = Family(
    "herald_bgp_connections_accepted_total",
    Kind.COUNTER,
    "Connections dialled by peers that were taken (--bgp-listen).",
)
TURNED_AWAY: Final = Family(
    "herald_bgp_connections_refused_total",
    Kind.COUNTER,
    "Connections dialled to this node that were reset before an octet was read, by reason.",
    ("reason",),
)
SHUT: Final = Family(
    "herald_bgp_listen_shut", Kind.GAUGE, "Places of --bgp-listen at which this node cannot listen at the moment."
)

_Read = Callable[[SessionCounts], float]


def _sent(kind: str) -> _Read:
    return lambda one: one.messages_out.get(kind, 0)


def _received(kind: str) -> _Read:
    return lambda one: one.messages_in.get(kind, 0)


def _messages(name: str, words: str) -> Family:
    return Family(name, Kind.COUNTER, words, _PEER)


FAMILIES_OF_SESSION: Final[Mapping[Family, _Read]] = {
    SESSION_UP: lambda one: one.established,
    ADVERTISED: lambda one: one.advertised,
    WANTED: lambda one: one.wanted,
    _messages("metallb_bgp_updates_total", "UPDATE messages sent."): _sent("update"),
    _messages("metallb_bgp_updates_total_received", "UPDATE messages received."): _received("update"),
    _messages("metallb_bgp_opens_sent", "OPEN messages sent."): _sent("open"),
    _messages("metallb_bgp_opens_received", "OPEN messages received."): _received("open"),
    _messages("metallb_bgp_notifications_sent", "NOTIFICATION messages sent."): _sent("notification"),
    _messages("herald_bgp_notifications_received_total", "NOTIFICATION messages received."): _received("notification"),
    _messages("metallb_bgp_keepalives_sent", "KEEPALIVE messages sent."): _sent("keepalive"),
    _messages("metallb_bgp_keepalives_received", "KEEPALIVE messages received."): _received("keepalive"),
    _messages("metallb_bgp_route_refresh_sent", "ROUTE-REFRESH messages sent."): _sent("route_refresh"),
    _messages("metallb_bgp_total_sent", "Messages sent."): lambda one: sum(one.messages_out.values()),
    _messages("metallb_bgp_total_received", "Messages received."): lambda one: sum(one.messages_in.values()),
    UPS: lambda one: one.ups,
    FLAPS: lambda one: one.flaps,
}
"""Each family of a session and how it is read."""

BFD_UP: Final = Family("metallb_bfd_session_up", Kind.GAUGE, "1 while BFD sees the peer.", _PEER)
BFD_DROPPED: Final = Family(
    "herald_bfd_packets_dropped_total", Kind.COUNTER, "BFD packets that no session got, by reason.", ("reason",)
)
_ReadBfd = Callable[[BfdCounts], float]
FAMILIES_OF_BFD: Final[Mapping[Family, _ReadBfd]] = {
    BFD_UP: lambda one: one.up,
    _messages("metallb_bfd_control_packet_input", "BFD control packets received."): lambda one: one.packets_in,
    _messages("metallb_bfd_control_packet_output", "BFD control packets sent."): lambda one: one.packets_out,
    _messages("metallb_bfd_echo_packet_input", "BFD echoes that came back."): lambda one: one.echoes_in,
    _messages("metallb_bfd_echo_packet_output", "BFD echoes sent."): lambda one: one.echoes_out,
    _messages("metallb_bfd_session_up_events", "How often BFD began to see the peer."): lambda one: one.ups,
    _messages("metallb_bfd_session_down_events", "How often BFD lost the peer."): lambda one: one.downs,
    _messages("metallb_bfd_zebra_notifications", "Changes told to BGP."): lambda one: one.ups + one.downs,
}
"""Each family of a BFD session and how it is read."""

ENGINE_UP: Final = Family("herald_engine_up", Kind.GAUGE, "1 if the engine of this node answers.")
CONFLICTS: Final = Family(
    "herald_layer2_conflicts", Kind.GAUGE, "Foreign stations that claim an address held on this node."
)
MUTE: Final = Family(
    "herald_layer2_mute_interfaces", Kind.GAUGE, "Interfaces on which what this node sends does not leave."
)
IN_USE: Final = Family(
    "herald_layer2_addresses_in_use", Kind.GAUGE, "Addresses not announced because another machine uses them."
)
HELD: Final = Family("herald_layer2_addresses_held", Kind.GAUGE, "Addresses that the engine holds for this node.")
DROPPED: Final = Family(
    "herald_layer2_frames_dropped_total", Kind.COUNTER, "Frames read and not answered, by reason.", ("reason",)
)
SEND_FAILURES: Final = Family(
    "herald_layer2_send_failures_total", Kind.COUNTER, "Frames that the kernel refused to send."
)
UNREACHABLE: Final = Family(
    "herald_gossip_unreachable",
    Kind.GAUGE,
    "1 for each way between this node and another on which gossip does not arrive; 64 at most.",
    ("from", "to", "protocol"),
)
WATCHED_UP: Final = Family(
    "herald_fast_failover_session_up",
    Kind.GAUGE,
    "1 while BFD sees a node that is watched for fastFailover.",
    ("node",),
)
FALSE_ALARMS: Final = Family(
    "herald_fast_failover_false_alarms_total",
    Kind.COUNTER,
    "How often BFD lost a watched node that gossip then found to be there.",
    ("node",),
)
DEATHS: Final = Family(
    "herald_fast_failover_deaths_total",
    Kind.COUNTER,
    "How often a watched node was taken for dead, and its addresses taken over.",
    ("node",),
)
PAUSES: Final = Family(
    "herald_fast_failover_pauses_total",
    Kind.COUNTER,
    "How often this node itself stood still for so long that others may have taken it for dead.",
)
INTENDED: Final = Family("herald_layer2_addresses_wanted", Kind.GAUGE, "Addresses that this node means to answer for.")
STARTED: Final = Family(
    "herald_announcements_started_total",
    Kind.COUNTER,
    "How often this node began to announce a service; for layer2, after the start, these are failovers to it.",
    ("protocol",),
)
ENDED: Final = Family(
    "herald_announcements_ended_total",
    Kind.COUNTER,
    "How often this node ceased to announce a service, by reason.",
    ("protocol", "reason"),
)
REFUSED: Final = Family(
    "herald_services_not_announced",
    Kind.GAUGE,
    "Services with an address that no node announces, by reason; one speaker tells of them for all.",
    ("protocol", "reason"),
)


class SpeakerMetrics:
    """The page of one node.

    `contributions` gives what is announced, `engine` asks the engine. `not_announced`, if given, counts services by
    protocol and reason.
    """

    def __init__(
        self,
        node: str,
        contributions: Callable[[], Mapping[NamespacedName, Contribution]],
        store: StoreCounts,
        engine: Callable[[], Awaitable[EngineCounts | None]],
        *,
        not_announced: Callable[[], Mapping[tuple[str, str], int]] = dict,
    ) -> None:
        self._node = node
        self._contributions = contributions
        self._store = store
        self._engine = engine
        self._not_announced = not_announced
        self._started: Counter[Protocol] = Counter()
        self._ended: Counter[tuple[Protocol, str]] = Counter()

    def note(self, verdicts: Iterable[Verdict]) -> None:
        """These services began or ceased to be announced here."""
        for verdict in verdicts:
            match verdict.reason:
                case None:
                    self._started[verdict.protocol] += 1
                case Reason(code):
                    self._ended[verdict.protocol, code.value] += 1

    async def render(self, form: Format = Format.TEXT) -> bytes:
        """The whole page."""
        return await write(self._page(await self._engine()), form)

    def _page(self, engine: EngineCounts | None) -> Page:
        wanted: set[IPAddress] = set()
        yield ANNOUNCED, self._announced(wanted)
        yield INTENDED, (Sample((), len(each)) for each in (wanted,))  # counted once the family before is written
        yield STARTED, [Sample((protocol.value,), self._started[protocol]) for protocol in Protocol]
        yield ENDED, [Sample((key[0].value, key[1]), count) for key, count in self._ended.items()]
        yield REFUSED, [Sample(key, count) for key, count in sorted(self._not_announced().items())]
        yield ENGINE_UP, single(engine is not None)
        if engine is not None:
            yield from _layer2(engine)
            yield UNREACHABLE, [Sample(way, 1) for way in sorted(set(engine.unreachable))]
            yield from _failover(engine.failover)
            yield from _bgp(engine.bgp)
            yield from _bgp_listen(engine.bgp_listen)
            yield from _bfd(engine.bfd)
            yield BFD_DROPPED, [Sample((reason,), count) for reason, count in engine.bfd_dropped.items()]
        yield from self._store.page()
        yield from processes({} if engine is None else {"engine": engine.stats}, "speaker")

    def _announced(self, wanted: set[IPAddress]) -> Samples:
        """In slices of the caller's making: services may come and go meanwhile. Fills `wanted` with what is held."""
        for service, contribution in tuple(self._contributions().items()):
            name = str(service)
            for address in contribution.addresses if contribution.routes else ():
                if _is_carried(address, contribution):
                    yield Sample((name, Protocol.BGP.value, self._node, str(address)), 1)
            for address in contribution.held:
                wanted.add(address)
                yield Sample((name, Protocol.LAYER2.value, self._node, str(address)), 1)


def _is_carried(address: IPAddress, contribution: Contribution) -> bool:
    return any(address in route.prefix for _, routes in contribution.routes for route in routes)


def _layer2(engine: EngineCounts) -> Iterator[tuple[Family, Samples]]:
    for position, family in enumerate((REQUESTS, RESPONSES, GRATUITOUS)):
        yield family, (Sample((ip,), counts[position]) for ip, counts in engine.layer2.items())
    yield HELD, single(len(engine.layer2))
    yield CONFLICTS, single(engine.conflicts)
    yield MUTE, single(engine.mute)
    yield IN_USE, single(engine.in_use)
    yield DROPPED, [Sample((reason,), count) for reason, count in engine.dropped.items()]
    yield SEND_FAILURES, single(engine.send_failures)


def _failover(counts: FailoverCounts | None) -> Iterator[tuple[Family, Samples]]:
    if counts is not None:
        yield WATCHED_UP, [Sample((one.node,), one.up) for one in counts.watched]
        yield FALSE_ALARMS, [Sample((one.node,), one.false_alarms) for one in counts.watched]
        yield DEATHS, [Sample((one.node,), one.deaths) for one in counts.watched]
        yield PAUSES, single(counts.pauses)


def _bgp(sessions: tuple[SessionCounts, ...]) -> Iterator[tuple[Family, Samples]]:
    for family, read in FAMILIES_OF_SESSION.items():
        values: dict[str, float] = {}
        for one in sessions:  # two BGPPeers may name one endpoint; a series twice would spoil the whole page
            now = read(one)
            if family is SESSION_UP:
                values[one.endpoint] = min(now, values.get(one.endpoint, now))
            else:
                values[one.endpoint] = now + values.get(one.endpoint, 0)
        yield family, [Sample((endpoint,), value) for endpoint, value in values.items()]


def _bgp_listen(counts: ListenCounts | None) -> Iterator[tuple[Family, Samples]]:
    """Nothing where nothing is to be taken."""
    if counts is not None:
        yield ACCEPTED, single(counts.accepted)
        yield TURNED_AWAY, [Sample((reason,), count) for reason, count in counts.refused.items()]
        yield SHUT, single(counts.shut)


def _bfd(sessions: tuple[BfdCounts, ...]) -> Iterator[tuple[Family, Samples]]:
    for family, read in FAMILIES_OF_BFD.items():
        values: dict[str, float] = {}
        for one in sessions:  # one address may be watched on two interfaces or in two VRFs
            now = read(one)
            if family is BFD_UP:
                values[one.address] = min(now, values.get(one.address, now))
            else:
                values[one.address] = now + values.get(one.address, 0)
        yield family, [Sample((address,), value) for address, value in values.items()]
