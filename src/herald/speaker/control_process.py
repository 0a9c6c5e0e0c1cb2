"""`python -m herald.speaker.control_process`, started by `herald.speaker.supervisor`, on a folder or a cluster."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from herald import __version__
from herald.cluster.meta import NodeName
from herald.config.compile import DEFAULT_NAMESPACE
from herald.observe import collector, log
from herald.speaker.control import Control
from herald.speaker.decider import Options

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
    arguments.add_argument("--port", type=int, default=0, help="HTTPS port of the metrics; 0: none")
    arguments.add_argument("--health-probe-port", type=int, default=0, help="port of the probes; 0: none")
    arguments.add_argument("--metrics-cert-dir", type=Path, help="folder of tls.crt and tls.key")
    arguments.add_argument("--tls-min-version", default="", help="VersionTLS12 or VersionTLS13")
    arguments.add_argument("--tls-cipher-suites", default="", help="IANA names")
    arguments.add_argument("--tls-curve-preferences", default="", help="IANA numbers")
    arguments.add_argument("--ml-labels", help="which pods are speakers")
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
    collector.calm()
    # Either store only where it is needed: both are large.
    if given.config is not None:
        from herald.store.directory import Access, DirectoryStore

        asyncio.run(_until_told(Control(DirectoryStore(given.config, Access.READ), given.link, options).run()))
        return 0
    from herald.speaker import in_cluster

    try:
        asyncio.run(_until_told(in_cluster.run(given, options)))
    except in_cluster.CannotStartError as error:
        _log.error("%s", error, extra={"event": "cannotStart", "error": str(error)})
        return 1
    return 0


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    running = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        _log.info("Herald speaker control ends")


if __name__ == "__main__":
    raise SystemExit(main())
