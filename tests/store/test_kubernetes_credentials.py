"""Who we are: token files that rotate, exec plugins, kubeconfigs that are merged; and no secret in any message."""

import json
import logging
import os
import stat
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from scripted_server import Answer, kubeconfig, scripted

from herald.store.kubernetes import kubeconfig as kubeconfigs
from herald.store.kubernetes.client import ApiClient, ApiError, CredentialsError
from herald.store.kubernetes.credentials import TOKEN_LIFE_S, TokenFile

SECRET = "hunter2-hunter2"
OK, REFUSED = Answer(body={}), Answer(401, {"reason": "Unauthorized", "message": "Unauthorized"})


def tokens(server: Any) -> list[str]:
    return [request.headers.get("authorization", "").removeprefix("Bearer ") for request in server.requests]


# Token files.


async def test_a_401_leads_to_the_token_being_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    async with scripted(OK, REFUSED, OK, OK) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url, tokenFile=str(token)))
        await client.get("/a")
        token.write_text("new\n")
        await client.get("/b")
        await client.get("/c")
        assert tokens(server) == ["old", "old", "new", "new"]
        await client.close()


async def test_a_second_401_is_an_error(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    async with scripted(REFUSED, REFUSED) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url, tokenFile=str(token)))
        with pytest.raises(ApiError, match="Unauthorized"):
            await client.get("/a")
        assert len(server.requests) == 2
        await client.close()


def sent(auth: TokenFile) -> str:
    request = next(auth.auth_flow(httpx2.Request("GET", "http://x")))
    return str(request.headers["Authorization"])


def test_the_token_is_read_again_each_minute(tmp_path: Path) -> None:
    now = 0.0
    token = tmp_path / "token"
    token.write_text("one")
    auth = TokenFile(token, lambda: now)
    assert sent(auth) == "Bearer one"
    token.write_text("two")
    assert sent(auth) == "Bearer one"
    now = TOKEN_LIFE_S
    assert sent(auth) == "Bearer two"
    token.unlink()
    now = 2 * TOKEN_LIFE_S
    assert sent(auth) == "Bearer two", "a file that is just being replaced is no reason to be nobody"
    assert "two" not in repr(auth)


def test_a_token_file_in_which_no_token_can_be_is_named_and_not_quoted(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("sécret")
    with pytest.raises(CredentialsError, match="cannot be read") as told:
        sent(TokenFile(token))
    assert "cret" not in str(told.value)


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="token cannot be read: No such file"):
        sent(TokenFile(tmp_path / "token"))


# Exec plugins.


def plugin(folder: Path, body: str) -> dict[str, Any]:
    """A plugin that counts its runs in `runs`, and keeps what it was told in `info`."""
    program = folder / "plugin"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        f"folder = {str(folder)!r}\n"
        "runs = os.path.join(folder, 'runs')\n"
        "count = os.path.getsize(runs) + 1 if os.path.exists(runs) else 1\n"
        "open(runs, 'a').write('x')\n"
        "open(os.path.join(folder, 'info'), 'w').write(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "def answer(version='v1', **status):\n"
        "    print(json.dumps({'apiVersion': 'client.authentication.k8s.io/' + version,"
        " 'kind': 'ExecCredential', 'status': status}))\n" + body
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}


def runs(folder: Path) -> int:
    return (folder / "runs").stat().st_size


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_plugin_is_run_once_while_its_token_is_good(tmp_path: Path, version: str) -> None:
    user = plugin(
        tmp_path,
        f"answer({version!r}, token=f'token-{{count}}-' + os.environ['WHO'] + sys.argv[1],"
        " expirationTimestamp='2999-01-01T00:00:00Z')",
    )
    user |= {"apiVersion": f"client.authentication.k8s.io/{version}", "provideClusterInfo": True}
    user |= {"args": ["-arg"], "env": [{"name": "WHO", "value": "me"}]}
    async with scripted(OK, OK) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url, exec=user))
        await client.get("/a")
        await client.get("/b")
        await client.close()
        assert tokens(server) == ["token-1-me-arg"] * 2
        assert json.loads((tmp_path / "info").read_text()) == {
            "apiVersion": f"client.authentication.k8s.io/{version}",
            "kind": "ExecCredential",
            "spec": {"interactive": False, "cluster": {"server": server.url}},
        }
    assert runs(tmp_path) == 1


async def test_a_plugin_is_run_again_after_a_401(tmp_path: Path) -> None:
    user = plugin(tmp_path, "answer(token=f'token-{count}')")
    async with scripted(OK, REFUSED, OK) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url, exec=user))
        await client.get("/a")
        await client.get("/b")
        await client.close()
        assert tokens(server) == ["token-1", "token-1", "token-2"]


