"""`herald lab`: a small data centre in network namespaces, in which the how-tos come true.

Everything is done by `herald.lab.command`; here stand the words, and what may be typed. The lab is imported when a
command runs, so that `herald --help` costs nothing.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from herald.lab.place import Place
    from herald.lab.platform import Platform
    from herald.lab.scenario import Scenario

F = TypeVar("F", bound=Callable[..., Any])


class MachineName(click.ParamType[str]):
    """The name of a machine of the lab that stands, completed by the shell."""

    name = "machine"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Machines that begin with what was typed, of the lab of --name if that stands before."""
        from herald.lab.place import Place

        machines = Place(ctx.params.get("name") or "").machines()
        return [CompletionItem(machine) for machine in machines if machine.startswith(incomplete)]


class ScenarioName(click.ParamType[str]):
    """The name of a scenario, completed by the shell."""

    name = "scenario"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name itself, if there is such a scenario."""
        from herald.lab.scenarios import SCENARIOS

        if value not in SCENARIOS:
            self.fail(f"there is no scenario {value!r}; there are {', '.join(SCENARIOS)}", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Scenarios that begin with what was typed."""
        from herald.lab.scenarios import SCENARIOS

        return [
            CompletionItem(name, help=scenario.title)
            for name, scenario in SCENARIOS.items()
            if name.startswith(incomplete)
        ]


def name_option(help_text: str) -> Callable[[F], F]:
    """Which of several labs is meant."""
    return click.option("--name", default="", metavar="WORD", help=help_text)


build_beside = name_option("Build beside another lab: a short word that begins the names of all namespaces.")


kubernetes_option = click.option(
    "--kubernetes",
    is_flag=True,
    help="With a real API server, kube-proxy and kubectl in place of a folder of manifests.",
)


def _platform(scenario: "Scenario", kubernetes: bool) -> "type[Platform]":
    from herald.lab.folder_platform import FolderPlatform
    from herald.lab.kubernetes_platform import KubernetesPlatform

    if scenario.needs_kubernetes and not kubernetes:
        raise click.UsageError(f"{scenario.name} is about what an API server does: add --kubernetes")
    if scenario.needs_folder and kubernetes:
        raise click.UsageError(f"{scenario.name} is about routers and speakers alone: leave --kubernetes out")
    return KubernetesPlatform if kubernetes else FolderPlatform


def _place(name: str) -> "Place":
    from herald.lab.place import LONGEST_NAME, Place

    if name and not (name.isalnum() and name.islower() and len(name) <= LONGEST_NAME):
        raise click.BadParameter(f"{name!r}: at most {LONGEST_NAME} lower-case letters and digits", param_hint="--name")
    return Place(name)


def _scenario(name: str) -> "Scenario":
    from herald.lab.scenarios import SCENARIOS

    return SCENARIOS[name]


def _parts(scenario: "Scenario", only: tuple[str, ...]) -> "Scenario":
    """With `only` these parts; all of them when none is named."""
    known = [part.name for part in scenario.parts]
    if unknown := [name for name in only if name not in known]:
        there = f"its parts are {', '.join(known)}" if known else "it has no parts"
        raise click.BadParameter(f"{scenario.name} has no part {unknown[0]!r}; {there}", param_hint="--only")
    return scenario.only(only) if only else scenario


@click.group()
def lab() -> None:
    """A small data centre on this machine: routers, nodes, clients.

    Each scenario is a how-to. `run` proves every claim the how-to makes with a real command against real routers (FRR,
    BIRD) and removes everything again; `up` leaves the data centre standing so that you can look around.

    Needs root, and the Debian packages frr, bird2, iproute2, nftables, iputils-arping and curl.

    \b
    Examples:
      herald lab run dual            watch Layer 2 and BGP come true, in about half a minute
      herald lab up multi-router     build it and look around
      herald lab shell client        a shell on the local client
      herald lab down                remove it
    """


@lab.command("run")
@click.argument("scenario", type=ScenarioName())
@click.option("--keep", is_flag=True, help="Leave the lab standing afterwards, as `up` does.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--only", multiple=True, metavar="PART", help="This part of SCENARIO alone; may be given several times.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write what was measured to FILE, a page of Markdown, if every claim holds.",
)
@kubernetes_option
@build_beside
def run_command(
    scenario: str, keep: bool, output: str, only: tuple[str, ...], write: Path | None, kubernetes: bool, name: str
) -> None:
    """Prove every claim of SCENARIO, then remove the lab.

    Exits with 0 when every claim holds, 1 when one does not, 2 when no lab can be built here, 130 after Ctrl-C.

    \b
    Examples:
      herald lab run dual
      herald lab run dual --kubernetes
      herald lab run subsets -o json | jq '.sections[].claims[] | select(.ok | not)'
      herald lab run traffic --only drain --only power-off
    """
    from herald.lab import command

    found, place = _parts(_scenario(scenario), only), _place(name)
    if write is not None and found.page is None:
        raise click.UsageError(f"--write: {scenario} measures nothing that would make a page")
    platform = _platform(found, kubernetes)
    sys.exit(command.run(found, place, platform, keep=keep, as_json_text=output == "json", write=write))


@lab.command("up")
@click.argument("scenario", type=ScenarioName(), default="dual")
@kubernetes_option
@build_beside
def up_command(scenario: str, kubernetes: bool, name: str) -> None:
    """Build a lab and leave it standing.

    It is that of SCENARIO; dual, if none is named. Prints how to look around, and where to put manifests.

    \b
    Examples:
      herald lab up
      herald lab up multi-router
      herald lab up subsets --name b     beside another lab; `herald lab down --name b` removes it
    """
    from herald.lab import command

    found = _scenario(scenario)
    sys.exit(command.up(found, _place(name), _platform(found, kubernetes)))


@lab.command("down")
@name_option("The lab that was built with this --name.")
def down_command(name: str) -> None:
    """Remove the lab that stands.

    From whichever shell; also what a killed run left behind. Only what the lab itself made is removed.

    \b
    Examples:
      herald lab down
      herald lab down --name b
    """
    from herald.lab import command

    sys.exit(command.down(_place(name)))


@lab.command("list")
def list_command() -> None:
    """Show the scenarios, and the labs that stand.

    \b
    Example:
      herald lab list
    """
    from herald.lab import command

    sys.exit(command.overview())


@lab.command("shell")
@click.argument("machine", type=MachineName())
@name_option("The lab that was built with this --name.")
def shell_command(machine: str, name: str) -> None:
    """Open a shell on a machine of a standing lab.

    On a node, `herald show` asks the speaker of that node.

    \b
    Examples:
      herald lab shell client
      herald lab shell node-1
      herald lab shell --name b node-2
    """
    from herald.lab import command

    sys.exit(command.shell(_place(name), machine))
