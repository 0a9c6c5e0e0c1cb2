"""LZW as memberlist uses it: least significant bit first, literals of 8 bits (the family of GIF).

    codes   0–255 literals, 256 start over, 257 end, from 258 on what was seen; 9 bits wide at first, 12 at most

Code N+1 may be used before the reader could have seen its end; it then is the last text and its own first octet.
"""

from typing import Final

_CLEAR: Final = 256
_END: Final = 257
_FIRST_WIDTH: Final = 9
_WIDEST: Final = 12
_LITERALS: Final = [bytes((one,)) for one in range(256)]


class LzwError(ValueError):
    """Octets that are no LZW, or unpack to more than is allowed."""


def decompress(data: bytes, most: int) -> bytes:
    """What `data` unpacks to. Raises `LzwError`, also for more than `most` octets."""
    out = bytearray()
    table: list[bytes] = []  # the text of code 258 + index
    width, bits, held, position, last = _FIRST_WIDTH, 0, 0, 0, b""
    highest = _END  # the highest code given away, counting the one that is not known to its end yet
    size = len(data)
    while True:
        while bits < width:
            if position == size:
                raise LzwError("it ends without the end code")
            held |= data[position] << bits
            bits += 8
            position += 1
        code = held & ((1 << width) - 1)
        held >>= width
        bits -= width
        if code == _CLEAR:
            table, width, highest, last = [], _FIRST_WIDTH, _END, b""
            continue
        if code == _END:
            return bytes(out)
        text = _text(code, table, last, highest)
        out += text
        if len(out) > most:
            raise LzwError(f"it unpacks to more than {most} octets")
        if last and len(table) < (1 << _WIDEST) - 258:
            table.append(last + text[:1])
        last = text
        highest += 1
        if highest >= 1 << width:
            if width == _WIDEST:
                last, highest = b"", highest - 1
            else:
                width += 1


def _text(code: int, table: list[bytes], last: bytes, highest: int) -> bytes:
    if code < 256:
        return _LITERALS[code]
    if code - 258 < len(table):
        return table[code - 258]
    if code == highest and last:
        return last + last[:1]
    raise LzwError(f"code {code} has no meaning yet")


class _Bits:
    """Codes to octets."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.width = _FIRST_WIDTH
        self._held = 0
        self._bits = 0

    def put(self, code: int) -> None:
        self._held |= code << self._bits
        self._bits += self.width
        while self._bits >= 8:
            self.out.append(self._held & 255)
            self._held >>= 8
            self._bits -= 8

    def finish(self) -> bytes:
        if self._bits:
            self.out.append(self._held & 255)
        return bytes(self.out)


def compress(data: bytes) -> bytes:
    """`data` packed."""
    bits, highest, table = _Bits(), _END, dict[tuple[int, int], int]()

    def given_away() -> bool:
        """One more code is given away; False if with it the table was full and everything started over."""
        nonlocal highest
        highest += 1
        if highest == 1 << bits.width:
            bits.width += 1
        if highest < (1 << _WIDEST) - 1:
            return True
        bits.put(_CLEAR)
        bits.width, highest = _FIRST_WIDTH, _END
        table.clear()
        return False

    bits.put(_CLEAR)
    if data:
        current = data[0]
        for octet in data[1:]:
            known = table.get((current, octet))
            if known is not None:
                current = known
                continue
            bits.put(current)
            if given_away():
                table[current, octet] = highest
            current = octet
        bits.put(current)
        given_away()  # the reader counts the same, and its codes may be wider from here on
    bits.put(_END)
    return bits.finish()
