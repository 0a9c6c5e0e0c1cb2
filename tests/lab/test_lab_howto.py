"""The manifests that scenarios begin with exist and are YAML of the kinds they are said to be."""

import pytest

from herald.lab.howto import HowTo
from herald.lab.scenario import Scenario
from herald.lab.scenarios import SCENARIOS

EVERY_FILE = [
    pytest.param(scenario.howto, file, id=f"{scenario.howto.folder}/{file}")
    for scenario in SCENARIOS.values()
    for file in scenario.howto.files()
]


@pytest.mark.parametrize(("howto", "file"), EVERY_FILE)
def test_every_object_has_a_kind_and_a_name(howto: HowTo, file: str) -> None:
    objects = howto.objects(file)
    assert objects
    for document in objects:
        assert document["apiVersion"]
        assert document["kind"]
        assert document["metadata"]["name"]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_what_a_scenario_begins_with_is_there(scenario: Scenario) -> None:
    assert {f"{name}.yaml" for name in scenario.first} <= set(scenario.howto.files())


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_scenario_has_a_drawing(scenario: Scenario) -> None:
    lines = scenario.picture.splitlines()
    assert all(not line or line.startswith("  ") for line in lines)
    assert all(node in scenario.picture for node in scenario.blueprint.nodes)


def test_one_object_of_several_is_found_by_its_name() -> None:
    assert HowTo("dual").object("dual-advertisements", "routed-bgp")["kind"] == "BGPAdvertisement"
    with pytest.raises(KeyError, match="no object nobody"):
        HowTo("dual").object("dual-advertisements", "nobody")
