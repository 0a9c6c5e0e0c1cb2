"""`herald manifests`: everything that runs Herald in a cluster, as one text.

The objects are those of deploy/kustomize/base, shipped with the package, and the CustomResourceDefinitions. What a
namespace and an image change in them is decided here, as a function of the documents.
"""

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import click
import yaml

import herald
from herald.api import crd
from herald.cli.inputs import DEFAULT_NAMESPACE
from herald.cluster.meta import is_dns_label

FILES = (
    "namespace",
    "service-accounts",
    "roles",
    "bindings",
    "configuration",
    "webhook",
    "controller",
    "speaker",
    "validating-webhooks",
)
"""In the order in which they are applied."""
IMAGE = f"ghcr.io/herald-lb/herald:{herald.__version__}"

Document = dict[str, Any]


@click.command()
@click.option(
    "-n",
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    metavar="NAME",
    help="Namespace to run in; the metallb.io resources live there too.",
)
@click.option("--image", default=IMAGE, show_default=True, metavar="IMAGE", help="Image of controller and speakers.")
def manifests(namespace: str, image: str) -> None:
    """Everything that runs Herald in a cluster, as YAML: CustomResourceDefinitions, roles, controller, speakers.

    The names are those of MetalLB's manifests, so that applying it where MetalLB runs takes its place; resources,
    addresses and the speakers' key stay.

    \b
    Examples:
      herald manifests | kubectl apply -f -
      herald manifests --image registry.example.com/herald:0.1.0 | kubectl diff -f -
    """
    if not is_dns_label(namespace):
        raise click.BadParameter(
            f"{namespace!r} cannot be the name of a namespace: lower-case letters, digits and -, at most 63, and no - "
            "at either end",
            param_hint="--namespace",
        )
    click.echo(dump_yaml(namespace, image), nl=False)


def dump_yaml(namespace: str = DEFAULT_NAMESPACE, image: str = IMAGE) -> str:
    """All of them as one text for `kubectl apply -f -`."""
    documents = everything(namespace, image)
    return yaml.safe_dump_all(documents, explicit_start=True, sort_keys=False, width=120, allow_unicode=True)


def everything(namespace: str = DEFAULT_NAMESPACE, image: str = IMAGE) -> list[Document]:
    """The namespace first, then the CustomResourceDefinitions, then what uses both."""
    of_namespace, *rest = [adapted(document, namespace, image) for document in _shipped()]
    return [of_namespace, *crd.crds(namespace), *rest]


def adapted(document: Document, namespace: str, image: str) -> Document:
    """The document for another namespace and image. Names of cluster-wide roles begin with the namespace."""
    changed = _renamed(document, namespace)
    assert isinstance(changed, dict)
    for container in changed.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
        container["image"] = image
    return changed


def _renamed(part: Any, namespace: str) -> Any:
    match part:
        case dict():
            return {key: _renamed(value, namespace) for key, value in part.items()}
        case list():
            return [_renamed(value, namespace) for value in part]
        case str() if part == DEFAULT_NAMESPACE:
            return namespace
        case str() if part.startswith(f"{DEFAULT_NAMESPACE}:"):
            return namespace + part.removeprefix(DEFAULT_NAMESPACE)
    return part


def _shipped() -> Iterator[Document]:
    folder = _folder()
    for name in FILES:
        yield from yaml.safe_load_all((folder / f"{name}.yaml").read_text(encoding="utf-8"))


def _folder() -> Traversable:
    """In a wheel the files are beside this module; in a checkout they are where people look for them."""
    packaged = resources.files("herald.cli") / "deployment"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "deploy" / "kustomize" / "base"
