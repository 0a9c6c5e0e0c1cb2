"""What the webhooks know of the cluster when they are asked."""

from dataclasses import dataclass, field

from herald.cluster.meta import NodeName
from herald.config.compile import DEFAULT_NAMESPACE
from herald.config.resources import Resources


@dataclass(frozen=True, slots=True)
class World:
    """The caches of the controller at one moment, Services included.

    `members` are the nodes with a live speaker, None if that is not known. `knows_secrets`: whether a Secret that is
    not among `resources` does not exist; the controller need not watch Secrets. `is_complete`: whether everything else
    that is not among them does not exist; not so while a kind could not be listed yet.
    """

    resources: Resources = field(default_factory=Resources)
    namespace: str = DEFAULT_NAMESPACE
    members: frozenset[NodeName] | None = None
    load_balancer_class: str | None = None
    ignore_exclude_lb: bool = False
    knows_secrets: bool = False
    is_complete: bool = True
