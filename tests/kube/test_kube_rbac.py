"""The shipped rights are enough, and none is too many: without it something says which one is missing.

What uses a right is run as it is in the process, with the service account's own token. First with all rights, when
nobody may complain; then without each of them in turn, when somebody must, naming verb and resource.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from rights import NAMESPACE, Granted, Right, shipped
from shared_cluster import Shared

from herald.allocator.convergence import EventType
from herald.api import scheme
from herald.cli.vtysh import cluster
from herald.cluster.meta import NamespacedName, NodeName
from herald.config.findings import ObjectKey
from herald.controller import group_secret
from herald.controller.feed import Feed
from herald.controller.in_cluster import READ
from herald.controller.peer_counter import PeerCounter
from herald.controller.silent_statuses import SilentStatuses
from herald.controller.state_keeper import StateKeeper
from herald.controller.webhook.options import CONFIGURATION, CONVERTED_CRD, SECRET, WebhookOptions
from herald.controller.webhook.readiness import Readiness
from herald.controller.webhook.rotation import keep_certificates
from herald.lab.kubernetes.client import RequestRefusedError
from herald.observe.metrics_server import CannotReviewError
from herald.observe.store_metrics import StoreCounts
from herald.speaker.decider import Decider, Options
from herald.speaker.in_cluster import ClusterPublisher
from herald.speaker.own_objects import OwnObjects
from herald.speaker.status_book import StatusBook
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.event_recorder import EventRecorder
from herald.store.kubernetes.lease import NAME as LEASE
from herald.store.kubernetes.lease import LeaseElection
from herald.store.kubernetes.objects import Objects
from herald.store.kubernetes.pods import pod_addresses
from herald.store.kubernetes.review import Reviewer
from herald.store.kubernetes.sources import Scope
from herald.store.kubernetes.store import KubernetesStore
from herald.store.kubernetes.writer import ClusterWriter
from herald.store.store import KINDS, Event, StatusPatch, StoreError

QUIET_S = 1.0
"""So long nobody may complain who has all rights."""
PATIENCE_S = 5.0
HOOKS = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{CONFIGURATION}"
BGP_PEERS = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CONVERTED_CRD}"
SERVICE = {"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
POOL = {
    "apiVersion": "metallb.io/v1beta1",
    "kind": "IPAddressPool",
    "metadata": {"name": "pool"},
    "spec": {"addresses": ["192.0.2.0/28"]},
}
PEER = {
    "apiVersion": "metallb.io/v1beta2",
    "kind": "BGPPeer",
    "metadata": {"name": "peer"},
    "spec": {"myASN": 64500, "peerASN": 64501, "peerAddress": "192.0.2.1"},
}
POD: dict[str, Any] = {
    "metadata": {"name": "controller-0"},
    "spec": {"containers": [{"name": "controller", "image": "herald"}], "serviceAccountName": "controller"},
}
OURS = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}"
MEMBERLIST, DEPLOYMENT = "memberlist", "controller"
CUSTOM = ("ipaddresspools", "bgppeers", "bgpadvertisements", "l2advertisements", "bfdprofiles", "communities")
OWN = ("configurationstates", "bgpsessionstatuses", "servicel2statuses", "servicebgpstatuses")

Says = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Where a use runs: as a service account, in a cluster."""

    granted: Granted
    client: ApiClient
    account: str
    says: Says

    def remove(self, path: str) -> None:
        """As administrator."""
        with suppress(RequestRefusedError):  # there is none
            self.granted.server.request("DELETE", path)


Run = Callable[[Place], Awaitable[None]]


@dataclass(frozen=True)
class Use:
    """What a process does with some of its rights. `run` says what is wrong, by `says` or in the log, and may end."""

    account: str
    run: Run
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ("",)

    def covers(self, right: Right) -> bool:
        return (
            right.account == self.account
            and right.resource in self.resources
            and right.verb in self.verbs
            and right.name in self.names
        )

    def __str__(self) -> str:
        return f"{self.account}: {self.run.__name__}"


