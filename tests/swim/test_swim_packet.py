import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swim_values import messages, packet_messages

from herald.swim import lzw, packet, stream
from herald.swim.keyring import ADOPT_AFTER, FORGET_AFTER, KeyChange, Keyring, UnauthenticatedError, derive_key
from herald.swim.message import Ack, Dead, DecodeError, Message, Suspect, encode
from herald.swim.packet import Drop, Wrapping, open_packet

KEY = derive_key(b"A" * 22)
SEALED = Wrapping(Keyring(KEY))
PLAIN = Wrapping()
LABELLED = Wrapping(Keyring(KEY), label=b"blue")


class Counting(random.Random):
    """A generator whose octets are 00 01 02 …"""

    def randbytes(self, n: int) -> bytes:
        return bytes(range(n))


RNG = random.Random(1)
ACK = encode(Ack(7))


def test_the_key_is_the_secret_followed_by_the_hash_of_nothing() -> None:
    assert KEY.hex() == "41" * 22 + "e3b0c44298fc1c149afb"
    assert derive_key(b"x" * 40) == b"x" * 32


def test_sealed_octets_are_those_of_memberlist() -> None:
    udp = packet.seal([ACK], Wrapping(Keyring(KEY), compression=False), Counting(), checksum=False)
    assert udp.hex() == (
        "01000102030405060708090a0b217dbdf64e503e0a06865dca99b3e15c247842498c2fa172573caf4951907cc9e4ce"
    )
    tcp = stream.seal(ACK, Wrapping(Keyring(KEY), compression=False), Counting())
    assert tcp.hex() == (
        "0a0000002f01000102030405060708090a0b217dbdf64e503e0a06865dca99b3e15c24785b551e3f1ad6eb40dec867e76172afd8"
    )


def test_a_checksum_and_a_compound_are_those_of_memberlist() -> None:
    dead = encode(Dead(1, "n1", "n1"))
    assert packet.seal([dead], PLAIN, RNG, checksum=True).hex() == "0c68f4d9d8" + dead.hex()
    suspect = encode(Suspect(3, "n3", "n1"))
    assert packet.compound([suspect, dead]).hex() == "0702001f001f" + suspect.hex() + dead.hex()


def test_version_0_of_the_encryption_is_read_too() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    padding = 16 - len(ACK) % 16
    padded = ACK + bytes((padding,)) * padding
    octets = b"\x00" + bytes(12) + AESGCM(KEY).encrypt(bytes(12), padded, b"")
    assert open_packet(octets, SEALED).messages == [Ack(7)]
    unpadded = b"\x00" + bytes(12) + AESGCM(KEY).encrypt(bytes(12), ACK[:-1] + b"\x00", b"")
    assert open_packet(unpadded, SEALED).dropped == [Drop.UNAUTHENTICATED]


@pytest.mark.parametrize("wrapping", [PLAIN, SEALED, LABELLED], ids=["in clear", "sealed", "labelled"])
@given(sent=st.lists(packet_messages, min_size=1, max_size=30), checksum=st.booleans())
def test_what_goes_into_a_packet_comes_out(wrapping: Wrapping, sent: list[Message], checksum: bool) -> None:
    octets = packet.seal([encode(one) for one in sent], wrapping, RNG, checksum=checksum)
    opened = open_packet(octets, wrapping)
    assert opened.messages == sent
    assert opened.dropped == []


@pytest.mark.parametrize("wrapping", [PLAIN, SEALED, LABELLED], ids=["in clear", "sealed", "labelled"])
@given(message=messages, data=st.data())
def test_a_stream_is_read_in_whatever_pieces_it_comes(
    wrapping: Wrapping, message: Message, data: st.DataObject
) -> None:
    octets, reading = stream.seal(encode(message), wrapping, RNG), stream.Reading(wrapping)
    cut = sorted(data.draw(st.lists(st.integers(1, len(octets) - 1), max_size=4))) if len(octets) > 1 else []
    pieces = [octets[a:b] for a, b in zip([0, *cut], [*cut, len(octets)], strict=True)]
    read = [reading.feed(piece) for piece in pieces if piece]
    assert read[:-1] == [None] * (len(read) - 1)
    assert read[-1] == message


@given(st.binary(max_size=300), st.sampled_from([PLAIN, SEALED, LABELLED]))
def test_fuzz_any_octets_are_a_packet_or_counted_and_only_who_has_the_key_is_heard(
    octets: bytes, wrapping: Wrapping
) -> None:
    for start in (b"", b"\x07", b"\x09", b"\x0c", b"\xf4", b"\xf4\x04blue", b"\x07\x02\x00\x05\x00\x05"):
        opened = open_packet(start + octets, wrapping)
        if wrapping.keyring is not None:
            assert opened.messages == []
            assert opened.dropped in ([Drop.UNAUTHENTICATED], [Drop.LABEL])


@given(st.binary(max_size=300), st.sampled_from([PLAIN, SEALED, LABELLED]))
def test_fuzz_any_octets_are_a_stream_or_a_documented_error(octets: bytes, wrapping: Wrapping) -> None:
    for start in (b"", b"\x06", b"\x09", b"\x0a", b"\x0a\x00\x00\x00\x30", b"\xf4\x04blue"):
        try:
            stream.Reading(wrapping).feed(start + octets)
        except (DecodeError, UnauthenticatedError):
            continue


