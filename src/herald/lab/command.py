"""What `herald lab up | run | down | list | shell` do.

Whatever happens to a run (a claim that does not hold, Ctrl-C, SIGTERM, a fault of the lab itself) everything it made is
removed again unless `--keep` was given; what SIGKILL leaves behind is removed by `herald lab down`, or by the next run.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from herald.lab.blueprint import Blueprint
from herald.lab.daemons.frr import DAEMONS
from herald.lab.data_centre import DataCentre
from herald.lab.folder_platform import FolderPlatform
from herald.lab.place import LabStandsError, NameTakenError, Place, standing
from herald.lab.platform import Platform
from herald.lab.process import CommandFailedError
from herald.lab.proof import Proof, RefutedError
from herald.lab.report import Report, Silence, as_json, standard_output
from herald.lab.scenario import Scenario
from herald.lab.scenarios import SCENARIOS

LEGEND = (
    "Every ✓ is a claim, the command that proves it, and a time: from the last change (an address, a route, a session, "
    "a neighbour) until the command showed it, or what the command took by itself. "
)

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = "interrupted"
SOCKET_VARIABLE = "HERALD_SOCKET"
"""Tells `herald show` which speaker to ask."""

EXIT_OK, EXIT_REFUTED, EXIT_UNUSABLE, EXIT_INTERRUPTED = 0, 1, 2, 130

FAULTS = (CommandFailedError, NameTakenError, TimeoutError, RuntimeError, OSError)
"""What may go wrong with a lab itself, as opposed to a claim made in it."""

PROGRAMS = {
    "unshare": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "sysctl": "procps",
    "curl": "curl",
    "arping": "iputils-arping",
    "vtysh": "frr",
    "bird": "bird2",
}
"""What the lab runs, and the Debian package that has it."""


def obstacles(platform: type[Platform]) -> list[str]:
    """Why no lab can be built on this machine, in words; empty when one can."""
    found = platform.obstacles()
    if os.geteuid() != 0:
        found.append("making network namespaces needs root: run it with sudo")
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if not (DAEMONS / "bgpd").exists() and "frr" not in missing:
        missing.append("frr")
    if missing:
        found.append(f"programs are missing: apt-get install {' '.join(missing)}")
    return found


def run(
    scenario: Scenario,
    place: Place,
    platform: type[Platform] = FolderPlatform,
    *,
    keep: bool = False,
    as_json_text: bool = False,
    write: Path | None = None,
) -> int:
    """`herald lab run`: build, prove every claim, remove; `write` its page if all hold. The exit code."""
    report = standard_output()
    work = _run(scenario, place, platform, report, keep=keep, as_json_text=as_json_text, write=write)
    return _main(work, platform)


def up(scenario: Scenario, place: Place, platform: type[Platform] = FolderPlatform) -> int:
    """`herald lab up`: build, apply the scenario's first manifests, say how to look around, leave it. The exit code."""
    return _main(_up(scenario, place, platform, standard_output()), platform)


def down(place: Place) -> int:
    """`herald lab down`: remove the lab that stands here, or its remains. The exit code."""
    report = standard_output()
    if not place.taken():
        report.say("no lab stands here")
        return EXIT_OK
    scenario = place.scenario()
    asyncio.run(_down(place))
    report.say(f"removed the lab {scenario}".rstrip())
    return EXIT_OK


def overview() -> int:
    """`herald lab list`: the scenarios there are, and the labs that stand. The exit code."""
    report = standard_output()
    for scenario in SCENARIOS.values():
        report.say(f"{scenario.name:<14} {scenario.title}")
    for place in standing():
        report.say()
        report.say(place.describe())
        report.say(f"  in {place.directory}; machines {', '.join(place.machines())}")
    return EXIT_OK


def shell(place: Place, host: str) -> int:
    """`herald lab shell`: a shell inside a host's namespace, until it ends. Its exit code."""
    if host not in place.machines():
        known = ", ".join(place.machines())
        told = f"its machines are {known}" if known else "no lab stands here; start one with `herald lab up`"
        print(f"no machine {host}: {told}", file=sys.stderr)  # noqa: T201
        return EXIT_UNUSABLE
    inside = ["ip", "netns", "exec", place.namespace(host), *_shell_program(place, host)]
    environment = os.environ | _shell_environment(place, host)
    return subprocess.run(inside, cwd=place.directory, env=environment, check=False).returncode


def _prompt(host: str) -> str:
    return rf"{host}:\w\$ "


def _shell_program(place: Place, host: str) -> list[str]:
    """The user's shell. bash sets its prompt in start-up files, so the lab's comes after these."""
    program = os.environ.get("SHELL") or "/bin/sh"
    if Path(program).name != "bash":
        return [program]
    start = place.directory / f"{host}.bashrc"
    start.write_text(f"[ ! -r ~/.bashrc ] || . ~/.bashrc\nPS1='{_prompt(host)}'\n")
    return [program, "--rcfile", str(start)]


