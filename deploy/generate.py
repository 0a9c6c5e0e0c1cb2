#!/usr/bin/env python3
"""Write what stands in deploy/ but is made from elsewhere, so that nothing is written twice by hand.

crds/*.yaml, crds/kustomization.yaml       from the types of herald.api
helm/herald/files/crds/*.yaml              the same
kustomize/base/validating-webhooks.yaml    what herald.controller.webhook wants to be asked
helm/herald/files/roles.yaml …             those of kustomize/base
helm/herald/files/known-values.json        the names in helm/herald/values.schema.json
version in Chart.yaml and of the images    herald.__version__

.venv/bin/python deploy/generate.py           write
.venv/bin/python deploy/generate.py --check   write nothing; exit 1 and name what is out of date
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import click
import yaml

import herald
from herald.api.crd import crds
from herald.controller.webhook.configuration import webhook_configuration

DEPLOY = Path(__file__).parent
CHART = DEPLOY / "helm" / "herald"
BASE = DEPLOY / "kustomize" / "base"
IMAGE = "ghcr.io/herald-lb/herald"
HEAD = "# Made by deploy/generate.py; not to be edited.\n"
POLICY = """\
# failurePolicy Ignore: what the webhooks refuse is refused again by controller and speakers, as conditions, so that a
# controller that is down need not keep anybody from changing the configuration.
"""


def wanted() -> dict[Path, str]:
    """Every generated file with the text it should have."""
    texts = {
        name: HEAD + _yaml(crd) for crd in crds() for name in [f"metallb.io_{crd['spec']['names']['plural']}.yaml"]
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(texts),
    }
    files = {DEPLOY / "crds" / name: text for name, text in texts.items()}
    files |= {CHART / "files" / "crds" / name: text for name, text in texts.items()}
    files[DEPLOY / "crds" / "kustomization.yaml"] = HEAD + _yaml(kustomization)
    files[BASE / "validating-webhooks.yaml"] = HEAD + POLICY + _yaml(_webhooks())
    for name in ("roles.yaml", "webhook.yaml", "configuration.yaml"):
        files[CHART / "files" / name] = HEAD + (BASE / name).read_text(encoding="utf-8")
    files[CHART / "files" / "validating-webhooks.yaml"] = files[BASE / "validating-webhooks.yaml"]
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    files[CHART / "files" / "known-values.json"] = json.dumps(names(schema, schema), indent=1, sort_keys=True) + "\n"
    files[CHART / "Chart.yaml"] = _versioned(CHART / "Chart.yaml", r"(?m)^((?:appV|v)ersion: ).*$", herald.__version__)
    for name in ("controller.yaml", "speaker.yaml"):
        files[BASE / name] = _versioned(BASE / name, rf"({re.escape(IMAGE)}:)\S+", herald.__version__)
    return files


def names(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    """The names that a part of the values' schema knows, nested; None where anything may stand."""
    if reference := part.get("$ref"):
        return names(schema["$defs"][reference.rpartition("/")[2]], schema)
    if "properties" not in part:
        return None
    return {name: names(below, schema) for name, below in part["properties"].items()}


def stale(files: dict[Path, str]) -> list[Path]:
    """Files that are not as wanted, and CRDs that nobody wants."""
    present = {path for folder in (DEPLOY / "crds", CHART / "files" / "crds") for path in folder.glob("*.yaml")}
    differing = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return sorted([*differing, *(present - files.keys())])


def main() -> int:
    """Exit code."""
    files = wanted()
    out_of_date = stale(files)
    if "--check" in sys.argv[1:]:
        for path in out_of_date:
            click.echo(f"{path.relative_to(DEPLOY.parent)} is out of date: run deploy/generate.py", err=True)
        return 1 if out_of_date else 0
    for path in out_of_date:
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()
        click.echo(path.relative_to(DEPLOY.parent))
    return 0


def _webhooks() -> dict[str, Any]:
    document = webhook_configuration(failure_policy="Ignore")
    return {**document, "metadata": {**document["metadata"], "labels": {"app": "metallb"}}}


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)


def _versioned(path: Path, pattern: str, version: str) -> str:
    return re.sub(pattern, rf"\g<1>{version}", path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    raise SystemExit(main())
