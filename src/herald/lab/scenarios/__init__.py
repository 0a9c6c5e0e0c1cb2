"""The scenarios: one how-to each, with every claim it makes proven by a command, and those of faults."""

from herald.lab.scenario import Scenario
from herald.lab.scenarios import dual, faults, multi_router, subsets, traffic

ALL = (dual.SCENARIO, subsets.SCENARIO, multi_router.SCENARIO, faults.SCENARIO, traffic.SCENARIO)
SCENARIOS: dict[str, Scenario] = {one.name: one for one in ALL}
"""By name, in the order in which to meet them."""
