"""What the tests of deploy/ share: kustomize and helm as they come, and the documents they print."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from herald.lab.kubernetes import binaries
from herald.lab.process import CommandFailedError, Result

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "herald"
OVERLAYS = ("default", "prometheus", "networkpolicies", "two-controllers", "without-webhooks")
NAMESPACE = "metallb-system"

Document = dict[str, Any]


def run(*argv: str | Path, kubeconfig: Path | None = None, text: str = "") -> Result:
    """One of the programs of the test cluster, to its end, with no settings but those of this call."""
    program, *rest = (str(word) for word in argv)
    words = (str(binaries.find(program)), *rest)
    with tempfile.TemporaryDirectory(prefix="herald-deploy-") as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home}
        if kubeconfig is not None:
            environment["KUBECONFIG"] = str(kubeconfig)
        ended = subprocess.run(words, input=text, capture_output=True, text=True, env=environment, timeout=90)
    return Result(words, ended.returncode, ended.stdout, ended.stderr, 0.0)


def done(result: Result) -> str:
    """What it printed; CommandFailedError tells what it complained of."""
    if not result.ok:
        raise CommandFailedError(result)
    return result.stdout


def documents(text: str) -> list[Document]:
    return [document for document in yaml.safe_load_all(text) if document]


def kustomized(overlay: str) -> list[Document]:
    return documents(done(run("kubectl", "kustomize", DEPLOY / "kustomize" / overlay)))


def template(*options: str, release: str = "metallb") -> Result:
    """`helm template` of the chart."""
    return run("helm", "template", release, CHART, "--namespace", NAMESPACE, *options)


def templated(*options: str, release: str = "metallb") -> list[Document]:
    return documents(done(template(*options, release=release)))


def named(found: list[Document], kind: str, name: str) -> Document:
    """The one document of that kind and name."""
    (only,) = (each for each in found if each["kind"] == kind and each["metadata"]["name"] == name)
    return only


def container(workload: Document) -> Document:
    """The first container of a Deployment or DaemonSet."""
    first: Document = workload["spec"]["template"]["spec"]["containers"][0]
    return first


def rules(found: list[Document]) -> dict[str, Any]:
    """The rules of every Role and ClusterRole, by what they are for."""
    return {
        f"{each['kind']} {each['metadata']['name']}": each["rules"]
        for each in found
        if each["kind"] in ("Role", "ClusterRole")
    }
