"""What an input lacks, and how to see more of the plan.

Manifests in a repository rarely hold Nodes, EndpointSlices and Secrets, and often leave the namespace to kustomize.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from herald.cluster.meta import NamespacedName
from herald.config.peer_secrets import secret_names
from herald.report.expectation import lacks_endpoints, lacks_nodes
from herald.report.plan import Plan
from herald.report.table import Note, Tone

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml")


def hints(plan: Plan) -> tuple[Note, ...]:
    """One note for each thing that is missing, and that the plan would be fuller with."""
    return (*input_hints(plan), *_notes(_missing(plan)))


def input_hints(plan: Plan) -> tuple[Note, ...]:
    """One note for each thing that has to be made into manifests before it can be read."""
    return _notes(_unrendered(plan))


def _notes(texts: Iterable[str]) -> tuple[Note, ...]:
    return tuple(Note(f"Hint: {text}.", Tone.WARNING) for text in texts)


def _unrendered(plan: Plan) -> Iterable[str]:
    if folders := _kustomized(plan):
        yield (
            f"{folders[0]} is for kustomize, and bases, overlays and patches are read here as they stand: run "
            "`kubectl kustomize` (or `kustomize build`) and give its output to -f -"
        )
    if plan.origin.embedded:
        yield (
            f"{plan.origin.embedded[0]} holds address pools as values of a Helm chart, and they are not read: render "
            "the chart with `helm template` and give the output to -f -"
        )


def _missing(plan: Plan) -> Iterable[str]:
    elsewhere = {problem.namespace for problem in plan.problems if problem.rule == "HL030"}
    if len(elsewhere) == 1 and not plan.study.compiled.accepted:
        (name,) = elsewhere
        yield (
            f"every metallb.io object is in namespace {name}: if they are to be read there (MetalLB is installed in "
            f"it, or kubectl, kustomize or Helm sets another), use --namespace {name}"
        )
    if absent := _absent_secrets(plan):
        yield (
            f"the password in Secret {', '.join(absent)} is not in the input, and a BGPPeer needs it: if something "
            "else creates it (External Secrets, Sealed Secrets), add a Secret of that name"
        )
    if plan.services and lacks_nodes(plan):
        yield (
            "no Node is in the input, so it is open who announces: name the nodes with --members NODE,…, have them "
            "from a running speaker with --ask-speaker SOCKET, or add `kubectl get nodes -o yaml`"
        )
    if _lacks_labels(plan) and any(problem.rule == "HL080" for problem in plan.problems):
        yield (
            f"the nodes of {_naming_option(plan)} have no label but their name, so selectors by other labels match "
            "none: add `kubectl get nodes -o yaml`"
        )
    if plan.services and lacks_endpoints(plan):
        yield (
            "no EndpointSlice is in the input, so it is open which Service is ready: use --assume-ready, or add "
            "`kubectl get endpointslices -A -o yaml`"
        )


def _kustomized(plan: Plan) -> Sequence[str]:
    return [file for file in plan.origin.files if PurePath(file).name in _KUSTOMIZATIONS]


def _lacks_labels(plan: Plan) -> bool:
    nodes = plan.study.resources.nodes
    return _naming_option(plan) is not None and all(len(node.metadata.labels) <= 1 for node in nodes)


def _naming_option(plan: Plan) -> str | None:
    """What names nodes where the input has none."""
    circumstances = plan.study.circumstances
    if circumstances.alive is not None:
        return "--ask-speaker"
    return None if circumstances.members is None else "--members"


def _absent_secrets(plan: Plan) -> Sequence[str]:
    namespace, resources = plan.study.circumstances.namespace, plan.study.resources
    here = (peer for peer in resources.bgp_peers if peer.metadata.namespace == namespace)
    wanted = {NamespacedName(namespace, name) for peer in here for name in secret_names(peer.spec)}
    return sorted(map(str, wanted - {secret.key for secret in resources.secrets}))
