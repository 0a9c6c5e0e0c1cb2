"""The scenarios: one how-to each, with every claim it makes proven by a command."""

from herald.lab.scenario import Scenario
from herald.lab.scenarios import dual, multi_router, subsets

SCENARIOS: dict[str, Scenario] = {one.name: one for one in (dual.SCENARIO, subsets.SCENARIO, multi_router.SCENARIO)}
"""By name, in the order in which to meet them."""
