"""Controller and speaker of a plain Linux host under one parent: `python -m herald.standalone`.

    herald standalone ─exec→ standalone ─┬─ speaker      python -m herald.speaker.supervisor …
                                         └─ controller   python -m herald.controller.process …

Either is started again when it dies. On SIGTERM the speaker leaves first, then the controller ends. Without any Node in
the folder this host is the node.

The parent locks the folder for both; they inherit the locks, so that none starts beside the rest of another.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from herald.speaker import preflight, run_directory
from herald.speaker.supervisor import CONTROL_PATIENCE, ENGINE_PATIENCE, Child, Restarts, Supervisor
from herald.store import folder_lock
from herald.store.folder_lock import FolderLock

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
SPEAKER_PATIENCE_S = ENGINE_PATIENCE + CONTROL_PATIENCE + 0.5
CONTROLLER_PATIENCE_S = 2.0


def children(given: argparse.Namespace, locks: tuple[FolderLock, ...] = ()) -> tuple[Child, Child]:
    """The speaker and the controller, not started yet."""
    inherited = tuple(lock.descriptor for lock in locks)
    shared = [f"--config={given.config}", f"--namespace={given.namespace}"]
    shared += [f"--lb-class={given.lb_class}"] if given.lb_class else []
    speaker = [
        f"--node-name={given.node_name}",
        f"--log-level={given.log_level}",
        f"--show-socket={_show_socket(given)}",
        f"--members-dir={given.config}/.herald/members",
        *(f"--exclude-interface={pattern}" for pattern in given.exclude_interface or ()),
        *(["--exclude-no-interface"] if given.exclude_no_interface else []),
        *(f"--engine={word}" for word in given.engine or ()),
        "--",
        *shared,
        "--assume-node",
        f"--endpoints={given.endpoints}",
        *(given.control or ()),
    ]
    return (
        _child("speaker", "herald.speaker.supervisor", speaker, inherited, SPEAKER_PATIENCE_S),
        _child(
            "controller",
            "herald.controller.process",
            [*shared, f"--log-level={given.log_level}", "--locked", *(given.controller or ())],
            inherited,
            CONTROLLER_PATIENCE_S,
        ),
    )


def _child(name: str, module: str, words: list[str], inherited: tuple[int, ...], patience_s: float) -> Child:
    restarts = Restarts(FIRST_WAIT_S, LONGEST_WAIT_S)
    return Child(name, [sys.executable, "-m", module, *words], inherited, patience_s, restarts)


def _show_socket(given: argparse.Namespace) -> Path:
    return given.show_socket or run_directory.choose() / f"{given.node_name}.sock"


def parser() -> argparse.ArgumentParser:
    """The arguments of this process. `herald standalone` has the friendly ones."""
    arguments = argparse.ArgumentParser(prog="python -m herald.standalone", description="controller and speaker")
    arguments.add_argument("--config", required=True, type=Path, help="folder of manifests")
    arguments.add_argument("--node-name", required=True, help="name of this host")
    arguments.add_argument("--namespace", default="metallb-system", help="namespace of the custom resources")
    arguments.add_argument("--lb-class", help="loadBalancerClass that is served; without it, services that have none")
    arguments.add_argument("--show-socket", type=Path, help="Unix socket that `herald show` asks")
    arguments.add_argument("--exclude-interface", action="append", help="pattern of interfaces that count as not there")
    arguments.add_argument("--exclude-no-interface", action="store_true", help="every interface counts")
    arguments.add_argument("--engine", action="append", help="argument for the engine")
    arguments.add_argument("--control", action="append", help="argument for the speaker's deciding process")
    arguments.add_argument("--controller", action="append", help="argument for the controller")
    arguments.add_argument("--endpoints", choices=("assumed", "required"), default="assumed")
    arguments.add_argument("--log-level", default="info", help="all, debug, info, warn, error or none")
    return arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to end; gives the exit code: 2 if it cannot run here as it is."""
    given = parser().parse_args(arguments)
    locks: tuple[FolderLock, ...] = ()
    try:
        preflight.check(run_directory.choose(), _show_socket(given))
        locks = _hold(given.config, given.node_name)
        preflight.check_nobody_answers(_show_socket(given))
        return Supervisor(*children(given, locks)).run()
    except preflight.RefusedError as error:
        return preflight.refuse("standalone", error)
    finally:
        for lock in locks:
            lock.release()


def _hold(config: Path, node: str) -> tuple[FolderLock, ...]:
    wanted = (
        (folder_lock.controller_path(config), "a controller of this folder"),
        (folder_lock.speaker_path(config, node), f"a speaker of node {node} on this folder"),
    )
    try:
        return preflight.hold(wanted)
    except OSError as error:
        if not folder_lock.is_unsupported(error):
            raise preflight.RefusedError(f"cannot keep records: {error}") from error
        print(f"herald standalone: nothing keeps a second one away: {error}", file=sys.stderr)  # noqa: T201
        return ()


if __name__ == "__main__":
    sys.exit(main())
