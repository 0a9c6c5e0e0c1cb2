"""Gossip as the engine uses it: metadata, options, and memberships on the loopback interface."""

import asyncio
import functools
import json
import random
import socket
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herald.engine import metadata
from herald.engine.codec import Codec
from herald.engine.gossip import LATEST_START, GossipMembership, first_incarnation, read_secret
from herald.engine.link import Facts, Member
from herald.engine.membership import UsableNames
from herald.engine.options import GossipOptions, parse
from herald.net.usable_names import can_answer, split
from herald.swim.driver import open_sockets
from herald.swim.keyring import Keyring, derive_key
from herald.swim.member import HIGHEST_INCARNATION, LARGEST_META, METALLB_VERSIONS, Endpoint
from herald.swim.message import Alive, Dead, encode
from herald.swim.packet import Wrapping, seal
from herald.swim.profile import HERALD, LAN, WAN

interface_names = st.text(st.characters(codec="ascii", exclude_characters="/: \0", categories=["L", "N", "P"])).filter(
    lambda name: 0 < len(name) <= 15 and name not in (".", "..")
)


usable_words = st.tuples(interface_names, st.sampled_from(["", "/4", "/6"])).map("".join)


@given(st.none() | st.frozensets(usable_words, max_size=10), st.binary(max_size=LARGEST_META))
def test_usable_interfaces_and_a_note_travel_as_metadata(names: UsableNames, note: bytes) -> None:
    meta = metadata.encode(names, note)
    assert len(meta) <= LARGEST_META
    if len(note) <= metadata.room_beside(names):
        assert metadata.decode(meta) == metadata.Metadata(names, note)


def vlans(count: int, ending: str = "") -> frozenset[str]:
    return frozenset(f"bond0.{number}{ending}" for number in range(1000, 1000 + count))


@pytest.mark.parametrize("ending", ["", "/4", "/6"])
@pytest.mark.parametrize("count", [40, 46, 60, 100, 200, 300, 400])
def test_where_there_are_too_many_interfaces_to_name_the_others_still_know_which_are_missing(
    count: int, ending: str
) -> None:
    told = metadata.decode(metadata.encode(vlans(count, ending), b"a note"))
    assert (told.interfaces is not None, told.note) == (True, b"a note")
    usable = told.interfaces or frozenset()
    families = [family for family in (4, 6) if ending in ("", f"/{family}")]
    for family in families:
        assert all(can_answer(usable, [f"bond0.{number}"], family) for number in range(1000, 1000 + count))
        assert can_answer(usable, None, family)
        mistaken = [n for n in range(2000, 4000) if can_answer(usable, [f"bond0.{n}"], family)]
        assert len(mistaken) <= 2000 / metadata.MISTAKEN * 1.5
        assert not can_answer(usable, ["eth0"], family), "the one that lost its carrier"
    assert [family for family in (4, 6) if can_answer(usable, None, family)] == families
    assert metadata.decode(metadata.encode(usable, b"a note")) == told
    assert metadata.room_beside(usable) == metadata.room_beside(vlans(count, ending)), "control reads what it tells"


@given(st.frozensets(usable_words, max_size=60), st.integers(0, LARGEST_META))
def test_marks_never_hide_an_interface(words: frozenset[str], room: int) -> None:
    """Whatever the note leaves, each interface counts for what it is usable for, or all do."""
    told = metadata.decode(metadata.encode(words, bytes(room)))
    for word in words if told.interfaces is not None else ():
        name, families = split(word)
        assert all(can_answer(told.interfaces or frozenset(), [name], family) for family in families)


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_note_that_had_room_is_never_left_out_for_interfaces_that_come_later(before: int, after: int) -> None:
    note = bytes(range(1, 256)) * 2
    note = note[: metadata.room_beside(vlans(before))]
    told = metadata.decode(metadata.encode(vlans(after), note))
    assert told.note == note
    assert told.interfaces is not None or after > before + 20


