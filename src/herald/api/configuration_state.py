"""ConfigurationState `metallb.io/v1beta1`: whether the controller or a speaker could use the configuration."""

from typing import Annotated, Literal

import msgspec

from herald.api.schema import MAX_INT64, described
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name

_TYPE_PATTERN = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
_REASON_PATTERN = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
Generation = Annotated[int, msgspec.Meta(ge=0, le=MAX_INT64, extra_json_schema={"format": "int64", "maximum": None})]


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """One aspect of the state, with the reason and the time of its last change (Kubernetes' Condition)."""

    type: Annotated[str, msgspec.Meta(max_length=316, pattern=_TYPE_PATTERN), described("The aspect, in CamelCase.")]
    status: Annotated[Literal["True", "False", "Unknown"], described("Whether it holds.")]
    reason: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=1024, pattern=_REASON_PATTERN),
        described("The reason of the last change, one word in CamelCase."),
    ]
    message: Annotated[str, msgspec.Meta(max_length=32768), described("The same for people; may be empty.")]
    last_transition_time: Annotated[
        str,
        msgspec.Meta(extra_json_schema={"format": "date-time"}),
        described("When the status changed last, RFC 3339."),
    ]
    observed_generation: Annotated[Generation | None, described("Generation of the object that was looked at.")] = None


class ConfigurationStateStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """The verdict and what it rests on."""

    result: Annotated[Literal["Valid", "Invalid", "Unknown"] | None, described("The verdict over all conditions.")] = (
        None
    )
    error_summary: Annotated[str, described("What is wrong, one line per failing condition; empty when valid.")] = ""
    conditions: Annotated[
        tuple[Condition, ...],
        msgspec.Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
        described("The conditions, one per type."),
    ] = ()


class ConfigurationState(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Says whether a component could use the configuration."""

    metadata: ObjectMeta = ObjectMeta()
    status: ConfigurationStateStatus = ConfigurationStateStatus()
