import pytest

from tests.lab.apiserver.pods import Namespace, Object, pod

NO_MATCH = "2 node(s) didn't match Pod's node affinity/selector"


def affinity(key: str, operator: str, *values: str, part: str = "matchExpressions") -> Object:
    requirement = {"key": key, "operator": operator, "values": list(values)}
    terms = {"nodeSelectorTerms": [{part: [requirement]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


@pytest.mark.parametrize(
    "spec",
    [
        {"affinity": affinity("kubernetes.io/hostname", "In", "node2")},
        {"affinity": affinity("kubernetes.io/hostname", "NotIn", "node1")},
        {"affinity": affinity("rank", "Gt", "1")},
        {"affinity": affinity("metadata.name", "In", "node2", part="matchFields")},
        {"nodeSelector": {"rank": "2"}},
        {"nodeName": "node2"},
    ],
    ids=["In", "NotIn", "Gt", "matchFields", "nodeSelector", "nodeName"],
)
def test_a_pod_runs_where_it_must(namespace: Namespace, spec: Object) -> None:
    assert namespace.run(pod(**spec))["spec"]["nodeName"] == "node2"


def test_pods_without_wishes_are_spread(namespace: Namespace) -> None:
    nodes = {namespace.run(pod(name))["spec"]["nodeName"] for name in ("a", "b")}
    assert nodes == {"node1", "node2"}


def test_a_pod_that_fits_nowhere_is_pending_and_says_why(namespace: Namespace) -> None:
    namespace.create(pod(nodeSelector={"rank": "9"}))
    event, status = namespace.event("FailedScheduling"), namespace.get()["status"]
    condition = status["conditions"][0]
    assert (status["phase"], condition["type"], condition["status"], condition["reason"]) == (
        "Pending",
        "PodScheduled",
        "False",
        "Unschedulable",
    )
    assert event["message"] == condition["message"]
    assert event["message"].startswith(f"0/2 nodes are available: {NO_MATCH}. ")


def test_a_pending_pod_runs_once_a_node_fits(namespace: Namespace) -> None:
    http, headers = namespace.http, {"Content-Type": "application/merge-patch+json"}
    namespace.create(pod(nodeSelector={"zone": namespace.name}))
    namespace.event("FailedScheduling")
    patch = {"metadata": {"labels": {"zone": namespace.name}}}
    http("PATCH", "/api/v1/nodes/node1", patch, headers=headers)
    assert namespace.wait_phase("Running")["spec"]["nodeName"] == "node1"
    http("PATCH", "/api/v1/nodes/node1", {"metadata": {"labels": {"zone": None}}}, headers=headers)


def test_a_cordoned_node_takes_no_pods(namespace: Namespace) -> None:
    http, headers = namespace.http, {"Content-Type": "application/merge-patch+json"}
    http("PATCH", "/api/v1/nodes/node1", {"spec": {"unschedulable": True}}, headers=headers)
    namespace.create(pod(nodeSelector={"rank": "1"}))
    message = namespace.event("FailedScheduling")["message"]
    http("PATCH", "/api/v1/nodes/node1", {"spec": {"unschedulable": None}}, headers=headers)
    assert "1 node(s) were unschedulable" in message
    namespace.wait_phase("Running")
