"""Reading from a real API server, through all that can happen to it: nothing is lost, nothing is told twice."""

import asyncio
import json
import random
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from herald.api import crd
from herald.cluster.meta import NamespacedName
from herald.config.findings import ObjectKey
from herald.lab.kubernetes.api_server import ApiServer
from herald.store.cache import Cache
from herald.store.kubernetes.client import ApiClient, ApiError, UnreachableError
from herald.store.kubernetes.pods import pod_addresses
from herald.store.kubernetes.sources import Scope
from herald.store.kubernetes.store import KubernetesStore
from herald.store.store import KINDS, Changes, Synced

NAMESPACE = "metallb-system"
CONTROLLER, SPEAKER = Scope.of_controller(NAMESPACE), Scope.of_speaker(NAMESPACE)
MERGE = "application/merge-patch+json"
SERVICES = "/api/v1/namespaces/default/services"
PATIENCE_S = 40.0

T = TypeVar("T")


class Told:
    """What a watch has told: batch by batch, and added up."""

    def __init__(self) -> None:
        self.batches: list[Changes] = []
        self.cache = Cache()
        self._stirred = asyncio.Event()

    def take(self, batch: Changes) -> None:
        self.batches.append(batch)
        self.cache.take(batch)
        self._stirred.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds after some batch."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._stirred.clear()
                await self._stirred.wait()

    async def synced(self) -> Synced:
        await self.until(lambda: bool(self.batches))
        first = self.batches[0]
        assert isinstance(first, Synced)
        return first

    @property
    def services(self) -> dict[str, str]:
        """The label `mark` of every Service but the API server's own."""
        return {key.name: item.metadata.labels.get("mark", "") for key, item in self.cache.services.items()}

    @property
    def said(self) -> list[str]:
        """Every object that was told, as often as it was, and every one that was told to be gone."""
        words = []
        for batch in self.batches[1:]:
            assert not isinstance(batch, Synced), "everything is told only once"
            words += [f"{item.metadata.name} {item.metadata.labels.get('mark', '')}".strip() for item in batch.objects]
            words += [f"-{key.name}" for key in batch.deleted]
        return words


@asynccontextmanager
async def watching(
    kubeconfig: Path | ApiClient, *kinds: str, scope: Scope = CONTROLLER
) -> AsyncIterator[tuple[Told, KubernetesStore]]:
    client = kubeconfig if isinstance(kubeconfig, ApiClient) else ApiClient.connect(kubeconfig)
    store, told = KubernetesStore(client, scope), Told()

    async def follow() -> None:
        async for batch in store.watch(kinds or KINDS):
            told.take(batch)

    task = asyncio.create_task(follow())
    try:
        yield told, store
    finally:
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        await client.close()
        assert isinstance(result, asyncio.CancelledError), result


async def blocking(call: Callable[..., T], *args: Any, **options: Any) -> T:
    return await asyncio.to_thread(call, *args, **options)


def service(name: str, mark: str = "", **spec: Any) -> dict[str, Any]:
    wanted = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{"port": 80}], **spec}
    return {"metadata": {"name": name, "labels": {"mark": mark}}, "spec": wanted}


def create(server: ApiServer, name: str, mark: str = "") -> None:
    server.request("POST", SERVICES, service(name, mark))


def mark(server: ApiServer, name: str, text: str) -> None:
    server.request("PATCH", f"{SERVICES}/{name}", {"metadata": {"labels": {"mark": text}}}, content_type=MERGE)


def delete(server: ApiServer, name: str) -> None:
    server.request("DELETE", f"{SERVICES}/{name}")