@pytest.mark.parametrize(
    ("meta", "names", "note"),
    [
        pytest.param(b"", None, None, id="MetalLB tells nothing"),
        pytest.param(b"herald/1", frozenset(), b"", id="none is usable"),
        pytest.param(b"herald/1 eth0 eth1", frozenset({"eth0", "eth1"}), b"", id="two"),
        pytest.param(b"herald/1 eth0\0a b\0c", frozenset({"eth0"}), b"a b\0c", id="one and a note"),
        pytest.param(b"herald/0", None, b"", id="not known"),
        pytest.param(b"herald/0\0note", None, b"note", id="not known, and a note"),
        pytest.param(b"herald/2 eth0", None, None, id="another version"),
        pytest.param(b"herald/1 ", None, b"", id="an empty name"),
        pytest.param(b"herald/1 eth0/4 eth1/6", frozenset({"eth0/4", "eth1/6"}), b"", id="of one family each"),
        pytest.param(b"herald/1 eth0/5", None, b"", id="a family that is none"),
        pytest.param(b"herald/1 /4", None, b"", id="a family of nothing"),
        pytest.param(b"herald/1 :8:aa", None, b"", id="a mark among names"),
        pytest.param(b"herald/0 rubbish", None, b"", id="no marks"),
        pytest.param(b"herald/1 a/b", None, b"", id="a slash"),
        pytest.param(b"herald/1 a/5/4", None, b"", id="two families"),
        pytest.param(b"herald/1 a//4", None, b"", id="two slashes"),
        pytest.param(b"herald/1 a/b/6", None, b"", id="a slash in a name of one family"),
        pytest.param(b"herald/1 " + b"x" * 16, None, b"", id="too long for the kernel"),
        pytest.param(b"herald/1 eth\xff", None, b"", id="not UTF-8"),
        pytest.param(b"herald/1 \xed\xb3\xbf", None, b"", id="half a surrogate pair"),
        pytest.param(b"herald/1 \x1b[2J", None, b"", id="not printable"),
        pytest.param(b"\xff\x00serf", None, None, id="of another program"),
    ],
)
def test_what_metadata_says(meta: bytes, names: UsableNames, note: bytes | None) -> None:
    assert metadata.decode(meta) == metadata.Metadata(names, note)


async def test_more_interfaces_than_can_be_told_are_not_known_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    assert metadata.encode(vlans(500)) == b"herald/0"
    (tmp_path / "secretkey").write_text("S" * 22)
    member = GossipMembership("n1", options(2, free_port(), tmp_path), lambda: None)
    for count in (46, 500, 501, 3):
        member.offer(vlans(count))
    member.close()
    said = [one.getMessage() for one in caplog.records if getattr(one, "event", "") == "interfacesTooMany"]
    assert said == ["500 usable interfaces are too many to tell: the others take it that none is missing on this node"]


FACTS: Codec[Facts] = Codec(Facts)
octets_of_metadata = st.binary(max_size=LARGEST_META) | st.text("a/46 :8", max_size=40).map(str.encode)


@given(octets_of_metadata | st.builds(bytes.__add__, st.sampled_from([b"herald/1 ", b"herald/0 "]), octets_of_metadata))
def test_fuzz_any_metadata_is_names_or_not_known_and_can_be_told_to_control(meta: bytes) -> None:
    told = metadata.decode(meta)
    assert told.interfaces is None or all(0 < len(name) <= 17 and name.isprintable() for name in told.interfaces)
    facts = Facts((Member("n1", told.interfaces, told.note),))
    assert FACTS.decode(FACTS.encode(facts)) == facts


BASE = ["--node-name", "n1", "--link-fd", "3"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param([], None, id="no address"),
        pytest.param(["--ml-bindaddr", ""], None, id="an empty address"),
        pytest.param(["--ml-bindaddr", "10.0.0.1"], GossipOptions("10.0.0.1"), id="an address"),
        pytest.param(
            ["--ml-bindaddr", "fc00::1", "--ml-bindport", "7000", "--ml-secret-key-path", "/etc/key"],
            GossipOptions("fc00::1", 7000, Path("/etc/key")),
            id="port and key",
        ),
        pytest.param(["--ml-bindaddr", "::1", "--ml-wan-config"], GossipOptions("::1", profile=WAN), id="WAN"),
        pytest.param(["--ml-bindaddr", "::1", "--ml-profile", "lan"], GossipOptions("::1", profile=LAN), id="LAN"),
        pytest.param(
            ["--ml-bindaddr", "::1", "--ml-config", "/nowhere/config.json"],
            GossipOptions("::1", profile=HERALD),
            id="a file that is not mounted",
        ),
    ],
)
def test_options_of_gossip(more: list[str], expected: GossipOptions | None) -> None:
    assert parse([*BASE, *more]).gossip == expected


