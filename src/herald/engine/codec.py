"""Typed values to msgpack and back, strictly: what the two ends of the link between control and engine speak.

A codec is compiled once from a type. It knows bool, int, float, str, bytes, None, the addresses and networks of
`ipaddress`, enums, dataclasses, `tuple[X, …]`, `tuple[X, Y]`, `frozenset[X]`, and unions of these; anything else is a
TypeError when the codec is made, not when a message comes.

    address       ext 1: 4 or 16 octets                 network    ext 2: 4 or 16 octets, then the prefix length
    enum          its name                              Password   its text; this link is the one place that carries it
    dataclass     the array of its fields, in order
    union         None, a scalar or an address as it is; of several dataclasses [name of the class, …fields]

msgspec could type the dataclasses itself, but refuses a union of two types that it does not know, and
`IPv4Address | IPv6Address` is such a union.
"""

import enum
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final, Generic, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from herald.bgp.parameters import Password

T = TypeVar("T")

_Encode = Callable[[Any], Any]
_Decode = Callable[[Any], Any]

_EXT_ADDRESS: Final = 1
_EXT_NETWORK: Final = 2
_ADDRESSES: Final = (IPv4Address, IPv6Address)
_NETWORKS: Final = (IPv4Network, IPv6Network)
_AS_THEY_ARE: Final = (bool, int, float, str, bytes, types.NoneType, *_ADDRESSES, *_NETWORKS)


class DecodeError(ValueError):
    """Octets that are not a value of the codec's type; the text says what was expected. It never quotes the value."""


class Codec(Generic[T]):
    """Octets for the values of one type."""

    def __init__(self, hint: Any) -> None:
        """`hint` is the type T. Raises TypeError for a type that cannot be carried."""
        self._to_plain, self._from_plain = _compile(hint)
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_to_ext)
        self._decoder = msgspec.msgpack.Decoder(ext_hook=_from_ext)

    def encode(self, value: T) -> bytes:
        """The octets of `value`."""
        return self._encoder.encode(self._to_plain(value))

    def decode(self, data: bytes) -> T:
        """The value in `data`. Raises `DecodeError`."""
        try:
            decoded: T = self._from_plain(self._decoder.decode(data))
        except DecodeError:
            raise
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise DecodeError(f"not a message: {type(error).__name__}") from error
        return decoded


def _to_ext(value: Any) -> msgspec.msgpack.Ext:
    if isinstance(value, _ADDRESSES):
        return msgspec.msgpack.Ext(_EXT_ADDRESS, value.packed)
    if isinstance(value, _NETWORKS):
        return msgspec.msgpack.Ext(_EXT_NETWORK, value.network_address.packed + bytes((value.prefixlen,)))
    raise TypeError(f"{type(value).__name__} cannot be carried")


def _from_ext(code: int, data: memoryview) -> object:
    octets = bytes(data)
    match code, len(octets):
        case 1, 4:
            return IPv4Address(octets)
        case 1, 16:
            return IPv6Address(octets)
        case 2, 5:
            return IPv4Network((octets[:4], octets[4]))
        case 2, 17:
            return IPv6Network((octets[:16], octets[16]))
        case _:
            raise DecodeError(f"no extension {code} of {len(octets)} octets")


def _same(value: Any) -> Any:
    return value


