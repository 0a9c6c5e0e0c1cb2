"""`herald`, and `kubectl herald`: one command, many subcommands, each imported only when it runs.

`herald --help` and shell completion of the first word import no subcommand: names and short helps stand here. A
subcommand `x` is the click command `x` in `herald.cli.x`.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import click
import click.shell_completion

import herald

SECTIONS: dict[str, dict[str, str]] = {
    "Ask offline": {
        "plan": "What would be assigned and announced, by whom, to whom.",
        "diff": "Who would move, lose or gain an address or a route.",
        "lint": "What is wrong or risky in manifests; exit 1 on errors.",
        "explain": "Why (not): one service, address, pool, peer or node.",
        "crds": "The CustomResourceDefinitions, to kubectl apply.",
        "manifests": "Everything that runs Herald in a cluster, to kubectl apply.",
    },
    "Run": {
        "controller": "Hand out addresses to Services.",
        "speaker": "Announce addresses from this node.",
        "standalone": "Controller and speaker in one, on a folder of manifests.",
    },
    "Operate": {
        "drain": "Take a node out of service in good order, before a reboot.",
    },
    "Look at what runs": {
        "show": "The local speaker, live: sessions, routes, Layer 2, members.",
        "history": "What became of each address on the local node, and why.",
        "doctor": "What about this host keeps addresses from working, and how to fix it.",
        "vtysh": "FRR's show commands, answered by the local speaker.",
    },
    "Try it out": {
        "lab": "A small data centre in network namespaces on this machine.",
    },
}

COMPLETE_VAR = "_HERALD_COMPLETE"
EPILOG = """\b
Shell completion:
  bash   eval "$(_HERALD_COMPLETE=bash_source herald)"
  zsh    eval "$(_HERALD_COMPLETE=zsh_source herald)"
  fish   _HERALD_COMPLETE=fish_source herald | source
Put the line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.

\b
Installed as kubectl-herald, the same command is a kubectl plugin: kubectl herald plan -f .
"""


class LazyGroup(click.Group):
    """A group that knows its subcommands by name and imports one when it is asked for."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """As `click.Group.main`; called as kubectl-herald, help speaks of `kubectl herald`."""
        if extra.get("prog_name") is None and Path(sys.argv[0]).name.startswith("kubectl-herald"):
            extra["prog_name"] = "kubectl herald"
        extra["complete_var"] = extra.get("complete_var") or COMPLETE_VAR
        return super().main(*args, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = getattr(importlib.import_module(f"herald.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As `click.Group.resolve_command`; for a command that does not exist, with the one that may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from herald.config.nearest import suggestion

            hint = suggestion(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message.removesuffix('.')}{hint or '.'}", ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[click.shell_completion.CompletionItem]:
        item = click.shell_completion.CompletionItem
        known = {name: words for section in SECTIONS.values() for name, words in section.items()}
        commands = [item(name, help=words) for name, words in known.items() if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(herald.__version__, "--version", prog_name="herald", message="%(prog)s %(version)s")
def main() -> None:
    """LoadBalancer addresses for bare-metal Kubernetes and plain Linux hosts, by ARP and BGP.

    Reads MetalLB's resources (metallb.io) as they are.

    \b
    Examples:
      herald plan -f manifests/
      kubectl get nodes,svc,endpointslices -A -o yaml | herald plan -f manifests/ -f -
      herald explain svc default/web -f manifests/
    """


if __name__ == "__main__":
    main(prog_name="herald")