async def test_objects_are_listed_then_followed(cluster: ApiServer) -> None:
    await blocking(create, cluster, "old", "1")
    async with watching(cluster.admin_kubeconfig) as (told, store):
        synced = await told.synced()
        assert synced.complete
        assert synced.problems == ()
        assert told.services == {"old": "1"}
        await blocking(create, cluster, "new")
        await blocking(mark, cluster, "old", "2")
        await blocking(delete, cluster, "new")
        await told.until(lambda: told.said[-1:] == ["-new"])
        assert told.services == {"old": "2"}
        key = ObjectKey("Service", "default", "old")
        now = (await blocking(cluster.request, "GET", f"{SERVICES}/old"))["metadata"]
        assert (store.resource_version(key), store.uid(key)) == (now["resourceVersion"], now["uid"])


async def test_what_nothing_reads_is_no_news(cluster: ApiServer) -> None:
    node = {"metadata": {"name": "n1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await blocking(cluster.request, "POST", "/api/v1/nodes", node)
    await blocking(create, cluster, "web")
    async with watching(cluster.admin_kubeconfig, "Node", "Service") as (told, store):
        await told.synced()
        for second in range(5):
            beat = {"type": "Ready", "status": "True", "lastHeartbeatTime": f"2026-01-01T00:00:0{second}Z"}
            status = {"status": {"conditions": [beat]}}
            await blocking(cluster.request, "PATCH", "/api/v1/nodes/n1/status", status, content_type=MERGE)
        foreign = {"metadata": {"annotations": {"example.com/x": "y"}}}
        changed = await blocking(cluster.request, "PATCH", f"{SERVICES}/web", foreign, content_type=MERGE)
        await blocking(create, cluster, "last")
        await told.until(lambda: bool(told.said))
        assert told.said == ["last"]
        key = ObjectKey("Service", "default", "web")
        assert store.resource_version(key) == changed["metadata"]["resourceVersion"]


async def test_more_objects_than_fit_on_a_page_are_all_listed(cluster: ApiServer) -> None:
    client = ApiClient.connect(cluster.admin_kubeconfig)
    names = iter([f"n{index}" for index in range(1203)])

    async def make() -> None:
        for name in names:
            await client.create("/api/v1/nodes", {"metadata": {"name": name}})

    await asyncio.gather(*(make() for _ in range(8)))
    async with watching(client, "Node") as (told, _):
        assert len((await told.synced()).objects) == 1203


async def test_a_server_that_is_killed_changes_nothing_and_its_return_tells_the_difference(cluster: ApiServer) -> None:
    for name in ("same", "gone"):
        await blocking(create, cluster, name)
    async with watching(cluster.admin_kubeconfig) as (told, _):
        await told.synced()
        await blocking(cluster.kill_api_server)
        await asyncio.sleep(2)
        assert told.said == []
        await blocking(cluster.start_api_server)
        await blocking(delete, cluster, "gone")
        await blocking(create, cluster, "new")
        await told.until(lambda: set(told.said) == {"-gone", "new"})
        assert len(told.said) == 2
        assert all(batch.complete for batch in told.batches)


async def test_a_paused_server_changes_nothing(cluster: ApiServer) -> None:
    await blocking(create, cluster, "same")
    client = ApiClient.connect(cluster.admin_kubeconfig)
    async with watching(client) as (told, _):
        await told.synced()
        path = "/api/v1/services"
        version = json.loads(await client.get(path))["metadata"]["resourceVersion"]
        params: Mapping[str, str | bool] = {"watch": True, "resourceVersion": version}
        async with client.stream(path, params, silence_s=1.0) as chunks:
            await blocking(cluster.pause_api_server)
            with pytest.raises(UnreachableError, match="silent"):
                await anext(chunks)
        assert told.said == []
        await blocking(cluster.resume_api_server)
        await blocking(create, cluster, "new")
        await told.until(lambda: told.said == ["new"])


async def test_etcd_restarted_changes_nothing(cluster: ApiServer) -> None:
    await blocking(create, cluster, "same")
    async with watching(cluster.admin_kubeconfig) as (told, _):
        await told.synced()
        await blocking(cluster.restart_etcd)
        await blocking(create, cluster, "new")
        await told.until(lambda: "new" in told.said)
        assert told.said == ["new"]


# Rights and identities.


def grant(server: ApiServer, user: str, *resources: str, namespace: str = "") -> None:
    kind = "Role" if namespace else "ClusterRole"
    base = "/apis/rbac.authorization.k8s.io/v1" + (f"/namespaces/{namespace}" if namespace else "")
    name = f"{user}-{resources[0]}"
    rule = {"apiGroups": ["*"], "resources": list(resources), "verbs": ["list", "watch"]}
    role = {"metadata": {"name": name}, "rules": [rule]}
    subject = {"kind": "ServiceAccount", "namespace": NAMESPACE, "name": user}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    server.request("POST", f"{base}/{kind.lower()}s", role)
    binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference}
    server.request("POST", f"{base}/{kind.lower()}bindings", binding)


@pytest.fixture
def account(cluster: ApiServer) -> Path:
    """A service account `reader` that may read Services and nothing else."""
    cluster.create_namespace(NAMESPACE)
    cluster.create_service_account(NAMESPACE, "reader")
    grant(cluster, "reader", "services")
    return cluster.service_account_kubeconfig(NAMESPACE, "reader")


async def test_kinds_that_may_not_be_read_are_named_and_the_others_go_on(cluster: ApiServer, account: Path) -> None:
    await blocking(create, cluster, "one")
    async with watching(account, "Service", "Node", "Secret") as (told, _):
        synced = await told.synced()
        assert not synced.complete
        assert told.services == {"one": ""}
        assert sorted((each.rule, each.kind) for each in synced.problems) == [("HL208", "Node"), ("HL208", "Secret")]
        of_node, of_secret = sorted(each.message for each in synced.problems)
        assert "may not list nodes in the whole cluster" in of_node
        assert 'Give a Role the verb "list" for secrets' in of_secret
        await blocking(create, cluster, "two")
        await told.until(lambda: "two" in told.said)
        await blocking(grant, cluster, "reader", "nodes")
        await blocking(grant, cluster, "reader", "secrets", namespace=NAMESPACE)
        await told.until(lambda: told.cache.is_complete)
        assert told.cache.problems == ()


async def test_a_right_that_is_taken_away_withdraws_nothing(cluster: ApiServer, account: Path) -> None:
    await blocking(create, cluster, "one")
    async with watching(account, "Service") as (told, _):
        assert (await told.synced()).complete
        roles = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        await blocking(cluster.request, "DELETE", f"{roles}/reader-services")
        await blocking(cluster.kill_api_server)
        await blocking(cluster.start_api_server)
        await told.until(lambda: bool(told.cache.problems))
        assert told.services == {"one": ""}
        assert told.cache.is_complete
        assert told.said == []


async def test_without_crds_the_kinds_are_not_complete_until_they_are_applied(bare_cluster: ApiServer) -> None:
    async with watching(bare_cluster.admin_kubeconfig, "IPAddressPool", "Node") as (told, _):
        synced = await told.synced()
        assert not synced.complete
        assert [each.kind for each in synced.problems] == ["IPAddressPool"]
        assert "ipaddresspools.metallb.io" in synced.problems[0].message
        await blocking(bare_cluster.kubectl, "apply", "--server-side", "-f", "-", stdin=crd.dump_yaml())
        await told.until(lambda: told.cache.is_complete)
        assert told.cache.problems == ()


async def test_a_token_that_is_replaced_comes_into_use_and_nobody_notices(
    cluster: ApiServer, account: Path, tmp_path: Path
) -> None:
    """The account is made anew, so that every token of before is refused."""
    pod = await blocking(cluster.service_account_folder, NAMESPACE, "reader", tmp_path / "pod")
    user = {"tokenFile": str(pod / "token")}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(_kubeconfig(cluster.url, pod / "ca.crt", user)))
    client = ApiClient.connect(path)
    async with watching(client, "Service") as (told, _):
        await told.synced()
        accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
        await blocking(cluster.request, "DELETE", f"{accounts}/reader")
        await blocking(cluster.create_service_account, NAMESPACE, "reader")
        await until_refused(client)
        await blocking(cluster.service_account_folder, NAMESPACE, "reader", tmp_path / "pod")
        assert json.loads(await client.get("/api/v1/services"))["items"]
        await blocking(cluster.kill_api_server)
        await blocking(cluster.start_api_server)
        await blocking(create, cluster, "new")
        await told.until(lambda: "new" in told.said)
        assert told.said == ["new"]


