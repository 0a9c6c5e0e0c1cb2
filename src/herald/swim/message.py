"""The messages of memberlist's protocol, one octet of type and a body in msgpack.

    +------+----------------------------------------------------+
    | type | map: field names as text → values                  |
    +------+----------------------------------------------------+

     0 ping   1 indirect ping   2 ack   3 suspect   4 alive   5 dead   6 push/pull   8 user   11 nack   13 error
     7 compound, 9 compressed, 10 encrypted, 12 with CRC, 244 labelled: see `herald.swim.packet` and `.stream`

The dialect is msgpack's old one: text and octets are both "raw", never str8 or bin; what is read may be either. Keys
are written in ascending order, unknown ones are skipped, missing ones are zero. A push/pull is one map as a header, one
for each member, and octets of user state that nobody here reads.

Everything read is checked: names are printable UTF-8 of bounded length, addresses have 4 or 16 octets, a number fits
its field. An entry of a push/pull that fails is left out alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, TypeAlias

import msgpack  # type: ignore[import-untyped]  # it brings no types, and there are none elsewhere

from herald.swim.member import HIGHEST_INCARNATION, LARGEST_META, LONGEST_NAME, Endpoint, State, Versions

MOST_ENTRIES: Final = 16384
"""Members in one push/pull."""
LARGEST_PAYLOAD: Final = 65535
"""Octets in an ack."""
_U32: Final = 0xFFFF_FFFF
_LIMITS: Final = {"max_array_len": 1024, "max_map_len": 64, "max_ext_len": 0}

PING, INDIRECT_PING, ACK, SUSPECT, ALIVE, DEAD, PUSH_PULL, COMPOUND, USER, COMPRESS, ENCRYPT, NACK, CRC, ERROR = range(
    14
)
LABEL: Final = 244


class DecodeError(ValueError):
    """Octets that are no message of this protocol; the text says what is wrong."""


class IncompleteError(DecodeError):
    """The octets end before the message does."""


@dataclass(frozen=True, slots=True)
class Ping:
    """ "`node`, are you there?" `source_name` is who asks, empty if it does not say."""

    sequence: int
    node: str
    source: Endpoint | None = None
    source_name: str = ""


@dataclass(frozen=True, slots=True)
class IndirectPing:
    """ "Ask `node` at `target` for me"; with `nack`, tell me too if it does not answer you."""

    sequence: int
    target: Endpoint
    node: str
    nack: bool
    source: Endpoint | None = None
    source_name: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to a ping of that sequence number. `payload`: what a delegate says; memberlist's own says nothing."""

    sequence: int
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Nack:
    """A helper is well but has no answer yet."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Suspect:
    """`accuser` got no answer from `node`."""

    incarnation: int
    node: str
    accuser: str


@dataclass(frozen=True, slots=True)
class Dead:
    """`node` is dead; where it says so itself, it has left."""

    incarnation: int
    node: str
    accuser: str


@dataclass(frozen=True, slots=True)
class Alive:
    """`node` is alive, at `endpoint`; its own word, passed on by others."""

    incarnation: int
    node: str
    endpoint: Endpoint
    meta: bytes
    versions: Versions


@dataclass(frozen=True, slots=True)
class Entry:
    """A member as a push/pull tells it. `versions` is None where they are missing or cut short."""

    node: str
    endpoint: Endpoint
    meta: bytes
    incarnation: int
    state: State
    versions: Versions | None


@dataclass(frozen=True, slots=True)
class PushPull:
    """Everything the sender knows. `unreadable` counts entries that were left out."""

    join: bool
    entries: tuple[Entry, ...]
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class User:
    """A message of an application; there is none here."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What the other end could not do, in its words."""

    text: str


Message: TypeAlias = Ping | IndirectPing | Ack | Nack | Suspect | Dead | Alive | PushPull | User | ErrorReply


