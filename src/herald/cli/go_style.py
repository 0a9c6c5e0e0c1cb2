"""Commands that take their options as Go programs do, so that the arguments of MetalLB's manifests work unchanged.

-node-name n1     --node-name=n1     --ignore-exclude-lb=true     --ignore-exclude-lb=false
"""

from itertools import islice

import click

_TRUE = frozenset({"1", "t", "true"})
_FALSE = frozenset({"0", "f", "false"})


class GoStyleCommand(click.Command):
    """A command whose long options may have one dash, and whose switches may have a value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        flags, others = _long_names(self)
        return super().parse_args(ctx, translated(args, flags, others))


def translated(args: list[str], flags: frozenset[str], others: frozenset[str]) -> list[str]:
    """The arguments as click wants them; `flags` and `others` are the names of options, without dashes.

    What follows an option that takes a value is that value, whatever it looks like.
    """
    found: list[str] = []
    waiting = iter(args)
    for word in waiting:
        if word == "--":
            return [*found, word, *waiting]
        dashes, name, value = _parts(word)
        if dashes and name in flags and value is not None and value.lower() in _TRUE | _FALSE:
            found += [f"--{name}"] if value.lower() in _TRUE else []
        elif dashes and name in flags | others:
            found.append(f"--{name}" if value is None else f"--{name}={value}")
            found += islice(waiting, 1) if value is None and name in others else ()
        else:
            found.append(word)
    return found


def _parts(word: str) -> tuple[bool, str, str | None]:
    """Whether the word is a long option, its name and its value. One letter behind one dash is a short option."""
    name, equals, value = word.lstrip("-").partition("=")
    dashes = len(word) - len(word.lstrip("-"))
    return dashes in (1, 2) and len(name) > 1, name, value if equals else None


def _long_names(command: click.Command) -> tuple[frozenset[str], frozenset[str]]:
    flags: set[str] = set()
    others: set[str] = set()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            names = {name[2:] for name in parameter.opts if name.startswith("--")}
            (flags if parameter.is_flag else others).update(names)
    return frozenset(flags | {"help"}), frozenset(others)
