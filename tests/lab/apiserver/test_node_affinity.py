import pytest

from podmatrix.lab.apiserver.node_affinity import (
    matches_node,
    requirement_holds,
    untolerated_taint,
)
from podmatrix.lab.apiserver.objects import Object

LABELS = {"zone": "a", "rank": "3", "text": "x"}
NODE = {"metadata": {"name": "n", "labels": LABELS}, "spec": {}}
TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("key", "operator", "values", "holds"),
    [
        ("zone", "In", ["a", "b"], True),
        ("zone", "In", ["b"], False),
        ("none", "In", ["a"], False),
        ("zone", "NotIn", ["b"], True),
        ("zone", "NotIn", ["a"], False),
        ("none", "NotIn", ["a"], True),
        ("zone", "Exists", [], True),
        ("none", "Exists", [], False),
        ("none", "DoesNotExist", [], True),
        ("zone", "DoesNotExist", [], False),
        ("rank", "Gt", ["2"], True),
        ("rank", "Gt", ["3"], False),
        ("rank", "Lt", ["4"], True),
        ("text", "Gt", ["2"], False),
        ("none", "Lt", ["2"], False),
    ],
)
def test_requirements(key: str, operator: str, values: list[str], holds: bool) -> None:
    requirement = {"key": key, "operator": operator, "values": values}
    assert requirement_holds(requirement, LABELS) is holds


def wishing(*terms: Object) -> Object:
    required = {"nodeSelectorTerms": list(terms)}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return {"spec": {"affinity": affinity}}


def zone(*values: str) -> Object:
    return {"key": "zone", "operator": "In", "values": list(values)}


@pytest.mark.parametrize(
    ("pod", "matches"),
    [
        ({"spec": {}}, True),
        ({"spec": {"nodeSelector": {"zone": "a", "rank": "3"}}}, True),
        ({"spec": {"nodeSelector": {"zone": "a", "rank": "4"}}}, False),
        (wishing({"matchExpressions": [zone("a")]}), True),
        (wishing({"matchExpressions": [zone("b")]}, {"matchExpressions": [zone("a")]}), True),
        (wishing({"matchExpressions": [zone("a"), zone("b")]}), False),
        (wishing({}), False),
    ],
    ids=["none", "selector", "selector-no", "one", "any-term", "all-expressions", "empty-term"],
)
def test_a_pod_matches_a_node_where_one_term_holds(pod: Object, matches: bool) -> None:
    assert matches_node(pod, NODE) is matches


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({}, False),
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_taints(toleration: Object, tolerated: bool) -> None:
    tainted = {**NODE, "spec": {"taints": [TAINT]}}
    found = untolerated_taint({"spec": {"tolerations": [toleration]}}, tainted)
    assert found == (None if tolerated else TAINT)


def test_a_preference_keeps_no_pod_off() -> None:
    tainted = {**NODE, "spec": {"taints": [{**TAINT, "effect": "PreferNoSchedule"}]}}
    assert untolerated_taint({"spec": {}}, tainted) is None