def encode(message: Message) -> bytes:
    """The octets of a message."""
    match message:
        case Ping(sequence, node, source, source_name):
            return _pack(PING, {"Node": node.encode(), "SeqNo": sequence, **_source(source, source_name)})
        case IndirectPing(sequence, target, node, nack, source, source_name):
            fields = {"Nack": nack, "Node": node.encode(), "Port": target.port, "SeqNo": sequence}
            return _pack(INDIRECT_PING, {**fields, "Target": target.address.packed, **_source(source, source_name)})
        case Ack(sequence, payload):
            return _pack(ACK, {"Payload": payload or None, "SeqNo": sequence})
        case Nack(sequence):
            return _pack(NACK, {"SeqNo": sequence})
        case Suspect(incarnation, node, accuser) | Dead(incarnation, node, accuser):
            number = SUSPECT if isinstance(message, Suspect) else DEAD
            return _pack(number, {"From": accuser.encode(), "Incarnation": incarnation, "Node": node.encode()})
        case Alive(incarnation, node, endpoint, meta, versions):
            fields = {"Addr": endpoint.address.packed, "Incarnation": incarnation, "Meta": meta or None}
            return _pack(ALIVE, {**fields, "Node": node.encode(), "Port": endpoint.port, "Vsn": bytes(versions)})
        case PushPull(join, entries):
            header = _pack(PUSH_PULL, {"Join": join, "Nodes": len(entries), "UserStateLen": 0})
            return header + b"".join(map(_entry, entries))
        case User():
            return bytes((USER,))
        case ErrorReply(text):
            return _pack(ERROR, {"Error": text.encode()})


def _pack(number: int, fields: dict[str, Any]) -> bytes:
    return bytes((number,)) + pack(fields)


def pack(fields: dict[str, Any]) -> bytes:
    """A map in the old dialect, keys ascending."""
    packed: bytes = msgpack.packb(dict(sorted(fields.items())), use_bin_type=False)
    return packed


def _source(source: Endpoint | None, name: str) -> dict[str, Any]:
    where = {} if source is None else {"SourceAddr": source.address.packed, "SourcePort": source.port}
    return where | ({"SourceNode": name.encode()} if name else {})


def _entry(one: Entry) -> bytes:
    return pack(
        {
            "Addr": one.endpoint.address.packed,
            "Incarnation": one.incarnation,
            "Meta": one.meta or None,
            "Name": one.node.encode(),
            "Port": one.endpoint.port,
            "State": int(one.state),
            "Vsn": None if one.versions is None else bytes(one.versions),
        }
    )


def decode(data: bytes) -> Message:
    """The message in `data`, which holds nothing else. Raises `DecodeError`; `IncompleteError` if more is needed."""
    if not data:
        raise IncompleteError("nothing at all")
    if data[0] == PUSH_PULL:
        return decode_push_pull(data)
    if data[0] == USER:
        return User()
    read = _READ.get(data[0])
    if read is None:
        raise DecodeError(f"no message of type {data[0]}")
    return read(_Fields(next(Maps(data))))


def decode_push_pull(data: bytes) -> PushPull:
    """A push/pull from its type octet on. Raises as `decode`."""
    maps = Maps(data)
    header = _Fields(next(maps))
    count, user = header.number("Nodes", MOST_ENTRIES), header.number("UserStateLen", _U32)
    entries = []
    for _ in range(count):
        fields = next(maps)  # only what is no map at all spoils the rest too
        try:
            entries.append(_read_entry(_Fields(fields)))
        except DecodeError:
            continue
    if len(data) < maps.offset + user:
        raise IncompleteError("its user state is not complete")
    return PushPull(header.truth("Join"), tuple(entries), count - len(entries))


class Maps:
    """The maps that follow the type octet, one after the other. Raises `DecodeError` for anything else."""

    def __init__(self, data: bytes) -> None:
        self._unpacker = msgpack.Unpacker(raw=True, strict_map_key=False, max_buffer_size=max(len(data), 1), **_LIMITS)
        self._unpacker.feed(data[1:])

    def __next__(self) -> dict[Any, Any]:
        try:
            found = self._unpacker.unpack()
        except msgpack.OutOfData as error:
            raise IncompleteError("it ends within a map") from error
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise DecodeError(f"no msgpack: {type(error).__name__}") from error
        if not isinstance(found, dict):
            raise DecodeError(f"expected a map, found {type(found).__name__}")
        return found

    @property
    def offset(self) -> int:
        """Octets read so far, the type octet among them."""
        read: int = self._unpacker.tell()
        return 1 + read


