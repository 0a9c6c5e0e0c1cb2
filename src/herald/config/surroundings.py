"""What objects refer to in other objects: Secrets, BFD profiles, community aliases."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from herald.bfd.profile import BFDProfile
from herald.cluster.meta import NamespacedName
from herald.cluster.secret import Secret
from herald.config.compile_communities import Alias
from herald.config.findings import ObjectKey


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything valid that can be named. `left_out` holds what exists and cannot be used.

    `knows_secrets` False: of Secrets nothing is known, which is no fault of those that name one.
    """

    namespace: str
    secrets: Mapping[NamespacedName, Secret] = field(default_factory=dict)
    bfd_profiles: Mapping[str, BFDProfile] = field(default_factory=dict)
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    left_out: frozenset[ObjectKey] = frozenset()
    knows_secrets: bool = True

    def is_left_out(self, kind: str, name: str) -> bool:
        return ObjectKey(kind, self.namespace, name) in self.left_out

    def names_left_out(self, kind: str) -> frozenset[str]:
        return frozenset(key.name for key in self.left_out if key.kind == kind)
