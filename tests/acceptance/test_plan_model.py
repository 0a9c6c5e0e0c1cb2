"""Herald's plan and that of the naive model, over random clusters: the same addresses, owners, routes and errors.

A failure names the seed: `clusters.cluster(random.Random(seed))` is the cluster.
"""

import json
import random
from typing import Any

from clusters import Circumstances, circumstances, cluster
from hypothesis import given
from hypothesis import strategies as st
from manifests import Manifest
from model import comparable, plan

from herald.cluster.meta import NodeName
from herald.config.collect import collect
from herald.report.plan import plan as herald_plan

CLUSTERS_AT_ONCE = 8


def planned(objects: list[Manifest], given_by: Circumstances) -> dict[str, Any]:
    collected = collect([("cluster.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))])
    members = given_by.members
    found = herald_plan(
        collected.resources,
        namespace=given_by.home,
        members=None if members is None else frozenset(map(NodeName, members)),
        load_balancer_class=given_by.lb_class,
        ignore_exclude_lb=given_by.ignore_exclude,
        already=collected.problems,
    )
    return comparable(json.loads(json.dumps(found.to_json())))


@given(st.integers(0, 2**32))
def test_herald_and_the_model_make_the_same_plan_of_any_cluster(seed: int) -> None:
    for number in range(seed * CLUSTERS_AT_ONCE, (seed + 1) * CLUSTERS_AT_ONCE):
        source = random.Random(number)
        objects, given_by = cluster(source), circumstances(source)
        assert planned(objects, given_by) == plan(objects, given_by), f"seed {number}"
