"""The controller on a real API server: what it writes, killed, contested, two of it, and without an API server."""

import random
import threading
import time
from pathlib import Path

from controller_stand import CLAIM, NAMESPACE, POOLS, SERVICES, Stand, comes_true

from herald.lab.kubernetes.api_server import ApiServer

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/metallb-controller"


def test_a_service_gets_an_address_a_claim_an_event_and_then_nothing_is_written(
    cluster: ApiServer, tmp_path: Path
) -> None:
    stand = Stand(cluster, tmp_path)
    stand.put_service("web")
    stand.patch(f"{SERVICES}/web/status", {"status": {"conditions": [condition()]}})
    with stand.controller() as process:
        comes_true(lambda: stand.shown() == {"web": ("192.0.2.0",)}, "an address")
        found = stand.service("web")
        assert found["metadata"]["annotations"] == {CLAIM: "192.0.2.0", "metallb.io/ip-allocated-from-pool": "prod"}
        assert found["status"]["conditions"] == [condition()]
        comes_true(lambda: bool(stand.events("IPAllocated")), "an event")
        (event,) = stand.events("IPAllocated")
        assert event["message"] == 'Assigned IP ["192.0.2.0"]'
        assert event["involvedObject"]["uid"] == found["metadata"]["uid"]
        assert event["source"]["component"] == "metallb-controller"
        pool = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 255, "availableIPv6": 0}
        comes_true(lambda: cluster.request("GET", f"{POOLS}/prod").get("status") == pool, "the counters of the pool")
        state = f"{POOLS.rsplit('/', 1)[0]}/configurationstates"
        comes_true(
            lambda: [each["status"]["result"] for each in cluster.request("GET", state)["items"]] == ["Valid"], "state"
        )
        before = stand.versions()
        time.sleep(5)
        assert stand.versions() == before
        assert not process.lines("apiServerLost")


def condition() -> dict[str, str]:
    return {
        "type": "example.com/Fine",
        "status": "True",
        "reason": "Fine",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def test_five_hundred_services_in_one_go_get_five_hundred_addresses(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path, "10.0.0.0/22")
    with stand.controller() as process:
        comes_true(lambda: bool(process.lines("leading")), "a leader")
        for number in range(500):
            stand.put_service(f"s{number}")
        comes_true(lambda: len(stand.shown()) == 500, "addresses for all", 60)
        assert len(set(stand.shown().values())) == 500


def test_killed_at_any_moment_it_changes_no_address_and_gives_none_twice(cluster: ApiServer, tmp_path: Path) -> None:
    chance = random.Random(11)
    stand = Stand(cluster, tmp_path, "10.0.0.0/24")
    seen: dict[str, tuple[str, ...]] = {}
    for generation in range(6):
        for number in range(20):
            stand.put_service(f"s{generation}-{number}")
        with stand.controller() as process:
            wanted = len(seen) + chance.randrange(1, 12)
            comes_true(lambda wanted=wanted: len(stand.shown()) >= wanted, "some addresses")
            time.sleep(chance.random() * 0.03)
            process.kill()
        now = stand.shown()
        assert now.items() >= seen.items()
        assert len(set(now.values())) == len(now)
        seen = now
        if generation == 3:
            gone = sorted(seen)[:5]
            for name in gone:
                cluster.request("DELETE", f"{SERVICES}/{name}")
                del seen[name]
    with stand.controller() as process:
        comes_true(lambda: bool(process.lines("leading")), "a leader")
        comes_true(lambda: len(stand.shown()) == 115, "all addresses")
        assert process.terminate() == 0
    assert stand.shown().items() >= seen.items()
    assert len(set(stand.shown().values())) == 115


def test_a_status_emptied_while_nobody_looked_is_restored_from_the_claim(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path)
    for name in ("a", "b", "c"):
        stand.put_service(name)
    with stand.controller():
        comes_true(lambda: len(stand.shown()) == 3, "addresses")
    before = stand.shown()
    cluster.request("DELETE", f"{SERVICES}/a")
    for name in ("b", "c"):
        stand.patch(f"{SERVICES}/{name}/status", {"status": {"loadBalancer": {"ingress": None}}})
    assert stand.shown() == {}
    stand.put_service("d")
    with stand.controller():
        comes_true(lambda: len(stand.shown()) == 3, "addresses")
    assert {name: stand.shown()[name] for name in ("b", "c")} == {name: before[name] for name in ("b", "c")}


def test_of_two_controllers_one_writes_and_the_other_takes_over_at_once_when_it_leaves(
    cluster: ApiServer, tmp_path: Path
) -> None:
    stand = Stand(cluster, tmp_path)
    with stand.controller("controller-a") as first:
        comes_true(lambda: bool(first.lines("leading")), "a leader")
        with stand.controller("controller-b") as second:
            comes_true(lambda: bool(second.lines("following")), "one who follows")
            for number in range(30):
                stand.put_service(f"s{number}")
            comes_true(lambda: len(stand.shown()) == 30, "addresses")
            before = stand.shown()
            assert second.lines("ipAllocated") == []
            assert first.terminate() == 0
            assert cluster.request("GET", LEASE)["spec"]["holderIdentity"] in ("", "controller-b")
            left = time.monotonic()
            stand.put_service("late")
            comes_true(lambda: "late" in stand.shown(), "an address by the second", 10)
            assert time.monotonic() - left < 10
            assert {name: ips for name, ips in stand.shown().items() if name != "late"} == before
            assert cluster.request("GET", LEASE)["spec"]["holderIdentity"] == "controller-b"


def test_one_who_overwrites_the_status_every_second_is_named_and_left_alone(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path)
    stand.put_service("web")
    stand.put_service("other")
    with stand.controller() as process:
        comes_true(lambda: len(stand.shown()) == 2, "addresses")
        given = stand.shown()
        ends = time.monotonic() + 14
        while time.monotonic() < ends:
            path = f"{SERVICES}/web/status?fieldManager=svclb-controller"
            stand.patch(path, {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}}})
            time.sleep(1)
        assert len(process.lines("statusRestored")) == 3
        comes_true(lambda: bool(stand.events("StatusContested")), "an event")
        (event,) = stand.events("StatusContested")
        assert '"svclb-controller"' in event["message"]
        stand.put_service("new")
        comes_true(lambda: "new" in stand.shown(), "others are served")
        assert stand.shown()["other"] == given["other"]  # which of the two came first is chance
        assert stand.shown()["new"] == ("192.0.2.2",)