def _compile(hint: Any) -> tuple[_Encode, _Decode]:
    if isinstance(hint, NewType):
        return _compile(hint.__supertype__)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _compile_union(get_args(hint))
    if origin is Literal:
        return _same, _member_of(frozenset(get_args(hint)))
    if origin is tuple:
        return _compile_tuple(get_args(hint))
    if origin is frozenset:
        encode, decode = _compile_tuple((*get_args(hint), ...))
        return encode, lambda raw: frozenset(decode(raw))
    if hint in _AS_THEY_ARE:
        return _same, _one_of((hint,))
    if hint is Password:
        return Password.reveal, _compile_password()
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return lambda value: value.name, _enum_by_name(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return _compile_dataclass(hint)
    raise TypeError(f"{hint!r} cannot be carried over the link")


def _one_of(allowed: tuple[type, ...]) -> _Decode:
    accepted = frozenset(allowed) | ({int} if float in allowed else set())
    words = " or ".join("None" if one is types.NoneType else one.__name__ for one in allowed)

    def decode(raw: Any) -> Any:
        if type(raw) not in accepted:
            raise DecodeError(f"expected {words}, got {type(raw).__name__}")
        return raw

    return decode


def _member_of(values: frozenset[Any]) -> _Decode:
    def decode(raw: Any) -> Any:
        if not isinstance(raw, str | int) or raw not in values:
            raise DecodeError(f"expected one of {sorted(map(str, values))}")
        return raw

    return decode


def _compile_password() -> _Decode:
    text = _one_of((str,))
    return lambda raw: Password(text(raw))


def _enum_by_name(hint: type[enum.Enum]) -> _Decode:
    members = dict(hint.__members__)

    def decode(raw: Any) -> Any:
        found = members.get(raw) if isinstance(raw, str) else None
        if found is None:
            raise DecodeError(f"expected the name of a {hint.__name__}")
        return found

    return decode


def _compile_tuple(items: tuple[Any, ...]) -> tuple[_Encode, _Decode]:
    if len(items) == 2 and items[1] is ...:
        encode_one, decode_one = _compile(items[0])

        def decode_many(raw: Any) -> Any:
            if type(raw) is not list:
                raise DecodeError(f"expected an array, got {type(raw).__name__}")
            return tuple([decode_one(one) for one in raw])

        return lambda value: [encode_one(one) for one in value], decode_many
    compiled = [_compile(item) for item in items]
    return _fixed_array([encode for encode, _ in compiled]), _array_of(
        "tuple", [decode for _, decode in compiled], tuple
    )


def _fixed_array(encoders: list[_Encode]) -> _Encode:
    return lambda value: [encode(one) for encode, one in zip(encoders, value, strict=True)]


def _array_of(name: str, decoders: list[_Decode], build: Callable[[list[Any]], Any]) -> _Decode:
    count = len(decoders)

    def decode(raw: Any) -> Any:
        if type(raw) is not list or len(raw) != count:
            raise DecodeError(f"{name}: expected an array of {count}")
        return build([decode_one(one) for decode_one, one in zip(decoders, raw, strict=True)])

    return decode


def _compile_dataclass(hint: type) -> tuple[_Encode, _Decode]:
    hints = get_type_hints(hint)
    names = [field.name for field in fields(hint)]
    compiled = [_compile(hints[name]) for name in names]
    pairs = [(name, encode) for name, (encode, _) in zip(names, compiled, strict=True)]

    def encode(value: Any) -> list[Any]:
        return [encode_one(getattr(value, name)) for name, encode_one in pairs]

    return encode, _array_of(hint.__name__, [decode for _, decode in compiled], lambda values: hint(*values))


def _compile_union(items: tuple[Any, ...]) -> tuple[_Encode, _Decode]:
    plain = tuple(item for item in items if item in _AS_THEY_ARE)
    others = [item for item in items if item not in _AS_THEY_ARE]
    if not others:
        return _same, _one_of(plain)
    if plain == (types.NoneType,) and len(others) == 1:
        encode_some, decode_some = _compile(others[0])
        return (
            lambda value: None if value is None else encode_some(value),
            lambda raw: None if raw is None else decode_some(raw),
        )
    if not plain and all(is_dataclass(item) for item in others):
        return _compile_tagged(others)
    raise TypeError(f"a union of {items!r} cannot be carried over the link")


def _compile_tagged(classes: list[type]) -> tuple[_Encode, _Decode]:
    compiled = {one.__name__: _compile_dataclass(one) for one in classes}

    def encode(value: Any) -> list[Any]:
        name = type(value).__name__
        return [name, compiled[name][0](value)]

    def decode(raw: Any) -> Any:
        if type(raw) is not list or len(raw) != 2 or not isinstance(raw[0], str) or raw[0] not in compiled:
            raise DecodeError(f"expected [name, fields], name one of {sorted(compiled)}")
        return compiled[raw[0]][1](raw[1])

    return encode, decode
