"""NOTIFICATION messages: codes, subcodes and the words for them, and the error that calls for one.

    +-----------+--------------+-----------------+
    | Code (1)  | Subcode (1)  | Data (variable) |
    +-----------+--------------+-----------------+

RFC 4271 §4.5 and §6, RFC 4486 and 9003 (Cease, with a text for people), RFC 5492 (unsupported capability), RFC 6608
(finite state machine subcodes), RFC 7313 (route refresh), RFC 8538 (hard reset), RFC 9384 (BFD), RFC 9687 (send hold).
"""

from dataclasses import dataclass
from enum import IntEnum


class Code(IntEnum):
    MESSAGE_HEADER_ERROR = 1
    OPEN_MESSAGE_ERROR = 2
    UPDATE_MESSAGE_ERROR = 3
    HOLD_TIMER_EXPIRED = 4
    FINITE_STATE_MACHINE_ERROR = 5
    CEASE = 6
    ROUTE_REFRESH_MESSAGE_ERROR = 7
    SEND_HOLD_TIMER_EXPIRED = 8


class HeaderSubcode(IntEnum):
    UNSPECIFIC = 0
    CONNECTION_NOT_SYNCHRONIZED = 1
    BAD_MESSAGE_LENGTH = 2
    BAD_MESSAGE_TYPE = 3


class OpenSubcode(IntEnum):
    UNSPECIFIC = 0
    UNSUPPORTED_VERSION_NUMBER = 1
    BAD_PEER_AS = 2
    BAD_BGP_IDENTIFIER = 3
    UNSUPPORTED_OPTIONAL_PARAMETER = 4
    AUTHENTICATION_FAILURE = 5  # deprecated, still seen
    UNACCEPTABLE_HOLD_TIME = 6
    UNSUPPORTED_CAPABILITY = 7
    ROLE_MISMATCH = 11


class UpdateSubcode(IntEnum):
    UNSPECIFIC = 0
    MALFORMED_ATTRIBUTE_LIST = 1
    UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE = 2
    MISSING_WELL_KNOWN_ATTRIBUTE = 3
    ATTRIBUTE_FLAGS_ERROR = 4
    ATTRIBUTE_LENGTH_ERROR = 5
    INVALID_ORIGIN_ATTRIBUTE = 6
    INVALID_NEXT_HOP_ATTRIBUTE = 8
    OPTIONAL_ATTRIBUTE_ERROR = 9
    INVALID_NETWORK_FIELD = 10
    MALFORMED_AS_PATH = 11


class FsmSubcode(IntEnum):
    UNSPECIFIED = 0
    UNEXPECTED_MESSAGE_IN_OPEN_SENT = 1
    UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM = 2
    UNEXPECTED_MESSAGE_IN_ESTABLISHED = 3


class CeaseSubcode(IntEnum):
    UNSPECIFIC = 0
    MAXIMUM_NUMBER_OF_PREFIXES_REACHED = 1
    ADMINISTRATIVE_SHUTDOWN = 2
    PEER_DE_CONFIGURED = 3
    ADMINISTRATIVE_RESET = 4
    CONNECTION_REJECTED = 5
    OTHER_CONFIGURATION_CHANGE = 6
    CONNECTION_COLLISION_RESOLUTION = 7
    OUT_OF_RESOURCES = 8
    HARD_RESET = 9
    BFD_DOWN = 10


class RouteRefreshSubcode(IntEnum):
    UNSPECIFIC = 0
    INVALID_MESSAGE_LENGTH = 1


_SUBCODES: dict[Code, type[IntEnum]] = {
    Code.MESSAGE_HEADER_ERROR: HeaderSubcode,
    Code.OPEN_MESSAGE_ERROR: OpenSubcode,
    Code.UPDATE_MESSAGE_ERROR: UpdateSubcode,
    Code.FINITE_STATE_MACHINE_ERROR: FsmSubcode,
    Code.CEASE: CeaseSubcode,
    Code.ROUTE_REFRESH_MESSAGE_ERROR: RouteRefreshSubcode,
}
_WITH_SHUTDOWN_TEXT = {CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, CeaseSubcode.ADMINISTRATIVE_RESET}
_LONGEST_SHUTDOWN_TEXT = 255
_DATA_SHOWN = 32


