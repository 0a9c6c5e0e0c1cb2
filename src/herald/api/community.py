"""Community `metallb.io/v1beta1`: names for BGP communities, usable in BGPAdvertisements."""

from typing import Annotated

import msgspec

from herald.api.schema import described
from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name


class CommunityAlias(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """One name for one community."""

    name: Annotated[str, described("The name, unique over all Community objects.")] = ""
    value: Annotated[
        str, described("The community: 65000:100, large:65000:1:2, or extended:rt:65000:100 (of Herald's own).")
    ] = ""


class CommunitySpec(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Any number of names."""

    communities: Annotated[tuple[CommunityAlias, ...], described("The names and what they stand for.")] = ()


class CommunityStatus(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Nothing is reported here."""


class Community(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """Names for BGP communities."""

    metadata: ObjectMeta = ObjectMeta()
    spec: CommunitySpec = CommunitySpec()
    status: CommunityStatus = CommunityStatus()
