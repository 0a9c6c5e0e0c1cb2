"""A speaker that has just started is not counted by those that run, for it does not know yet what it answers for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_engine_gossip import free_port, interface_names, options, until

from herald.engine import metadata
from herald.engine.gossip import GossipMembership
from herald.engine.membership import UsableNames

ETH0 = frozenset({"eth0"})


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "secretkey").write_text("S" * 22)
    return tmp_path


@given(st.none() | st.frozensets(interface_names, max_size=10), st.binary(max_size=20), st.booleans())
def test_whether_a_node_is_starting_travels_with_its_interfaces_and_its_note(
    names: UsableNames, note: bytes, is_starting: bool
) -> None:
    told = metadata.decode(metadata.encode(names, note, is_starting=is_starting))
    assert told == metadata.Metadata(names, note, is_starting)


def made(port: int, secret: Path, *names: str) -> list[GossipMembership]:
    """Members that know each other and have offered eth0, none of them ready."""
    members = []
    for number, name in enumerate(names, start=2):
        member = GossipMembership(name, options(number, port, secret), lambda: None)
        member.offer(ETH0)
        member.join(("127.0.0.2",))
        members.append(member)
    return members


async def test_who_runs_does_not_count_a_newcomer_before_it_is_ready_and_the_newcomer_counts_itself(
    secret: Path,
) -> None:
    port = free_port()
    (first,) = made(port, secret, "n1")
    first.ready()
    second = GossipMembership("n2", options(3, port, secret), lambda: None)
    second.join(("127.0.0.2",))
    await until(lambda: first.members().keys() == second.members().keys() == {"n1", "n2"})
    assert first.members()["n2"] == frozenset(), "whatever its interfaces are"
    second.offer(ETH0)
    second.tell(b"a note")
    await until(lambda: first.notes()["n2"] == b"a note")
    assert first.members() == {"n1": ETH0, "n2": frozenset()}
    assert [(row["name"], row.get("starting", False)) for row in first.document()] == [("n1", False), ("n2", True)]
    assert second.members() == {"n1": ETH0, "n2": ETH0}
    second.ready()
    await until(lambda: first.members()["n2"] == ETH0)
    for one in (first, second):
        await one.leave()
        one.close()


async def test_those_that_start_together_count_each_other_from_the_first(secret: Path) -> None:
    first, second = made(free_port(), secret, "n1", "n2")
    both = {"n1": ETH0, "n2": ETH0}
    await until(lambda: first.members() == second.members() == both)
    first.ready()
    assert first.members() == both, "it waits for the one that started when it did"
    second.ready()
    await until(lambda: first.members() == second.members() == both)
    for one in (first, second):
        await one.leave()
        one.close()


async def test_a_node_whose_control_is_away_is_not_counted_until_it_is_ready_again(secret: Path) -> None:
    first, second = made(free_port(), secret, "n1", "n2")
    both = {"n1": ETH0, "n2": ETH0}
    first.ready()
    second.ready()
    await until(lambda: first.members() == second.members() == both)
    second.away()
    await until(lambda: first.members() == {"n1": ETH0, "n2": frozenset()})
    assert second.members() == both
    second.ready()
    await until(lambda: first.members() == both)
    for one in (first, second):
        await one.leave()
        one.close()


async def test_when_all_were_away_the_first_one_back_counts_the_others(secret: Path) -> None:
    first, second = made(free_port(), secret, "n1", "n2")
    both = {"n1": ETH0, "n2": ETH0}
    first.ready()
    second.ready()
    await until(lambda: first.members() == second.members() == both)
    first.away()
    await until(lambda: second.members()["n1"] == frozenset())
    second.away()
    await until(lambda: all(row.get("starting") for one in (first, second) for row in one.document()))
    assert first.members() == second.members() == both
    first.ready()
    await until(lambda: not second.document()[0].get("starting"))
    assert first.members() == second.members() == both
    for one in (first, second):
        await one.leave()
        one.close()