def test_one_who_changes_the_service_all_the_time_delays_but_prevents_nothing(
    cluster: ApiServer, tmp_path: Path
) -> None:
    stand = Stand(cluster, tmp_path)
    stop = threading.Event()

    def disturb() -> None:
        number = 0
        while not stop.wait(0.005):
            number += 1
            stand.patch(f"{SERVICES}/web", {"metadata": {"labels": {"n": str(number)}}})

    stand.put_service("web")
    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        with stand.controller():
            comes_true(lambda: stand.shown() == {"web": ("192.0.2.0",)}, "an address in spite of conflicts")
    finally:
        stop.set()
        disturber.join()


def test_an_api_server_that_was_away_finds_everything_as_it_was_and_news_are_served(
    cluster: ApiServer, tmp_path: Path
) -> None:
    stand = Stand(cluster, tmp_path)
    for number in range(10):
        stand.put_service(f"s{number}")
    with stand.controller() as process:
        comes_true(lambda: len(stand.shown()) == 10, "addresses")
        before = stand.shown()
        cluster.kill_api_server()
        comes_true(lambda: bool(process.lines("leadLost")), "a lead that is given up")
        cluster.start_api_server()
        stand.put_service("late")
        comes_true(lambda: "late" in stand.shown(), "an address after the outage", 60)
        assert {name: ips for name, ips in stand.shown().items() if name != "late"} == before


def test_the_secret_of_the_group_is_made_once_and_again_when_somebody_deletes_it(
    cluster: ApiServer, tmp_path: Path
) -> None:
    stand = Stand(cluster, tmp_path)
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "controller", "image": "herald"}]},
    }
    deployment = {"metadata": {"name": "controller"}, "spec": {"selector": {"matchLabels": {"app": "x"}}}}
    made = cluster.request(
        "POST",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
        {**deployment, "spec": {**deployment["spec"], "template": template}},
    )
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets"

    def secrets() -> list[str]:
        return [item["metadata"]["name"] for item in cluster.request("GET", path)["items"]]

    words = ("--ml-secret-name=memberlist", "--deployment=controller")
    with stand.controller("controller-a", *words):
        comes_true(lambda: "memberlist" in secrets(), "the Secret")
        secret = cluster.request("GET", f"{path}/memberlist")
        assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [made["metadata"]["uid"]]
    with stand.controller("controller-a", *words) as process:
        comes_true(lambda: bool(process.lines("leading")), "a leader")
        time.sleep(1)
        assert cluster.request("GET", f"{path}/memberlist") == secret
        cluster.request("DELETE", f"{path}/memberlist")
        comes_true(lambda: "memberlist" in secrets(), "the Secret, again")
        assert cluster.request("GET", f"{path}/memberlist")["data"] == secret["data"]
