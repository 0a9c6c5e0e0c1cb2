"""The scenarios: one how-to each, with every claim it makes proven by a command."""

from herald.lab.scenario import Scenario
from herald.lab.scenarios import dual

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in (dual.SCENARIO,)}
"""By name, in the order in which to meet them."""
