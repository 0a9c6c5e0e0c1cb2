"""What control is told of an interface."""

from herald.engine.link import InterfaceFact
from herald.layer2.link import Verdict
from herald.layer2.snapshot import JudgedInterface


def interface_fact(one: JudgedInterface) -> InterfaceFact:
    """The interface with its verdicts."""
    interface = one.interface
    excluded = one.verdict is Verdict.EXCLUDED
    return InterfaceFact(
        interface.name,
        interface.up,
        interface.carrier,
        excluded,
        one.reading,
        one.verdict.value,
        one.ndp_reading,
        one.ndp_verdict.value,
    )
