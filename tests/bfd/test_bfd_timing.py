"""Intervals and poll sequences: RFC 5880 §6.5 and §6.8.2 to §6.8.4."""

from dataclasses import replace

import pytest
from bfd_values import PACKET

from herald.bfd.timing import Timing


def agreed(desired_tx_us: int = 50_000, required_rx_us: int = 60_000, **theirs: int) -> Timing:
    timing = Timing(desired_tx_us, required_rx_us)
    timing.hear(replace(PACKET, **theirs))
    return timing


@pytest.mark.parametrize(
    ("ours", "theirs", "transmit", "detection"),
    [
        pytest.param((50_000, 60_000), (3, 50_000, 50_000), 0.05, 0.18, id="we ask for less than they send"),
        pytest.param((50_000, 60_000), (3, 300_000, 300_000), 0.3, 0.9, id="they are slower both ways"),
        pytest.param((300_000, 300_000), (5, 50_000, 50_000), 0.3, 1.5, id="we are slower both ways"),
        pytest.param((50_000, 60_000), (3, 50_000, 0), None, 0.18, id="they want none"),
        pytest.param((50_000, 60_000), (1, 0, 1), 0.05, 0.06, id="least values"),
    ],
)
def test_each_direction_takes_the_slower_of_both(
    ours: tuple[int, int], theirs: tuple[int, int, int], transmit: float | None, detection: float
) -> None:
    multiplier, desired, required = theirs
    timing = agreed(*ours, detect_multiplier=multiplier, desired_min_tx_us=desired, required_min_rx_us=required)
    assert timing.transmit_interval == transmit
    assert timing.detection_time == pytest.approx(detection)


def test_the_same_again_polls_nothing() -> None:
    timing = agreed()
    assert not timing.want(50_000, 60_000, up=True, known=True)
    assert not timing.polling


@pytest.mark.parametrize(
    ("wanted", "meanwhile", "in_the_end"),
    [
        pytest.param((400_000, 60_000), (0.05, 0.18), (0.4, 0.18), id="slower sending waits for the answer"),
        pytest.param((20_000, 60_000), (0.05, 0.18), (0.05, 0.18), id="faster than they take changes nothing"),
        pytest.param((50_000, 10_000), (0.05, 0.18), (0.05, 0.15), id="faster receiving waits for the answer"),
        pytest.param((50_000, 900_000), (0.05, 2.7), (0.05, 2.7), id="slower receiving holds at once"),
    ],
)
def test_while_up_what_could_harm_waits_for_the_other_end(
    wanted: tuple[int, int], meanwhile: tuple[float, float], in_the_end: tuple[float, float]
) -> None:
    timing = agreed()
    assert timing.want(*wanted, up=True, known=True)
    assert (timing.polling, timing.desired_min_tx_us, timing.required_min_rx_us) == (True, *wanted)
    assert (timing.transmit_interval, timing.detection_time) == pytest.approx(meanwhile)
    timing.hear(PACKET)
    assert timing.polling, "a packet without F answers nothing"
    timing.hear(replace(PACKET, final=True))
    assert not timing.polling
    assert (timing.transmit_interval, timing.detection_time) == pytest.approx(in_the_end)


def test_while_not_up_sending_is_slower_at_once_and_who_still_sends_slowly_is_waited_for() -> None:
    timing = agreed(required_rx_us=1_000_000)
    timing.want(400_000, 10_000, up=False, known=True)
    assert (timing.transmit_interval, timing.detection_time) == pytest.approx((0.4, 3.0))
    timing.hear(replace(PACKET, final=True))
    assert timing.detection_time == pytest.approx(0.15)


def test_nobody_is_polled_while_nobody_is_known() -> None:
    timing = Timing(50_000, 60_000)
    assert timing.want(400_000, 10_000, up=False, known=False)
    assert not timing.polling


def test_a_change_during_a_poll_is_polled_for_after_a_packet_without_p() -> None:
    timing = agreed()
    timing.want(400_000, 60_000, up=True, known=True)
    timing.want(600_000, 60_000, up=True, known=True)
    timing.hear(replace(PACKET, final=True))
    assert (timing.polling, timing.transmit_interval) == (False, 0.05), "that answered the first only"
    timing.hear(replace(PACKET, final=True))
    assert timing.transmit_interval == 0.05, "a late F is no answer to what was not asked"
    timing.sent_without_poll()
    assert (timing.polling, timing.polls) == (True, 2)
    timing.hear(replace(PACKET, final=True))
    assert (timing.polling, timing.transmit_interval) == (False, 0.6)


def test_a_change_between_two_polls_keeps_what_holds() -> None:
    timing = agreed()
    timing.want(400_000, 60_000, up=True, known=True)
    timing.want(600_000, 60_000, up=True, known=True)
    timing.hear(replace(PACKET, final=True))
    timing.want(700_000, 60_000, up=True, known=True)
    timing.hear(replace(PACKET, final=True))
    assert timing.transmit_interval == 0.05
    timing.sent_without_poll()
    timing.hear(replace(PACKET, final=True))
    assert (timing.polling, timing.transmit_interval) == (False, 0.7)


def test_what_the_other_end_said_is_forgotten_with_it() -> None:
    timing = agreed()
    timing.want(400_000, 60_000, up=True, known=True)
    timing.forget()
    assert (timing.polling, timing.remote_min_rx_us, timing.detection_time) == (False, 1, 0)
    assert timing.transmit_interval == 0.4
