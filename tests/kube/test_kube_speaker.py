"""A speaker on a real API server, with exactly the rights that are shipped: what it writes there, and what not."""

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest
from speaker_stand import BGP, L2, NAMESPACE, NODE, SESSIONS, STATES, STATUSES, comes_true, drain, stand

from herald.lab.kubernetes.api_server import ApiServer

pytestmark = pytest.mark.netns

VIP = "10.50.0.200"
QUIET_S = 7.0
"""Longer than the speaker waits for the echo of its writes."""


def labels(service: str) -> dict[str, str]:
    return {
        "metallb.io/node": NODE,
        "metallb.io/service-name": service,
        "metallb.io/service-namespace": "default",
    }


def ours(frames: list[bytes]) -> list[bytes]:
    """What the segment is told of the address of the service; the self-probe goes to the node's own MAC."""
    return [frame for frame in frames if ip_address(VIP).packed in frame and frame[:6] != frame[6:12]]


async def test_what_is_announced_stands_in_statuses_and_events_and_then_nothing_is_written(
    cluster: ApiServer, tmp_path: Path
) -> None:
    async with stand(cluster, tmp_path) as made:
        made.cluster.add_service("web", VIP)
        made.control()
        await made.accept_session()
        assert [str(prefix) for prefix in (await made.router.hear_update())[0]] == [f"{VIP}/32"]
        fixed = {"node": NODE, "serviceName": "web", "serviceNamespace": "default"}
        await comes_true(lambda: made.cluster.status(L2) == fixed, "ServiceL2Status")
        await comes_true(lambda: made.cluster.status(BGP) == {**fixed, "peers": ["tor"]}, "ServiceBGPStatus")
        await comes_true(lambda: (made.cluster.status(STATES) or {}).get("result") == "Valid", "ConfigurationState")
        await comes_true(lambda: (made.cluster.status(SESSIONS) or {}).get("prefixesSent") == 1, "BGPSessionStatus")
        session = made.cluster.status(SESSIONS) or {}
        assert (session["state"], session["peer"], session["node"]) == ("Established", "tor", NODE)
        for plural in (L2, BGP):
            (item,) = made.cluster.statuses(plural)
            assert item["metadata"]["labels"] == labels("web")
            assert [owner["name"] for owner in item["metadata"]["ownerReferences"]] == ["speaker-1"]
        (state,) = made.cluster.statuses(STATES)
        assert state["metadata"]["name"] == f"speaker-{NODE}"
        assigned = [f'announcing from node "{NODE}" with protocol "{protocol}"' for protocol in ("bgp", "layer2")]
        await comes_true(lambda: len(made.cluster.events("default")) == 2, "one event per protocol")
        assert made.cluster.events("default") == [("Service/web", "nodeAssigned", text, 1) for text in assigned]
        await comes_true(lambda: bool(made.cluster.events(NAMESPACE)), "the session's event")
        ((about, reason, text, _),) = made.cluster.events(NAMESPACE)
        assert (about, reason) == ("BGPPeer/tor", "BGPSessionUp")
        assert "is up" in text
        versions = made.cluster.versions()
        await asyncio.sleep(QUIET_S)
        assert made.cluster.versions() == versions, "nothing changes, nothing is written"


async def test_a_restarted_control_adopts_what_stands_and_neither_writes_nor_announces_anything(
    cluster: ApiServer, tmp_path: Path
) -> None:
    async with stand(cluster, tmp_path) as made:
        made.cluster.add_service("web", VIP)
        first = made.control()
        await made.accept_session()
        await made.router.hear_update()
        await comes_true(lambda: (made.cluster.status(SESSIONS) or {}).get("prefixesSent") == 1, "BGPSessionStatus")
        await comes_true(lambda: len(made.cluster.events("default")) == 2, "both events")
        await comes_true(lambda: len(made.cluster.versions()) == 4, "all statuses")
        await asyncio.sleep(1.0)
        versions, events = made.cluster.versions(), made.cluster.events("default") + made.cluster.events(NAMESPACE)
        await first.end()
        second = made.control()
        await comes_true(lambda: bool(second.lines("serviceAnnounced")), "the second control has decided")
        await asyncio.sleep(QUIET_S)
        assert made.cluster.versions() == versions
        assert made.cluster.events("default") + made.cluster.events(NAMESPACE) == events
        assert made.engine.log.read_text().count('"addressHeld"') == 1
        assert made.engine.log.read_text().count('"sessionUp"') == 1


