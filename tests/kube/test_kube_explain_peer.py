"""`herald explain peer --live`: whoever may read BGPSessionStatuses sees why a session is not up, without any node."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from speaker_stand import NAMESPACE, SESSIONS, comes_true, stand

from herald.cli.main import main
from herald.lab.kubernetes import nodes
from herald.lab.kubernetes.api_server import ApiServer

pytestmark = pytest.mark.netns

VIP = "10.50.0.200"
SILENT = "its speaker has said nothing of this session: it does not run, or only just started"


async def explained(kubeconfig: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, output and complaints of `herald explain peer tor`."""
    command = ["explain", "peer", "tor", "--kubeconfig", str(kubeconfig), *words]
    done = await asyncio.to_thread(CliRunner().invoke, main, command)
    return done.exit_code, done.stdout, done.stderr


def verdict(text: str) -> str:
    return text.splitlines()[-1].removeprefix("VERDICT").strip()


async def test_the_objects_of_the_speakers_say_how_the_sessions_stand_and_why_not(
    cluster: ApiServer, tmp_path: Path
) -> None:
    async with stand(cluster, tmp_path) as made:
        admin = cluster.admin_kubeconfig
        made.cluster.add_service("web", VIP)
        made.control()
        await made.accept_session()
        await comes_true(lambda: (made.cluster.status(SESSIONS) or {}).get("prefixesSent") == 1, "BGPSessionStatus")
        code, text, _ = await explained(admin)
        assert (code, verdict(text)) == (0, "Announced: 1 route from node-1; 1 session up")
        assert "\nNOW        Established on node-1 for " in text
        assert "s; 1 prefix sent" in text

        nodes.create(cluster, "node-2")
        code, text, _ = await explained(admin)
        assert (code, verdict(text)) == (2, f"Announced (degraded): 1 of 2 sessions up; node-2: {SILENT}")

        made.router.close()
        refused = "connection refused by 10.50.0.1:179"
        await comes_true(lambda: refused in (made.cluster.status(SESSIONS) or {}).get("lastError", ""), "it says why")
        code, text, _ = await explained(admin)
        assert code == 1
        assert verdict(text).startswith(f"Not announced: none of 2 sessions is up; node-1: {refused} (")
        assert "start BGP on it, or correct peerAddress or peerPort)" in verdict(text)
        code, text, _ = await explained(admin, "-o", "json")
        (one,) = json.loads(text)["statuses"]
        assert (code, one["node"], one["state"]) == (1, "node-1", "Down")

        (tmp_path / "empty").mkdir()
        code, text, _ = await explained(admin, "--live", "-f", str(tmp_path / "empty"))
        assert "NOW" not in text, "what would be has no sessions yet"

        cluster.create_service_account(NAMESPACE, "nobody")
        code, text, complaints = await explained(cluster.service_account_kubeconfig(NAMESPACE, "nobody"))
        assert "how its sessions stand is not known, for its BGPSessionStatuses cannot be read" in complaints
        assert (code, "NOW" in text) == (1, False)
