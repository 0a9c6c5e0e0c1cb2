"""The pages of controller and speaker: MetalLB's catalogue, name by name, and nothing that is left behind."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from herald.allocator.allocator import Allocator
from herald.announcement.incremental import Verdict
from herald.announcement.ledger import Contribution
from herald.announcement.reason import Code, Protocol, because
from herald.bgp.route import Route
from herald.cluster.meta import NamespacedName, PeerName, PoolName
from herald.config.pool import Pool
from herald.config.problem import Problem, Severity
from herald.net.address_range import parse
from herald.observe import controller_metrics, speaker_metrics, store_metrics
from herald.observe.controller_metrics import ControllerMetrics
from herald.observe.engine_counts import (
    BfdCounts,
    EngineCounts,
    FailoverCounts,
    ListenCounts,
    SessionCounts,
    WatchedCounts,
)
from herald.observe.exposition import Family, Format
from herald.observe.speaker_metrics import SpeakerMetrics
from herald.observe.store_metrics import StoreCounts

CONTROLLER_CATALOGUE = {
    "metallb_allocator_addresses_total": ("gauge", ("pool",)),
    "metallb_allocator_ipv4_addresses_total": ("gauge", ("pool",)),
    "metallb_allocator_ipv6_addresses_total": ("gauge", ("pool",)),
    "metallb_allocator_addresses_in_use_total": ("gauge", ("pool",)),
    "metallb_allocator_ipv4_addresses_in_use_total": ("gauge", ("pool",)),
    "metallb_allocator_ipv6_addresses_in_use_total": ("gauge", ("pool",)),
}
COMMON_CATALOGUE: dict[str, tuple[str, tuple[str, ...]]] = {
    "metallb_k8s_client_updates_total": ("counter", ()),
    "metallb_k8s_client_update_errors_total": ("counter", ()),
    "metallb_k8s_client_config_loaded_bool": ("gauge", ()),
    "metallb_k8s_client_config_stale_bool": ("gauge", ()),
}
SPEAKER_CATALOGUE = {
    "metallb_speaker_announced": ("gauge", ("ip", "node", "protocol", "service")),
    "metallb_layer2_requests_received": ("counter", ("ip",)),
    "metallb_layer2_responses_sent": ("counter", ("ip",)),
    "metallb_layer2_gratuitous_sent": ("counter", ("ip",)),
    "metallb_bgp_session_up": ("gauge", ("peer",)),
    "metallb_bgp_announced_prefixes_total": ("gauge", ("peer",)),
    "metallb_bgp_pending_prefixes_total": ("gauge", ("peer",)),
    "metallb_bgp_updates_total": ("counter", ("peer",)),
    "metallb_bgp_updates_total_received": ("counter", ("peer",)),
    "metallb_bgp_opens_sent": ("counter", ("peer",)),
    "metallb_bgp_opens_received": ("counter", ("peer",)),
    "metallb_bgp_notifications_sent": ("counter", ("peer",)),
    "metallb_bgp_keepalives_sent": ("counter", ("peer",)),
    "metallb_bgp_keepalives_received": ("counter", ("peer",)),
    "metallb_bgp_route_refresh_sent": ("counter", ("peer",)),
    "metallb_bgp_total_sent": ("counter", ("peer",)),
    "metallb_bgp_total_received": ("counter", ("peer",)),
    "metallb_bfd_session_up": ("gauge", ("peer",)),
    "metallb_bfd_control_packet_input": ("counter", ("peer",)),
    "metallb_bfd_control_packet_output": ("counter", ("peer",)),
    "metallb_bfd_echo_packet_input": ("counter", ("peer",)),
    "metallb_bfd_echo_packet_output": ("counter", ("peer",)),
    "metallb_bfd_session_up_events": ("counter", ("peer",)),
    "metallb_bfd_session_down_events": ("counter", ("peer",)),
    "metallb_bfd_zebra_notifications": ("counter", ("peer",)),
}

WEB = NamespacedName("default", "web")
V4, V6 = ip_address("192.0.2.7"), ip_address("2001:db8::7")
SESSION = SessionCounts(
    "tor", "10.0.0.1:179", True, 3, 2, 4, 3, {"open": 1, "update": 5}, {"open": 1, "update": 7, "keepalive": 9}
)
PROCESS = {"rss": 1000, "fds": 9, "cpuSeconds": 0.5, "startedAt": 1.0}
BFD = BfdCounts("10.0.0.1", True, 11, 12, 13, 14, 3, 2)
CLOSED = (("node-1", "node-2", "udp"), ("node-2", "node-1", "udp"))
ENGINE = EngineCounts(
    (SESSION,), (BFD,), {"no session": 6}, 1, {"not held": 5}, 2, PROCESS, {"192.0.2.7": (4, 3, 10)}, 1, 2, CLOSED
)


def families(page: bytes) -> dict[str, Metric]:
    """By the name in the TYPE line."""
    typed = {line.split()[2]: line.split()[3] for line in page.decode().splitlines() if line.startswith("# TYPE")}
    parsed = {metric.name: metric for metric in text_string_to_metric_families(page.decode())}
    return {name: _typed(parsed.get(name) or parsed[name.removesuffix("_total")], kind) for name, kind in typed.items()}


def _typed(metric: Metric, kind: str) -> Metric:
    assert metric.type == kind
    return metric


def values(page: bytes, name: str) -> dict[tuple[str, ...], float]:
    """By the values of the labels, in the order of the labels' names."""
    found = families(page).get(name)
    samples = found.samples if found else []
    return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in samples}


