"""Events about what is misconfigured: told once, about objects that are there."""

from herald.config.findings import ObjectKey, problem
from herald.config.problem import Severity
from herald.store.problem_event import LONGEST_MESSAGE, ProblemEvents, problem_event

TOR = ObjectKey("BGPPeer", "metallb-system", "tor")
WRONG = problem("HL200", TOR, "spec.bfdProfile", 'there is no BFDProfile "nope"')


def test_a_problem_is_told_when_it_comes_up_and_again_when_it_comes_back() -> None:
    events = ProblemEvents()
    (event,) = events.news([WRONG])
    assert (event.about, event.stands) == (TOR, True)
    assert event.message == 'spec.bfdProfile: there is no BFDProfile "nope" (HL200)'
    assert events.news([WRONG]) == ()
    assert events.news([]) == ()
    assert events.news([WRONG]) == (event,)


def test_nothing_is_told_of_what_nobody_can_look_at_or_need_put_right() -> None:
    everything = problem("HL208", ObjectKey("BGPPeer", "metallb-system", "*"), "", "may not be listed")
    service = problem("HL200", ObjectKey("Service", "default", "web"), "", "has events of its own")
    hint = problem("HL200", TOR, "", "worth knowing", Severity.INFO)
    assert ProblemEvents().news([everything, service, hint]) == ()


def test_a_message_that_is_too_long_says_that_it_goes_on_and_which_rule_it_is() -> None:
    event = problem_event(problem("HL200", TOR, "", "x" * 2000))
    assert len(event.message) == LONGEST_MESSAGE
    assert event.message.endswith("x… (HL200)")