async def test_what_somebody_edits_or_deletes_is_put_right_and_the_rests_of_others_go(
    cluster: ApiServer, tmp_path: Path
) -> None:
    async with stand(cluster, tmp_path) as made:
        foreign = {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "ServiceL2Status",
            "metadata": {"generateName": "l2-", "labels": {**labels("web"), "metallb.io/node": "node-9"}},
        }
        cluster.request("POST", f"{STATUSES}/{L2}", foreign)
        kept = {
            **foreign,
            "metadata": {"generateName": "l2-", "labels": {**labels("api"), "metallb.io/node": "node-9"}},
        }
        cluster.request("POST", f"{STATUSES}/{L2}", kept)
        made.cluster.add_service("web", VIP)
        made.control()

        def owners() -> list[tuple[str, str]]:
            found = [item["metadata"]["labels"] for item in made.cluster.statuses(L2)]
            return sorted((each["metallb.io/service-name"], each["metallb.io/node"]) for each in found)

        await comes_true(lambda: owners() == [("api", "node-9"), ("web", NODE)], "one owner per service")
        (bgp,) = await _when_one(made.cluster.statuses, BGP)
        path = f"{STATUSES}/{BGP}/{bgp['metadata']['name']}"
        wrong = {"status": {"peers": ["nobody"]}}
        cluster.request("PATCH", f"{path}/status", wrong, content_type="application/merge-patch+json")
        await comes_true(lambda: (made.cluster.status(BGP) or {}).get("peers") == ["tor"], "the edit is undone")
        cluster.request("DELETE", path)
        await comes_true(lambda: (made.cluster.status(BGP) or {}).get("peers") == ["tor"], "it is made again")
        cluster.request("DELETE", "/api/v1/namespaces/default/services/web")
        await comes_true(lambda: made.cluster.statuses(BGP) == [], "the service is gone")
        await comes_true(lambda: owners() == [("api", "node-9")], "and only what is ours goes with it")


async def test_an_api_server_that_is_away_changes_nothing_on_the_wire_nor_does_its_return(
    cluster: ApiServer, tmp_path: Path
) -> None:
    async with stand(cluster, tmp_path) as made:
        made.cluster.add_service("web", VIP)
        control = made.control()
        await made.accept_session()
        await made.router.hear_update()
        await comes_true(lambda: len(made.cluster.versions()) == 4, "all statuses")
        await asyncio.sleep(1.0)
        while ours(drain(made.arp)):  # noqa: ASYNC110  # the gratuitous ARP of the beginning goes on for seconds
            await asyncio.sleep(3.0)
        held = made.engine.log.read_text()
        await asyncio.to_thread(cluster.kill_api_server)
        await asyncio.sleep(10.0)
        assert control.lines("apiServerLost")
        await asyncio.to_thread(cluster.start_api_server)
        await comes_true(lambda: bool(control.lines("apiServerBack")), "it is back", seconds=60.0)
        await asyncio.sleep(2.0)
        assert made.engine.log.read_text() == held, "the engine was told nothing"
        assert ours(drain(made.arp)) == []
        made.cluster.add_service("api", "10.50.0.201")
        # A server that has just started may refuse for want of roles; then it is asked again ever more rarely.
        await comes_true(lambda: len(control.lines("serviceAnnounced")) == 4, "both are announced", seconds=60.0)
        announced, withdrawn = await made.router.hear_update()
        assert ([str(prefix) for prefix in announced], withdrawn) == (["10.50.0.201/32"], []), "nothing before that"


async def test_what_happened_while_the_api_server_was_away_is_written_when_it_is_back_and_only_the_latest(
    cluster: ApiServer, tmp_path: Path
) -> None:
    async with stand(cluster, tmp_path) as made:
        made.cluster.add_service("web", VIP)
        control = made.control()
        await made.accept_session()
        await comes_true(lambda: (made.cluster.status(SESSIONS) or {}).get("prefixesSent") == 1, "BGPSessionStatus")
        await comes_true(lambda: len(made.cluster.events(NAMESPACE)) == 1, "the session is up")
        before = made.cluster.status(SESSIONS) or {}
        await asyncio.to_thread(cluster.kill_api_server)
        made.router.hang_up()
        await made.router.accept_session()
        made.router.hang_up()
        await asyncio.sleep(2.0)
        await made.router.accept_session()
        await comes_true(lambda: bool(control.lines("statusNotWritten")), "it is tried")
        await asyncio.to_thread(cluster.start_api_server)
        await comes_true(lambda: (made.cluster.status(SESSIONS) or {}).get("since") != before["since"], "written", 60.0)
        assert (made.cluster.status(SESSIONS) or {})["state"] == "Established"
        await comes_true(lambda: len(made.cluster.events(NAMESPACE)) == 2, "one event for all of it")
        assert "is up again, it was down meanwhile" in made.cluster.events(NAMESPACE)[1][2]


async def test_a_service_that_nobody_announces_says_why_once_and_a_bad_peer_is_named(
    cluster: ApiServer, tmp_path: Path
) -> None:
    async with stand(cluster, tmp_path) as made:
        made.cluster.add_service("web", "10.99.0.1")
        bad = f"""
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: bad, namespace: {NAMESPACE}}}
spec: {{myASN: 64500, peerASN: 64501, peerAddress: 10.50.0.9, bfdProfile: missing}}
"""
        made.cluster.apply(bad)
        made.control()
        await comes_true(lambda: bool(made.cluster.events("default")), "an event that says why")
        ((about, reason, text, count),) = made.cluster.events("default")
        assert (about, reason, count) == ("Service/web", "notAnnounced", 1)
        assert "10.99.0.1" in text
        await comes_true(lambda: (made.cluster.status(STATES) or {}).get("result") == "Invalid", "the verdict")
        assert "missing" in (made.cluster.status(STATES) or {})["errorSummary"]
        cluster.request("DELETE", f"/apis/metallb.io/v1beta2/namespaces/{NAMESPACE}/bgppeers/bad")
        await comes_true(lambda: (made.cluster.status(STATES) or {}).get("result") == "Valid", "the verdict again")


async def _when_one(found: object, plural: str) -> list[dict[str, dict[str, str]]]:
    assert callable(found)
    await comes_true(lambda: len(found(plural)) == 1, f"one of {plural}")
    one: list[dict[str, dict[str, str]]] = found(plural)
    return one