def shape(page: bytes, names: Any) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = families(page)
    return {name: (found[name].type, tuple(sorted(found[name].samples[0].labels))) for name in names if name in found}


def pool(name: str, *ranges: str) -> Pool:
    return Pool(PoolName(name), tuple(map(parse, ranges)))


class Speaker:
    """A speaker's page over things that a test changes."""

    def __init__(self) -> None:
        self.contributions: dict[NamespacedName, Contribution] = {}
        self.engine: EngineCounts | None = ENGINE
        self.store = StoreCounts(clock=lambda: 1000.0)
        self.metrics = SpeakerMetrics("node-1", lambda: self.contributions, self.store, self._ask)

    async def _ask(self) -> EngineCounts | None:
        return self.engine

    async def page(self) -> bytes:
        return await self.metrics.render()


def both_protocols() -> Contribution:
    routes = (
        (PeerName("tor"), (Route(ip_network("192.0.2.0/24")),)),
        (PeerName("two"), (Route(ip_network("192.0.2.7")),)),
    )
    return Contribution((V4, V6), answers=True, routes=routes)


async def test_a_speaker_has_every_family_of_metallb_with_its_type_and_labels() -> None:
    speaker = Speaker()
    speaker.contributions[WEB] = both_protocols()
    catalogue = SPEAKER_CATALOGUE | COMMON_CATALOGUE
    page = await speaker.page()
    assert shape(page, catalogue) == catalogue
    assert {name for name in families(page) if name.startswith("metallb_")} == catalogue.keys()


async def test_what_is_wrong_on_the_segment_is_counted() -> None:
    page = await Speaker().page()
    names = ("herald_layer2_conflicts", "herald_layer2_mute_interfaces", "herald_layer2_addresses_in_use")
    assert [values(page, name) for name in names] == [{(): 1}, {(): 1}, {(): 2}]


async def test_an_address_is_announced_once_per_protocol_and_by_bgp_only_if_a_route_carries_it() -> None:
    speaker = Speaker()
    speaker.contributions[WEB] = both_protocols()
    page = await speaker.page()
    assert values(page, "herald_layer2_addresses_wanted") == {(): 2}
    assert values(page, "metallb_speaker_announced") == {
        ("192.0.2.7", "node-1", "bgp", "default/web"): 1,
        ("192.0.2.7", "node-1", "layer2", "default/web"): 1,
        ("2001:db8::7", "node-1", "layer2", "default/web"): 1,
    }


async def test_nothing_is_left_of_what_is_withdrawn_or_removed() -> None:
    speaker = Speaker()
    speaker.contributions[WEB] = both_protocols()
    await speaker.page()
    speaker.contributions.clear()
    speaker.engine = EngineCounts((), (), {}, 0, {}, 0, ENGINE.process, {})
    page = await speaker.page()
    assert b"192.0.2.7" not in page
    assert b"10.0.0.1" not in page
    assert values(page, "herald_engine_up") == {(): 1}