def _shell_environment(place: Place, host: str) -> dict[str, str]:
    """Prompt for shells that take it from here; the speaker that `herald show` asks; where `herald` is."""
    environment = {"PS1": f"{host}$ "}
    if place.show_socket(host).exists():
        environment[SOCKET_VARIABLE] = str(place.show_socket(host))
    if shutil.which("herald") is None:
        environment["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{Path(sys.executable).parent}"
    return environment


async def _run(
    scenario: Scenario,
    place: Place,
    platform: type[Platform],
    report: Report,
    *,
    keep: bool,
    as_json_text: bool,
    write: Path | None,
) -> int:
    began = time.monotonic()
    blueprint = platform.adapted(scenario.blueprint)
    await _take(scenario, blueprint, place)
    if not as_json_text:
        report.say(scenario.title)
        report.say()
        report.say(scenario.picture)
        report.say()
        report.text(LEGEND + platform.of(blueprint, place).legend)
    proof = Proof(Silence() if as_json_text else report, list)
    lab: DataCentre | None = None
    ended_early = ""
    try:
        lab = await DataCentre.build(blueprint, place, platform)
        proof.evidence = lab.evidence
        await lab.start_herald()
        await scenario.prove_all(lab, proof)
    except RefutedError:
        pass  # It is in the proof, and was shown.
    except asyncio.CancelledError:
        ended_early = INTERRUPTED
    except FAULTS as error:
        ended_early = f"the lab itself failed: {error}"
    finally:
        if not keep:
            with _undisturbed():
                if lab is not None:
                    lab.platform.release()
                await place.clear()
    took = time.monotonic() - began
    if as_json_text:
        print(json.dumps(as_json(scenario.name, proof, took, ended_early=ended_early), indent=2))  # noqa: T201
    else:
        if proof.table is not None and proof.table.rows:
            report.table(proof.table)
        report.summary(scenario.name, proof, took, ended_early=ended_early)
    if write is not None and scenario.page is not None and proof.holds and not ended_early:
        await asyncio.to_thread(write.write_text, scenario.page(proof))
    if keep and lab is not None:
        place.keep()
        lab.platform.release()
        _guide(lab, scenario, Report(sys.stderr) if as_json_text else report)
    if ended_early:
        return EXIT_INTERRUPTED if ended_early == INTERRUPTED else EXIT_UNUSABLE
    return EXIT_OK if proof.holds else EXIT_REFUTED


async def _up(scenario: Scenario, place: Place, platform: type[Platform], report: Report) -> int:
    blueprint = platform.adapted(scenario.blueprint)
    await _take(scenario, blueprint, place)
    try:
        lab = await DataCentre.build(blueprint, place, platform)
        await lab.start_herald()
        await scenario.apply_first(lab)
    except BaseException:
        with _undisturbed():
            await place.clear()
        raise
    place.keep()
    lab.platform.release()
    report.say(scenario.picture)
    _guide(lab, scenario, report)
    return EXIT_OK


async def _down(place: Place) -> None:
    maker = place.maker()
    if maker is not None:
        # A run that is still busy clears up after itself. It is another process: there is nothing to await but time.
        os.kill(maker, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while place.maker() is not None and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await place.clear()


async def _take(scenario: Scenario, blueprint: Blueprint, place: Place) -> None:
    """Take the place; what a killed run left there is removed first. Nothing is touched when somebody else is there."""
    if place.taken() and place.abandoned():
        await place.clear()
    if not place.taken() and (names := place.occupied(blueprint.topology.names)):
        raise NameTakenError(names)
    place.take(scenario.name, keep=False)


def _guide(lab: DataCentre, scenario: Scenario, report: Report) -> None:
    """How to look around in a lab that stands."""
    name = f" --name {lab.place.name}" if lab.place.name else ""
    report.say()
    report.say("The lab stands. Things to try:")
    report.say()
    node = lab.blueprint.nodes[0]
    for command, what in (*scenario.tour(lab), (f"herald lab shell{name} {node}", "a shell on any of the machines")):
        report.say(f"  # {what}")
        report.say(f"  {command}")
    report.say()
    for word, sentence in lab.platform.guide():
        report.entry(word, sentence)
    report.entry("Logs", f"{lab.place.logs}/")
    report.entry("Machines", ", ".join(lab.place.machines()))
    if name:
        report.entry("Namespaces", f"{lab.place.prefix}MACHINE, for `ip netns exec`")
    report.entry("Remove it", f"herald lab down{name}")


def _main(work: Coroutine[Any, Any, int], platform: type[Platform]) -> int:
    """Run to the end; Ctrl-C and SIGTERM cancel, and what was begun is put away before they take effect."""

    async def cancellable() -> int:
        task = asyncio.current_task()
        assert task is not None
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await work

    found = obstacles(platform)
    if found:
        work.close()
        print("\n".join(found), file=sys.stderr)  # noqa: T201
        return EXIT_UNUSABLE
    try:
        return asyncio.run(cancellable())
    except (LabStandsError, NameTakenError) as error:
        print(error, file=sys.stderr)  # noqa: T201
    except FAULTS as error:
        print(f"the lab could not be built: {error}", file=sys.stderr)  # noqa: T201
    except asyncio.CancelledError:
        return EXIT_INTERRUPTED
    return EXIT_UNUSABLE


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Further signals wait until a lab is put away: half a lab helps nobody."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, lambda: None)
    yield
