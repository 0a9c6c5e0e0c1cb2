"""What an API server answers, read as what was asked for.

Anybody may answer in its place: a proxy, a load balancer without a backend, a portal. Their 200 with a page is no word
of the API server; whether it has done what was asked is not known, and it is asked again as after no answer at all.
"""

from typing import TypeVar

import msgspec

from herald.store.kubernetes.watch_events import NO_JSON
from herald.store.store import StoreError

T = TypeVar("T")


class UnreadableError(StoreError):
    """The answer is none of the API server's words."""


def read_answer(content: bytes, kind: type[T], what: str) -> T:
    """`content` as a `kind`. Raises UnreadableError, with `what`: the path that was asked."""
    try:
        return msgspec.json.decode(content, type=kind)
    except NO_JSON as error:
        raise UnreadableError(f"{what}: the answer cannot be read: {error}") from error
