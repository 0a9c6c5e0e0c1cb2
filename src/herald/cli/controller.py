"""`herald controller`: hand out addresses to Services."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import click

from herald.cli.go_style import GoStyleCommand
from herald.cli.running import (
    DEFAULT_NAMESPACE,
    become,
    class_option,
    cluster_namespace,
    kubeconfig_option,
    log_level_option,
    optional_config_option,
    optional_namespace_option,
    options,
    process_options,
    served,
)
from herald.cluster.meta import is_dns_subdomain

MEANINGLESS: Final = {
    "pprof_bind_address": "there is no Go profiler here",
    "webhook_http2": "the webhooks speak HTTP/1.1, as every API server does",
}
"""MetalLB's options that are accepted and do nothing, and why."""
BGP_TYPE: Final = "METALLB_BGP_TYPE"
_OF_CLUSTER: Final = (
    "kubeconfig",
    "pod_name",
    "deployment",
    "ml_secret_name",
    "webhook_mode",
    "webhook_secret",
    "cert_service_name",
    "cert_extra_names",
    "cert_dir",
    "disable_cert_rotation",
)


@click.command(cls=GoStyleCommand)
@optional_config_option
@kubeconfig_option
@optional_namespace_option
@class_option
@click.option(
    "--pod-name",
    envvar="METALLB_POD_NAME",
    show_envvar=True,
    metavar="POD",
    help="This pod: who leads, and owner of the ConfigurationState.",
)
@click.option(
    "--deployment",
    envvar="METALLB_DEPLOYMENT",
    show_envvar=True,
    metavar="NAME",
    help="Deployment of this pod, owner of the Secret.",
)
@click.option(
    "--ml-secret-name",
    envvar="METALLB_ML_SECRET_NAME",
    show_envvar=True,
    metavar="SECRET",
    help="Secret of the speakers' group, made if there is none.",
)
@process_options
@click.option(
    "--webhook-mode",
    type=click.Choice(("enabled", "disabled", "onlywebhook")),
    default="enabled",
    show_default=True,
    help="Whether this process answers webhooks, hands out addresses (disabled), or only answers webhooks.",
)
@click.option("--webhook-secret", metavar="SECRET", help="Where the certificate is.  [default: metallb-webhook-cert]")
@click.option("--cert-service-name", metavar="NAME", help="Service of webhooks.  [default: metallb-webhook-service]")
@click.option(
    "--cert-extra-names",
    metavar="NAMES",
    default="",
    callback=lambda _context, _option, value: _names(value),
    help="For an API server that calls webhooks by URL: names and addresses in it, comma-separated.",
)
@click.option(
    "--disable-cert-rotation", is_flag=True, help="Others put a certificate into --cert-dir and the caBundle."
)
@click.option(
    "--cert-dir",
    metavar="DIR",
    default="/tmp/k8s-webhook-server/serving-certs",  # noqa: S108  # MetalLB's; a mounted Secret
    show_default=True,
    help="Where the certificate is without rotation.",
)
@click.option("--webhook-http2", is_flag=True, hidden=True)
@click.option("--pprof-bind-address", hidden=True)
@log_level_option
def controller(config: Path | None, namespace: str | None, lb_class: str | None, log_level: str, **given: Any) -> None:
    """Hand out addresses of IPAddressPools to Services of type LoadBalancer.

    In the cluster it runs in, or that of --kubeconfig; of several, the one that holds the Lease metallb-controller
    writes. With --config, on a folder of manifests: what each Service got is written into DIR/.herald/status, for
    speakers to read, by one controller per folder. Killed at any moment and started again, it moves no valid address.

    \b
    Examples:
      herald controller
      herald controller --kubeconfig admin.conf --webhook-mode disabled --port 0
      herald controller --config /etc/herald --lb-class example.com/herald --log-level debug
    """
    if config is not None:
        namespace = namespace or DEFAULT_NAMESPACE
        words = options(config=config, namespace=namespace, lb_class=lb_class, log_level=log_level)
    else:
        words = options(
            namespace=cluster_namespace(namespace),
            lb_class=lb_class,
            log_level=log_level,
            **{name: given[name] for name in _OF_CLUSTER if given[name] != ""},
        )
        words += [f"--ignored={text}" for text in _ignored(given, os.environ)]
    become("herald.controller.process", [*words, *served(given)])


def _names(value: str) -> str:
    """The names without blanks. Raises click.BadParameter if one cannot stand in a certificate."""
    names = [name.strip() for name in value.split(",") if name.strip()]
    for name in names:
        if not (is_dns_subdomain(name) or _is_address(name)):
            raise click.BadParameter(f"{name!r} is neither a DNS name in lower case nor an IP address")
    return ",".join(names)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _ignored(given: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    found = [f"--{name.replace('_', '-')}: {why}" for name, why in MEANINGLESS.items() if given[name]]
    if environment.get(BGP_TYPE, "native") != "native":
        found.append(f"{BGP_TYPE}={environment[BGP_TYPE]}: Herald speaks BGP itself, whatever it is set to")
    return found
