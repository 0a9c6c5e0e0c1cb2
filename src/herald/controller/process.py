"""The controller's process: `python -m herald.controller.process --config DIR …`, also `herald controller`."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from herald import __version__
from herald.config.compile import DEFAULT_NAMESPACE
from herald.controller.assigner import Options
from herald.controller.loop import run
from herald.observe import collector, log
from herald.store import folder_lock
from herald.store.directory import Access, DirectoryStore
from herald.store.store import Store

_log = logging.getLogger("herald.controller")


def parser() -> argparse.ArgumentParser:
    """The arguments of this process. `herald controller` has the friendly ones and calls `main`."""
    arguments = argparse.ArgumentParser(prog="python -m herald.controller.process", description="gives out addresses")
    arguments.add_argument("--config", required=True, type=Path, help="folder of manifests")
    arguments.add_argument("--namespace", default=DEFAULT_NAMESPACE, help="namespace of the custom resources")
    arguments.add_argument("--lb-class", help="loadBalancerClass that is served; without it, services that have none")
    arguments.add_argument("--log-level", default="info", help="all, debug, info, warn, error or none")
    arguments.add_argument("--locked", action="store_true", help="the parent holds the lock of the folder")
    return arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; gives the exit code: 2 if another controller has the folder, or nobody can."""
    given = parser().parse_args(arguments)
    log.setup(given.log_level)
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
    asyncio.run(
        _until_told(DirectoryStore(given.config, Access.KEEP), Options(given.namespace, given.lb_class or None))
    )
    return 0


async def _until_told(store: Store, options: Options) -> None:
    running = asyncio.ensure_future(run(store, options))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        _log.info("Herald controller ends")


if __name__ == "__main__":
    raise SystemExit(main())
