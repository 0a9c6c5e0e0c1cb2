import pytest
from bgp_wires import FRR, notifications
from hypothesis import given
from hypothesis import strategies as st

from herald.bgp import notification
from herald.bgp.notification import CeaseSubcode, Notification, cease

WORDS = [
    (Notification(1, 1), "Message Header Error/Connection Not Synchronized"),
    (Notification(2, 2), "OPEN Message Error/Bad Peer AS"),
    (Notification(2, 3), "OPEN Message Error/Bad BGP Identifier"),
    (Notification(3, 11), "UPDATE Message Error/Malformed AS Path"),
    (Notification(3, 99), "UPDATE Message Error/subcode 99"),
    (Notification(4), "Hold Timer Expired"),
    (Notification(5, 3), "Finite State Machine Error/Unexpected Message in Established"),
    (Notification(6, 1), "Cease/Maximum Number of Prefixes Reached"),
    (Notification(6, 2), "Cease/Administrative Shutdown"),
    (Notification(6, 10), "Cease/BFD Down"),
    (Notification(77, 3), "code 77 subcode 3"),
    (Notification(6, 2, b"\x04bye!and more"), 'Cease/Administrative Shutdown: "bye!"'),
    (Notification(6, 2, b"\xff\xc3\x28\x1b[2J"), 'Cease/Administrative Shutdown: "�(�[2J"'),
    (Notification(6, 5, b"\x04bye!"), "Cease/Connection Rejected"),
]


@pytest.mark.parametrize(("note", "words"), WORDS, ids=[words for _, words in WORDS])
def test_a_notification_in_words(note, words):
    assert note.text == words


def test_the_shutdown_text_of_a_real_router_is_read():
    assert notification.decode(FRR["shutdown"][19:]).text == 'Cease/Administrative Shutdown: "cable work"'


def test_a_shutdown_text_is_cut_at_a_whole_character():
    note = cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, "é" * 200)
    assert note.data == bytes((254,)) + ("é" * 127).encode()
    assert notification.shutdown_text(note) == "é" * 127


def test_other_ceases_carry_no_text():
    assert cease(CeaseSubcode.PEER_DE_CONFIGURED, "gone") == Notification(6, 3)


@given(notifications)
def test_a_notification_comes_back_as_it_went(note):
    assert notification.decode(notification.encode(note)) == note


@given(st.binary(min_size=2, max_size=300))
def test_fuzz_any_notification_has_words_that_fit_on_a_line(body):
    note = notification.decode(body)
    assert note.text.isprintable() or not note.text
    assert len(note.data_text) < 100
