"""Where on the API server each kind is read, and which of its objects."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from herald.api import scheme
from herald.api.bgp_peer import BGPPeer
from herald.cluster.endpoints import SERVICE_NAME_LABEL
from herald.store.store import KINDS

HEADLESS_LABEL = "service.kubernetes.io/headless"
_IN_OUR_NAMESPACE = frozenset({"Secret"})
_VERSIONS = {BGPPeer.__name__: "metallb.io/v1beta2"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a process reads. `namespace` is Herald's: custom resources and Secrets of others are not seen.

    `load_balancers_only`: no Service of another type is kept; API servers that can select by type (Kubernetes 1.31
    or newer) send none. Without it those come as well that are no load balancers any more and have something to clear.
    `with_status`: the status of custom resources is kept.
    """

    namespace: str
    load_balancers_only: bool = False
    with_status: bool = True
    kinds: frozenset[str] = frozenset(KINDS)

    @classmethod
    def of_controller(cls, namespace: str) -> "Scope":
        """What the controller reads."""
        return cls(namespace)

    @classmethod
    def of_speaker(cls, namespace: str) -> "Scope":
        """What a speaker reads: the controller's writes to statuses of custom resources are no news to it."""
        return cls(namespace, load_balancers_only=True, with_status=False)


@dataclass(frozen=True, slots=True)
class Source:
    """One kind, at one path, with the selectors that narrow it down.

    `fallback`: those for API servers that do not know the first ones; None if all of them do.
    """

    kind: str
    resource: str
    path: str
    selectors: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    fallback: Mapping[str, str] | None = None

    @property
    def where(self) -> str:
        """For messages: `services in all namespaces`."""
        return f"{self.resource} in {f'namespace {self.namespace}' if self.namespace else 'the whole cluster'}"


def sources(scope: Scope, kinds: Collection[str]) -> dict[str, Source]:
    """Of what is asked for, everything that the scope has."""
    return {name: _source(kind_of(name), scope) for name in KINDS if name in kinds and name in scope.kinds}


def kind_of(name: str) -> scheme.Kind:
    """The stored version of a kind."""
    return next(
        kind
        for kind in scheme.KINDS
        if kind.kind == name and kind.to_storage is None and kind.api_version == _VERSIONS.get(name, kind.api_version)
    )


def _source(kind: scheme.Kind, scope: Scope) -> Source:
    is_ours = kind.is_custom or kind.kind in _IN_OUR_NAMESPACE
    root, plural = kind.path.rsplit("/", 1)
    selectors = _selectors(kind.kind, scope)
    return Source(
        kind=kind.kind,
        resource=f"{plural}.{kind.group}" if kind.group else plural,
        path=f"{root}/namespaces/{scope.namespace}/{plural}" if is_ours else kind.path,
        selectors=selectors,
        namespace=scope.namespace if is_ours else "",
        fallback={} if "fieldSelector" in selectors else None,
    )


def _selectors(kind: str, scope: Scope) -> dict[str, str]:
    if kind == "Service" and scope.load_balancers_only:
        return {"fieldSelector": "spec.type=LoadBalancer"}
    if kind == "EndpointSlice":
        # Slices of nobody, and those of headless Services, which cannot be load balancers.
        return {"labelSelector": f"{SERVICE_NAME_LABEL},!{HEADLESS_LABEL}"}
    return {}
