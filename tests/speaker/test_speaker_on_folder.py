"""Control as a process on a folder of manifests: what it shows of itself where it is asked to."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from fake_engine import FakeEngine

from herald.engine.link import Facts, Member

MANIFESTS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: prod, namespace: metallb-system}
spec: {addresses: [192.0.2.200-192.0.2.210]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: l2, namespace: metallb-system}
---
apiVersion: v1
kind: Node
metadata: {name: node-1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.200}]}}
"""
FACTS = Facts(members=(Member("node-1", frozenset({"eth0"})),))


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


async def get(port: int, path: str) -> str:
    """The answer, asked for until somebody listens."""
    for _ in range(1000):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
            continue
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return answer.decode()
    raise AssertionError(f"nobody listens on {port}")


def listening(pid: int) -> list[str]:
    """Local addresses of the TCP sockets of a process that listen, as the kernel writes them."""
    inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    tables = (Path(f"/proc/{pid}/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6"))
    rows = (line.split() for table in tables for line in table)
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]


@asynccontextmanager
async def control(folder: Path, *words: str) -> AsyncIterator[tuple[FakeEngine, asyncio.subprocess.Process]]:
    config = folder / "config"
    config.mkdir()
    (config / "all.yaml").write_text(MANIFESTS)
    engine = FakeEngine(folder / "engine.sock", FACTS)
    await engine.start()
    command = [sys.executable, "-m", "herald.speaker.control_process", "--node-name=node-1", f"--config={config}"]
    command += [f"--link={folder / 'engine.sock'}", "--endpoints=assumed", *words]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        yield engine, process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await engine.stop()


async def test_metrics_and_probes_are_served_where_a_port_is_named(tmp_path: Path) -> None:
    port, health = free_port(), free_port()
    async with control(tmp_path, f"--port={port}", f"--health-probe-port={health}") as (engine, _):
        await engine.applied()
        page = await get(port, "/metrics")
        wanted = 'metallb_speaker_announced{service="default/web",protocol="layer2",node="node-1",ip="192.0.2.200"} 1'
        assert wanted in page
        assert "metallb_k8s_client_config_loaded_bool 1" in page
        assert "200 OK" in await get(health, "/readyz")
        assert "200 OK" in await get(health, "/healthz")


async def test_without_a_port_nothing_listens(tmp_path: Path) -> None:
    async with control(tmp_path) as (engine, process):
        await engine.applied()
        assert listening(process.pid) == []


async def test_a_port_that_somebody_else_has_keeps_nobody_from_deciding(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        words = f"--port={taken.getsockname()[1]}", f"--health-probe-port={taken.getsockname()[1]}"
        async with control(tmp_path, *words) as (engine, process):
            whole = await engine.applied()
            assert [str(holding.address) for holding in whole.holdings] == ["192.0.2.200"]
            assert await engine.hears_nothing_for(0.3)
            assert process.returncode is None
            log = (tmp_path / "log").read_text()
            assert "metrics cannot be served, trying again" in log
            assert "health cannot be served, trying again" in log


async def test_a_tls_option_that_cannot_be_kept_ends_it_with_a_sentence(tmp_path: Path) -> None:
    async with control(tmp_path, "--tls-min-version=1.3") as (_, process):
        assert await asyncio.wait_for(process.wait(), 20) == 1
        assert '--tls-min-version \\"1.3\\": VersionTLS12 or VersionTLS13 is needed' in (tmp_path / "log").read_text()
