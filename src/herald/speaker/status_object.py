"""The status objects that a speaker writes, as values, and how they stand on the wire.

    kind                  subject      essence                                      object
    ConfigurationState                 Judgement                                    speaker-NODE
    BGPSessionStatus      peer         SessionReport                                NODE-PEER-DIGEST
    ServiceL2Status       ns/name      Answering                                    l2-DIGEST
    ServiceBGPStatus      ns/name      names of peers, at least one                 bgp-DIGEST

An *essence* is what may differ between two moments; the rest follows from the node and the subject. MetalLB lets the
API server draw the last two names and finds objects by their labels; so do its clients. Here the names are fixed, so
that a write which is repeated cannot make a second object, and objects under other names are adopted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, TypeAlias, assert_never

from herald.api.bgp_session_status import SessionState
from herald.api.status_label import LABEL_NODE as LABEL_NODE
from herald.api.status_label import digest, shortened
from herald.api.status_label import label_value as label_value
from herald.cluster.meta import NodeName

LABEL_PEER: Final = "metallb.io/peer"
LABEL_SERVICE: Final = "metallb.io/service-name"
LABEL_NAMESPACE: Final = "metallb.io/service-namespace"
LABEL_COMPONENT: Final = "metallb.io/component-type"
LABEL_NODE_NAME: Final = "metallb.io/node-name"
LONGEST_NAME: Final = 253
_DIGITS_OF_PAIR: Final = 8
"""Enough where the rest of the name is the same only for few: `a` with `b-c` and `a-b` with `c`."""
_DIGITS_OF_SERVICE: Final = 16
"""A hundred nodes with ten thousand services make a million objects: with 10 digits two of them would share a name."""


class StatusKind(Enum):
    """In the order in which they are written: what concerns everything comes first."""

    CONFIGURATION = "ConfigurationState"
    SESSION = "BGPSessionStatus"
    LAYER2 = "ServiceL2Status"
    BGP = "ServiceBGPStatus"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the configuration could be used; `message` says what could not, and is empty if nothing is wrong.

    `unreachable`, one line each: the ways between this speaker and others on which gossip does not arrive.

    `judged_at` and `unreachable_at` are when either began or ceased to be empty, RFC 3339; empty: not known. They are
    no part of what is wanted: nothing is written for their sake.
    """

    message: str = ""
    unreachable: str = ""
    judged_at: str = field(default="", compare=False)
    unreachable_at: str = field(default="", compare=False)

    @property
    def is_valid(self) -> bool:
        return not self.message

    def dated(self, before: "Judgement | None", time: str) -> "Judgement":
        """As it is to be written at `time` where `before` stands: what is (or is not) wrong still keeps its time."""
        judged_at = before.judged_at if before is not None and before.is_valid is self.is_valid else ""
        unreachable_at = before.unreachable_at if before is not None and before.unreachable else ""
        return replace(self, judged_at=judged_at or time, unreachable_at=unreachable_at or time)


@dataclass(frozen=True, slots=True)
class SessionReport:
    """A BGP session; see `herald.api.bgp_session_status`. `since` is RFC 3339, empty if it is not known."""

    peer: str
    address: str
    state: SessionState
    since: str = ""
    last_error: str = ""
    prefixes_sent: int = 0
    bfd: str = ""


Names: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """A station beside this node claims `ip`. `node`: who has that MAC, empty if it is not known.

    `since` is RFC 3339. It makes no difference: what stands in the cluster knows better than a speaker that restarted.
    """

    ip: str
    interface: str
    mac: str
    node: str = ""
    since: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Answering:
    """This node answers for a service, on all interfaces where none is named; `unanswered` are (address, why not)."""

    interfaces: Names = ()
    unanswered: tuple[tuple[str, str], ...] = ()
    conflicts: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one address that this node is to answer for: `unanswered` says why it is, if so, in words."""

    unanswered: str = ""
    claims: tuple[Claim, ...] = ()


Essence: TypeAlias = Names | Answering | SessionReport | Judgement


@dataclass(frozen=True, slots=True)
class Found:
    """An object of this node as it stands in the cluster.

    `is_exact` is False if something besides the essence is not as this speaker would write it, labels for instance.
    """

    name: str
    essence: Essence | None
    is_exact: bool = True


def labels(kind: StatusKind, node: NodeName, subject: str) -> dict[str, str]:
    """The labels by which the object is found."""
    match kind:
        case StatusKind.CONFIGURATION:
            return {LABEL_COMPONENT: "speaker", LABEL_NODE_NAME: label_value(node)}
        case StatusKind.SESSION:
            return {LABEL_NODE: label_value(node), LABEL_PEER: label_value(subject)}
        case StatusKind.LAYER2 | StatusKind.BGP:
            namespace, _, service = subject.partition("/")
            return {LABEL_NODE: label_value(node), LABEL_SERVICE: service, LABEL_NAMESPACE: namespace}
        case _ as never:
            assert_never(never)


def selector(kind: StatusKind, node: NodeName) -> str:
    """The label selector that finds the objects of `node`."""
    label = LABEL_NODE_NAME if kind is StatusKind.CONFIGURATION else LABEL_NODE
    return f"{label}={label_value(node)}"


def subject_of(kind: StatusKind, found: Mapping[str, str]) -> str | None:
    """The subject that the labels of an object name, as `label_value` has it; None if labels are missing."""
    match kind:
        case StatusKind.CONFIGURATION:
            return "" if found.get(LABEL_COMPONENT) == "speaker" else None
        case StatusKind.SESSION:
            return found.get(LABEL_PEER) or None
        case StatusKind.LAYER2 | StatusKind.BGP:
            namespace, service = found.get(LABEL_NAMESPACE), found.get(LABEL_SERVICE)
            return f"{namespace}/{service}" if namespace and service else None
        case _ as never:
            assert_never(never)


def object_name(kind: StatusKind, node: NodeName, subject: str) -> str:
    """The name under which the object is made."""
    match kind:
        case StatusKind.CONFIGURATION:
            return shortened(f"speaker-{node}", LONGEST_NAME)
        case StatusKind.SESSION:
            mark = digest(f"{node} {subject}", _DIGITS_OF_PAIR)
            return f"{shortened(f'{node}-{subject}', LONGEST_NAME - len(mark) - 1)}-{mark}"
        case StatusKind.LAYER2:
            return f"l2-{digest(f'{node} {subject}', _DIGITS_OF_SERVICE)}"
        case StatusKind.BGP:
            return f"bgp-{digest(f'{node} {subject}', _DIGITS_OF_SERVICE)}"
        case _ as never:
            assert_never(never)
