"""What real daemons and a real kernel have sent, as `tests/wires/record.py` wrote it down."""

from pathlib import Path

from hypothesis import strategies as st

WIRES = Path(__file__).parent / "wires"
_IPV4, _IPV6, _UDP = 0x0800, 0x86DD, 17


def recorded(name: str) -> dict[str, bytes]:
    """The packets of a recording, by name."""
    lines = (WIRES / f"{name}.hex").read_text().splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {packet: bytes.fromhex(octets) for packet, octets in pairs}


def udp_payload(frame: bytes) -> bytes:
    """What a UDP datagram without IP options holds, in an Ethernet frame."""
    at = {_IPV4: 34, _IPV6: 54}[int.from_bytes(frame[12:14])]
    assert frame[23 if at == 34 else 20] == _UDP
    return frame[at + 8 : at + int.from_bytes(frame[at + 4 : at + 6])]


def ttl(frame: bytes) -> int:
    """Time to live, or hop limit."""
    return frame[22] if int.from_bytes(frame[12:14]) == _IPV4 else frame[21]


def damaged(packets: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the packets with some octets changed, and now and then cut short or with something behind it."""

    def spoil(case: tuple[bytes, list[tuple[int, int]], int, bytes]) -> bytes:
        packet, changes, missing, tail = case
        octets = bytearray(packet)
        for place, octet in changes:
            octets[place % len(octets)] = octet
        return bytes(octets[: len(octets) - missing] if missing < len(octets) else octets) + tail

    changes = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=5)
    missing = st.just(0) | st.integers(0, 200)
    return st.tuples(st.sampled_from(packets), changes, missing, st.just(b"") | st.binary(max_size=8)).map(spoil)
