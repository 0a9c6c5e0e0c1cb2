"""What both ends say about intervals, and what follows: RFC 5880 §6.8.2 to §6.8.4, and poll sequences, §6.5.

    what we say                     what holds meanwhile
    desired_min_tx grows, while up  the old one for sending, until the other end has confirmed (it may detect by it)
    required_min_rx shrinks         the old one for detection, until the other end has confirmed (it may send by it)
    anything else                   at once

A change while the other end is known starts a poll sequence: packets with P until one with F comes. A further change
meanwhile is polled for in a second sequence, after one packet without P: an F that is late for the first would
otherwise be taken for the answer to the second.
"""

from typing import Final

from herald.bfd.control_packet import ControlPacket

SLOW_US: Final = 1_000_000
"""Nobody sends, or asks for, more than this while the session is not up (§6.8.3), nor beside echoes (§6.8.9)."""
_US: Final = 1_000_000


class Timing:
    """The intervals of one session, in microseconds as on the wire; times derived from them are in seconds."""

    def __init__(self, desired_min_tx_us: int, required_min_rx_us: int) -> None:
        self.desired_min_tx_us = desired_min_tx_us
        self.required_min_rx_us = required_min_rx_us
        self.polling = False
        self.polls = 0
        self._again = False
        self._tx_in_force_us = desired_min_tx_us
        self._rx_in_force_us = required_min_rx_us
        self.forget()

    def forget(self) -> None:
        """The other end is not known any more. §6.8.1: its receive interval starts as 1."""
        self.remote_min_rx_us = 1
        self.remote_desired_min_tx_us = 0
        self.remote_min_echo_rx_us = 0
        self.remote_multiplier = 0
        self.polling = self._again = False
        self._confirmed()

    def want(self, desired_min_tx_us: int, required_min_rx_us: int, *, up: bool, known: bool) -> bool:
        """Say these from now on; False if they are said already. `known`: there is somebody to confirm them."""
        if (desired_min_tx_us, required_min_rx_us) == (self.desired_min_tx_us, self.required_min_rx_us):
            return False
        self.desired_min_tx_us, self.required_min_rx_us = desired_min_tx_us, required_min_rx_us
        self._tx_in_force_us = min(self._tx_in_force_us, desired_min_tx_us) if up and known else desired_min_tx_us
        self._rx_in_force_us = max(self._rx_in_force_us, required_min_rx_us) if known else required_min_rx_us
        if known:
            self._again, self.polling = self.polling or self._again, True
            self.polls += not self._again
        return True

    def hear(self, packet: ControlPacket) -> None:
        """The other end says this."""
        self.remote_min_rx_us = packet.required_min_rx_us
        self.remote_desired_min_tx_us = packet.desired_min_tx_us
        self.remote_min_echo_rx_us = packet.required_min_echo_rx_us
        self.remote_multiplier = packet.detect_multiplier
        if packet.final and self.polling:
            self.polling = False
            if not self._again:
                self._confirmed()

    def sent_without_poll(self) -> None:
        """A periodic packet went out without P: a poll sequence that waited for that may begin."""
        if self._again:
            self._again, self.polling = False, True
            self.polls += 1

    @property
    def transmit_interval(self) -> float | None:
        """Seconds between two packets, before jitter; None if the other end wants none."""
        if self.remote_min_rx_us == 0:
            return None
        return max(self._tx_in_force_us, self.remote_min_rx_us) / _US

    @property
    def detection_time(self) -> float:
        """Seconds of silence after which the other end is taken to be gone (§6.8.4, asynchronous mode)."""
        return self.remote_multiplier * max(self._rx_in_force_us, self.remote_desired_min_tx_us) / _US

    def _confirmed(self) -> None:
        self._tx_in_force_us, self._rx_in_force_us = self.desired_min_tx_us, self.required_min_rx_us
