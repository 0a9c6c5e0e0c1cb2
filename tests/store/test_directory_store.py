"""The directory store on real files: it ends where a fresh start would, and loses nothing because it cannot be read."""

import asyncio
import json
import os
import random
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from herald.allocator.convergence import EventType
from herald.cluster.meta import NamespacedName
from herald.cluster.service import Service
from herald.config.findings import ObjectKey
from herald.config.problem import Problem
from herald.store.directory import Access, DirectoryStore
from herald.store.store import (
    KINDS,
    Changed,
    Changes,
    ClusterObject,
    Event,
    StatusPatch,
    StoreError,
    Synced,
)

PATIENCE_S = 20.0


def pool(name: str, addresses: str = "192.0.2.0/28") -> str:
    return f"""\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: {name}, namespace: metallb-system}}
spec: {{addresses: [{addresses}]}}
"""


def service(name: str, port: int = 80) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: LoadBalancer, ports: [{{port: {port}}}]}}
"""


WEB = ObjectKey("Service", "default", "web")
PROD = ObjectKey("IPAddressPool", "metallb-system", "prod")


class Mirror:
    """What a consumer of the watch has been told so far."""

    def __init__(self, watch: AsyncGenerator[Changes, None]) -> None:
        self._watch = watch
        self.objects: dict[ObjectKey, ClusterObject] = {}
        self.problems: tuple[Problem, ...] = ()
        self.is_complete = True
        self.batches: list[Changes] = []

    async def step(self) -> Changes:
        batch = await asyncio.wait_for(anext(self._watch), PATIENCE_S)
        self.batches.append(batch)
        if isinstance(batch, Changed):
            for key in batch.deleted:
                self.objects.pop(key, None)
        for item in batch.objects:
            self.objects[ObjectKey.of(item)] = item
        self.problems, self.is_complete = batch.problems, batch.complete
        return batch

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self.step()

    def rules(self) -> list[str]:
        return [problem.rule for problem in self.problems]


@asynccontextmanager
async def mirror(folder: Path, access: Access = Access.READ) -> AsyncIterator[Mirror]:
    async with aclosing(DirectoryStore(folder, access).watch(KINDS)) as watch:
        seen = Mirror(watch)
        assert isinstance(await seen.step(), Synced)
        yield seen


async def fresh(folder: Path) -> dict[ObjectKey, ClusterObject]:
    async with mirror(folder) as seen:
        return seen.objects


async def test_the_first_batch_has_everything_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.yaml").write_text(pool("prod") + "---\n" + service("web"))
    (tmp_path / "sub" / "b.yml").write_text(service("api"))
    (tmp_path / ".c.yaml").write_text(service("hidden"))
    (tmp_path / "notes.txt").write_text("not: read")
    async with mirror(tmp_path) as seen:
        assert sorted(map(str, seen.objects)) == sorted(map(str, [PROD, WEB, ObjectKey("Service", "default", "api")]))
        assert seen.problems == ()
        assert seen.is_complete


async def test_only_the_kinds_asked_for_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(pool("prod") + "---\n" + service("web"))
    async with aclosing(DirectoryStore(tmp_path, Access.READ).watch({"Service"})) as watch:
        assert [ObjectKey.of(item) for item in (await anext(watch)).objects] == [WEB]


async def test_one_change_is_one_batch_with_that_object_alone(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.yaml").write_text(service(f"s{number}"))
    async with mirror(tmp_path) as seen:
        (tmp_path / "7.yaml").write_text(service("s7", port=8080))
        batch = await seen.step()
        assert isinstance(batch, Changed)
        assert [item.metadata.name for item in batch.objects] == ["s7"]
        assert batch.deleted == ()


async def test_an_object_is_deleted_with_its_file_and_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "web.yaml").write_text(service("web"))
    (tmp_path / "sub" / "api.yaml").write_text(service("api"))
    async with mirror(tmp_path, Access.KEEP) as seen:
        (tmp_path / "web.yaml").unlink()
        await seen.until(lambda: WEB not in seen.objects)
        (tmp_path / "sub").rename(tmp_path.parent / f"{tmp_path.name}-away")
        await seen.until(lambda: not seen.objects)


async def test_an_empty_folder_without_records_proves_nothing(tmp_path: Path) -> None:
    async with mirror(tmp_path) as seen:
        assert not seen.is_complete
        assert seen.rules() == ["HL200"]


async def test_a_cut_file_deletes_nothing_and_is_reported_with_its_line(tmp_path: Path) -> None:
    whole = pool("prod") + "---\n" + service("web")
    (tmp_path / "a.yaml").write_text(whole)
    async with mirror(tmp_path) as seen:
        (tmp_path / "a.yaml").write_text(whole[: whole.index("type:")])
        await seen.until(lambda: bool(seen.problems))
        assert seen.rules() == ["HL200"]
        assert "a.yaml" in str(seen.problems[0])
        assert "line" in str(seen.problems[0])
        assert {PROD, WEB} == seen.objects.keys()
        assert all(not batch.deleted for batch in seen.batches if isinstance(batch, Changed))
        (tmp_path / "a.yaml").write_text(whole)
        await seen.until(lambda: not seen.problems)
        assert {PROD, WEB} == seen.objects.keys()


async def test_a_file_that_is_emptied_and_written_at_once_is_no_deletion(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("web"))
    async with mirror(tmp_path) as seen:
        for port in range(81, 91):
            (tmp_path / "a.yaml").write_text("")
            await asyncio.sleep(0.02)
            (tmp_path / "a.yaml").write_text(service("web", port))
        await seen.until(lambda: _port(seen.objects[WEB]) == 90)
        assert all(not batch.deleted for batch in seen.batches if isinstance(batch, Changed))


def _port(item: ClusterObject) -> int:
    assert isinstance(item, Service)
    return item.spec.ports[0].port


async def test_an_object_that_becomes_invalid_keeps_its_last_good_version(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(pool("prod") + "---\n" + service("web"))
    async with mirror(tmp_path) as seen:
        before = seen.objects[WEB]
        (tmp_path / "a.yaml").write_text(pool("prod") + "---\n" + service("web").replace("80", "eighty"))
        await seen.until(lambda: bool(seen.problems))
        assert [(p.rule, p.name) for p in seen.problems] == [("HL202", "web")]
        assert seen.objects[WEB] == before


async def test_an_unreadable_file_at_the_start_makes_the_picture_incomplete_until_it_is_mended(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: [Service")
    (tmp_path / "b.yaml").write_text(service("api"))
    async with mirror(tmp_path) as seen:
        assert not seen.is_complete
        assert len(seen.objects) == 1
        (tmp_path / "a.yaml").write_text(service("web"))
        await seen.until(lambda: seen.is_complete)
        assert WEB in seen.objects


async def test_a_folder_that_goes_away_deletes_nothing_and_says_so_until_it_is_back(tmp_path: Path) -> None:
    folder, away = tmp_path / "manifests", tmp_path / "away"
    folder.mkdir()
    (folder / "a.yaml").write_text(service("web"))
    async with mirror(folder, Access.KEEP) as seen:
        folder.rename(away)
        await seen.until(lambda: seen.rules() == ["HL200"])
        folder.mkdir()  # an empty mount point
        waiting = asyncio.ensure_future(seen.step())
        await asyncio.wait({waiting}, timeout=2.5)
        folder.rmdir()
        away.rename(folder)
        (folder / "b.yaml").write_text(service("api"))
        await waiting
        await seen.until(lambda: len(seen.objects) == 2 and not seen.problems)
        assert all(not batch.deleted for batch in seen.batches if isinstance(batch, Changed))


async def test_a_folder_that_is_replaced_under_its_name_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "a.yaml").write_text(service("web"))
    async with mirror(folder, Access.KEEP) as seen:
        other = tmp_path / "other"
        shutil.copytree(folder, other)
        (other / "a.yaml").write_text(service("web", port=443))
        folder.rename(tmp_path / "away")
        other.rename(folder)
        await seen.until(lambda: _port(seen.objects[WEB]) == 443)
        (folder / "a.yaml").write_text(service("web", port=444))
        await seen.until(lambda: _port(seen.objects[WEB]) == 444)


async def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    async with mirror(folder) as seen:
        assert not seen.is_complete
        folder.mkdir()
        (folder / "a.yaml").write_text(service("web"))
        await seen.until(lambda: WEB in seen.objects and seen.is_complete)


async def test_a_status_is_seen_by_other_processes_and_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("web"))
    store = DirectoryStore(tmp_path, Access.KEEP)
    patch = StatusPatch(WEB, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}, {"metallb.io/x": "prod"})
    async with aclosing(store.watch(KINDS)) as own, mirror(tmp_path) as other:
        await anext(own)
        await store.patch_status(patch)
        echo = await asyncio.wait_for(anext(own), PATIENCE_S)
        assert [item.metadata.annotations for item in echo.objects] == [{"metallb.io/x": "prod"}]
        await other.until(lambda: _ips(other.objects[WEB]) == ("192.0.2.1",))
    assert _ips((await fresh(tmp_path))[WEB]) == ("192.0.2.1",)


def _ips(item: ClusterObject) -> tuple[str, ...]:
    assert isinstance(item, Service)
    return item.ingress_ips


async def test_a_broken_status_file_changes_nothing_and_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("web"))
    store = DirectoryStore(tmp_path, Access.KEEP)
    await store.patch_status(StatusPatch(WEB, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}))
    async with mirror(tmp_path) as seen:
        (status,) = (tmp_path / ".herald" / "status").iterdir()
        status.write_text("status: [")
        await seen.until(lambda: seen.rules() == ["HL200"])
        assert _ips(seen.objects[WEB]) == ("192.0.2.1",)


async def test_the_keeper_notes_the_first_sight_and_readers_see_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(pool("prod"))
    async with mirror(tmp_path) as reader, mirror(tmp_path, Access.KEEP) as keeper:
        born = keeper.objects[PROD].metadata.creation_timestamp
        assert born is not None
        await reader.until(lambda: reader.objects[PROD].metadata.creation_timestamp == born)
    await asyncio.sleep(1.1)
    (tmp_path / "b.yaml").write_text(pool("later", "198.51.100.0/28"))
    async with mirror(tmp_path, Access.KEEP) as keeper:
        assert keeper.objects[PROD].metadata.creation_timestamp == born
        later = keeper.objects[ObjectKey("IPAddressPool", "metallb-system", "later")].metadata.creation_timestamp
        assert later is not None
        assert later > born


async def test_what_is_really_gone_is_forgotten_with_its_status_and_claim(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("web"))
    async with mirror(tmp_path, Access.KEEP):
        pass
    store = DirectoryStore(tmp_path, Access.KEEP)
    await store.patch_status(StatusPatch(WEB, {"loadBalancer": {}}))
    await store.write_claim(NamespacedName("default", "web"), ("192.0.2.1",))
    (tmp_path / "a.yaml").write_text("")
    async with aclosing(store.watch(KINDS)) as watch:
        seen = Mirror(watch)
        await seen.step()
        assert await store.read_claims() == {NamespacedName("default", "web"): ("192.0.2.1",)}
        await seen.until(lambda: isinstance(seen.batches[-1], Changed) and seen.batches[-1].deleted == (WEB,))
        assert await store.read_claims() == {}
    assert list((tmp_path / ".herald" / "status").iterdir()) == []


async def test_nothing_is_forgotten_while_a_file_cannot_be_read(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, Access.KEEP)
    await store.write_claim(NamespacedName("default", "web"), ("192.0.2.1",))
    (tmp_path / "a.yaml").write_text("kind: [Service")
    async with aclosing(store.watch(KINDS)) as watch:
        seen = Mirror(watch)
        await seen.step()
        await store.read_claims()
        await asyncio.wait({waiting := asyncio.ensure_future(seen.step())}, timeout=1.5)
        assert not waiting.done()
        assert await store.read_claims() == {NamespacedName("default", "web"): ("192.0.2.1",)}
        (tmp_path / "a.yaml").write_text(service("web"))
        await waiting
        await seen.until(lambda: seen.is_complete)
        assert await store.read_claims() == {NamespacedName("default", "web"): ("192.0.2.1",)}


async def test_events_are_appended_as_json_lines(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, Access.KEEP)
    await store.record_event(Event(WEB, EventType.WARNING, "AllocationFailed", "no available IPs"))
    (line,) = (tmp_path / ".herald" / "events.jsonl").read_text().splitlines()
    assert json.loads(line).items() >= {"type": "Warning", "reason": "AllocationFailed", "name": "web"}.items()


async def test_a_write_that_fails_is_a_store_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / ".herald").write_text("in the way")
    with pytest.raises(StoreError, match=r"\.herald"):
        await DirectoryStore(tmp_path, Access.KEEP).patch_status(StatusPatch(WEB, {}))


@pytest.mark.parametrize("seed", range(4))
async def test_random_edits_end_in_the_same_state_as_a_fresh_start(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    paths = [tmp_path / name for name in ("a.yaml", "b.yaml", "sub/c.yaml", "sub/d.yaml")]
    texts = [service(f"s{n}", port) for n in range(4) for port in (80, 443)] + ["", "kind: [", "- 1\n", pool("prod")]
    async with mirror(tmp_path, Access.KEEP) as seen:
        for _ in range(40):
            path = chance.choice(paths)
            path.parent.mkdir(exist_ok=True)
            match chance.randrange(5):
                case 0:
                    path.unlink(missing_ok=True)
                case 1:
                    shutil.rmtree(tmp_path / "sub", ignore_errors=True)
                case 2:
                    spare = tmp_path / ".spare"
                    spare.write_text("---\n".join(chance.sample(texts, 2)))
                    spare.replace(path)
                case _:
                    path.write_text("---\n".join(chance.sample(texts, 3)))
            await asyncio.sleep(chance.choice([0, 0, 0.03]))
        for number, path in enumerate(paths[:2]):
            path.write_text(service(f"last{number}") + "---\n" + service(f"s{number}", 8080))
        shutil.rmtree(tmp_path / "sub", ignore_errors=True)
        last = {ObjectKey("Service", "default", f"{kind}{n}") for n in range(2) for kind in ("last", "s")}
        await seen.until(lambda: seen.objects.keys() == last and not seen.problems)
        assert await fresh(tmp_path) == seen.objects


async def test_no_other_file_is_read_again_for_one_change(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.yaml").write_text(service(f"s{number}"))
    async with mirror(tmp_path) as seen:
        for number in range(300):
            if number != 5:
                path = tmp_path / f"{number}.yaml"
                status = path.stat()
                content = path.read_bytes().replace(b"80", b"81")
                with path.open("r+b") as file:  # the same inode, size and time: only a reader would notice
                    file.write(content)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        (tmp_path / "5.yaml").write_text(service("s5", port=82))
        await seen.until(lambda: _port(seen.objects[ObjectKey("Service", "default", "s5")]) == 82)
        ports = {_port(item) for item in seen.objects.values()}
        assert ports == {80, 82}


async def test_records_that_cannot_be_kept_end_nothing_and_are_kept_once_they_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "pool.yaml").write_text(pool("prod"))
    notes = tmp_path / ".herald" / "first-seen.jsonl"
    notes.mkdir(parents=True)  # nobody can append to it, root neither
    store = DirectoryStore(tmp_path, Access.KEEP)
    async with aclosing(store.watch(KINDS)) as watch:
        mirror = Mirror(watch)
        await mirror.step()
        assert PROD in mirror.objects
        (tmp_path / "web.yaml").write_text(service("web"))
        await mirror.until(lambda: WEB in mirror.objects)
        (tmp_path / "web.yaml").unlink()
        await mirror.until(lambda: WEB not in mirror.objects)
        assert [record.__dict__["event"] for record in caplog.records] == ["recordsNotKept"]
        notes.rmdir()
        following = asyncio.ensure_future(mirror.step())
        for _ in range(2000):
            if notes.is_file() and "prod" in notes.read_text():
                break
            await asyncio.sleep(0.01)
        assert "prod" in notes.read_text()
        await following
        assert mirror.objects[PROD].metadata.creation_timestamp is not None