async def _tried(place: Place, write: Awaitable[object]) -> None:
    try:
        await write
    except StoreError as error:
        place.says(str(error))


async def _read(place: Place, scope: Scope, kinds: frozenset[str]) -> None:
    async for batch in KubernetesStore(place.client, scope).watch(kinds):
        for problem in batch.problems:
            place.says(problem.message)


async def read_as_controller(place: Place) -> None:
    await _read(place, Scope.of_controller(NAMESPACE), READ)


async def read_as_speaker(place: Place) -> None:
    await _read(place, Scope.of_speaker(NAMESPACE), frozenset(KINDS))


async def write_statuses(place: Place) -> None:
    """Of a Service and of a pool; and who wrote the first one."""
    writer = ClusterWriter(place.client, _recorder(place))
    ingress = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    await _tried(place, writer.patch_status(StatusPatch(ObjectKey("Service", "default", "web"), ingress)))
    counters = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 15, "availableIPv6": 0}
    await _tried(place, writer.patch_status(StatusPatch(ObjectKey("IPAddressPool", NAMESPACE, "pool"), counters)))
    await _tried(place, writer.rivals(NamespacedName("default", "web")))


def _recorder(place: Place) -> EventRecorder:
    return EventRecorder(place.client, NAMESPACE, f"metallb-{place.account}", "test")


async def record_events(place: Place) -> None:
    """The second time the event is counted."""
    recorder = _recorder(place)
    for _ in range(2):
        recorder.record(Event(ObjectKey("Service", "default", "web"), EventType.NORMAL, "nodeAssigned", "announcing"))
    await recorder.run()


async def be_elected(place: Place) -> None:
    """The Lease is made, taken, renewed."""
    place.remove(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{LEASE}")

    async def work() -> None:
        await asyncio.sleep(3600)

    await LeaseElection(place.client, NAMESPACE, "me").run(work)


async def keep_the_configuration_state(place: Place) -> None:
    """From none on."""
    place.remove(f"{OURS}/configurationstates/controller")
    keeper = StateKeeper(place.client, NAMESPACE, POD["metadata"]["name"])
    keeper.tell(())
    await keeper.run()


async def count_sessions(place: Place) -> None:
    """Of a peer whose status is wrong."""
    status = {"status": {"sessions": "9/9", "sessionsUp": 9, "sessionsWanted": 9}}
    path = f"/apis/metallb.io/v1beta2/namespaces/{NAMESPACE}/bgppeers/peer/status"
    place.granted.server.request("PATCH", path, status, content_type="application/merge-patch+json")
    store = KubernetesStore(place.client, Scope.of_controller(NAMESPACE), ClusterWriter(place.client, _recorder(place)))
    feed = Feed(store, READ)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(feed.run())
        tasks.create_task(PeerCounter(place.client, feed, NAMESPACE).run())


async def forget_what_a_silent_node_said(place: Place) -> None:
    """The pod of its speaker is still there, its Node is not."""
    request = place.granted.server.request
    metadata = {"name": "dead-peer", "labels": {"metallb.io/node": "dead"}}
    session = {"apiVersion": "metallb.io/v1beta1", "kind": "BGPSessionStatus", "metadata": metadata}
    with suppress(RequestRefusedError):  # it is there
        request("POST", f"{OURS}/bgpsessionstatuses", session)
    status = {"status": {"node": "dead", "peer": "peer", "state": "Established"}}
    path = f"{OURS}/bgpsessionstatuses/dead-peer/status"
    request("PATCH", path, status, content_type="application/merge-patch+json")
    with suppress(RequestRefusedError):
        spec: dict[str, Any] = {"containers": [{"name": "speaker", "image": "herald"}]}
        spec |= {"nodeName": "dead", "serviceAccountName": "speaker"}
        pod = {"metadata": {"name": "speaker-dead", "labels": {"component": "speaker"}}, "spec": spec}
        request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
    await SilentStatuses(place.client, NAMESPACE, grace_s=0.0).run()


async def answer_vtysh(place: Place) -> None:
    """In the controller's pod, where no speaker is."""
    await _tried(place, cluster.read(place.client, NAMESPACE))


async def make_the_groups_secret(place: Place) -> None:
    """When there is none."""
    place.remove(f"/api/v1/namespaces/{NAMESPACE}/secrets/{MEMBERLIST}")
    await group_secret.keep(place.client, NAMESPACE, MEMBERLIST, DEPLOYMENT)


async def write_own_objects(place: Place) -> None:
    """As `StatusWriter` does, for each of the four kinds: made, given a status, removed."""
    objects, name = Objects(place.client), f"n1-{secrets.token_hex(4)}"
    for kind in scheme.KINDS:
        if kind.plural in OWN:
            labels = {"metallb.io/node": "n1"}
            await _tried(place, objects.apply(kind, NAMESPACE, name, labels=labels, status={}))
            await _tried(place, objects.delete(kind, NAMESPACE, name))


async def follow_own_objects(place: Place) -> None:
    await OwnObjects(place.client, NAMESPACE, NodeName("n1"), StatusBook(), lambda: None).run(None)


async def find_its_own_pod(place: Place) -> None:
    """All that a speaker writes belongs to its pod."""
    decider = Decider(Options(NodeName("n1"), NAMESPACE))
    await ClusterPublisher(decider, _recorder(place), place.client, StoreCounts(), POD["metadata"]["name"], None).run()


async def find_other_speakers(place: Place) -> None:
    async for _ in pod_addresses(place.client, NAMESPACE, "app=metallb,component=speaker"):
        pass


async def judge_a_scraper(place: Place) -> None:
    """Any token is looked at; its own is at hand."""
    token = place.granted.server.token(NAMESPACE, place.account)
    try:
        await Reviewer(place.client)(token)
    except CannotReviewError as error:
        place.says(str(error))


async def keep_the_webhooks_certificate(place: Place) -> None:
    """From the state of a new installation on."""
    request = place.granted.server.request
    secret = f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}"
    request("PATCH", secret, {"data": None}, content_type="application/merge-patch+json")
    for path, hooks in ((HOOKS, "webhooks"), (BGP_PEERS, "")):
        found = request("GET", path)
        for hook in found["webhooks"] if hooks else [found["spec"]["conversion"]["webhook"]]:
            hook["clientConfig"].pop("caBundle", None)
        request("PUT", path, found)

    async def install(chain: bytes, key: bytes) -> None:
        assert chain
        assert key

    await keep_certificates(place.client, WebhookOptions(namespace=NAMESPACE), install, Readiness())


