"""Whatever happens to the owner of an address, somebody answers again, and in the end one node does. How fast is a
matter of `python -m benchmarks.failover`; here it is what must be so."""

import random
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from herald.lab.failover import faults
from herald.lab.failover.faults import Fault
from herald.lab.failover.herald_nodes import HeraldNodes
from herald.lab.failover.stand import ADDRESSES, NODES, Stand, standing
from herald.lab.failover.trial import trial

pytestmark = [
    pytest.mark.netns,
    pytest.mark.scenario,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]

FAULTS: tuple[tuple[Fault, int], ...] = (
    (faults.Frozen(), 2),
    (faults.LinkDown(), 2),
    (faults.CutOff(), 1),
    (faults.FolderGone(), 1),
    (faults.Killed(), 1),
    (faults.Recreated(), 1),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand() -> AsyncIterator[Stand]:
    """Three speakers on a folder, an encrypted group, a client and an asker."""
    async with standing(HeraldNodes(), f"o{secrets.token_hex(2)}") as made:
        await made.settled()
        yield made


@pytest.mark.parametrize(("fault", "runs"), [pytest.param(*each, id=each[0].name) for each in FAULTS])
async def test_both_addresses_are_answered_again_by_another_node_and_by_one_in_the_end(
    stand: Stand, fault: Fault, runs: int
) -> None:
    for _ in range(runs):
        home = await stand.settled()
        seen = await trial(stand, fault, random.Random(), home)
        for address in ADDRESSES:
            (moved_to,) = seen.struck.talks[address].who
            assert moved_to != home
            assert seen.struck.asks[address].who == (stand.macs[moved_to],)
            assert seen.mended.talks[address].who == (home,), "it came back"
            assert seen.mended.asks[address].who == (stand.macs[home],), "nobody else answers"
        assert seen.struck.frames["arp"] >= 2, "the new owner told everybody"
        assert seen.struck.frames["na"] >= 1


async def test_nobody_is_without_an_answer_when_all_members_are_restarted_one_by_one(stand: Stand) -> None:
    owner = await stand.settled()
    begun = await stand.watching.begin()
    await faults.RestartedOneByOne().strike(stand, owner)
    seen = await stand.watching.read()
    assert await stand.settled() == owner
    for address in ADDRESSES:
        longest = seen.talks[address].silent
        assert longest < (seen.now - begun.now) / 2, f"the client of {address} lost it for {longest:.2f} s"
    after = await stand.watching.begin()
    await faults.Nothing(1.0).strike(stand, owner)
    quiet = await stand.watching.read()
    assert quiet.now > after.now
    assert [seen.doubles for seen in quiet.asks.values()] == [0, 0], "one owner"


async def test_fifty_flaps_of_the_owners_interface_leave_one_owner_that_answers(stand: Stand) -> None:
    owner = await stand.settled()
    flapping = faults.Flapping()
    await flapping.strike(stand, owner)
    await flapping.mend(stand, owner)
    now_at = await stand.settled()
    assert now_at in NODES
    await faults.Nothing(1.2).strike(stand, owner)  # who gave it up last answers for 1 s at most
    await stand.watching.begin()
    await faults.Nothing(1.0).strike(stand, owner)
    seen = await stand.watching.read()
    for address in ADDRESSES:
        assert seen.asks[address].doubles == 0
        assert len(seen.talks[address].who) == 1