def test_metallbs_file_of_timing_is_read(tmp_path: Path) -> None:
    times = ("TCPTimeout", "PushPullInterval", "ProbeTimeout", "ProbeInterval", "GossipInterval")
    durations = dict.fromkeys((*times, "GossipToTheDeadTime", "QueueCheckInterval"), "2s")
    (tmp_path / "config.json").write_text(json.dumps(durations))
    gossip = parse([*BASE, "--ml-bindaddr", "::1", "--ml-config", str(tmp_path / "config.json")]).gossip
    assert gossip is not None
    assert gossip.profile.probe_interval == 2.0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        pytest.param(["--ml-bindaddr", "eth0"], "--ml-bindaddr: 'eth0'", id="no address"),
        pytest.param(["--ml-bindaddr", "0.0.0.0"], "it must be this node's own, such as", id="every IPv4 address"),
        pytest.param(
            ["--ml-bindaddr", "::"], "--ml-bindaddr: :: is not the address of one host", id="every IPv6 address"
        ),
        pytest.param(["--ml-bindaddr", "224.0.0.1"], "is not the address of one host", id="a group"),
        pytest.param(["--ml-bindaddr", "::1", "--ml-bindport", "70000"], "--ml-bindport: 70000", id="no port"),
        pytest.param(["--ml-bindaddr", "::1", "--ml-config", "BAD"], "ProbeInterval", id="a bad file"),
    ],
)
def test_options_that_cannot_be_are_refused_with_a_reason(
    more: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "config.json"
    bad.write_text('{"TCPTimeout": "1s", "PushPullInterval": "1s", "ProbeTimeout": "1s"}')
    with pytest.raises(SystemExit):
        parse([*BASE, *[str(bad) if word == "BAD" else word for word in more]])
    assert says in capsys.readouterr().err


def test_an_empty_secret_is_refused_rather_than_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "secretkey").write_bytes(b"")
    with pytest.raises(ValueError, match="is empty"):
        read_secret(tmp_path)


