"""AdmissionReview `admission.k8s.io/v1` on the wire: the question of the API server and our answer.

    {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
     "request":  {"uid": …, "kind": {group, version, kind}, "operation": "CREATE", "object": {…}, "oldObject": null, …}}
     "response": {"uid": …, "allowed": false, "status": {"code": 403, "reason": …, "message": …}, "warnings": […]}

What the API server does with warnings: all of them together may have 4096 characters, else each is cut to 256; control
characters lose the whole warning. `bounded` keeps within that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
LONGEST_WARNING = 256
MOST_WARNINGS = 12
LONGEST_MESSAGE = 4000


class ReviewError(ValueError):
    """A body that is no AdmissionReview. The message says why."""


class GroupVersionKind(msgspec.Struct, frozen=True):
    """Which kind, in which version."""

    kind: str
    version: str = ""
    group: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class AdmissionRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is asked. `object` is missing for DELETE, `old_object` for CREATE.

    `request_kind` is the version that the client wrote, `kind` the one to which it was converted for us.
    """

    uid: str
    kind: GroupVersionKind
    request_kind: GroupVersionKind | None = None
    sub_resource: str = ""
    operation: str
    name: str = ""
    namespace: str = ""
    object: Any = None
    old_object: Any = None
    dry_run: bool | None = None


class _Question(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    api_version: str
    kind: str
    request: AdmissionRequest


@dataclass(frozen=True, slots=True)
class Review:
    """The answer: whether the object may be stored. `code`, `reason` and `message` say why not."""

    allowed: bool
    message: str = ""
    warnings: tuple[str, ...] = ()
    code: int = 200
    reason: str = ""

    @classmethod
    def forbidden(cls, message: str, warnings: tuple[str, ...] = ()) -> "Review":
        """The object breaks a rule."""
        return cls(False, message, warnings, 403, "Forbidden")

    @classmethod
    def bad_request(cls, message: str) -> "Review":
        """The object is none of the kind that it should be."""
        return cls(False, message, (), 400, "BadRequest")


def decode(body: bytes) -> AdmissionRequest:
    """The question in `body`. Raises ReviewError."""
    try:
        question = msgspec.json.decode(body, type=_Question)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReviewError(f"not an {KIND}: {error}") from error
    if (question.api_version, question.kind) != (API_VERSION, KIND):
        raise ReviewError(f"{question.api_version} {question.kind} is not understood; {API_VERSION} {KIND} is")
    if not question.request.uid:
        raise ReviewError("request.uid is empty; an answer would not find its question")
    return question.request


def encode(request: AdmissionRequest, review: Review) -> bytes:
    """The answer to `request`."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": review.allowed}
    if not review.allowed:
        message = cut(review.message, LONGEST_MESSAGE)
        response["status"] = {
            "status": "Failure",
            "code": review.code,
            "reason": review.reason,
            "message": message,
        }
    warnings = bounded(review.warnings)
    if warnings:
        response["warnings"] = warnings
    return msgspec.json.encode({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def bounded(warnings: Iterable[str]) -> list[str]:
    """The warnings as the API server takes them: each on one line and short, and not too many of them."""
    texts = [cut(_one_line(text), LONGEST_WARNING) for text in dict.fromkeys(warnings)]
    if len(texts) <= MOST_WARNINGS:
        return texts
    hidden = len(texts) - MOST_WARNINGS + 1
    return [*texts[: MOST_WARNINGS - 1], f"and {hidden} more; `herald lint` on all manifests lists everything"]


def cut(text: str, longest: int) -> str:
    """`text`, if need be only its first sentences, or its beginning and `…`, in at most `longest` characters."""
    if len(text) <= longest:
        return text
    sentences = max(text.rfind(end, 0, longest - 1) for end in (". ", "? "))
    if sentences >= longest // 3:
        return text[: sentences + 1] + " …"
    return text[: longest - 1].rpartition(" ")[0] + "…" if " " in text[: longest - 1] else text[: longest - 1] + "…"


def _one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