FOLLOW = ("list", "watch")
DELETE_ALL = ("deletecollection",)
REVIEWS = ("tokenreviews", "subjectaccessreviews")
USES = (
    Use("controller", read_as_controller, ("services", "namespaces", "nodes", *CUSTOM), FOLLOW),
    Use("speaker", read_as_speaker, ("services", "namespaces", "nodes", "endpointslices", "secrets", *CUSTOM), FOLLOW),
    Use("controller", write_statuses, ("services/status", "ipaddresspools/status"), ("patch",)),
    Use("controller", write_statuses, ("services",), ("get",)),
    Use("controller", record_events, ("events",), ("create", "patch")),
    Use("speaker", record_events, ("events",), ("create", "patch")),
    Use("controller", be_elected, ("leases",), ("create",)),
    Use("controller", be_elected, ("leases",), ("get", "update"), (LEASE,)),
    Use("controller", keep_the_configuration_state, ("configurationstates",), ("get", "create", "patch")),
    Use("controller", keep_the_configuration_state, ("configurationstates/status",), ("patch",)),
    Use("controller", keep_the_configuration_state, ("pods",), ("get",)),
    Use("controller", count_sessions, ("bgpsessionstatuses",), FOLLOW),
    Use("controller", count_sessions, ("bgppeers/status",), ("patch",)),
    Use("controller", forget_what_a_silent_node_said, ("pods",), FOLLOW),
    Use("controller", forget_what_a_silent_node_said, ("bgpsessionstatuses/status",), ("patch",)),
    Use("controller", forget_what_a_silent_node_said, ("servicel2statuses", "servicebgpstatuses"), DELETE_ALL),
    Use("controller", answer_vtysh, ("servicebgpstatuses",), ("list",)),
    Use("controller", make_the_groups_secret, ("secrets",), ("create",)),
    Use("controller", make_the_groups_secret, ("secrets",), ("get",), (MEMBERLIST,)),
    Use("controller", make_the_groups_secret, ("deployments",), ("get",), (DEPLOYMENT,)),
    Use("speaker", write_own_objects, OWN, ("create", "patch", "delete")),
    Use("speaker", write_own_objects, tuple(f"{plural}/status" for plural in OWN), ("patch",)),
    Use("speaker", follow_own_objects, OWN, FOLLOW),
    Use("speaker", find_its_own_pod, ("pods",), ("get",)),
    Use("speaker", find_other_speakers, ("pods",), FOLLOW),
    Use("speaker", judge_a_scraper, REVIEWS, ("create",)),
    Use("controller", judge_a_scraper, REVIEWS, ("create",)),
    Use("controller", keep_the_webhooks_certificate, ("secrets",), ("get", "watch", "update"), (SECRET,)),
    Use(
        "controller",
        keep_the_webhooks_certificate,
        ("validatingwebhookconfigurations", "customresourcedefinitions"),
        ("get", "watch", "patch"),
        (CONFIGURATION, CONVERTED_CRD),
    ),
)


