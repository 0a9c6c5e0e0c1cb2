"""`herald controller` as a pod starts it: MetalLB's flags, probes, metrics and webhooks in one process."""

import base64
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from controller_stand import BASE, NAMESPACE, POOLS, SERVICES, Stand, comes_true

from herald.controller.peer_counter import PAUSE_S
from herald.controller.problem_teller import SETTLE_S
from herald.controller.silent_nodes import GRACE_S
from herald.lab.kubernetes import nodes
from herald.lab.kubernetes.api_server import ApiServer

OURS = POOLS.rsplit("/", 1)[0]
SESSIONS = f"{OURS}/bgpsessionstatuses"
PEERS = f"/apis/metallb.io/v1beta2/namespaces/{NAMESPACE}/bgppeers"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and body; 0 if nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def is_open(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True


def test_a_replica_that_does_not_lead_is_ready_and_answers_webhooks(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path)
    cluster.kubectl("apply", "-f", str(BASE / "webhook.yaml"), "-f", str(BASE / "validating-webhooks.yaml"))
    health, port = free_port(), free_port()
    words = ("--webhook-mode=enabled", f"--webhook-port={port}", f"--health-probe-port={health}")
    words += ("--cert-extra-names=127.0.0.1",)
    with stand.controller("controller-a") as leader:
        comes_true(lambda: bool(leader.lines("leading")), "a leader")
        with stand.controller("controller-b", *words) as process:
            comes_true(lambda: ask(health, "/readyz")[0] == 200, "readiness")
            assert "[+]webhooks ok" in ask(health, "/readyz")[1]
            assert process.lines("leading") == []
            path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/metallb-webhook-configuration"
            hooks = cluster.request("GET", path)["webhooks"]
            (bundle,) = {hook["clientConfig"]["caBundle"] for hook in hooks}
            trust = ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
            for name in ("127.0.0.1", f"metallb-webhook-service.{NAMESPACE}.svc"):
                with socket.create_connection(("127.0.0.1", port)) as plain:
                    assert trust.wrap_socket(plain, server_hostname=name).version() == "TLSv1.3"
            assert process.terminate() == 0


def scrape(port: int, token: str) -> dict[str, str]:
    """Every sample of the page, by name and labels."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    asked = urllib.request.Request(f"https://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=10, context=context) as answer:
        lines = answer.read().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))


def test_metrics_tell_refusals_and_a_replica_that_stands_by_alarms_nobody(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path, "192.0.2.0/32")
    for name in ("a", "b"):
        stand.put_service(name)
    cluster.create_namespace("monitoring")
    cluster.kubectl("apply", "-f", str(BASE.parent / "prometheus" / "rbac.yaml"))
    cluster.kubectl("create", "serviceaccount", "-n", "monitoring", "prometheus-k8s")
    token = cluster.token("monitoring", "prometheus-k8s")
    first, second = free_port(), free_port()
    with stand.controller("controller-a", f"--port={first}") as leader:
        comes_true(lambda: bool(stand.events("AllocationFailed")), "a refusal")
        comes_true(lambda: bool(scrape(first, token)), "a page")  # it listens when it has begun to work
        page = scrape(first, token)
        assert page['herald_allocator_refusals_total{reason="AllocationFailed"}'] == "1"
        assert page["herald_controller_leader_bool"] == "1"
        assert leader.lines("leading")
        with stand.controller("controller-b", f"--port={second}") as other:
            comes_true(lambda: bool(other.lines("following")), "one who follows")
            comes_true(lambda: scrape(second, token)["metallb_k8s_client_config_loaded_bool"] == "1", "a configuration")
            page = scrape(second, token)
            assert page["herald_controller_leader_bool"] == "0"
            assert page["metallb_k8s_client_config_stale_bool"] == "0"


def test_the_command_takes_the_words_and_the_environment_of_metallbs_manifests(
    cluster: ApiServer, tmp_path: Path
) -> None:
    stand = Stand(cluster, tmp_path)
    stand.put_service("web")
    environment = {
        **os.environ,
        "METALLB_NAMESPACE": NAMESPACE,
        "METALLB_BGP_TYPE": "frr",
        "KUBECONFIG": str(stand.kubeconfig),
    }
    port, health = free_port(), free_port()
    given = [f"-port={port}", f"--health-probe-port={health}", "-log-level", "debug", "--webhook-mode=disabled"]
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "herald.cli.main", "controller", *given, "--webhook-http2=true"]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        comes_true(lambda: stand.shown() == {"web": ("192.0.2.0",)}, "an address")
        comes_true(lambda: ask(health, "/readyz")[0] == 200, "readiness")
        comes_true(lambda: is_open(port), "metrics")
        ignored = [line for line in log.read_text().splitlines() if "optionIgnored" in line]
        assert len(ignored) == 2
        process.terminate()
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()


def put_peer(cluster: ApiServer) -> None:
    spec = {"myASN": 64500, "peerASN": 64501, "peerAddress": "10.0.0.1"}
    body = {"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": {"name": "tor"}, "spec": spec}
    cluster.request("POST", PEERS, body)


def say(stand: Stand, node: str, state: str) -> None:
    """A speaker tells of its session with the peer."""
    name = f"{node}-tor"
    body = {"apiVersion": "metallb.io/v1beta1", "kind": "BGPSessionStatus", "metadata": {"name": name}}
    stand.cluster.request("POST", SESSIONS, body)
    stand.patch(f"{SESSIONS}/{name}/status", {"status": {"node": node, "peer": "tor", "state": state}})


def sessions(cluster: ApiServer) -> object:
    return cluster.request("GET", f"{PEERS}/tor").get("status", {}).get("sessions")


def test_a_peer_that_is_heard_of_after_its_sessions_shows_how_many_are_up(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path)
    with stand.controller():
        say(stand, "n1", "Established")
        stand.put_service("web")
        comes_true(lambda: "web" in stand.shown(), "an address")
        time.sleep(2 * PAUSE_S)
        put_peer(cluster)
        comes_true(lambda: sessions(cluster) == "1/1", "the count")


def test_a_peer_shows_how_many_of_its_sessions_are_up(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path)
    put_peer(cluster)

    with stand.controller():
        say(stand, "n1", "Established")
        say(stand, "n2", "Down")
        comes_true(lambda: sessions(cluster) == "1/2", "the count")
        cluster.request("DELETE", f"{SESSIONS}/n2-tor")
        comes_true(lambda: sessions(cluster) == "1/1", "the count after one is gone")
        before = cluster.request("GET", f"{PEERS}/tor")["metadata"]["resourceVersion"]
        stand.put_service("web")
        comes_true(lambda: "web" in stand.shown(), "an address")
        time.sleep(2 * PAUSE_S)
        assert cluster.request("GET", f"{PEERS}/tor")["metadata"]["resourceVersion"] == before
    assert cluster.request("GET", f"{SERVICES}/web")["status"]["loadBalancer"]


def put_node(cluster: ApiServer, name: str) -> None:
    """A node, and the pod of its speaker, both well."""
    nodes.create(cluster, name)
    labels = {"component": "speaker"}
    containers = [{"name": "speaker", "image": "herald"}]
    spec = {"nodeName": name, "serviceAccountName": "speaker", "containers": containers}
    pod = {"metadata": {"name": f"speaker-{name}", "labels": labels}, "spec": spec}
    cluster.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod)


def put_announcement(stand: Stand, kind: str, node: str) -> None:
    """What a speaker says of a service."""
    plural = {"ServiceBGPStatus": "servicebgpstatuses", "ServiceL2Status": "servicel2statuses"}[kind]
    body = {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": {"name": node, "labels": on(node)}}
    stand.cluster.request("POST", f"{OURS}/{plural}", body)


def on(node: str) -> dict[str, str]:
    return {"metallb.io/node": node}


def names(cluster: ApiServer, plural: str) -> list[str]:
    return [item["metadata"]["name"] for item in cluster.request("GET", f"{OURS}/{plural}")["items"]]


def test_what_a_dead_node_said_is_not_believed_and_its_speaker_may_say_it_again(
    cluster: ApiServer, tmp_path: Path
) -> None:
    stand = Stand(cluster, tmp_path)
    put_peer(cluster)
    for node in ("n1", "n2"):
        put_node(cluster, node)
        say(stand, node, "Established")
        stand.patch(f"{SESSIONS}/{node}-tor", {"metadata": {"labels": on(node)}})
        for kind in ("ServiceBGPStatus", "ServiceL2Status"):
            put_announcement(stand, kind, node)

    with stand.controller() as controller:
        comes_true(lambda: sessions(cluster) == "2/2", "the count")
        nodes.set_ready(cluster, "n2", ready=False)
        comes_true(lambda: sessions(cluster) == "1/2", "the count without the dead node", within=GRACE_S + 20)
        dead = cluster.request("GET", f"{SESSIONS}/n2-tor")["status"]
        assert (dead["state"], dead["lastError"]) == (
            "Unknown",
            "Established is what the speaker said last; node n2 is not ready",
        )
        comes_true(lambda: names(cluster, "servicel2statuses") == ["n1"], "n1 alone")
        assert names(cluster, "servicebgpstatuses") == ["n1"]

        # The node is thought to be dead, and its speaker speaks all the same.
        stand.patch(f"{SESSIONS}/n2-tor/status", {"status": {"state": "Established", "lastError": None}})
        comes_true(lambda: sessions(cluster) == "2/2", "the count with the one that speaks")
        time.sleep(3 * PAUSE_S)
        assert sessions(cluster) == "2/2"
        assert len(controller.lines("nodeSilent")) == 1


def warnings(cluster: ApiServer, about: str) -> list[tuple[str, str, int]]:
    """Reason, message and count of the warnings that `kubectl describe` shows with an object."""
    items = cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}/events")["items"]
    uid = cluster.request("GET", f"{PEERS}/{about}")["metadata"]["uid"]
    found = [item for item in items if item["type"] == "Warning" and item["involvedObject"].get("uid") == uid]
    return [(item["reason"], item["message"], item["count"]) for item in found]


def test_an_object_that_is_refused_says_so_once_in_an_event(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path)
    put_peer(cluster)
    with stand.controller() as first:
        stand.patch(f"{PEERS}/tor", {"spec": {"bfdProfile": "nope"}})
        comes_true(lambda: len(warnings(cluster, "tor")) == 1, "an event")
        ((_, message, count),) = warnings(cluster, "tor")
        assert message.startswith("spec.bfdProfile: ")
        assert "nope" in message
        assert count == 1
        assert first.terminate() == 0

    with stand.controller("controller-b"):
        stand.put_service("web")
        comes_true(lambda: "web" in stand.shown(), "an address")
        time.sleep(SETTLE_S + PAUSE_S)
        assert len(warnings(cluster, "tor")) == 1
        assert warnings(cluster, "tor")[0][2] == 1