async def until_refused(client: ApiClient) -> None:
    """The API server keeps a token for good for some seconds after its account has gone."""
    async with asyncio.timeout(PATIENCE_S):
        while await answer_to(client) == 200:  # noqa: ASYNC110 (it is a server that changes its mind)
            await asyncio.sleep(0.2)
    assert await answer_to(client) == 401


async def answer_to(client: ApiClient) -> int:
    try:
        await client.get("/api/v1/services")
    except ApiError as error:
        return error.status
    return 200


def _kubeconfig(url: str, authority: Path, user: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": url, "certificate-authority": str(authority)}}],
        "users": [{"name": "x", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }


async def test_a_plugin_may_hand_out_a_client_certificate(cluster: ApiServer, tmp_path: Path) -> None:
    pair = cluster.certificate("somebody", ["system:masters"])
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"clientCertificateData": pair.certificate.decode(), "clientKeyData": pair.key.decode()},
    }
    program = tmp_path / "plugin"
    program.write_text(f"#!{sys.executable}\nprint({json.dumps(credential)!r})\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(_kubeconfig(cluster.url, cluster.ca, {"exec": plugin})))
    async with watching(path, "Service") as (told, _):
        assert (await told.synced()).complete
        await blocking(create, cluster, "new")
        await told.until(lambda: told.said == ["new"])


# A line that breaks.


class Line:
    """Passes TCP on to the API server: each connection for a number of octets of its answers, and none while `shut`."""

    def __init__(self, port: int, octets: Callable[[], int]) -> None:
        self._upstream = port
        self._octets = octets
        self._is_open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.cuts = 0

    def shut(self) -> None:
        """Cut what there is, and what comes."""
        self._is_open = False
        for writer in self._writers:
            writer.transport.abort()

    def open(self) -> None:
        self._is_open = True

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_open:
            writer.transport.abort()
            return
        upstream, sender = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers |= {writer, sender}
        forth = asyncio.ensure_future(_copy(reader, sender))
        try:
            left = self._octets()
            while left > 0 and (octets := await upstream.read(min(left, 4096))):
                left -= len(octets)
                writer.write(octets)
                await writer.drain()
            self.cuts += left <= 0
        except ConnectionError:
            return
        finally:
            forth.cancel()
            self._writers -= {writer, sender}
            writer.transport.abort()
            sender.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while octets := await reader.read(4096):
        writer.write(octets)
        await writer.drain()


@asynccontextmanager
async def line_to(cluster: ApiServer, folder: Path, octets: Callable[[], int]) -> AsyncIterator[tuple[Line, Path]]:
    """A line, and a kubeconfig that leads through it."""
    assert cluster.port is not None
    line = Line(cluster.port, octets)
    server = await asyncio.start_server(line.pass_on, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    pair = cluster.certificate("somebody", ["system:masters"])
    for name, content in {"crt": pair.certificate, "key": pair.key}.items():
        (folder / name).write_bytes(content)
    path = folder / "kubeconfig"
    user = {"client-certificate": "crt", "client-key": "key"}
    path.write_text(json.dumps(_kubeconfig(f"https://127.0.0.1:{line.port}", cluster.ca, user)))
    try:
        yield line, path
    finally:
        line.shut()
        server.close()


async def test_a_watch_that_is_cut_in_the_middle_of_objects_loses_nothing_and_repeats_nothing(
    cluster: ApiServer, tmp_path: Path
) -> None:
    """Cut after 5,000 to 12,000 octets, that is after some events and usually within one."""
    chance = random.Random(7)
    for number in range(3):
        await blocking(create, cluster, f"s{number}", "0")
    async with (
        line_to(cluster, tmp_path, lambda: chance.randint(5000, 12000)) as (line, path),
        watching(path, "Service") as (told, _),
    ):
        await told.synced()
        for step in range(1, 41):
            await blocking(mark, cluster, f"s{step % 3}", str(step))
        await told.until(lambda: told.services == {"s0": "39", "s1": "40", "s2": "38"})
        assert line.cuts >= 2
        assert len(set(told.said)) == len(told.said), "no version is told twice"


@pytest.mark.parametrize("is_expired", [False, True], ids=["history kept", "history gone: 410"])
async def test_what_happens_while_the_line_is_cut_is_told_afterwards(
    cluster: ApiServer, tmp_path: Path, is_expired: bool
) -> None:
    for name in ("same", "changed", "gone"):
        await blocking(create, cluster, name)
    async with line_to(cluster, tmp_path, lambda: 1 << 40) as (line, path), watching(path) as (told, store):
        await told.synced()
        version = store.resource_version(ObjectKey("Service", "default", "gone"))
        line.shut()
        await blocking(delete, cluster, "gone")
        await blocking(mark, cluster, "changed", "2")
        if is_expired:
            await blocking(cluster.expire_history)
            assert await first_answer(cluster, version) == 410
        await blocking(create, cluster, "new")
        assert told.said == []
        line.open()
        await told.until(lambda: len(told.said) >= 3)
        assert sorted(told.said) == ["-gone", "changed 2", "new"]


async def first_answer(cluster: ApiServer, version: str | None) -> int:
    """What the API server says first to a watch of Services behind `version`: a status code, 200 for an event."""
    client = ApiClient.connect(cluster.admin_kubeconfig)
    try:
        params: dict[str, str | bool] = {"watch": True, "resourceVersion": version or ""}
        async with client.stream("/api/v1/services", params) as chunks:
            event = json.loads((await anext(chunks)).partition(b"\n")[0])
            return int(event["object"]["code"]) if event["type"] == "ERROR" else 200
    except ApiError as error:
        return error.status
    finally:
        await client.close()


# Selection.


async def test_a_speaker_is_told_that_a_service_is_gone_when_it_ceases_to_be_a_load_balancer(
    cluster: ApiServer,
) -> None:
    annotation = {"metadata": {"annotations": {"metallb.io/ip-allocated-from-pool": "main"}}}
    ingress = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}}
    await blocking(create, cluster, "web")
    await blocking(cluster.request, "PATCH", f"{SERVICES}/web/status", {**annotation, **ingress}, content_type=MERGE)
    async with (
        watching(cluster.admin_kubeconfig, scope=SPEAKER) as (speaker, _),
        watching(cluster.admin_kubeconfig, scope=CONTROLLER) as (controller, _),
    ):
        await speaker.synced()
        await controller.synced()
        assert next(iter(speaker.cache.services.values())).ingress_ips == ("192.0.2.7",)
        to_cluster_ip = {"spec": {"type": "ClusterIP"}}
        await blocking(cluster.request, "PATCH", f"{SERVICES}/web", to_cluster_ip, content_type=MERGE)
        await speaker.until(lambda: speaker.said == ["-web"])
        await controller.until(lambda: controller.said == ["web"])
        left = controller.cache.services[NamespacedName("default", "web")]
        assert left.ingress_ips == (), "the API server empties the status by itself"
        assert left.metadata.annotations, "and leaves the annotation to the controller"
        cleared = {"metadata": {"annotations": {"metallb.io/ip-allocated-from-pool": None}}}
        await blocking(cluster.request, "PATCH", f"{SERVICES}/web", cleared, content_type=MERGE)
        await controller.until(lambda: controller.said == ["web", "-web"])
        assert speaker.said == ["-web"]


