"""An address moves because somebody wants it to, and not one question goes unanswered: the successor speaks first.

A client asks every 5 ms through its kernel, an asker every 5 ms by ARP and Neighbor Solicitation. What is counted is
what nobody answered, which is to be nothing, and what two answered, which is printed.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from herald.lab import process
from herald.lab.failover.herald_nodes import HeraldNodes, manifests
from herald.lab.failover.stand import NODES, Stand, standing
from herald.lab.platform import HERALD

pytestmark = [
    pytest.mark.netns,
    pytest.mark.scenario,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]

AFTERWARDS_S = 0.4
STEADY_S = 0.8
"""An owner that is to lose what it has just got cannot tell its successor's announcement from its predecessor's."""
LONGEST_DOUBLE_S = 1.2
"""What the successor needs and the bound of the predecessor; and the machine may be busy."""
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"


def rewrite(stand: Stand, file: str, change: Callable[[str], str]) -> None:
    """Change a manifest in one go: no speaker sees half of it."""
    path = stand.place.config / file
    draft = path.with_name(f".{file}.draft")
    draft.write_text(change(path.read_text()))
    draft.replace(path)


def advertise(stand: Stand, **spec: Any) -> None:
    """The L2Advertisement says this from now on."""
    text = dict(manifests({}, spec))["advertisement.yaml"]
    rewrite(stand, "advertisement.yaml", lambda _: text)


def preferring(*nodes: str) -> dict[str, Any]:
    chosen = [
        {"weight": 100 - place, "preference": {"matchLabels": {"kubernetes.io/hostname": node}}}
        for place, node in enumerate(nodes)
    ]
    return {"preferredNodeSelectors": chosen}


def label(stand: Stand, node: str, *, name: str, there: bool) -> None:
    words = f', "{name}": "" }}}}\nstatus:'
    rewrite(
        stand,
        f"{node}.yaml",
        lambda text: text.replace("}}\nstatus:", words) if there else text.replace(words, "}}\nstatus:"),
    )


def endpoint(stand: Stand, node: str, *, ready: bool) -> None:
    def change(text: str) -> str:
        return text.replace(
            f"{{ready: {str(not ready).lower()}}}, nodeName: {node}}}",
            f"{{ready: {str(ready).lower()}}}, nodeName: {node}}}",
        )

    rewrite(stand, "service-web.yaml", change)


async def drain(stand: Stand, node: str, *words: str) -> None:
    where = ["--config", str(stand.place.config), "--socket", str(stand.place.show_socket(node))]
    await process.must([*HERALD, "drain", node, *where, *words])


async def at_once(_: None) -> None:
    """What was called has been done."""


@dataclass(frozen=True, slots=True)
class Move:
    """`away` makes the owner lose the addresses, `back` undoes it; `before` is done once, long before."""

    name: str
    away: Callable[[Stand, str], Awaitable[None]]
    back: Callable[[Stand, str], Awaitable[None]]
    before: Callable[[Stand], None] = lambda _: None


async def _end(stand: Stand, node: str) -> None:
    await stand.running[node].stop(10.0)


async def _start(stand: Stand, node: str) -> None:
    stand.start(node)


async def _drain(stand: Stand, node: str) -> None:
    await drain(stand, node, "--wait", "1s", "--timeout", "20s")


async def _undo(stand: Stand, node: str) -> None:
    await drain(stand, node, "--undo")


async def _exclude(stand: Stand, node: str) -> None:
    label(stand, node, name=EXCLUDE, there=True)


async def _include(stand: Stand, node: str) -> None:
    label(stand, node, name=EXCLUDE, there=False)


def _choose_by_label(stand: Stand) -> None:
    for node in NODES:
        label(stand, node, name="chosen", there=True)
    advertise(stand, nodeSelectors=[{"matchExpressions": [{"key": "chosen", "operator": "Exists"}]}])


async def _unlabel(stand: Stand, node: str) -> None:
    label(stand, node, name="chosen", there=False)


async def _label(stand: Stand, node: str) -> None:
    label(stand, node, name="chosen", there=True)


def _be_local(stand: Stand) -> None:
    rewrite(
        stand,
        "service-web.yaml",
        lambda text: text.replace("type: LoadBalancer\n", "type: LoadBalancer\n  externalTrafficPolicy: Local\n"),
    )


async def _lose_endpoint(stand: Stand, node: str) -> None:
    endpoint(stand, node, ready=False)


async def _get_endpoint(stand: Stand, node: str) -> None:
    endpoint(stand, node, ready=True)


async def _prefer_others(stand: Stand, node: str) -> None:
    advertise(stand, **preferring(*(one for one in NODES if one != node)))


async def _prefer(stand: Stand, node: str) -> None:
    advertise(stand, **preferring(node))


MOVES = (
    Move("herald drain", _drain, _undo),
    Move("SIGTERM", _end, _start),
    Move("label that excludes the node", _exclude, _include),
    Move("label that nodeSelectors ask for", _unlabel, _label, _choose_by_label),
    Move("preferredNodeSelectors", _prefer_others, _prefer),
    Move("endpoint gone, externalTrafficPolicy Local", _lose_endpoint, _get_endpoint, _be_local),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand() -> AsyncIterator[Stand]:
    """Three speakers on a folder, an encrypted group, a client and an asker."""
    async with standing(HeraldNodes(), f"p{secrets.token_hex(2)}", ask_every=1) as made:
        await made.settled()
        yield made


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.name)
async def test_no_question_goes_unanswered_while_the_addresses_move(stand: Stand, move: Move) -> None:
    move.before(stand)
    owner = await stand.settled()
    for _ in range(2):
        await asyncio.sleep(STEADY_S)
        await stand.watching.begin()
        await move.away(stand, owner)

        async def elsewhere(owner: str = owner) -> str | None:
            now_at = stand.owner(await stand.watching.read())
            return None if now_at in (None, owner) else now_at

        successor = await stand.until(elsewhere, f"another node than {owner} answers: {move.name}")
        await asyncio.sleep(AFTERWARDS_S)
        seen = await stand.watching.read()
        told = {
            "move": move.name,
            "lost": {address: (seen.talks[address].lost, seen.asks[address].lost) for address in seen.talks},
            "doubles": {address: one.doubles for address, one in seen.asks.items()},
            "silent_ms": {address: round(one.silent * 1000, 1) for address, one in seen.asks.items()},
        }
        print(json.dumps(told))
        assert [(one.lost, one.moves) for one in seen.talks.values()] == [(0, 1), (0, 1)], "the client moved once"
        assert [one.lost for one in seen.asks.values()] == [0, 0]
        assert all(one.double_s <= LONGEST_DOUBLE_S for one in seen.asks.values()), "never both for long"
        assert {who for one in seen.talks.values() for who in one.who} == {successor}
        await move.back(stand, owner)
        await stand.settled(owner)
