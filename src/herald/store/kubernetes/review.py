"""Who may read /metrics: the API server is asked who the bearer of a token is, and whether he may.

A TokenReview, then a SubjectAccessReview for `get` on the non-resource URL. Both answers are kept for a while, by a
digest of the token and never by the token. Who sends one invented token after the other must cost the API server
little: so many are asked about at a time and in a minute, and the rest are turned away.
"""

import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

import msgspec

from herald.observe.metrics_server import PATH, CannotReviewError, Verdict
from herald.store.kubernetes.answer import read_answer
from herald.store.kubernetes.client import ApiClient
from herald.store.store import StoreError

ALLOWED_S: Final = 60.0
REFUSED_S: Final = 10.0
"""How long an answer is kept. A right that was just granted should count soon."""
MOST_KEPT: Final = 256
AT_ONCE: Final = 4
PER_MINUTE: Final = 120

_TOKEN_REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105  # a path
_ACCESS_REVIEWS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class _User(msgspec.Struct, frozen=True):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class _TokenStatus(msgspec.Struct, frozen=True):
    authenticated: bool = False
    user: _User = _User()
    error: str = ""


class _TokenReview(msgspec.Struct, frozen=True):
    status: _TokenStatus = _TokenStatus()


class _AccessStatus(msgspec.Struct, frozen=True):
    allowed: bool = False


class _AccessReview(msgspec.Struct, frozen=True):
    status: _AccessStatus = _AccessStatus()


class Reviewer:
    """Judges bearer tokens; an instance is an `herald.observe.metrics_server.Authorise`."""

    def __init__(self, client: ApiClient, *, path: str = PATH, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._path = path
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[Verdict, float]] = OrderedDict()
        self._asked_at: deque[float] = deque()
        self._under_way = 0

    async def __call__(self, token: str) -> Verdict:
        """What the API server says of the bearer. Raises CannotReviewError."""
        key, now = hashlib.sha256(token.encode()).digest(), self._clock()
        verdict, until = self._kept.get(key, (Verdict.UNKNOWN, float("-inf")))
        if now < until:
            return verdict
        if verdict is not Verdict.ALLOWED:  # whoever was allowed before is not to suffer from strangers
            self._admit(now)
        self._under_way += 1
        try:
            verdict = await self._ask(token)
        except StoreError as error:
            raise CannotReviewError(str(error)) from error
        finally:
            self._under_way -= 1
        self._keep(key, verdict)
        return verdict

    def _admit(self, now: float) -> None:
        while self._asked_at and self._asked_at[0] <= now - 60.0:
            self._asked_at.popleft()
        if self._under_way >= AT_ONCE or len(self._asked_at) >= PER_MINUTE:
            raise CannotReviewError("too many callers whose tokens are not known yet")
        self._asked_at.append(now)

    def _keep(self, key: bytes, verdict: Verdict) -> None:
        seconds = ALLOWED_S if verdict is Verdict.ALLOWED else REFUSED_S
        self._kept[key] = verdict, self._clock() + seconds
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    async def _ask(self, token: str) -> Verdict:
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        who = read_answer(await self._client.create(_TOKEN_REVIEWS, asked), _TokenReview, _TOKEN_REVIEWS).status
        if not who.authenticated:
            return Verdict.UNKNOWN
        answer = await self._client.create(_ACCESS_REVIEWS, self._access_review(who.user))
        may = read_answer(answer, _AccessReview, _ACCESS_REVIEWS)
        return Verdict.ALLOWED if may.status.allowed else Verdict.FORBIDDEN

    def _access_review(self, user: _User) -> object:
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user.username,
                "uid": user.uid,
                "groups": user.groups,
                "extra": user.extra,
                "nonResourceAttributes": {"path": self._path, "verb": "get"},
            },
        }


__all__ = ["Reviewer"]