class _Fields:
    """The fields of a map, each checked as it is read."""

    def __init__(self, raw: dict[Any, Any]) -> None:
        self._raw = {key: value for key, value in raw.items() if isinstance(key, bytes)}

    def number(self, name: str, highest: int = _U32) -> int:
        value = self._raw.get(name.encode())
        if value is None:
            return 0
        if type(value) is not int or not 0 <= value <= highest:
            raise DecodeError(f"{name}: expected 0 to {highest}")
        return value

    def truth(self, name: str) -> bool:
        value = self._raw.get(name.encode())
        if value is None:
            return False
        if type(value) is not bool:
            raise DecodeError(f"{name}: expected true or false")
        return value

    def octets(self, name: str, most: int) -> bytes:
        value = self._raw.get(name.encode())
        if value is None:
            return b""
        if isinstance(value, list) and all(type(one) is int and 0 <= one < 256 for one in value):
            value = bytes(value)
        if not isinstance(value, bytes) or len(value) > most:
            raise DecodeError(f"{name}: expected up to {most} octets")
        return value

    def text(self, name: str, most: int = LONGEST_NAME) -> str:
        octets = self.octets(name, most)
        try:
            text = octets.decode()
        except UnicodeDecodeError as error:
            raise DecodeError(f"{name}: not UTF-8") from error
        if not text.isprintable():
            raise DecodeError(f"{name}: not printable")
        return text

    def node(self, name: str = "Node") -> str:
        text = self.text(name)
        if not text:
            raise DecodeError(f"{name}: is missing")
        return text

    def incarnation(self) -> int:
        return self.number("Incarnation", HIGHEST_INCARNATION)

    def endpoint(self, address: str, port: str) -> Endpoint:
        octets, number = self.octets(address, 16), self.number(port, 65535)
        match len(octets):
            case 4:
                return Endpoint(IPv4Address(octets), number)
            case 16:
                return Endpoint(IPv6Address(octets), number)
            case length:
                raise DecodeError(f"{address}: expected 4 or 16 octets, not {length}")

    def source(self) -> Endpoint | None:
        return self.endpoint("SourceAddr", "SourcePort") if self.octets("SourceAddr", 16) else None

    def versions(self) -> Versions | None:
        octets = self.octets("Vsn", 64)
        return Versions(*octets[:6]) if len(octets) >= 6 else None


def _read_ping(fields: _Fields) -> Ping:
    return Ping(fields.number("SeqNo"), fields.text("Node"), fields.source(), fields.text("SourceNode"))


def _read_indirect_ping(fields: _Fields) -> IndirectPing:
    target = fields.endpoint("Target", "Port")
    return IndirectPing(
        fields.number("SeqNo"),
        target,
        fields.node(),
        fields.truth("Nack"),
        fields.source(),
        fields.text("SourceNode"),
    )


def _read_suspect(fields: _Fields) -> Suspect:
    return Suspect(fields.incarnation(), fields.node(), fields.text("From"))


def _read_dead(fields: _Fields) -> Dead:
    return Dead(fields.incarnation(), fields.node(), fields.text("From"))


def _read_alive(fields: _Fields) -> Alive:
    versions = fields.versions()
    if versions is None:
        raise DecodeError("Vsn: expected 6 octets")
    endpoint = fields.endpoint("Addr", "Port")
    return Alive(fields.incarnation(), fields.node(), endpoint, fields.octets("Meta", LARGEST_META), versions)


def _read_entry(fields: _Fields) -> Entry:
    return Entry(
        fields.node("Name"),
        fields.endpoint("Addr", "Port"),
        fields.octets("Meta", LARGEST_META),
        fields.incarnation(),
        State(fields.number("State", max(State))),
        fields.versions(),
    )


_READ: Final[dict[int, Callable[[_Fields], Message]]] = {
    PING: _read_ping,
    INDIRECT_PING: _read_indirect_ping,
    ACK: lambda fields: Ack(fields.number("SeqNo"), fields.octets("Payload", LARGEST_PAYLOAD)),
    NACK: lambda fields: Nack(fields.number("SeqNo")),
    SUSPECT: _read_suspect,
    DEAD: _read_dead,
    ALIVE: _read_alive,
    ERROR: lambda fields: ErrorReply(fields.text("Error", 4096)),
}