def free_port() -> int:
    """A port that was free for UDP and TCP a moment ago, on all addresses of the loopback interface."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("0.0.0.0", 0))
        try:
            udp.bind(("0.0.0.0", tcp.getsockname()[1]))
        except OSError:  # somebody has it for UDP
            return free_port()
        return int(tcp.getsockname()[1])


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "secretkey").write_text("S" * 22)
    return tmp_path


def options(number: int, port: int, secret: Path | None) -> GossipOptions:
    return GossipOptions(f"127.0.0.{number}", port, secret)


async def test_two_know_each_others_interfaces_and_who_left(secret: Path) -> None:
    port, changes = free_port(), list[str]()
    first = GossipMembership("n1", options(2, port, secret), lambda: changes.append("n1"))
    second = GossipMembership("n2", options(3, port, secret), lambda: changes.append("n2"))
    first.offer(frozenset({"eth0"}))
    second.join(("127.0.0.2", "no address at all", "127.0.0.3"))
    await until(lambda: first.members().keys() == second.members().keys() == {"n1", "n2"})
    assert second.members() == {"n1": frozenset({"eth0"}), "n2": None}
    second.offer(frozenset({"eth0", "eth1"}))
    await until(lambda: first.members()["n2"] == frozenset({"eth0", "eth1"}))
    assert second.members()["n2"] == frozenset({"eth0", "eth1"})
    second.tell(b"a note")
    await until(lambda: first.notes()["n2"] == b"a note")
    assert second.notes() == {"n1": b"", "n2": b"a note"}
    assert first.members()["n2"] == frozenset({"eth0", "eth1"})
    changes.clear()
    await second.leave()
    await until(lambda: first.members().keys() == {"n1"})
    assert "n1" in changes
    assert {row["name"]: row["state"] for row in first.document()} == {"n1": "alive", "n2": "left"}
    await first.leave()
    first.close()
    second.close()


async def test_those_with_another_key_do_not_find_each_other_count_it_and_say_it_once(
    secret: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secretkey").write_text("T" * 22)
    first = GossipMembership("n1", options(2, port, secret), lambda: None)
    second = GossipMembership("n2", options(3, port, tmp_path / "other"), lambda: None)
    first.join(("127.0.0.3",))
    second.join(("127.0.0.2",))

    def refused() -> int:
        own = first.own_document()
        return 0 if own is None else own["dropped"].get("not sealed with a key of this group", 0)

    await until(lambda: refused() > 2)
    said = f"127.0.0.3:{port}: what comes from there is encrypted with another key"
    await until(lambda: said in caplog.text)
    assert caplog.text.count(said) == 1
    assert first.members().keys() == {"n1"}
    assert second.members().keys() == {"n2"}
    first.close()
    second.close()


async def test_while_the_port_is_taken_this_node_claims_no_interface(
    secret: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    taken = open_sockets(Endpoint(ip_address("127.0.0.2"), port))
    membership = GossipMembership("n1", options(2, port, secret), lambda: None)
    membership.offer(frozenset({"eth0"}))
    assert membership.members() == {"n1": frozenset()}
    assert f"127.0.0.2:{port}" in caplog.text
    await membership.leave()
    membership.close()
    again = GossipMembership("n1", options(2, port, secret), lambda: None)
    again.offer(frozenset({"eth0"}))
    for one in taken:
        one.close()
    await until(lambda: again.members() == {"n1": frozenset({"eth0"})})
    again.close()


async def test_a_key_that_changes_in_the_file_is_taken_up_without_losing_anybody(
    secret: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    port = free_port()
    both = [GossipMembership(f"n{number}", options(number, port, secret), lambda: None) for number in (2, 3)]
    both[0].join(("127.0.0.3",))
    await until(lambda: all(one.members().keys() == {"n2", "n3"} for one in both))
    caplog.clear()
    (secret / "secretkey").write_text("U" * 22)
    both[0].read_key_again()
    await asyncio.sleep(1.0)
    both[1].read_key_again()
    (secret / "secretkey").unlink()
    both[1].read_key_again()
    await asyncio.sleep(1.0)
    assert all(one.members().keys() == {"n2", "n3"} for one in both)
    assert "live speakers are now" not in caplog.text
    for one in both:
        one.close()


def nobody_counts(name: str, group: list[GossipMembership]) -> bool:
    return all(name not in one.members() for one in group)


async def test_a_speaker_that_starts_again_right_after_the_key_changed_is_in_the_group_at_once(secret: Path) -> None:
    port = free_port()
    everybody, places = {"n2", "n3", "n4"}, ("127.0.0.2", "127.0.0.3", "127.0.0.4")

    def start(number: int) -> GossipMembership:
        made = GossipMembership(f"n{number}", options(number, port, secret), lambda: None)
        made.join(places)
        return made

    group = [start(number) for number in (2, 3, 4)]
    await until(lambda: all(one.members().keys() == everybody for one in group))
    (secret / "secretkey").write_text("U" * 22)
    for one in group:
        one.read_key_again()
    for number, again in enumerate((2, 3, 4)):
        group[number].close()
        rest = [one for one in group if one is not group[number]]
        await until(functools.partial(nobody_counts, f"n{again}", rest))
        group[number] = start(again)
        await until(lambda: all(one.members().keys() == everybody for one in group))
    await asyncio.sleep(1.0)
    assert all(one.members().keys() == everybody for one in group)
    for one in group:
        one.close()


@pytest.mark.parametrize(
    ("clock", "incarnation"),
    [
        pytest.param(1_795_300_000.9, 1_795_300_000, id="today"),
        pytest.param(-5.0, 1, id="before 1970"),
        pytest.param(5e9, LATEST_START, id="after 2097"),
    ],
)
def test_a_speaker_begins_above_what_it_said_when_it_ran_before(clock: float, incarnation: int) -> None:
    assert first_incarnation(clock) == incarnation < HIGHEST_INCARNATION


async def test_an_old_farewell_takes_nobody_out_and_a_rumour_lets_nobody_in(secret: Path) -> None:
    port = free_port()
    both = [GossipMembership(f"n{number}", options(number, port, secret), lambda: None) for number in (2, 3)]
    both[0].join(("127.0.0.3",))
    await until(lambda: all(one.members().keys() == {"n2", "n3"} for one in both))
    wrapping = Wrapping(Keyring(derive_key(b"S" * 22)))
    gone = Endpoint(ip_address("127.0.0.9"), port)
    said = [encode(Dead(1_700_000_000, "n3", "n3")), encode(Alive(1_700_000_000, "n9", gone, b"", METALLB_VERSIONS))]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(seal(said, wrapping, random.SystemRandom(), checksum=False), ("127.0.0.2", port))

    def states() -> dict[str, str]:
        return {row["name"]: row["state"] for row in both[0].document()}

    await until(lambda: states().get("n9") == "unconfirmed")
    assert both[0].members().keys() == {"n2", "n3"}
    await until(lambda: states()["n9"] == "dead")
    assert states() == {"n2": "alive", "n3": "alive", "n9": "dead"}
    for one in both:
        one.close()


async def test_garbage_by_udp_and_tcp_is_counted_and_harms_nobody(secret: Path) -> None:
    port = free_port()
    both = [GossipMembership(f"n{number}", options(number, port, secret), lambda: None) for number in (2, 3)]
    both[0].join(("127.0.0.3",))
    await until(lambda: all(one.members().keys() == {"n2", "n3"} for one in both))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for length in range(0, 1400, 20):
            udp.sendto(random.Random(length).randbytes(length), ("127.0.0.2", port))
    writers = []
    for start in (b"\x06", b"\x09\x81", b"\x0a\x7f\xff\xff\xff", b"\x0a\x00\x00\x01\x00", b"\xf4\x01x", b""):
        _, writer = await asyncio.open_connection("127.0.0.2", port)
        writer.write(start + random.Random(7).randbytes(200 if start else 0))
        writers.append(writer)

    def dropped() -> int:
        own = both[0].own_document()
        return 0 if own is None else sum(own["dropped"].values())

    await until(lambda: dropped() >= 70 + 4)
    await asyncio.sleep(0.5)
    assert all(one.members().keys() == {"n2", "n3"} for one in both)
    for writer in writers:
        writer.close()
    for one in both:
        one.close()
