"""The namespace that Herald runs in. What a cluster enforces where no label says so, no manifest tells."""

from collections.abc import Iterator

from herald.config.findings import ObjectKey, problem
from herald.config.problem import Problem
from herald.lint.facts import Facts

ENFORCE = "pod-security.kubernetes.io/enforce"
_ADMITS_SPEAKERS = "privileged"


def refuses_speakers(facts: Facts) -> Iterator[Problem]:
    """HL105: speakers use the host's network, which the levels baseline and restricted forbid."""
    for namespace in facts.inputs.resources.namespaces:
        level = namespace.metadata.labels.get(ENFORCE, _ADMITS_SPEAKERS)
        if namespace.name == facts.inputs.namespace and level != _ADMITS_SPEAKERS:
            yield problem(
                "HL105",
                ObjectKey("Namespace", "", namespace.name),
                f"metadata.labels[{ENFORCE}]",
                f'"{level}" refuses pods on the network of their host, as speakers are: no speaker is created. Set it '
                f'to "{_ADMITS_SPEAKERS}".',
            )