async def test_a_plugin_is_run_again_when_its_token_has_expired(tmp_path: Path) -> None:
    user = plugin(tmp_path, "answer(token=f'token-{count}', expirationTimestamp='2001-01-01T00:00:00Z')")
    async with scripted(OK, OK) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url, exec=user))
        await client.get("/a")
        await client.get("/b")
        await client.close()
        assert tokens(server) == ["token-1", "token-2"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"print('{SECRET}', file=sys.stdout); sys.exit('log in first')", "ended with 1: log in first"),
        (f"print('{SECRET}')", "did not print an ExecCredential"),
        (f"answer('v1alpha1', token='{SECRET}')", "printed no ExecCredential of client.authentication.k8s.io/v1"),
        ("answer()", "gave neither a token nor a certificate with its key"),
        (
            f"answer(clientCertificateData='{SECRET}', clientKeyData='{SECRET}')",
            "gave a certificate and key that do not fit",
        ),
    ],
)
async def test_what_a_plugin_does_wrong_is_said_without_its_secrets(tmp_path: Path, body: str, said: str) -> None:
    user = plugin(tmp_path, body)
    async with scripted() as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url, exec=user))
        with pytest.raises(CredentialsError) as caught:
            await client.get("/a")
        await client.close()
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


async def test_a_plugin_that_is_not_there_is_named_with_its_hint(tmp_path: Path) -> None:
    user = plugin(tmp_path, "") | {"command": "no-such-plugin", "installHint": "Install it so."}
    async with scripted() as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url, exec=user))
        with pytest.raises(CredentialsError, match=r"no-such-plugin cannot be run: .*Install it so\."):
            await client.get("/a")
        await client.close()


def test_a_plugin_of_an_unknown_version_is_refused_at_once(tmp_path: Path) -> None:
    user = plugin(tmp_path, "") | {"apiVersion": "client.authentication.k8s.io/v1alpha1"}
    with pytest.raises(CredentialsError, match=r"v1alpha1 is not known; use .*v1 or"):
        ApiClient.connect(kubeconfig(tmp_path, "http://127.0.0.1:1", exec=user))


# Where the server is.


def write(path: Path, **content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_several_kubeconfigs_are_merged_and_the_first_counts(tmp_path: Path) -> None:
    one = write(
        tmp_path / "a" / "one",
        contexts=[{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        clusters=[{"name": "c", "cluster": {"server": "https://first:6443", "certificate-authority": "ca.crt"}}],
        **{"current-context": "x"},
    )
    two = write(
        tmp_path / "b" / "two",
        clusters=[{"name": "c", "cluster": {"server": "https://second:6443"}}],
        users=[{"name": "u", "user": {"client-certificate": "me.crt", "client-key": "/abs/me.key"}}],
        **{"current-context": "y"},
    )
    environment = {"KUBECONFIG": os.pathsep.join([str(one), str(tmp_path / "missing"), str(two)])}
    found = kubeconfigs.find(None, None, environment=environment, service_account=tmp_path / "none")
    assert found.config.cluster.server == "https://first:6443"
    assert found.config.cluster.certificate_auth == str(tmp_path / "a" / "ca.crt")
    user = found.config.user
    assert user is not None
    assert (user.client_cert, user.client_key) == (str(tmp_path / "b" / "me.crt"), "/abs/me.key")


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    for name, text in {"token": SECRET, "namespace": "metallb-system", "ca.crt": ""}.items():
        (folder / name).write_text(text)
    return folder


def test_in_a_pod_its_service_account_is_used(pod: Path) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    found = kubeconfigs.find(None, None, environment=environment, service_account=pod)
    assert found.config.cluster.server == "https://[fd00::1]:443"
    assert found.namespace == "metallb-system"
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"current-context": "x"}, "Context 'x' not found"),
        ({}, "No current context"),
        (
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "c"}}],
            },
            "there is no cluster or user 'c'",
        ),
        ({"users": [{"user": {"token": SECRET}}]}, "users has an entry without a name"),
    ],
)
def test_what_is_wrong_with_a_kubeconfig_is_said(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    with pytest.raises(CredentialsError, match=said) as caught:
        kubeconfigs.from_files((write(tmp_path / "kubeconfig", **content),), None)
    assert SECRET not in str(caught.value)


def test_without_any_kubeconfig_it_is_said_where_one_was_sought(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"no kubeconfig: .*nowhere is not there.*--kubeconfig"):
        kubeconfigs.find(tmp_path / "nowhere", None)


def test_a_kubeconfig_that_is_no_yaml_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(f"users: [{{token: {SECRET}\n")
    with pytest.raises(CredentialsError, match="is not YAML") as caught:
        kubeconfigs.from_files((path,), None)
    assert SECRET not in str(caught.value)


async def test_no_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with scripted(OK, REFUSED) as server:
        client = ApiClient.connect(kubeconfig(tmp_path, server.url, token=SECRET))
        await client.get("/a")
        with pytest.raises(ApiError) as caught:
            await client.get("/b")
        assert tokens(server) == [SECRET, SECRET]
        await client.close()
    assert SECRET not in caplog.text
    assert SECRET not in repr(client) + str(caught.value)
