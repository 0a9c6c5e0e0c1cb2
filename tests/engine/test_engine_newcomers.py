"""Who counts as another speaker."""

from itertools import pairwise

import pytest

from herald.engine.newcomers import Newcomers


@pytest.mark.parametrize(
    ("seen", "times"),
    [
        pytest.param([{"n1"}], 0, id="this node alone at the start"),
        pytest.param([{"n1"}, {"n1", "n2"}], 1, id="another one comes"),
        pytest.param([{"n1"}, {"n1", "n2"}, {"n1", "n2"}], 1, id="it stays"),
        pytest.param([{"n1", "n2"}, {"n1"}], 0, id="one goes"),
        pytest.param([{"n1", "n2"}, {"n1"}, {"n1", "n2"}], 1, id="one is back"),
        pytest.param([{"n1", "n2"}, {"n1", "n3"}], 1, id="one goes and another comes"),
    ],
)
def test_only_who_was_not_there_before_is_new(seen: list[set[str]], times: int) -> None:
    called: list[bool] = []
    present: list[set[str]] = []
    gone: set[str] = set()
    newcomers = Newcomers(lambda: dict.fromkeys(present[-1], frozenset({"eth0"})), called.append, gone.update)
    for now in seen:
        present.append(now)
        newcomers.look()
    assert called == [True] * times
    assert gone == {name for before, after in pairwise(seen) for name in before - after}


@pytest.mark.parametrize(
    ("names", "is_urgent"),
    [
        pytest.param(frozenset({"eth0"}), True, id="it may have answered"),
        pytest.param(None, True, id="not known: MetalLB's"),
        pytest.param(frozenset[str](), False, id="it has just started"),
    ],
)
def test_there_is_haste_only_for_one_that_may_have_answered(names: frozenset[str] | None, *, is_urgent: bool) -> None:
    called: list[bool] = []
    present: dict[str, frozenset[str] | None] = {"n1": frozenset({"eth0"})}
    newcomers = Newcomers(lambda: present, called.append, lambda _: None)
    newcomers.look()
    present["n2"] = names
    newcomers.look()
    assert called == [is_urgent]