@pytest.mark.parametrize(
    ("octets", "wrapping", "drop"),
    [
        pytest.param(ACK, SEALED, Drop.UNAUTHENTICATED, id="in clear where all is sealed"),
        pytest.param(
            packet.seal([ACK], Wrapping(Keyring(b"k" * 32)), RNG, checksum=False),
            SEALED,
            Drop.UNAUTHENTICATED,
            id="another key",
        ),
        pytest.param(packet.seal([ACK], SEALED, RNG, checksum=False), LABELLED, Drop.LABEL, id="no label"),
        pytest.param(packet.seal([ACK], LABELLED, RNG, checksum=False), SEALED, Drop.LABEL, id="a label"),
        pytest.param(
            packet.labelled(packet.seal([ACK], SEALED, RNG, checksum=False), b"blue"),
            LABELLED,
            Drop.UNAUTHENTICATED,
            id="a label that was put on afterwards",
        ),
        pytest.param(b"\x0c\x00\x00\x00\x01" + ACK, PLAIN, Drop.CHECKSUM, id="a wrong checksum"),
        pytest.param(b"\x07\x02\x00\x12\x00\xff" + ACK, PLAIN, Drop.MALFORMED, id="a compound cut short"),
    ],
)
def test_what_is_not_ours_is_dropped_with_its_reason(octets: bytes, wrapping: Wrapping, drop: Drop) -> None:
    assert open_packet(octets, wrapping).dropped == [drop]


def test_the_messages_before_the_cut_of_a_compound_are_used() -> None:
    assert open_packet(b"\x07\x02\x00\x12\x00\xff" + ACK, PLAIN).messages == [Ack(7)]


def test_a_packet_that_is_sealed_is_read_without_verification_and_so_is_one_that_is_not() -> None:
    lenient = Wrapping(Keyring(KEY), verify_incoming=False, verify_outgoing=False)
    sent = packet.seal([ACK], lenient, RNG, checksum=False)
    assert sent == ACK
    assert open_packet(sent, lenient).messages == [Ack(7)]
    assert open_packet(packet.seal([ACK], SEALED, RNG, checksum=False), lenient).messages == [Ack(7)]


def test_nesting_and_bombs_are_given_up() -> None:
    nested = ACK
    for _ in range(packet.DEEPEST + 1):
        nested = packet.compound([nested])
    assert open_packet(nested, PLAIN).dropped == [Drop.TOO_MUCH]
    bomb = packet.compressed(bytes(packet.MOST_UNPACKED + 1))
    assert len(bomb) < 2000
    assert open_packet(bomb, PLAIN).dropped == [Drop.MALFORMED]
    many = packet.compound([packet.compressed(bytes(60_000))] * 200)
    assert Drop.TOO_MUCH in open_packet(many, PLAIN).dropped
    with pytest.raises(DecodeError, match="more than"):
        stream.Reading(PLAIN).feed(packet.compressed(bytes(stream.LARGEST_UNPACKED + 1)))
    with pytest.raises(DecodeError, match="encrypted message of"):
        stream.Reading(SEALED).feed(b"\x0a\x7f\xff\xff\xff")


VECTORS = [
    (b"\x00", "00010404"),
    (b"hello " * 20, "00d19461c3e60d0881040d222c787020c3850a1d464cd89022c48a0f25629c98d1a2c68b203f8aa41810"),
]


@pytest.mark.parametrize(("text", "packed"), VECTORS, ids=["one octet", "repeated"])
def test_lzw_is_that_of_memberlist(text: bytes, packed: str) -> None:
    assert lzw.compress(text).hex() == packed
    assert lzw.decompress(bytes.fromhex(packed), 1000) == text


@given(st.binary(max_size=3000) | st.text(alphabet="ab", max_size=3000).map(str.encode))
def test_what_was_compressed_is_decompressed(text: bytes) -> None:
    assert lzw.decompress(lzw.compress(text), len(text)) == text


@pytest.mark.parametrize("seed", range(3))
def test_lzw_starts_over_when_its_table_is_full(seed: int) -> None:
    rng = random.Random(seed)
    text = rng.randbytes(30_000) + bytes(rng.choices(b"abc", k=60_000))
    assert lzw.decompress(lzw.compress(text), len(text)) == text


@given(st.binary(max_size=300))
def test_fuzz_any_octets_are_lzw_or_an_error(octets: bytes) -> None:
    try:
        assert len(lzw.decompress(octets, 10_000)) <= 10_000
    except lzw.LzwError:
        return


def test_a_new_key_is_accepted_first_then_used_and_the_old_one_forgotten_in_the_end() -> None:
    old, new = Keyring(derive_key(b"old")), Keyring(derive_key(b"new"))
    keys = KeyChange(b"old")
    assert not keys.learn(b"old", 10.0)
    assert keys.learn(b"new", 100.0)

    def reads(now: float) -> tuple[bool, bool, bool]:
        ring = keys.ring(now)
        return (
            _opens(ring, old.seal(b"x", b"", RNG)),
            _opens(ring, new.seal(b"x", b"", RNG)),
            _opens(new, ring.seal(b"x", b"", RNG)),
        )

    assert reads(100.0) == (True, True, False)
    assert reads(100.0 + ADOPT_AFTER) == (True, True, True)
    assert reads(100.0 + FORGET_AFTER) == (False, True, True)
    assert not keys.learn(b"new", 2000.0)


def _opens(ring: Keyring, sealed: bytes) -> bool:
    try:
        return ring.unseal(sealed, b"")[0] == b"x"
    except UnauthenticatedError:
        return False


def test_keys_are_in_no_repr() -> None:
    assert "41414141" not in repr(Wrapping(Keyring(KEY)))
    assert "AAAA" not in repr(Wrapping(Keyring(KEY)))
