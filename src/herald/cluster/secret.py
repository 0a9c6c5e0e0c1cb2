"""A Secret of a BGP peer. Its contents never reach a repr, a log or a dump."""

import base64
from typing import Annotated

import msgspec

from herald.cluster.meta import NamespacedName, ObjectMeta
from herald.cluster.wire import SECRET, wire_name

BASIC_AUTH = "kubernetes.io/basic-auth"
_SOPS = "ENC[AES256_GCM,"
_LINE_ENDS = str.maketrans("", "", "\r\n")


class Secret(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """`data` is base64 text, `stringData` plain text as manifests may have it."""

    metadata: ObjectMeta = ObjectMeta()
    type: str = "Opaque"
    data: Annotated[dict[str, str], SECRET] = {}
    string_data: Annotated[dict[str, str], SECRET] = {}

    @property
    def key(self) -> NamespacedName:
        return self.metadata.key

    def is_encrypted(self, name: str) -> bool:
        """Whether SOPS has encrypted what is under `name`, as in a repository of manifests."""
        return self.string_data.get(name, self.data.get(name, "")).startswith(_SOPS)

    def value(self, name: str) -> str | None:
        """The plain text under `name`, or None. Raises ValueError if it is not base64 of UTF-8 text."""
        if name in self.string_data:
            return self.string_data[name]
        if name not in self.data:
            return None
        try:
            # Line ends are no fault: manifests wrap long values, and a block scalar (`|`) ends with one.
            return base64.b64decode(self.data[name].translate(_LINE_ENDS), validate=True).decode()
        except ValueError:
            # A chained error would carry the secret's bytes.
            raise ValueError(f"data[{name}] is not base64 of UTF-8 text") from None

    def __repr__(self) -> str:
        return f"Secret({self.key}, type={self.type!r}, keys={sorted({*self.data, *self.string_data})})"
