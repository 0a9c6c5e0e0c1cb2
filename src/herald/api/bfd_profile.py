"""BFDProfile `metallb.io/v1beta1`: timers of the BFD sessions that watch over BGP sessions."""

from typing import Annotated, TypeAlias

import msgspec

from herald.api.schema import INT32, described
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name

IntervalMs: TypeAlias = Annotated[int, msgspec.Meta(ge=10, le=60000, extra_json_schema=INT32)]
Multiplier: TypeAlias = Annotated[int, msgspec.Meta(ge=2, le=255, extra_json_schema=INT32)]
TTL: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=254, extra_json_schema=INT32)]


class BFDProfileSpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Intervals in milliseconds. None: not set, the built-in default holds (300 ms, 300 ms, 3; echo 50 ms, TTL 254)."""

    receive_interval: Annotated[
        IntervalMs | None, described("Shortest interval in ms at which we can receive control packets.")
    ] = None
    transmit_interval: Annotated[
        IntervalMs | None, described("Shortest interval in ms at which we send control packets.")
    ] = None
    detect_multiplier: Annotated[
        Multiplier | None, described("Number of missed packets after which the peer is down.")
    ] = None
    echo_interval: Annotated[
        IntervalMs | None, described("Shortest interval in ms at which echo packets can be handled.")
    ] = None
    echo_mode: Annotated[bool, described("Sends echo packets, which the peer loops back.")] = False
    passive_mode: Annotated[bool, described("Waits for the peer's control packets before sending any.")] = False
    minimum_ttl: Annotated[
        TTL | None, described("Smallest TTL that a received control packet may have, for multi-hop sessions.")
    ] = None


class BFDProfileStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Nothing is reported here."""


class BFDProfile(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """How BFD (RFC 5880) watches over the sessions of the BGPPeers that name it."""

    metadata: ObjectMeta = ObjectMeta()
    spec: BFDProfileSpec = BFDProfileSpec()
    status: BFDProfileStatus = BFDProfileStatus()
