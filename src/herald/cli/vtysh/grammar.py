"""The commands that are known, and how FRR's vtysh understands what was typed: any word may be cut short.

A command is a row of words; a word in capitals stands for something that is typed in its place. Words are followed one
by one: what is exactly a keyword is that keyword, otherwise it may begin one, and two are ambiguous.
"""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Final


class Verb(Enum):
    """What is to be done."""

    SUMMARY = "summary"
    TABLE = "table"
    ENTRY = "entry"
    NEIGHBORS = "neighbors"
    ADVERTISED = "advertised"
    BFD_PEERS = "bfd peers"
    BFD_BRIEF = "bfd brief"
    BFD_COUNTERS = "bfd counters"
    BFD_PEER = "bfd peer"
    VERSION = "version"
    RUNNING_CONFIG = "running-config"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Command:
    """`version` is the IP version that is asked about, None for both. `argument` is an address, a prefix or an
    interface as typed.
    """

    verb: Verb
    version: int | None = None
    argument: str | None = None
    json: bool = False


class NotUnderstoodError(Exception):
    """The text is what FRR would print."""


@dataclass(slots=True)
class _Node:
    following: dict[str, "_Node"] = field(default_factory=dict)
    end: tuple[Verb, int | None] | None = None


_VARIABLES: Final = frozenset({"PREFIX", "ADDRESS", "NEIGHBOR", "NUMBER"})


def _add(root: _Node, words: str, verb: Verb, version: int | None = None, *, json: bool = True) -> None:
    for line in (words, f"{words} json") if json else (words,):
        node = root
        for word in line.split():
            node = node.following.setdefault(word, _Node())
        node.end = (verb, version)


def _tree() -> _Node:
    root = _Node()
    tables: list[tuple[str, int | None]] = [("show bgp", None), ("show ip bgp", 4)]
    tables += [
        (f"show bgp {family}{safi}", version)
        for family, version in (("ipv4", 4), ("ipv6", 6))
        for safi in (" unicast", "")
    ]
    vrfs = ("", " vrf default", " vrf all")
    for (words, version), vrf in product(tables, vrfs):
        start = words.replace("bgp", f"bgp{vrf}")
        # FRR takes a bare `show bgp` for IPv6, its summary and its neighbors for both.
        _add(root, start, Verb.TABLE, version or 6)
        _add(root, f"{start} summary", Verb.SUMMARY, version)
        _add(root, f"{start} PREFIX", Verb.ENTRY, version)
        _add(root, f"{start} neighbors", Verb.NEIGHBORS, version)
        _add(root, f"{start} neighbors NEIGHBOR", Verb.NEIGHBORS, version)
        _add(root, f"{start} neighbors NEIGHBOR advertised-routes", Verb.ADVERTISED, version)
    for vrf in vrfs:
        _add(root, f"show bfd{vrf} peers", Verb.BFD_PEERS)
        _add(root, f"show bfd{vrf} peers counters", Verb.BFD_COUNTERS)
        _add(root, f"show bfd{vrf} peers brief", Verb.BFD_BRIEF)
        _add(root, f"show bfd{vrf} peer ADDRESS", Verb.BFD_PEER)
    _add(root, "show version", Verb.VERSION, json=False)
    _add(root, "show running-config", Verb.RUNNING_CONFIG, json=False)
    for words in ("enable", "disable", "exit", "quit", "end", "terminal length NUMBER", "terminal paginate"):
        _add(root, words, Verb.NOTHING, json=False)
    return root


_ROOT: Final = _tree()


def parse(line: str) -> Command:
    """What `line` asks for. Raises NotUnderstoodError."""
    node, argument, last = _ROOT, None, ""
    for word in line.split():
        keyword = _match(node, word, line)
        if keyword in _VARIABLES:
            argument = word
        node, last = node.following[keyword], keyword
    if not line.strip():
        return Command(Verb.NOTHING)
    if node.end is None:
        raise NotUnderstoodError(f"% Command incomplete: {line}")
    verb, version = node.end
    return Command(verb, version, argument, json=last == "json")


def _match(node: _Node, word: str, line: str) -> str:
    if word in node.following and word not in _VARIABLES:
        return word
    keywords = [each for each in node.following if each not in _VARIABLES and each.startswith(word)]
    if len(keywords) > 1:
        raise NotUnderstoodError(f"% Ambiguous command: {line}")
    variables = [each for each in node.following if each in _VARIABLES and _fits(each, word)]
    for found in (*keywords, *variables):
        return found
    raise NotUnderstoodError(f"% Unknown command: {line}")


def _fits(variable: str, word: str) -> bool:
    try:
        match variable:
            case "PREFIX":
                ip_network(word, strict=False)
            case "ADDRESS":
                ip_address(word)
            case "NEIGHBOR":  # an address, or the interface of an unnumbered peer
                return word[:1].isalpha() or bool(ip_address(word))
            case _:
                return word.isdecimal()
    except ValueError:
        return False
    return True
