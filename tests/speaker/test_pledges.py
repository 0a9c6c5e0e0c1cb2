"""When a speaker says that it announces a service by BGP, and when that it cannot."""

from herald.cluster.meta import NamespacedName, NodeName
from herald.speaker.pledges import PATIENCE_S, Pledges
from herald.speaker.status_object import SessionReport

WEB = NamespacedName("default", "web")
DOWN = SessionReport("tor", "10.0.0.1:179", "Down", last_error="Connection refused")
UP = SessionReport("tor", "10.0.0.1:179", "Established")


class Sessions(dict[str, SessionReport]):
    """The reports, by peer."""

    def pledges(self) -> Pledges:
        return Pledges(NodeName("n1"), self.get)


def said(pledges: Pledges, now: float) -> list[tuple[str, str]]:
    return [(event.reason, event.message) for event in pledges.due(now)]


ANNOUNCING = ("nodeAssigned", 'announcing from node "n1" with protocol "bgp"')


def test_announcing_is_said_once_a_session_is_up() -> None:
    sessions = Sessions(tor=DOWN)
    pledges = sessions.pledges()
    pledges.want(WEB, ("spine", "tor"), 0.0)
    assert said(pledges, 1.0) == []
    sessions["tor"] = UP
    assert said(pledges, 2.0) == [ANNOUNCING]
    assert said(pledges, 3.0) == []
    assert pledges.deadline() is None


def test_that_no_session_comes_up_is_said_once_with_the_error_of_each() -> None:
    sessions = Sessions(tor=DOWN)
    pledges = sessions.pledges()
    pledges.want(WEB, ("spine", "tor"), 0.0)
    assert pledges.deadline() == PATIENCE_S
    ((reason, message),) = said(pledges, PATIENCE_S)
    assert reason == "announceFailed"
    assert message.endswith("no session is up: spine: not up yet; tor: Connection refused (noSession)")
    assert pledges.deadline() is None
    assert said(pledges, 2 * PATIENCE_S) == []
    sessions["tor"] = UP
    assert said(pledges, 3 * PATIENCE_S) == [ANNOUNCING]


def test_what_is_not_to_be_announced_any_more_is_not_spoken_of() -> None:
    pledges = Sessions(tor=UP).pledges()
    pledges.want(WEB, ("tor",), 0.0)
    pledges.change(WEB, ())
    assert said(pledges, 9.0) == []


def test_a_service_that_other_peers_are_told_of_waits_for_those() -> None:
    pledges = Sessions(tor=UP).pledges()
    pledges.want(WEB, ("spine",), 0.0)
    pledges.change(WEB, ("tor",))
    assert said(pledges, 1.0) == [ANNOUNCING]
