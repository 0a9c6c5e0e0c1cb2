"""What stands in deploy/ twice is the same, and `herald manifests` puts it together."""

import subprocess
import sys
from pathlib import Path

import yaml
from click.testing import CliRunner

import herald
from herald.cli import manifests
from herald.cli.main import main

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_what_is_generated_is_current() -> None:
    ended = subprocess.run([sys.executable, DEPLOY / "generate.py", "--check"], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_namespace_comes_first_and_what_is_used_before_its_use() -> None:
    kinds = [each["kind"] for each in manifests.everything()]
    assert kinds[0] == "Namespace"
    assert kinds.index("ConfigMap") < kinds.index("DaemonSet")
    assert kinds.index("Secret") < kinds.index("Deployment") < kinds.index("ValidatingWebhookConfiguration")


def test_another_namespace_and_image_are_everywhere() -> None:
    text = CliRunner().invoke(main, ["manifests", "-n", "lb", "--image", "registry.example.com/herald:7"]).output
    assert manifests.DEFAULT_NAMESPACE not in text
    assert manifests.IMAGE not in text
    found = {f"{each['kind']} {each['metadata']['name']}": each for each in yaml.safe_load_all(text)}
    assert found["ClusterRoleBinding lb:speaker"]["roleRef"]["name"] == "lb:speaker"
    (container,) = found["DaemonSet speaker"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/herald:7"


def test_the_image_is_of_this_version() -> None:
    assert manifests.IMAGE.endswith(f":{herald.__version__}")
    assert yaml.safe_load((DEPLOY / "helm/herald/Chart.yaml").read_text())["appVersion"] == herald.__version__


def test_every_file_of_the_base_is_printed() -> None:
    listed = yaml.safe_load((DEPLOY / "kustomize/base/kustomization.yaml").read_text())["resources"]
    assert {f"{name}.yaml" for name in manifests.FILES} == set(listed)


def _documented() -> dict[tuple[int, str], set[str]]:
    """The verbs in the how-to's table, by column (2: controller, 3: speaker) and resource."""
    text = (DEPLOY.parent / "docs/how-to/kubernetes.md").read_text(encoding="utf-8")
    found: dict[tuple[int, str], set[str]] = {}
    for line in text.splitlines():
        cells = line.split("|")
        if len(cells) == 6:
            for resource in cells[1].partition(":")[0].split(","):
                for column in (2, 3):
                    found.setdefault((column, resource.strip()), set()).update(cells[column].split())
    return found


def test_the_how_to_names_every_right_and_no_other() -> None:
    given: dict[tuple[int, str], set[str]] = {}
    for role in yaml.safe_load_all((DEPLOY / "kustomize/base/roles.yaml").read_text(encoding="utf-8")):
        column = 2 if role["metadata"]["name"].endswith("controller") else 3
        for rule in role["rules"]:
            for resource in rule["resources"]:
                given.setdefault((column, resource), set()).update(rule["verbs"])
    resources = {resource for _, resource in given}
    documented = {key: verbs for key, verbs in _documented().items() if key[1] in resources and verbs}
    assert documented == given


def test_the_component_for_bfd_adds_to_what_the_speaker_has() -> None:
    component = yaml.safe_load((DEPLOY / "kustomize/realtime-bfd/kustomization.yaml").read_text(encoding="utf-8"))
    (patch,) = component["patches"]
    (change,) = yaml.safe_load(patch["patch"])
    found = yaml.safe_load((DEPLOY / "kustomize/base/speaker.yaml").read_text(encoding="utf-8"))
    assert (found["kind"], found["metadata"]["name"]) == (patch["target"]["kind"], patch["target"]["name"])
    *steps, last = change["path"].removeprefix("/").split("/")
    for step in steps:
        found = found[int(step) if step.isdigit() else step]
    assert (found, last, change["op"], change["value"]) == (["NET_RAW"], "-", "add", "SYS_NICE")
