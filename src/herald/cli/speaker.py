"""`herald speaker`: announce addresses from this node."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from herald.cli.bgp_options import bgp_options, bgp_words
from herald.cli.exclusions import exclusions_option, supervisor_words
from herald.cli.go_style import GoStyleCommand
from herald.cli.gossip_options import control_words, engine_words, gossip_options
from herald.cli.layer2_options import layer2_options, layer2_words
from herald.cli.running import (
    DEFAULT_NAMESPACE,
    NodeNameType,
    become,
    class_option,
    cluster_namespace,
    default_socket,
    ignore_exclude_option,
    kubeconfig_option,
    log_level_option,
    members_option,
    optional_config_option,
    optional_namespace_option,
    options,
    process_options,
    served,
    show_socket_option,
)
from herald.store.folder_lock import speaker_path

MEANINGLESS: Final = {
    "pprof_bind_address": "there is no Go profiler here",
    "bgp_debounce_timeout": "changes reach the peers at once",
    "frrk8s_namespace": "Herald speaks BGP itself, without frr-k8s",
    "frrk8s_secret_passthrough": "Herald speaks BGP itself, without frr-k8s",
}
"""MetalLB's options that are accepted and do nothing, and why."""
BGP_TYPE: Final = "METALLB_BGP_TYPE"


@click.command(cls=GoStyleCommand)
@optional_config_option
@kubeconfig_option
@click.option(
    "--node-name",
    required=True,
    type=NodeNameType(),
    envvar="METALLB_NODE_NAME",
    show_envvar=True,
    metavar="NODE",
    help="Name of this node, as its Node object has it.",
)
@click.option("--pod-name", envvar="METALLB_POD_NAME", show_envvar=True, metavar="POD", help="Owner of the statuses.")
@optional_namespace_option
@class_option
@ignore_exclude_option
@show_socket_option
@members_option
@exclusions_option
@layer2_options
@bgp_options
@process_options
@gossip_options
@click.option(
    "--ml-labels",
    envvar="METALLB_ML_LABELS",
    metavar="SELECTOR",
    help="Which pods are speakers; without it, no gossip.",
)
@click.option("--pprof-bind-address", hidden=True)
@click.option("--bgp-debounce-timeout", envvar="METALLB_BGP_DEBOUNCE_TIMEOUT", hidden=True)
@click.option("--frrk8s-namespace", envvar="FRRK8S_NAMESPACE", hidden=True)
@click.option("--frrk8s-secret-passthrough", is_flag=True, hidden=True)
@click.option("--host", envvar="METALLB_HOST", hidden=True)
@log_level_option
def speaker(node_name: str, config: Path | None, log_level: str, **given: Any) -> None:
    """Announce addresses from this node, by ARP, NDP and BGP.

    Reads the objects of the cluster it runs in, or of --kubeconfig; with --config, a folder of manifests. Runs two
    processes: one that decides and one that owns the network, so that neither a busy nor a dead decider disturbs what
    is announced. On SIGTERM the node leaves in good order: others take over first. Needs CAP_NET_RAW, or root. Exit
    code 2: it cannot run here, or one runs for this node already.

    \b
    Examples:
      herald speaker --node-name node-1
      herald speaker --config /etc/herald --node-name node-1
      METALLB_NODE_NAME=node-1 herald speaker --config /etc/herald --ignore-exclude-lb
    """
    show_socket: Path = given["show_socket"] or default_socket(node_name)
    engine = options(node_name=node_name, log_level=log_level, show_socket=show_socket)
    control = options(lb_class=given["lb_class"], ignore_exclude_lb=given["ignore_exclude_lb"])
    if config is None:
        if given["ml_join"]:
            raise click.UsageError(
                "--ml-join goes with --config; in a cluster --ml-labels says which pods are speakers"
            )
        engine += options(members_dir=given["members_dir"]) + engine_words(given, given["ml_labels"])
        control += _of_cluster(given, show_socket)
    else:
        members = given["members_dir"] or config / ".herald" / "members"
        engine += options(members_dir=members, lock=speaker_path(config, node_name))
        namespace = given["namespace"] or DEFAULT_NAMESPACE
        control += options(config=config, namespace=namespace, show_socket=show_socket)
        control += control_words(given)
        engine += engine_words(given, given["ml_join"])
    control += served(given)
    engine += [
        *supervisor_words(given["exclude_interfaces_file"]),
        *layer2_words(given),
        *bgp_words(given["bgp_listen"]),
    ]
    words = [*engine, "--", *control]
    become("herald.speaker.supervisor", words)


def _of_cluster(given: Mapping[str, Any], show_socket: Path) -> list[str]:
    names = ("kubeconfig", "pod_name", "ml_labels")
    words = options(
        namespace=cluster_namespace(given["namespace"]),
        show_socket=show_socket,
        **{name: given[name] or None for name in names},
    )
    return words + [f"--ignored={words}" for words in _ignored(given, os.environ)]


def _ignored(given: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    found = [f"--{name.replace('_', '-')}: {why}" for name, why in MEANINGLESS.items() if given[name]]
    bgp_type = environment.get(BGP_TYPE, "")
    if bgp_type not in ("", "native"):
        found.append(f"{BGP_TYPE}={bgp_type}: Herald's own BGP has what that mode is for")
    return found
