"""BGPSessionStatus `metallb.io/v1beta1`: how the BGP session of one node with one peer stands. Written by speakers.

Where the speaker cannot say any more how its sessions stand, for its node is dead, the controller says `Unknown`.

An addition of Herald's. Nothing in it changes while the session stands as it does: the time of the last change says
for how long that has been so.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from herald.api.schema import described
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name

SessionState: TypeAlias = Literal["Established", "Connecting", "Down", "NotPossible", "Unknown"]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class BGPSessionStatusSpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Nothing is configured here."""


class BGPSessionStatusStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """The session as the node sees it."""

    node: Annotated[str, described("The node.")] = ""
    peer: Annotated[str, described("Name of the BGPPeer.")] = ""
    address: Annotated[str, described("Address and port of the peer, e.g. 10.0.0.1:179.")] = ""
    state: Annotated[
        SessionState | None,
        described(
            "Established; Connecting: not yet up, and nothing went wrong so far; Down: lastError says why;"
            " NotPossible: this version cannot open it; Unknown: the controller has not heard of the node's speaker."
        ),
    ] = None
    since: Annotated[
        str | None,
        msgspec.Meta(extra_json_schema={"format": "date-time"}),
        described("When the state changed last, RFC 3339."),
    ] = None
    last_error: Annotated[
        str, described("Why the session is not up, which routes it does not carry, or why the last one ended.")
    ] = ""
    prefixes_sent: Annotated[Count, described("Prefixes the peer has been sent on this session.")] = 0
    bfd: Annotated[str, described("State of the BFD session that watches over it; empty without one.")] = ""


class BGPSessionStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Says how the BGP session of a node with a peer stands."""

    metadata: ObjectMeta = ObjectMeta()
    spec: BGPSessionStatusSpec = BGPSessionStatusSpec()
    status: BGPSessionStatusStatus = BGPSessionStatusStatus()
