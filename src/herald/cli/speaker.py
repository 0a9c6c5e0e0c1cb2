"""`herald speaker`: announce addresses from this node."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from herald.cli.bgp_options import bgp_options, bgp_words
from herald.cli.exclusions import exclusions_option, supervisor_words
from herald.cli.go_style import GoStyleCommand
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
from herald.swim.member import Endpoint

MEANINGLESS: Final = {
    "pprof_bind_address": "there is no Go profiler here",
    "bgp_debounce_timeout": "changes reach the peers at once",
    "frrk8s_namespace": "Herald speaks BGP itself, without frr-k8s",
    "frrk8s_secret_passthrough": "Herald speaks BGP itself, without frr-k8s",
}
"""MetalLB's options that are accepted and do nothing, and why."""
BGP_TYPE: Final = "METALLB_BGP_TYPE"
MEMBERLIST_CONFIG: Final = Path("/etc/metallb/memberlist/config.json")
"""Where MetalLB's manifests mount it, if there is one."""
PORT: Final = 7946
_OF_ENGINE: Final = ("ml_bindaddr", "ml_bindport", "ml_secret_key_path", "ml_profile", "ml_wan_config")


def places(context: click.Context, parameter: click.Parameter, given: str | None) -> tuple[str, ...]:
    """Where speakers are, each an address with or without a port."""
    found = tuple(word.strip() for word in (given or "").split(",") if word.strip())
    try:
        for word in found:
            Endpoint.parse(word, PORT)
    except ValueError as error:
        raise click.BadParameter(f"{error}; expected addresses such as 192.0.2.1 or [2001:db8::1]:7946") from error
    return found


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
@click.option(
    "--ml-bindaddr", envvar="METALLB_ML_BIND_ADDR", metavar="IP", help="Address for gossip; without it, none."
)
@click.option("--ml-bindport", envvar="METALLB_ML_BIND_PORT", metavar="PORT", help="Port for gossip.  [default: 7946]")
@click.option(
    "--ml-labels",
    envvar="METALLB_ML_LABELS",
    metavar="SELECTOR",
    help="Which pods are speakers; without it, no gossip.",
)
@click.option(
    "--ml-join",
    envvar="HERALD_ML_JOIN",
    metavar="IP,IP…",
    callback=places,
    help="With --config: gossip in place of heartbeats in a shared folder, and where other speakers are.",
)
@click.option(
    "--ml-secret-key-path", envvar="METALLB_ML_SECRET_KEY_PATH", metavar="DIR", help="Folder of the file `secretkey`."
)
@click.option("--ml-wan-config", is_flag=True, help="Gossip with the times for distant nodes.")
@click.option(
    "--ml-profile",
    type=click.Choice(("herald", "lan", "wan")),
    default="herald",
    show_default=True,
    help="Times of gossip: Herald's, or memberlist's for a LAN or a WAN.",
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
        engine += options(members_dir=given["members_dir"]) + _gossip(given, given["ml_labels"])
        control += _of_cluster(given, show_socket)
    else:
        members = given["members_dir"] or config / ".herald" / "members"
        engine += options(members_dir=members, lock=speaker_path(config, node_name))
        namespace = given["namespace"] or DEFAULT_NAMESPACE
        control += options(config=config, namespace=namespace, show_socket=show_socket)
        if given["ml_join"] and not given["ml_bindaddr"]:
            raise click.UsageError("--ml-join needs --ml-bindaddr, the address of this node at which it gossips")
        engine += _gossip(given, given["ml_join"])
        control += [f"--ml-join={place}" for place in given["ml_join"]]
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


def _gossip(given: Mapping[str, Any], where: object) -> list[str]:
    """For the engine; as with MetalLB there is gossip only if the address is given and so is where the others are."""
    if not (given["ml_bindaddr"] and where):
        return []
    words = options(ml_config=MEMBERLIST_CONFIG, **{name: given[name] or None for name in _OF_ENGINE})
    return [f"--engine={word}" for word in words]


def _ignored(given: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    found = [f"--{name.replace('_', '-')}: {why}" for name, why in MEANINGLESS.items() if given[name]]
    bgp_type = environment.get(BGP_TYPE, "")
    if bgp_type not in ("", "native"):
        found.append(f"{BGP_TYPE}={bgp_type}: Herald's own BGP has what that mode is for")
    return found
