"""`herald doctor` in a network namespace whose switches are really set."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from segment import Network, inside, ip

pytestmark = pytest.mark.netns


@pytest.fixture
def host(network: Network) -> str:
    """A host with `eth0`, where its default route is, and `eth1`."""
    made, router = network.host("node"), network.host("router")
    for number, interface in enumerate(("eth0", "eth1")):
        network.wire(made, interface, router, interface)
        ip("-n", made, "addr", "add", f"10.77.{number}.2/24", "dev", interface)
    ip("-n", made, "route", "add", "default", "via", "10.77.0.1")
    for switch in ("rp_filter", "arp_ignore", "arp_announce", "proxy_arp"):
        for place in ("all", "default", "eth0", "eth1"):
            sysctl(made, f"net.ipv4.conf.{place}.{switch}", 0)
    return made


def sysctl(host: str, name: str, value: int) -> None:
    ip("netns", "exec", host, "sysctl", "-q", "-w", f"{name}={value}")


async def doctor(host: str, *words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", host, sys.executable, "-m", "herald.cli.main", "doctor", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def found(host: str) -> dict[tuple[str, str], str]:
    """Severity by check and subject."""
    _, output = await doctor(host, "-o", "json")
    told: list[dict[str, Any]] = json.loads(output)["findings"]
    assert all(one["fix"] and one["problem"] for one in told)
    return {(one["check"], one["subject"]): one["severity"] for one in told}


async def test_each_switch_is_found_as_it_is_in_force_and_gone_when_it_is_put_right(host: str) -> None:
    usual = {("return path", "eth1"): "warning"}
    assert await found(host) == usual
    sysctl(host, "net.ipv4.conf.eth0.proxy_arp", 1)
    assert await found(host) == usual | {("proxy_arp", "eth0"): "error"}
    sysctl(host, "net.ipv4.conf.eth0.proxy_arp", 0)
    sysctl(host, "net.ipv4.conf.all.rp_filter", 1)
    assert await found(host) == {("rp_filter", "eth1"): "error"}
    sysctl(host, "net.ipv4.conf.eth1.rp_filter", 2)
    assert await found(host) == usual


async def test_addresses_that_the_kernel_answers_for_are_found(host: str) -> None:
    ip("-n", host, "addr", "add", "192.0.2.100/32", "dev", "lo")
    assert {("arp_ignore", "lo"): "warning", ("arp_announce", "lo"): "warning"}.items() <= (await found(host)).items()
    sysctl(host, "net.ipv4.conf.all.arp_ignore", 1)
    sysctl(host, "net.ipv4.conf.all.arp_announce", 2)
    assert set(await found(host)) == {("return path", "eth1")}


async def test_ipvs_without_strict_arp_is_an_error_and_with_it_is_none(host: str) -> None:
    ip("-n", host, "link", "add", "kube-ipvs0", "type", "bridge")  # kube-proxy makes a dummy; its name is what counts
    ip("-n", host, "addr", "add", "192.0.2.100/32", "dev", "kube-ipvs0")
    assert (await found(host))["strictARP", "kube-proxy"] == "error"
    sysctl(host, "net.ipv4.conf.all.arp_ignore", 1)
    sysctl(host, "net.ipv4.conf.all.arp_announce", 2)
    assert set(await found(host)) == {("return path", "eth1")}


async def test_a_port_that_is_taken_is_named_with_its_holder(host: str, tmp_path: Path) -> None:
    import socket

    taken = inside(host, lambda: socket.create_server(("0.0.0.0", 7946)))
    datagrams = inside(host, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with taken, datagrams:
        datagrams.bind(("127.0.0.1", 3784))
        seen = await found(host)
    assert seen["ports", "tcp 7946"] == "error"
    assert seen["ports", "udp 3784"] == "warning"


async def test_exit_codes_and_words(network: Network, host: str, tmp_path: Path) -> None:
    code, words = await doctor(host)
    assert code == 0
    assert "warning return path: eth1: replies to clients of other networks leave by eth0" in words
    assert "fix: a routing table" in words
    assert (await doctor(host, "--strict"))[0] == 1
    exclusions = tmp_path / "list.yaml"
    exclusions.write_text('announcedInterfacesToExclude: ["^lo$", "^eth1$"]')
    code, words = await doctor(host, f"--exclude-interfaces-file={exclusions}")
    assert (code, "Nothing is wrong with this host" in words) == (0, True)
    code, words = await doctor(network.host("empty"))
    assert code == 1
    assert "no interface of this host can answer ARP" in words
