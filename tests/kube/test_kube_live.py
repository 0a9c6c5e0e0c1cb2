"""The offline commands on a cluster: `--live`."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from controller_stand import NAMESPACE, Stand

from herald.cli.main import main
from herald.lab.kubernetes import nodes
from herald.lab.kubernetes.api_server import ApiServer

L2 = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/l2advertisements"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
SMALLER = f"""
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: prod, namespace: {NAMESPACE}}}
spec: {{addresses: [198.51.100.0/24]}}
"""


@pytest.fixture
def stand(cluster: ApiServer, tmp_path: Path) -> Stand:
    """A pool, an advertisement, a node, and a service with an endpoint."""
    made = Stand(cluster, tmp_path)
    nodes.create(cluster, "n1")
    cluster.request(
        "POST", L2, {"apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement", "metadata": {"name": "a"}}
    )
    made.put_service("web")
    endpoint = {"addresses": ["10.1.0.1"], "nodeName": "n1", "conditions": {"ready": True}}
    metadata = {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}
    cluster.request("POST", SLICES, {"metadata": metadata, "addressType": "IPv4", "endpoints": [endpoint], "ports": []})
    return made


def herald(stand: Stand, *words: str) -> tuple[int, str]:
    """Exit code and output, as the administrator."""
    done = CliRunner().invoke(main, [*words, "--live", "--kubeconfig", str(stand.cluster.admin_kubeconfig)])
    return done.exit_code, done.output


def test_explain_plan_and_lint_say_what_is_in_the_cluster(stand: Stand) -> None:
    code, text = herald(stand, "explain", "svc", "web")
    assert (code, text.splitlines()[-1]) == (0, "VERDICT    Announced: n1 answers in Layer 2")
    code, text = herald(stand, "plan")
    assert code == 0
    assert "default/web" in text
    assert "n1" in text
    assert herald(stand, "lint")[0] == 0


def test_diff_shows_what_an_edit_would_do_to_the_cluster(stand: Stand, tmp_path: Path) -> None:
    (tmp_path / "pool.yaml").write_text(SMALLER)
    code, text = herald(stand, "diff", "-f", str(tmp_path / "pool.yaml"))
    assert code == 0
    assert "198.51.100.0" in text
    assert "192.0.2.0" in text


def test_what_one_may_not_read_is_said_and_the_rest_is_explained(stand: Stand) -> None:
    words = ["explain", "svc", "web", "--kubeconfig", str(stand.kubeconfig)]
    done = CliRunner().invoke(main, words)
    assert "may not list endpointslices" in done.output
    assert "default/web" in done.output


def test_a_server_that_does_not_answer_is_an_input_that_cannot_be_read(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
    )
    done = CliRunner().invoke(main, ["plan", "--kubeconfig", str(config)])
    assert done.exit_code == 2
    assert "the cluster cannot be read" in done.output
