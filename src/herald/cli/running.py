"""The options that the running commands share, and how they become the process that runs."""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from herald.cluster.meta import is_dns_subdomain
from herald.observe.tls import TlsOptions, TlsOptionsError
from herald.speaker import run_directory

F = TypeVar("F", bound=Callable[..., Any])
NODE_NAME_RULE = (
    "lower-case letters, digits, - and . are allowed, each part between dots begins and ends with a letter or digit, "
    "253 characters at most"
)
DEFAULT_NAMESPACE = "metallb-system"
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
LOG_LEVELS = ("all", "debug", "info", "warn", "error", "none")

config_option = click.option(
    "--config",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of manifests; it is watched, and statuses are kept in DIR/.herald.",
)
optional_config_option = click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of manifests in place of a cluster; it is watched, and statuses are kept in DIR/.herald.",
)
kubeconfig_option = click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="How to reach the cluster, from outside of it.  [default: the pod's own account, $KUBECONFIG, ~/.kube/config]",
)
optional_namespace_option = click.option(
    "-n",
    "--namespace",
    envvar="METALLB_NAMESPACE",
    show_envvar=True,
    metavar="NAME",
    help=f"Namespace of the metallb.io resources.  [default: that of the pod, otherwise {DEFAULT_NAMESPACE}]",
)
namespace_option = click.option(
    "-n",
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    metavar="NAME",
    help="Namespace of the metallb.io resources.",
)
class_option = click.option(
    "--lb-class",
    metavar="CLASS",
    help="Serve Services of this loadBalancerClass only; without it, those that have none.",
)
log_level_option = click.option(
    "--log-level", type=click.Choice(LOG_LEVELS), default="info", show_default=True, help="What to log, as JSON lines."
)
ignore_exclude_option = click.option(
    "--ignore-exclude-lb",
    is_flag=True,
    help="Announce from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers too.",
)
show_socket_option = click.option(
    "--show-socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help=f"Socket that `herald show` asks.  [default: {run_directory.SYSTEM}/NODE.sock, where it may be written]",
)
members_option = click.option(
    "--members-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where speakers see each other's heartbeats.  [default: CONFIG/.herald/members]",
)


_PROCESS_OPTIONS = (
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        help="Port of the metrics; 0: none.  [default: 9120, by HTTPS; with --config: none]",
    ),
    click.option(
        "--health-probe-port",
        type=click.IntRange(0, 65535),
        help="HTTP port of /healthz and /readyz; 0: none.  [default: 17472; with --config: none]",
    ),
    click.option(
        "--metrics-address",
        metavar="IP",
        help="With --config: where metrics are served, by HTTPS and to everybody, in place of loopback by HTTP.",
    ),
    click.option(
        "--metrics-cert-dir",
        metavar="DIR",
        help="Folder of tls.crt and tls.key for the metrics; without it the certificate is self-signed.",
    ),
    click.option("--tls-min-version", metavar="VERSION", help="VersionTLS12 or VersionTLS13.  [default: VersionTLS13]"),
    click.option("--tls-cipher-suites", metavar="NAMES", help="With VersionTLS12: IANA names, comma-separated."),
    click.option("--tls-curve-preferences", metavar="NUMBERS", help="IANA numbers of groups, comma-separated."),
)


def process_options(command: F) -> F:
    """The options of health, metrics and TLS, which controller and speaker share."""
    for option in reversed(_PROCESS_OPTIONS):
        command = option(command)
    return command


def served(given: Mapping[str, Any]) -> list[str]:
    """The words of `process_options` for the process. Ends the command with exit code 2 if they are not possible."""
    tls = {name: given[name] or "" for name in ("tls_min_version", "tls_cipher_suites", "tls_curve_preferences")}
    try:
        TlsOptions.parse(*tls.values())
        if given["metrics_address"]:
            ip_address(given["metrics_address"])
    except TlsOptionsError as error:
        raise click.UsageError(str(error)) from error
    except ValueError as error:
        raise click.UsageError(f"--metrics-address: {error}") from error
    names = ("port", "health_probe_port", "metrics_address", "metrics_cert_dir", *tls)
    return options(**{name: given[name] for name in names if given[name] != ""})


def cluster_namespace(given: str | None) -> str:
    """The namespace of Herald's resources: as given, that of the pod, or the usual one."""
    if given:
        return given
    try:
        return POD_NAMESPACE.read_text().strip() or DEFAULT_NAMESPACE
    except OSError:
        return DEFAULT_NAMESPACE


def default_socket(node: str) -> Path:
    """Where the speaker of `node` answers `herald show`."""
    return run_directory.choose() / f"{node}.sock"


class NodeNameType(click.ParamType[str]):
    """The name of a node, as Kubernetes would take it."""

    name = "node"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name itself."""
        if not is_dns_subdomain(value):
            self.fail(f"{value!r} cannot be the name of a node: {NODE_NAME_RULE}", param, ctx)
        return value


def own_name() -> str:
    """The host's name as the name of a node. Ends the command with exit code 2 if it cannot be one."""
    name = socket.gethostname().lower()
    if not is_dns_subdomain(name):
        raise click.UsageError(
            f"this host is called {name!r}, which cannot be the name of a node ({NODE_NAME_RULE}); "
            "name it with --node-name"
        )
    return name


def options(**given: object) -> list[str]:
    """Command-line words for the options that are given: flags for True, nothing for None and False."""
    words = []
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value is not None and value is not False:
            words.append(f"{flag}={value}")
    return words


def become(module: str, words: list[str]) -> NoReturn:
    """Go on as `python -m module words…`: the process that stays does not carry the command line's imports."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *words])  # noqa: S606  # our own interpreter and module