async def test_custom_resources_of_other_namespaces_are_not_seen(cluster: ApiServer) -> None:
    for namespace in (NAMESPACE, "elsewhere"):
        await blocking(cluster.create_namespace, namespace)
        pool = {"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": {"name": f"of-{namespace}"}}
        pool["spec"] = {"addresses": ["192.0.2.0/24"]}
        path = f"/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools"
        await blocking(cluster.request, "POST", path, pool)
    async with watching(cluster.admin_kubeconfig, "IPAddressPool") as (told, _):
        assert [item.metadata.name for item in (await told.synced()).objects] == [f"of-{NAMESPACE}"]


async def test_the_hosts_of_pods_are_told_whenever_they_change(cluster: ApiServer) -> None:
    await blocking(cluster.create_namespace, NAMESPACE)
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"

    def run_pod(name: str, host: str, component: str = "speaker") -> None:
        labels = {"app": "metallb", "component": component}
        spec = {"containers": [{"name": "x", "image": "x"}], "nodeName": f"node-{name}"}
        cluster.request("POST", pods, {"metadata": {"name": name, "labels": labels}, "spec": spec})
        show(name, host, "Running")

    def show(name: str, host: str, phase: str) -> None:
        status = {"status": {"phase": phase, "hostIP": host, "hostIPs": [{"ip": host}]}}
        cluster.request("PATCH", f"{pods}/{name}/status", status, content_type=MERGE)

    await blocking(run_pod, "a", "192.0.2.1")
    await blocking(run_pod, "other", "192.0.2.9", "controller")
    client = ApiClient.connect(cluster.admin_kubeconfig)
    async with asyncio.timeout(PATIENCE_S):
        found = pod_addresses(client, NAMESPACE, "app=metallb,component=speaker")
        assert await anext(found) == {"192.0.2.1"}
        await blocking(run_pod, "b", "192.0.2.2")
        assert await anext(found) == {"192.0.2.1", "192.0.2.2"}
        await blocking(cluster.kill_api_server)
        await blocking(cluster.start_api_server)
        await blocking(show, "a", "192.0.2.1", "Failed")
        assert await anext(found) == {"192.0.2.2"}
        await found.aclose()
    await client.close()


