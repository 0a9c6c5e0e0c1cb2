"""A Namespace: its name and labels."""

import msgspec

from herald.cluster.meta import ObjectMeta
from herald.cluster.wire import wire_name


class Namespace(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    metadata: ObjectMeta = ObjectMeta()

    @property
    def name(self) -> str:
        return self.metadata.name
