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
    newcomers = Newcomers(lambda: present[-1], lambda: called.append(True), gone.update)
    for now in seen:
        present.append(now)
        newcomers.look()
    assert len(called) == times
    assert gone == {name for before, after in pairwise(seen) for name in before - after}
