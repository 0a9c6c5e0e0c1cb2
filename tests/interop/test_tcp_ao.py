"""`tcpAO` beside a real FRR, on a kernel without: no SYN leaves, and the reason stands wherever people look.

What a kernel with TCP-AO does is tested in tests/engine/test_engine_tcp_ao.py; FRR 8 and BIRD 2 have none to judge it.
"""

import json
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from frr_router import HERALD, ROUTER, FrrRouter, frr_beside_herald, run
from segment import EngineProcess, engine

from herald.bgp.parameters import Algorithm, MasterKey, Password, PeerParameters
from herald.engine import tcp
from herald.engine.link import Apply

pytestmark = [pytest.mark.netns, pytest.mark.interop]

CONFIG = f"""
log stdout informational
router bgp 64501
 bgp router-id {ROUTER}
 no bgp ebgp-requires-policy
 neighbor {HERALD} remote-as 64500
 neighbor {HERALD} passive
"""
KEY = MasterKey(1, 2, Algorithm.AES_128_CMAC_96, Password("hush-hush"))
PLAIN = PeerParameters("tor", ip_address(ROUTER), 64500, 64501, connect_time=1)
SIGNED = replace(PLAIN, tcp_ao=KEY)
REASON = f"this kernel ({platform.release()}) has no TCP-AO; not connecting without it"


def kernel_has_ao() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            tcp.set_ao_key(sock, ip_address(ROUTER), KEY)
        except tcp.DialError as error:
            if str(error) != REASON:
                raise
            return False
        return True


@pytest.fixture
def frr() -> Iterator[FrrRouter]:
    with frr_beside_herald() as router:
        router.start(CONFIG)
        yield router


def connections_tried(namespace: str) -> int:
    """How many SYNs of its own the namespace has sent, whatever became of them."""
    (line,) = run("ip", "netns", "exec", namespace, "nstat", "-asz", "TcpActiveOpens").splitlines()[1:]
    return int(line.split()[1])


def explained(process: EngineProcess) -> str:
    words = [sys.executable, "-m", "herald.cli.main", "explain", "peer", "tor", "--socket", str(process.show_socket)]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


@pytest.mark.skipif(kernel_has_ao(), reason="this kernel has TCP-AO")
async def test_without_tcp_ao_in_the_kernel_no_syn_leaves_and_everybody_is_told_why(frr: FrrRouter, tmp_path: Path):
    async with engine(frr.herald_namespace, tmp_path) as herald:
        await herald.apply(Apply(reset=True, peers=(SIGNED,)))
        await herald.until(lambda facts: any(one.last_error for one in facts.sessions), "an attempt has failed")
        (fact,) = herald.facts.sessions
        (shown,) = json.loads(await herald.show("bgp summary"))["data"]
        words = explained(herald)
        assert fact.last_error is not None
        assert fact.last_error.startswith(REASON)
        assert shown["diagnosis"]["cause"] == "ao-unknown-here"
        assert REASON in words
        assert "Linux has it since 6.7, where it is built with CONFIG_TCP_AO" in words
        assert "hush" not in fact.last_error + json.dumps(shown) + words
        assert connections_tried(frr.herald_namespace) == 0
        await herald.apply(Apply(peers=(PLAIN,)))
        await herald.until(lambda facts: facts.sessions[0].established, "without tcpAO the session comes up")
        assert connections_tried(frr.herald_namespace) == 1
