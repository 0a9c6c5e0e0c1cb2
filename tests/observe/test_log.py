"""The shape of a log line."""

import io
import json
import logging
import socket
from collections.abc import Iterator
from datetime import datetime
from ipaddress import IPv4Address

import pytest

from herald.observe import log


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.setup("info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_has_time_level_caller_message_and_the_extras_in_the_order_of_their_names(lines: io.StringIO) -> None:
    extra = {"event": "serviceAnnounced", "ip": IPv4Address("192.0.2.1"), "count": 3}
    logging.getLogger("herald.test").info("announcing %s", "it", extra=extra)
    line = json.loads(lines.getvalue())
    assert list(line) == sorted(line)
    assert datetime.fromisoformat(line.pop("ts")).tzinfo is not None
    assert line.pop("caller").startswith("test_log.py:")
    assert line == {
        "level": "info",
        "msg": "announcing it",
        "event": "serviceAnnounced",
        "ip": "192.0.2.1",
        "count": 3,
    }


def test_an_exception_is_one_line_with_its_cause_and_stack(lines: io.StringIO) -> None:
    try:
        socket.if_nametoindex("nosuchdevice")
    except OSError:
        logging.getLogger("herald.test").exception("failed")
    (text,) = lines.getvalue().splitlines()
    line = json.loads(text)
    assert line["level"] == "error"
    assert line["error"] == "no interface with this name"
    assert "Traceback" in line["stack"]


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("all", ["debug", "info", "warn", "error"]),
        ("debug", ["debug", "info", "warn", "error"]),
        ("info", ["info", "warn", "error"]),
        ("warn", ["warn", "error"]),
        ("error", ["error"]),
        ("none", []),
    ],
)
def test_only_lines_from_the_level_up_are_written(lines: io.StringIO, level: str, shown: list[str]) -> None:
    log.setup(level, lines)
    logger = logging.getLogger("herald.test")
    for write in (logger.debug, logger.info, logger.warning, logger.error):
        write("a line")
    assert [json.loads(line)["level"] for line in lines.getvalue().splitlines()] == shown


def test_another_word_for_the_level_is_refused_with_the_words_there_are() -> None:
    with pytest.raises(ValueError, match='--log-level "loud": one of all, debug, info, warn, error, none'):
        log.setup("loud")
