"""ConfigurationState `controller`: whether the pools could all be used. Values in, the wanted status out. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from herald.api.community import Community
from herald.api.ip_address_pool import IPAddressPool
from herald.config.problem import Problem, Severity

NAME: Final = "controller"
LABELS: Final = {"metallb.io/component-type": "controller"}
CONDITION: Final = "poolReconcilerValid"
_KINDS: Final = frozenset({IPAddressPool.__name__, Community.__name__})
_LONGEST_MESSAGE: Final = 32768


def wanted(problems: Iterable[Problem]) -> Mapping[str, Any]:
    """The status without `lastTransitionTime`: what it rests on, all errors of pools, gravest first."""
    errors = sorted(
        (each for each in problems if each.severity is Severity.ERROR and each.kind in _KINDS), key=lambda p: p.order
    )
    message = "configuration error: " + "\n".join(map(str, errors)) if errors else ""
    message = message[:_LONGEST_MESSAGE]
    condition = {
        "type": CONDITION,
        "status": "False" if errors else "True",
        "reason": "ConfigurationError" if errors else "Reconciled",
        "message": message,
    }
    return {"result": "Invalid" if errors else "Valid", "errorSummary": message, "conditions": [condition]}


def dated(status: Mapping[str, Any], instant: str, before: Iterable[Mapping[str, Any]] = ()) -> Mapping[str, Any]:
    """The status as it is written at `instant`, RFC 3339. `before`: the conditions that stand there.

    A condition that holds as it did before keeps its time, also if its message is another one.
    """
    since = {(each.get("type"), each.get("status")): each.get("lastTransitionTime") for each in before}
    conditions = [
        {**each, "lastTransitionTime": since.get((each["type"], each["status"])) or instant}
        for each in status["conditions"]
    ]
    return {**status, "conditions": conditions}