@pytest.fixture(scope="module")
def granted(shared: Shared) -> Granted:
    """A cluster with Herald's accounts and rights, and something to write a status into."""
    found = Granted(shared.with_crds())
    found.server.request("POST", "/api/v1/namespaces/default/services", SERVICE)
    found.server.request("POST", f"{OURS}/ipaddresspools", POOL)
    found.server.request("POST", f"/apis/metallb.io/v1beta2/namespaces/{NAMESPACE}/bgppeers", PEER)
    found.server.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", POD)
    return found


class _Log(logging.Handler):
    """Hands on what is logged as a warning or worse."""

    def __init__(self, says: Says) -> None:
        super().__init__(logging.WARNING)
        self._says = says

    def emit(self, record: logging.LogRecord) -> None:
        # The fields of the log line, of which `error` is one, are as much told as its text.
        self._says(f"{record.getMessage()} {getattr(record, 'error', '')}")


async def _heard(granted: Granted, use: Use, wanted: str, patience_s: float) -> list[str]:
    """What is said while `use` runs: until it is `wanted`, or for as long as the patience lasts."""
    heard: list[str] = []
    found = asyncio.Event()

    def says(words: str) -> None:
        heard.append(words)
        if wanted and wanted in words:
            found.set()

    handler, logger = _Log(says), logging.getLogger("herald")
    client = ApiClient.connect(granted.kubeconfig(use.account), field_manager=f"herald-{use.account}")
    logger.addHandler(handler)
    running = asyncio.ensure_future(use.run(Place(granted, client, use.account, says)))
    waiting = asyncio.ensure_future(found.wait())
    try:
        await asyncio.wait({running, waiting}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        for task in (running, waiting):
            task.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
        logger.removeHandler(handler)
        await client.close()
    return heard


@pytest.mark.parametrize("use", {str(use): use for use in USES}.values(), ids=str)
async def test_the_shipped_rights_are_enough(granted: Granted, use: Use) -> None:
    granted.without(None)
    assert await _heard(granted, use, "", QUIET_S) == []


USED = [(right, use) for right in shipped() for use in USES if use.covers(right)]


@pytest.mark.parametrize(("right", "use"), USED, ids=[str(right) for right, _ in USED])
async def test_a_right_that_is_missing_is_named(granted: Granted, right: Right, use: Use) -> None:
    granted.without(right)
    heard = await _heard(granted, use, right.refusal, PATIENCE_S)
    assert any(right.refusal in words for words in heard), heard


def test_no_right_is_given_that_nobody_uses() -> None:
    used = {right for right, _ in USED}
    assert [str(right) for right in shipped() if right not in used] == []
