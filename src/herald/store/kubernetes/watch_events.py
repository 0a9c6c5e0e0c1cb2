"""What a `WatchMachine` is told, and what it wants or has found out.

Events come from the shell; effects go back to it: at most one request among them, as the last, and facts for whoever
keeps the objects.
"""

from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from herald.cluster.wire import wire_name

NO_JSON = (msgspec.DecodeError, UnicodeDecodeError)
"""What decoding raises: for texts that are not UTF-8 msgspec has no error of its own."""
SILENCE_S = 120.0
"""A server sends bookmarks, but none where nothing at all happens. After this long it is asked anew; that is cheap."""


def is_passing(status: int) -> bool:
    """Whether a server that answers so is not well, or has too much to do, and may accept the same later."""
    return status in (408, 429) or status >= 500


# Events.


@dataclass(frozen=True, slots=True)
class PageCame:
    """The answer to `Fetch`."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to `Follow` has begun."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Octets of the answer to `Follow`, cut anywhere."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer to `Follow` has ended in good order."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered with an error: `status` as in HTTP, `reason` its word for it."""

    status: int
    reason: str
    message: str

    @property
    def is_passing(self) -> bool:
        """Whether the refusal says nothing of what was asked for; see `is_passing`."""
        return is_passing(self.status)


@dataclass(frozen=True, slots=True)
class Cut:
    """No answer, the connection broke, or nothing came for `silence_s`."""

    message: str


Event: TypeAlias = PageCame | Opened | Chunk | Ended | Refused | Cut


# Effects.


@dataclass(frozen=True, slots=True)
class Fetch:
    """GET a page."""

    params: dict[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Follow:
    """GET a watch, and give it up when nothing comes for `silence_s`."""

    params: dict[str, str | int | bool]
    silence_s: float = SILENCE_S


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename=wire_name):
    """What of `metadata` says which object it is, and which version of it."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class ListBegun:
    """All objects are about to come by `Present`. Any list before that has not ended never will."""


@dataclass(frozen=True, slots=True)
class Present:
    """An object of the list."""

    identity: Identity
    raw: msgspec.Raw


@dataclass(frozen=True, slots=True)
class ListEnded:
    """What has not been `Present` since `ListBegun` is gone."""


@dataclass(frozen=True, slots=True)
class Put:
    """An object was created or changed."""

    identity: Identity
    raw: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Remove:
    """An object was deleted."""

    identity: Identity


@dataclass(frozen=True, slots=True)
class Trouble:
    """The kind cannot be followed at present, and `while_doing` (list or watch) is what failed. It will be retried."""

    cause: Refused | Cut
    while_doing: str


@dataclass(frozen=True, slots=True)
class Following:
    """The kind is followed from now on: no trouble any more."""


Fact: TypeAlias = ListBegun | Present | ListEnded | Put | Remove | Trouble | Following
Effect: TypeAlias = Fetch | Follow | Fact