async def test_counts_of_the_engine_stand_under_the_address_and_the_endpoint() -> None:
    page = await Speaker().page()
    assert values(page, "metallb_layer2_requests_received") == {("192.0.2.7",): 4}
    assert values(page, "metallb_layer2_responses_sent") == {("192.0.2.7",): 3}
    assert values(page, "metallb_layer2_gratuitous_sent") == {("192.0.2.7",): 10}
    assert values(page, "metallb_bgp_session_up") == {("10.0.0.1:179",): 1}
    assert values(page, "metallb_bgp_announced_prefixes_total") == {("10.0.0.1:179",): 2}
    assert values(page, "metallb_bgp_pending_prefixes_total") == {("10.0.0.1:179",): 3}
    assert values(page, "metallb_bgp_updates_total") == {("10.0.0.1:179",): 7}
    assert values(page, "metallb_bgp_total_sent") == {("10.0.0.1:179",): 17}
    assert values(page, "herald_process_resident_memory_bytes")[("engine",)] == 1000
    assert values(page, "process_resident_memory_bytes")[()] > 1_000_000


async def test_two_peers_of_one_endpoint_are_one_series_that_is_up_only_if_both_are() -> None:
    speaker = Speaker()
    down = SessionCounts("other", "10.0.0.1:179", False, 1, 0, 0, 0, {}, {"update": 1})
    speaker.engine = EngineCounts((SESSION, down), (), {}, 0, {}, 0, ENGINE.process, {})
    page = await speaker.page()
    assert values(page, "metallb_bgp_session_up") == {("10.0.0.1:179",): 0}
    assert values(page, "metallb_bgp_updates_total") == {("10.0.0.1:179",): 8}


async def test_nodes_that_are_watched_are_counted_by_name_and_only_where_fast_failover_can_be() -> None:
    speaker = Speaker()
    names = ("session_up", "false_alarms_total", "deaths_total")
    page = await speaker.page()
    assert not any(f"herald_fast_failover_{name}" in families(page) for name in names)
    watched = (WatchedCounts("node-2", True, 3, 0), WatchedCounts("node-3", False, 0, 1))
    speaker.engine = msgspec.structs.replace(ENGINE, failover=FailoverCounts(watched, 4))
    page = await speaker.page()
    assert [values(page, f"herald_fast_failover_{name}") for name in names] == [
        {("node-2",): 1, ("node-3",): 0},
        {("node-2",): 3, ("node-3",): 0},
        {("node-2",): 0, ("node-3",): 1},
    ]
    assert values(page, "herald_fast_failover_pauses_total") == {(): 4}


async def test_connections_that_peers_dial_are_counted_by_reason_and_only_where_they_are_to_be_taken() -> None:
    speaker = Speaker()
    names = ("accepted_total", "refused_total")
    page = await speaker.page()
    assert not any(f"herald_bgp_connections_{name}" in families(page) for name in names)
    counts = ListenCounts(3, {"not a peer": 50, "could not be prepared": 0}, 1)
    speaker.engine = msgspec.structs.replace(ENGINE, bgp_listen=counts)
    page = await speaker.page()
    assert [values(page, f"herald_bgp_connections_{name}") for name in names] == [
        {(): 3},
        {("not a peer",): 50, ("could not be prepared",): 0},
    ]
    assert values(page, "herald_bgp_listen_shut") == {(): 1}


async def test_bfd_is_counted_under_the_address_of_the_peer() -> None:
    page = await Speaker().page()
    expected = {
        "session_up": 1, "control_packet_input": 11, "control_packet_output": 12, "echo_packet_input": 13,
        "echo_packet_output": 14, "session_up_events": 3, "session_down_events": 2, "zebra_notifications": 5,
    }  # fmt: skip
    assert {name: values(page, f"metallb_bfd_{name}") for name in expected} == {
        name: {("10.0.0.1",): value} for name, value in expected.items()
    }
    assert values(page, "herald_bfd_packets_dropped_total") == {("no session",): 6}


async def test_one_address_watched_twice_is_one_series_that_is_up_only_if_both_are() -> None:
    speaker = Speaker()
    speaker.engine = EngineCounts((), (BFD, BfdCounts("10.0.0.1", False, 1, 1, 0, 0, 0, 0)), {}, 0, {}, 0, PROCESS, {})
    page = await speaker.page()
    assert values(page, "metallb_bfd_session_up") == {("10.0.0.1",): 0}
    assert values(page, "metallb_bfd_control_packet_input") == {("10.0.0.1",): 12}


