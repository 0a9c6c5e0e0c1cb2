"""`python -m herald.speaker.control_process`, started by `herald.speaker.supervisor`, on a folder or a cluster."""

import argparse
import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from herald import __version__
from herald.cluster.meta import NodeName
from herald.config.compile import DEFAULT_NAMESPACE
from herald.observe import collector, log, serving
from herald.observe.tls import TlsOptionsError
from herald.observe.until_told import until_told
from herald.speaker.decider import Options

GIVES_WAY: Final = 10
"""Added to the nice value: the engine of this speaker never waits for this process while both have work. With as much
to do as it could, this process kept an engine from its processor for up to a second, and the others called it dead."""

_log = logging.getLogger("herald.speaker")


def parser() -> argparse.ArgumentParser:
    """The arguments of this process. `herald speaker` has the friendly ones."""
    arguments = argparse.ArgumentParser(prog="python -m herald.speaker.control", description="decides for one node")
    arguments.add_argument("--node-name", required=True, help="name of this node")
    arguments.add_argument("--log-level", default="info", help="all, debug, info, warn, error or none")
    arguments.add_argument("--link", required=True, type=Path, help="Unix socket of the engine")
    arguments.add_argument("--config", type=Path, help="folder of manifests; without it, a cluster")
    arguments.add_argument("--namespace", default=DEFAULT_NAMESPACE, help="namespace of the custom resources")
    arguments.add_argument("--lb-class", help="loadBalancerClass that is served; without it, services that have none")
    arguments.add_argument("--ignore-exclude-lb", action="store_true", help="announce from excluded nodes as well")
    arguments.add_argument("--assume-node", action="store_true", help="without any Node object, this host is the node")
    arguments.add_argument(
        "--endpoints",
        choices=("assumed", "required"),
        default="required",
        help="assumed: a Service without any EndpointSlice is served by every node",
    )
    arguments.add_argument("--kubeconfig", type=Path, help="how to reach the cluster")
    arguments.add_argument("--pod-name", help="this pod, the owner of the statuses")
    serving.add_arguments(arguments)
    arguments.add_argument("--ml-labels", help="which pods are speakers")
    arguments.add_argument("--ml-join", action="append", default=[], help="on a folder: where another speaker is")
    arguments.add_argument("--show-socket", type=Path, help="where the engine answers")
    arguments.add_argument("--ignored", action="append", default=[], help="an option that does nothing, and why")
    return arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; gives the exit code."""
    given = parser().parse_args(arguments)
    log.setup(given.log_level)
    options = Options(
        NodeName(given.node_name),
        given.namespace,
        given.lb_class or None,
        ignore_exclude_lb=given.ignore_exclude_lb,
        assume_node=given.assume_node,
        assume_ready=given.endpoints == "assumed",
    )
    extra = {"version": __version__, "config": str(given.config or "cluster"), "node": given.node_name}
    _log.info("Herald speaker starting", extra=extra)
    for ignored in given.ignored:
        _log.info("this option does nothing: %s", ignored, extra={"event": "optionIgnored"})
    os.nice(GIVES_WAY)
    collector.calm()
    try:
        wanted = serving.options(given)
    except TlsOptionsError as error:
        return _cannot_start(error)
    # Either store only where it is needed: both are large.
    if given.config is not None:
        from herald.speaker import on_folder

        asyncio.run(until_told(on_folder.run(given, options, wanted), "Herald speaker control", _log))
        return 0
    from herald.speaker import in_cluster

    try:
        asyncio.run(until_told(in_cluster.run(given, options, wanted), "Herald speaker control", _log))
    except in_cluster.CannotStartError as error:
        return _cannot_start(error)
    return 0


def _cannot_start(error: Exception) -> int:
    _log.error("%s", error, extra={"event": "cannotStart", "error": str(error)})
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
