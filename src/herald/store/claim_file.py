"""Addresses that services have been given, apart from their statuses: `.herald/claims/<namespace>.<name>.json`.

    {"addresses": ["192.168.1.200", "fd00::200"]}

If a status is wiped, by hand or by a restore, the service gets the same addresses again.
"""

from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from herald.cluster.meta import NamespacedName
from herald.store.store import Claim


class _ClaimFile(msgspec.Struct, frozen=True):
    addresses: tuple[str, ...]


def file_name(service: NamespacedName) -> str:
    """The claim file of a service. Names are quoted, so that none leads out of the folder."""
    return f"{quote(service.namespace, safe='')}.{quote(service.name, safe='')}.json"


def service_of(path: Path) -> NamespacedName | None:
    """The service whose claim file this is; None for any other file."""
    namespace, dot, name = path.name.removesuffix(".json").partition(".")
    if path.suffix != ".json" or not dot or not namespace:
        return None
    return NamespacedName(unquote(namespace), unquote(name))


def encode(claim: Claim) -> bytes:
    return msgspec.json.encode(_ClaimFile(claim)) + b"\n"


def decode(content: bytes) -> Claim:
    """The claim that a file keeps. Raises msgspec.DecodeError."""
    return msgspec.json.decode(content, type=_ClaimFile).addresses


def read_all(folder: Path) -> dict[NamespacedName, Claim]:
    """Every claim in the folder. A file that is not one is passed over. Raises OSError."""
    if not folder.is_dir():
        return {}
    found = {}
    for path in folder.iterdir():
        service = service_of(path)
        if service is not None and not path.name.startswith("."):
            try:
                found[service] = decode(path.read_bytes())
            except msgspec.DecodeError:
                continue
    return found
