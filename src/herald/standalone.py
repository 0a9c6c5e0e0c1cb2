"""Controller and speaker of a plain Linux host under one parent: `python -m herald.standalone`.

    herald standalone ─exec→ standalone ─┬─ speaker      python -m herald.speaker.supervisor …
                                         └─ controller   python -m herald.controller.process …

Either is started again when it dies. On SIGTERM the speaker leaves first, then the controller ends. Without any Node in
the folder this host is the node.
"""

import argparse
import sys
from collections.abc import Sequence

from herald.speaker.supervisor import CONTROL_PATIENCE, ENGINE_PATIENCE, Child, Restarts, Supervisor

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
SPEAKER_PATIENCE_S = ENGINE_PATIENCE + CONTROL_PATIENCE + 0.5
CONTROLLER_PATIENCE_S = 2.0


def children(given: argparse.Namespace) -> tuple[Child, Child]:
    """The speaker and the controller, not started yet."""
    shared = [f"--config={given.config}", f"--namespace={given.namespace}"]
    shared += [f"--lb-class={given.lb_class}"] if given.lb_class else []
    speaker = [
        f"--node-name={given.node_name}",
        f"--log-level={given.log_level}",
        f"--show-socket={given.show_socket or f'/run/herald/{given.node_name}.sock'}",
        f"--members-dir={given.config}/.herald/members",
        *(f"--exclude-interface={pattern}" for pattern in given.exclude_interface or ()),
        *(["--exclude-no-interface"] if given.exclude_no_interface else []),
        "--",
        *shared,
        "--assume-node",
        f"--endpoints={given.endpoints}",
    ]
    return (
        _child("speaker", "herald.speaker.supervisor", speaker, SPEAKER_PATIENCE_S),
        _child(
            "controller",
            "herald.controller.process",
            [*shared, f"--log-level={given.log_level}"],
            CONTROLLER_PATIENCE_S,
        ),
    )


def _child(name: str, module: str, words: list[str], patience_s: float) -> Child:
    restarts = Restarts(FIRST_WAIT_S, LONGEST_WAIT_S)
    return Child(name, [sys.executable, "-m", module, *words], (), patience_s, restarts)


def parser() -> argparse.ArgumentParser:
    """The arguments of this process. `herald standalone` has the friendly ones."""
    arguments = argparse.ArgumentParser(prog="python -m herald.standalone", description="controller and speaker")
    arguments.add_argument("--config", required=True, help="folder of manifests")
    arguments.add_argument("--node-name", required=True, help="name of this host")
    arguments.add_argument("--namespace", default="metallb-system", help="namespace of the custom resources")
    arguments.add_argument("--lb-class", help="loadBalancerClass that is served; without it, services that have none")
    arguments.add_argument("--show-socket", help="Unix socket that `herald show` asks")
    arguments.add_argument("--exclude-interface", action="append", help="pattern of interfaces that count as not there")
    arguments.add_argument("--exclude-no-interface", action="store_true", help="every interface counts")
    arguments.add_argument("--endpoints", choices=("assumed", "required"), default="assumed")
    arguments.add_argument("--log-level", default="info", help="all, debug, info, warn, error or none")
    return arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to end; gives the exit code."""
    return Supervisor(*children(parser().parse_args(arguments))).run()


if __name__ == "__main__":
    sys.exit(main())