# A past that comes back.


async def test_a_cluster_that_is_restored_from_a_backup_is_listed_anew(cluster: ApiServer, tmp_path: Path) -> None:
    """etcd's data of some time ago: the server would keep silent towards a watch from a version in its future."""
    data = cluster.folder / "etcd"
    await blocking(create, cluster, "kept", "before")
    await blocking(create, cluster, "restored")

    def stop() -> None:
        cluster.kill_api_server()
        cluster.kill_etcd()

    def start() -> None:
        cluster.start_etcd()
        cluster.start_api_server()

    await blocking(stop)
    await blocking(shutil.copytree, data, tmp_path / "backup")
    await blocking(start)
    async with watching(cluster.admin_kubeconfig, "Service") as (told, store):
        await told.synced()
        for number in range(20):
            await blocking(create, cluster, f"later{number}")
        await blocking(mark, cluster, "kept", "after")
        await blocking(delete, cluster, "restored")
        await told.until(lambda: "-restored" in told.said)
        await blocking(stop)
        # Reflectors notice an outage of a moment only if it lasts longer than their first attempt to come back.
        await asyncio.sleep(2)
        await blocking(shutil.rmtree, data)
        await blocking(shutil.copytree, tmp_path / "backup", data)
        await blocking(start)
        await told.until(lambda: told.services == {"kept": "before", "restored": ""})
        now = await blocking(cluster.request, "GET", f"{SERVICES}/kept")
        assert store.resource_version(ObjectKey("Service", "default", "kept")) == now["metadata"]["resourceVersion"]
