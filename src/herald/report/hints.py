"""What an input lacks, and how to see more of the plan.

Manifests in a repository rarely hold Nodes, EndpointSlices and Secrets, and often leave the namespace to kustomize.
"""

from collections.abc import Iterable, Sequence

from herald.cluster.meta import NamespacedName
from herald.report.plan import Plan
from herald.report.table import Note, Tone


def hints(plan: Plan) -> tuple[Note, ...]:
    """One note for each thing that is missing, and that the plan would be fuller with."""
    return tuple(Note(f"Hint: {text}.", Tone.WARNING) for text in _hints(plan))


def _hints(plan: Plan) -> Iterable[str]:
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
    if plan.services and not plan.study.resources.nodes:
        yield (
            "no Node is in the input, so it is open who announces: name the nodes with --members NODE,…, or add "
            "`kubectl get nodes -o yaml`"
        )
    if _lacks_labels(plan) and any(problem.rule == "HL080" for problem in plan.problems):
        yield (
            "the nodes of --members have no label but their name, so selectors by other labels match none: add "
            "`kubectl get nodes -o yaml`"
        )
    if plan.services and lacks_endpoints(plan):
        yield (
            "no EndpointSlice is in the input, so it is open which Service is ready: use --assume-ready, or add "
            "`kubectl get endpointslices -A -o yaml`"
        )


def lacks_endpoints(plan: Plan) -> bool:
    """Whether nothing tells which Service is ready, and nothing is assumed."""
    return not plan.study.resources.endpoint_slices and not plan.study.circumstances.assume_ready


def _lacks_labels(plan: Plan) -> bool:
    nodes = plan.study.resources.nodes
    return plan.study.circumstances.members is not None and all(len(node.metadata.labels) <= 1 for node in nodes)


def _absent_secrets(plan: Plan) -> Sequence[str]:
    namespace, resources = plan.study.circumstances.namespace, plan.study.resources
    named = (peer.spec.password_secret for peer in resources.bgp_peers if peer.metadata.namespace == namespace)
    wanted = {NamespacedName(namespace, secret.name) for secret in named if secret is not None and secret.name}
    return sorted(map(str, wanted - {secret.key for secret in resources.secrets}))
