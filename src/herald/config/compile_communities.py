"""Communities → aliases: names for BGP communities, unique over all objects."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from herald.api import community as api
from herald.bgp.community import AnyCommunity, CommunityFormatError, CommunityValueError, parse_community
from herald.config.findings import Findings


@dataclass(frozen=True, slots=True)
class Alias:
    """What a name stands for, and the object that says so."""

    community: AnyCommunity
    owner: api.Community


def community_compiler() -> Callable[[api.Community, Findings], Mapping[str, Alias] | None]:
    """Compiles Communities one after the other; a later object that defines a name again is refused."""
    defined: dict[str, Alias] = {}

    def compile_community(resource: api.Community, found: Findings) -> Mapping[str, Alias] | None:
        own: dict[str, Alias] = {}
        for index, entry in enumerate(resource.spec.communities):
            field = f"spec.communities[{index}]"
            _check_name(entry.name, f"{field}.name", defined, own, found)
            try:
                own[entry.name] = Alias(parse_community(entry.value), resource)
            except (CommunityFormatError, CommunityValueError) as error:
                found.add("HL320", f"{field}.value", f'parsing community "{entry.name}": {error}')
        if found.fatal:
            return None
        defined.update(own)
        return own

    return compile_community


def _check_name(name: str, field: str, defined: Mapping[str, Alias], own: Mapping[str, Alias], found: Findings) -> None:
    if name in own:
        found.add("HL321", field, f'duplicate definition of community "{name}" in this object')
    elif name in defined:
        owner = defined[name].owner.metadata.name
        found.add("HL321", field, f'duplicate definition of community "{name}": Community "{owner}" defines it already')
    elif ":" in name and not _is_literal(name):
        found.add(
            "HL322", field, f'"{name}" can never be used: an entry with a colon is read as a literal, not as an alias'
        )


def _is_literal(text: str) -> bool:
    try:
        parse_community(text)
    except (CommunityFormatError, CommunityValueError):
        return False
    return True
