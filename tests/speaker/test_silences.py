"""What is told late, and how often things may be done."""

from herald.announcement.reason import Code, because
from herald.cluster.meta import NamespacedName
from herald.speaker.ration import Ration
from herald.speaker.silences import PATIENCE_S, REPEAT_S, Silences

WEB = NamespacedName("default", "web")
NO_POOL = because(Code.ADDRESS_IN_NO_POOL, addresses="10.9.9.9")
NO_ADVERTISEMENT = because(Code.NO_ADVERTISEMENT_FOR_POOL, kind="L2Advertisement", pool="prod")


def test_a_silence_that_lasts_is_told_with_its_last_reason_and_again_when_kubernetes_has_forgotten() -> None:
    silences = Silences()
    silences.note(WEB, NO_POOL, 0.0)
    silences.note(WEB, NO_ADVERTISEMENT, 1.0)
    assert list(silences.due(PATIENCE_S)) == []
    (event,) = silences.due(1.0 + PATIENCE_S)
    assert (event.about.name, event.reason) == ("web", "notAnnounced")
    assert NO_ADVERTISEMENT.words in event.message
    assert list(silences.due(100.0)) == []
    assert silences.counts() == {("", "NoAdvertisementForPool"): 1}
    assert list(silences.due(1.0 + PATIENCE_S + REPEAT_S)) == [event]
    silences.note(WEB, None, 5000.0)
    assert silences.counts() == {}
    assert list(silences.due(1e6)) == []
    assert silences.deadline() is None


def test_a_silence_that_ends_in_time_is_not_told() -> None:
    silences = Silences()
    silences.note(WEB, NO_POOL, 0.0)
    silences.note(WEB, None, 1.0)
    assert silences.deadline() == PATIENCE_S
    assert list(silences.due(PATIENCE_S)) == []


def test_a_ration_is_a_burst_and_then_so_many_per_second() -> None:
    ration = Ration(per_second=10.0, burst=3)
    assert [ration.take(100.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.1, 0.2]
    assert ration.take(200.0) == 0.0