async def test_without_its_engine_a_speaker_tells_what_it_wants_and_that_the_engine_is_gone() -> None:
    speaker = Speaker()
    speaker.contributions[WEB] = both_protocols()
    speaker.engine = None
    page = await speaker.page()
    assert values(page, "herald_engine_up") == {(): 0}
    assert values(page, "metallb_bgp_session_up") == {}
    assert len(values(page, "metallb_speaker_announced")) == 3


async def test_beginnings_and_ends_of_announcements_are_counted() -> None:
    speaker = Speaker()
    gone = because(Code.NO_READY_ENDPOINT, Protocol.LAYER2)
    speaker.metrics.note((Verdict(WEB, Protocol.LAYER2, (V4,), None), Verdict(WEB, Protocol.LAYER2, (V4,), gone)))
    page = await speaker.page()
    assert values(page, "herald_announcements_started_total") == {("layer2",): 1, ("bgp",): 0}
    assert values(page, "herald_announcements_ended_total") == {("layer2", "NoReadyEndpoint"): 1}


async def test_a_stale_configuration_is_told_as_long_as_an_object_is_refused_and_no_longer() -> None:
    speaker = Speaker()
    page = await speaker.page()
    assert values(page, "metallb_k8s_client_config_loaded_bool") == {(): 0}
    refused = Problem("HL001", Severity.ERROR, "BGPPeer", "metallb-system", "tor", "spec", "Invalid", "is wrong")
    speaker.store.took(12, complete=True)
    speaker.store.configured([refused])
    page = await speaker.page()
    assert values(page, "metallb_k8s_client_config_stale_bool") == {(): 1}
    assert values(page, "metallb_k8s_client_updates_total") == {(): 12}
    speaker.store.configured([])
    page = await speaker.page()
    assert values(page, "metallb_k8s_client_config_loaded_bool") == {(): 1}
    assert values(page, "metallb_k8s_client_config_stale_bool") == {(): 0}


async def test_a_controller_has_every_family_of_metallb_and_forgets_pools_that_are_gone() -> None:
    allocator = Allocator(
        {PoolName("a"): pool("a", "192.0.2.0/30", "2001:db8::/126"), PoolName("b"): pool("b", "198.51.100.0/28")}
    )
    metrics = ControllerMetrics(lambda: allocator, StoreCounts())
    catalogue = CONTROLLER_CATALOGUE | COMMON_CATALOGUE
    page = await metrics.render()
    assert shape(page, catalogue) == catalogue
    assert {name for name in families(page) if name.startswith("metallb_")} == catalogue.keys()
    assert values(page, "metallb_allocator_addresses_total") == {("a",): 8, ("b",): 16}
    assert values(page, "metallb_allocator_ipv6_addresses_total") == {("a",): 4, ("b",): 0}
    assert values(page, "metallb_allocator_addresses_in_use_total") == {("a",): 0, ("b",): 0}
    allocator.set_pools({PoolName("b"): pool("b", "198.51.100.0/28")})
    assert values(await metrics.render(), "metallb_allocator_addresses_total") == {("b",): 16}


async def test_an_endless_pool_does_not_wrap() -> None:
    allocator = Allocator({PoolName("a"): pool("a", "2001:db8::/48", "192.0.2.0/24")})
    page = await ControllerMetrics(lambda: allocator, StoreCounts()).render(Format.TEXT)
    assert values(page, "metallb_allocator_addresses_total") == {("a",): 2**63 - 1}


def test_the_documentation_lists_every_family_as_it_is_and_no_other() -> None:
    documents = (controller_metrics, speaker_metrics, store_metrics)
    named = [value for module in documents for value in vars(module).values() if isinstance(value, Family)]
    families = {*named, *speaker_metrics.FAMILIES_OF_SESSION, *speaker_metrics.FAMILIES_OF_BFD}
    rows = {f"| `{f.name}` | {f.kind.value} | {', '.join(f.labels) or '-'} | {f.words} |" for f in families}
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    assert {line for line in text.splitlines() if line.startswith("| `")} == rows
