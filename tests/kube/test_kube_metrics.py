"""/metrics over TLS: the API server decides who reads it; who asks it has the shipped rights and no others."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from herald.lab.kubernetes.api_server import ApiServer
from herald.observe.exposition import Format
from herald.observe.metrics_server import CannotReviewError, Server, Verdict, serve_metrics
from herald.observe.tls import TlsOptions, certificate
from herald.store.kubernetes.client import ApiClient
from herald.store.kubernetes.review import AT_ONCE, Reviewer

NAMESPACE = "metallb-system"
BASE = Path(__file__).parents[2] / "deploy" / "kustomize" / "base"
SHIPPED = ("namespace", "service-accounts", "roles", "bindings")
READER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: metrics-reader}
rules:
  - nonResourceURLs: [/metrics]
    verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: metrics-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: metrics-reader}
subjects:
  - {kind: ServiceAccount, name: prometheus, namespace: default}
"""


class Scraped:
    """A speaker's metrics server with the identity of the shipped service account."""

    def __init__(self, server: Server, reviewer: Reviewer, api: ApiServer) -> None:
        self.server = server
        self.reviewer = reviewer
        self.api = api

    async def status(self, token: str | None) -> int:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port, ssl=context)
        authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
        writer.write(f"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return int(answer.split(b" ")[1])

    def token(self, name: str) -> str:
        return self.api.token("default", name)


async def page(form: Format) -> bytes:
    return b"herald_up 1\n"


@pytest.fixture(params=["controller", "speaker"])
async def scraped(cluster: ApiServer, request: pytest.FixtureRequest) -> AsyncIterator[Scraped]:
    for name in SHIPPED:
        cluster.kubectl("apply", "-f", str(BASE / f"{name}.yaml"))
    cluster.kubectl("apply", "-f", "-", stdin=READER)
    for name in ("prometheus", "stranger"):
        cluster.create_service_account("default", name)
    client = ApiClient.connect(cluster.service_account_kubeconfig(NAMESPACE, request.param))
    reviewer = Reviewer(client)
    tls = certificate(None, request.param, TlsOptions.parse())
    server = await serve_metrics(0, page, context=tls, authorise=reviewer, host="127.0.0.1")
    yield Scraped(server, reviewer, cluster)
    await server.close()
    await client.close()


async def test_the_api_server_decides_who_reads_the_metrics(scraped: Scraped) -> None:
    assert await scraped.status(scraped.token("prometheus")) == 200
    assert await scraped.status(scraped.token("stranger")) == 403
    assert await scraped.status("invented") == 401
    assert await scraped.status(None) == 401


async def test_a_known_reader_is_served_while_the_api_server_is_gone_and_nobody_else(scraped: Scraped) -> None:
    reader, stranger = scraped.token("prometheus"), scraped.token("stranger")
    assert await scraped.status(reader) == 200
    scraped.api.kill_api_server()
    assert await scraped.status(reader) == 200
    assert await scraped.status(stranger) == 503


async def test_a_flood_of_invented_tokens_is_cut_off_and_the_known_reader_is_not(scraped: Scraped) -> None:
    reader = scraped.token("prometheus")
    assert await scraped.reviewer(reader) is Verdict.ALLOWED
    found = await asyncio.gather(*(scraped.reviewer(f"t{n}") for n in range(50)), return_exceptions=True)
    assert found.count(Verdict.UNKNOWN) == AT_ONCE
    assert sum(isinstance(one, CannotReviewError) for one in found) == 50 - AT_ONCE
    assert await scraped.reviewer(reader) is Verdict.ALLOWED


async def test_a_right_that_is_taken_away_ends_with_what_was_kept(cluster: ApiServer) -> None:
    now = [0.0]
    cluster.kubectl("apply", "-f", "-", stdin=READER)
    cluster.create_service_account("default", "prometheus")
    client = ApiClient.connect(cluster.admin_kubeconfig)
    reviewer = Reviewer(client, clock=lambda: now[0])
    token = cluster.token("default", "prometheus")
    assert await reviewer(token) is Verdict.ALLOWED
    cluster.kubectl("delete", "clusterrolebinding", "metrics-reader")
    assert await reviewer(token) is Verdict.ALLOWED
    verdict = Verdict.ALLOWED
    for _ in range(100):  # the API server's own authoriser hears of it a moment later
        now[0] += 61.0
        verdict = await reviewer(token)
        if verdict is Verdict.FORBIDDEN:
            break
        await asyncio.sleep(0.05)
    assert verdict is Verdict.FORBIDDEN
    await client.close()