@dataclass(frozen=True, slots=True)
class Notification:
    """The message that ends a session. Unknown codes and subcodes are kept as numbers."""

    code: int
    subcode: int = 0
    data: bytes = b""

    @property
    def text(self) -> str:
        """Words for people: `Cease/Administrative Shutdown: "maintenance"`."""
        words = _words(self.code, self.subcode)
        cause = cause_of(self)
        if cause is not None and cause_of(cause) is None:  # one inside another is nobody's honest message
            return f"{words} ({cause.text})"
        shutdown = shutdown_text(self)
        return f'{words}: "{shutdown}"' if shutdown else words

    @property
    def data_text(self) -> str:
        """The data in hexadecimal, shortened, for logs."""
        shown = self.data[:_DATA_SHOWN].hex()
        return shown if len(self.data) <= _DATA_SHOWN else f"{shown}… ({len(self.data)} octets)"


class WireError(ValueError):
    """The peer broke the protocol in a way that ends the session. Carries the NOTIFICATION to send and the reason."""

    def __init__(self, code: Code, subcode: int, reason: str, data: bytes = b"") -> None:
        super().__init__(reason)
        self.notification = Notification(code, subcode, data)
        self.reason = reason


def encode(notification: Notification) -> bytes:
    """The body of the message."""
    return bytes((notification.code, notification.subcode)) + notification.data


def decode(body: bytes) -> Notification:
    """The notification of a message body of at least two octets, which the header check has made sure of."""
    return Notification(body[0], body[1], body[2:])


def cease(subcode: CeaseSubcode, text: str = "") -> Notification:
    """A Cease; `text` goes along where RFC 9003 allows one, cut to 255 octets of UTF-8 at a whole character."""
    if subcode not in _WITH_SHUTDOWN_TEXT or not text:
        return Notification(Code.CEASE, subcode)
    octets = text.encode("utf-8", "replace")[:_LONGEST_SHUTDOWN_TEXT].decode("utf-8", "ignore").encode()
    return Notification(Code.CEASE, subcode, bytes((len(octets),)) + octets)


def hard_reset(notification: Notification) -> Notification:
    """A Hard Reset that carries `notification` as its cause (RFC 8538 §3.1): the peer is to keep nothing of ours."""
    return Notification(Code.CEASE, CeaseSubcode.HARD_RESET, encode(notification))


def cause_of(notification: Notification) -> Notification | None:
    """What a Hard Reset carries as its cause; None for any other notification, or where there is none."""
    if (notification.code, notification.subcode) != (Code.CEASE, CeaseSubcode.HARD_RESET) or len(notification.data) < 2:
        return None
    return decode(notification.data)


def shutdown_text(notification: Notification) -> str | None:
    """The text that came with an administrative Cease (RFC 9003), without control characters, or None."""
    if notification.code != Code.CEASE or notification.subcode not in _WITH_SHUTDOWN_TEXT or not notification.data:
        return None
    length = notification.data[0]
    text = notification.data[1 : 1 + length].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "�" for character in text) or None


def _words(code: int, subcode: int) -> str:
    known = _member(Code, code)
    if known is None:
        return f"code {code} subcode {subcode}"
    subcodes = _SUBCODES.get(Code(code))
    detail = _member(subcodes, subcode) if subcodes is not None else None
    if detail is not None:
        return f"{_title(known)}/{_title(detail)}"
    return _title(known) if subcode == 0 else f"{_title(known)}/subcode {subcode}"


def _member(kind: type[IntEnum], number: int) -> IntEnum | None:
    return next((member for member in kind if member == number), None)


_CAPITALS = {"AS": "AS", "BGP": "BGP", "BFD": "BFD", "OPEN": "OPEN", "UPDATE": "UPDATE", "OF": "of", "IN": "in"}


def _title(word: IntEnum) -> str:
    return " ".join(_CAPITALS.get(part, part.capitalize()) for part in word.name.split("_"))
