"""The controller's process: `python -m herald.controller.process …`, also `herald controller`.

With `--config DIR` on a folder of manifests (this module), without it in a cluster (`in_cluster`).
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from herald import __version__
from herald.config.compile import DEFAULT_NAMESPACE
from herald.controller import on_folder
from herald.controller.assigner import Options
from herald.observe import collector, log, serving
from herald.observe.tls import TlsOptionsError
from herald.observe.until_told import until_told
from herald.store import folder_lock

WEBHOOK_MODES = ("enabled", "disabled", "onlywebhook")

_log = logging.getLogger("herald.controller")


def parser() -> argparse.ArgumentParser:
    """The arguments of this process. `herald controller` has the friendly ones and calls `main`."""
    arguments = argparse.ArgumentParser(prog="python -m herald.controller.process", description="gives out addresses")
    arguments.add_argument("--config", type=Path, help="folder of manifests; without it, a cluster")
    arguments.add_argument("--namespace", default=DEFAULT_NAMESPACE, help="namespace of the custom resources")
    arguments.add_argument("--lb-class", help="loadBalancerClass that is served; without it, services that have none")
    arguments.add_argument("--log-level", default="info", help="all, debug, info, warn, error or none")
    arguments.add_argument("--locked", action="store_true", help="the parent holds the lock of the folder")
    arguments.add_argument("--kubeconfig", type=Path, help="how to reach the cluster")
    arguments.add_argument("--pod-name", default="", help="this pod: identity and owner")
    arguments.add_argument("--deployment", default="", help="our Deployment, owner of the Secret")
    arguments.add_argument("--ml-secret-name", default="", help="Secret of the speakers' group; empty: none")
    serving.add_arguments(arguments)
    arguments.add_argument("--webhook-mode", default="disabled", choices=WEBHOOK_MODES, help="see `herald controller`")
    arguments.add_argument("--webhook-port", type=int, default=9443, help="port of the webhooks")
    arguments.add_argument("--webhook-secret", default="metallb-webhook-cert", help="Secret with the certificate")
    arguments.add_argument("--cert-service-name", default="metallb-webhook-service", help="Service of the webhooks")
    arguments.add_argument("--cert-extra-names", default="", help="further names of the webhooks, comma-separated")
    arguments.add_argument("--cert-dir", type=Path, default=Path(), help="certificate, without rotation")
    arguments.add_argument("--disable-cert-rotation", action="store_true", help="others keep the certificate")
    arguments.add_argument("--ignored", action="append", default=[], help="an option that does nothing, and why")
    return arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; gives the exit code: 2 if another controller has the folder, or nobody can."""
    given = parser().parse_args(arguments)
    log.setup(given.log_level)
    if given.config is None:
        return _run_in_cluster(given)
    if given.locked:
        return _run(given)
    try:
        lock = folder_lock.acquire(folder_lock.controller_path(given.config), "a controller of this folder")
    except folder_lock.TakenError as error:
        print(f"herald controller: {error}", file=sys.stderr)  # noqa: T201  # for whoever typed the command
        return 2
    except OSError as error:
        if not folder_lock.is_unsupported(error):
            print(f"herald controller: cannot keep records: {error}", file=sys.stderr)  # noqa: T201
            return 2
        _log.warning("%s: %s: nothing keeps a second controller away", error.filename, error.strerror)
        return _run(given)
    try:
        return _run(given)
    finally:
        lock.release()


def _run(given: argparse.Namespace) -> int:
    _log.info("Herald controller starting", extra={"version": __version__, "config": str(given.config)})
    collector.calm()
    try:
        wanted = serving.options(given)
    except TlsOptionsError as error:
        print(f"herald controller: {error}", file=sys.stderr)  # noqa: T201
        return 2
    options = Options(given.namespace, given.lb_class or None)
    asyncio.run(until_told(on_folder.run(given.config, options, wanted), "Herald controller", _log))
    return 0


def _run_in_cluster(given: argparse.Namespace) -> int:
    extra = {"version": __version__, "config": "cluster", "namespace": given.namespace}
    _log.info("Herald controller starting", extra=extra)
    for ignored in given.ignored:
        _log.info("this option does nothing: %s", ignored, extra={"event": "optionIgnored"})
    # Only here: on a folder of manifests nothing of it is needed, and it is large.
    from herald.controller import in_cluster

    collector.calm()
    try:
        asyncio.run(
            until_told(
                in_cluster.run(given, Options(given.namespace, given.lb_class or None)), "Herald controller", _log
            )
        )
    except in_cluster.CannotStartError as error:
        _log.error("%s", error, extra={"event": "cannotStart", "error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
