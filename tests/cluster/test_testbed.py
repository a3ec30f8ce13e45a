"""Making pods and taking them down again, with an API that refuses, loses and forgets."""

from typing import Any

import pytest

from podmatrix.cluster.client import Cluster
from podmatrix.cluster.testbed import Testbed, deploy
from podmatrix.errors import ClusterError, TestbedError
from podmatrix.model import Node
from podmatrix.profile import Profile, parse_profile
from tests.cluster.server import Answer, Server

NODE = Node(slot="a", name="n1", internal_ip="192.168.31.128")
NAMESPACE = "/api/v1/namespaces/podmatrix-r1"
PODS = f"{NAMESPACE}/pods"
NADS = "/apis/k8s.cni.cncf.io/v1/namespaces/{}/network-attachment-definitions"
OURS = {"metadata": {"name": "podmatrix-r1", "uid": "u", "labels": {"podmatrix.io/run": "r1"}}}
OURS |= {"status": {"phase": "Terminating"}}
GONE = Answer(status=404, body={"message": "not found"})

PROFILE = """
apiVersion: podmatrix.io/v1alpha1
kind: Profile
metadata: {name: small}
networks:
  calico: {attach: default}
  flannel: {cni: flannel, attach: default/flannel-conf}
pods: {calico: {eth0: calico}, PODS}
reachability: {default: required}
"""


def profile(pods: str = "second: {eth0: calico}") -> Profile:
    return parse_profile(PROFILE.replace("PODS", pods), source="small.yaml")


def api_pod(name: str, **status: object) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "podmatrix-r1", "uid": name},
        "spec": {"nodeName": "n1"},
        "status": status,
    }


def ready(name: str) -> dict[str, Any]:
    return api_pod(
        name,
        phase="Running",
        hostIP="192.168.31.128",
        podIP="10.0.0.1",
        podIPs=[{"ip": "10.0.0.1"}],
        conditions=[{"type": "Ready", "status": "True"}],
    )


def pending(name: str) -> dict[str, Any]:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no image"}}}
    return api_pod(name, phase="Pending", containerStatuses=[waiting])


def pod_list(*pods: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "7"}, "items": list(pods)}


@pytest.fixture(autouse=True)
def _healthy(server: Server) -> None:
    node = {"metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "host-1"}}}
    server.on("GET /api/v1/nodes", {"items": [node]})
    server.on("POST /api/v1/namespaces", OURS, status=201)
    server.on(f"GET {NAMESPACE}", OURS, GONE)
    server.on(f"DELETE {NAMESPACE}", OURS)
    server.on(f"POST {PODS}", {}, status=201)
    server.on(f"GET {PODS}", pod_list(ready("calico-a"), ready("second-a")))
    server.on(f"WATCH {PODS}", [])
    server.on(f"GET {NAMESPACE}/events", {"items": []})
    for name in ("calico-a", "second-a"):
        server.on(f"DELETE {PODS}/{name}")


class Said(list[str]):
    """Progress lines."""

    @property
    def text(self) -> str:
        return "\n".join(self)


@pytest.fixture
def said() -> Said:
    return Said()


def made(
    cluster: Cluster,
    said: Said,
    declared: Profile | None = None,
    *,
    timeout_s: float = 0.3,
    namespace: str | None = None,
) -> Testbed:
    declared = declared or profile()
    return deploy(
        cluster,
        declared,
        declared.roles(["a"]),
        [NODE],
        run_id="r1",
        namespace=namespace,
        image="probe:1",
        timeout_s=timeout_s,
        progress=said.append,
    )


def test_pods_that_are_ready_are_told(server: Server, cluster: Cluster, said: Said) -> None:
    testbed = made(cluster, said)
    testbed.wait_ready()
    assert [(pod.role_id, pod.pod_ips, pod.problem) for pod in testbed.pods] == [
        ("calico-a", ("10.0.0.1",), ""),
        ("second-a", ("10.0.0.1",), ""),
    ]
    assert "2 of 2 pods ready" in said.text


def test_the_pod_is_pinned_to_the_label_of_its_node(
    server: Server, cluster: Cluster, said: Said
) -> None:
    made(cluster, said)
    affinity = server.bodies[f"POST {PODS}"]["spec"]["affinity"]["nodeAffinity"]
    assert "host-1" in str(affinity)


def test_a_change_that_is_watched_is_taken_in(server: Server, cluster: Cluster, said: Said) -> None:
    server.on(f"GET {PODS}", pod_list(ready("calico-a"), pending("second-a")))
    server.on(f"WATCH {PODS}", [{"type": "MODIFIED", "object": ready("second-a")}])
    testbed = made(cluster, said, timeout_s=20)
    testbed.wait_ready()
    assert not any(pod.problem for pod in testbed.pods)


GONE_410 = {"code": 410, "reason": "Expired", "message": "too old resource version"}


@pytest.mark.parametrize(
    "watch",
    [
        pytest.param([{"type": "ERROR", "object": GONE_410}], id="too old, in the stream"),
        pytest.param(Answer(status=410, body=GONE_410), id="too old, at once"),
        pytest.param(Answer(status=403, body={"message": "no watch"}), id="not allowed"),
        pytest.param(Answer(body="no event"), id="garbage"),
    ],
)
def test_a_watch_that_fails_is_replaced_by_the_list(
    server: Server, cluster: Cluster, said: Said, watch: object
) -> None:
    server.on(
        f"GET {PODS}",
        pod_list(pending("calico-a")),
        pod_list(*map(ready, ("calico-a", "second-a"))),
    )
    server.on(f"WATCH {PODS}", watch)
    testbed = made(cluster, said, timeout_s=20)
    testbed.wait_ready()
    assert not any(pod.problem for pod in testbed.pods)


def test_a_pod_that_is_not_ready_in_time_tells_its_last_event(
    server: Server, cluster: Cluster, said: Said
) -> None:
    server.on(f"GET {PODS}", pod_list(ready("calico-a"), pending("second-a")))
    event = {"metadata": {}, "type": "Warning", "reason": "Failed", "message": "cannot pull it"}
    server.on(f"GET {NAMESPACE}/events", {"items": [event]})
    testbed = made(cluster, said)
    testbed.wait_ready()
    assert testbed.pods[0].problem == ""
    assert testbed.pods[1].problem == (
        "not ready within 0.3 s: ImagePullBackOff: no image; last event Failed: cannot pull it"
    )


def test_a_pod_that_is_over_is_not_waited_for(server: Server, cluster: Cluster, said: Said) -> None:
    server.on(f"GET {PODS}", pod_list(ready("calico-a"), api_pod("second-a", phase="Failed")))
    testbed = made(cluster, said, timeout_s=60)
    testbed.wait_ready()
    assert testbed.pods[1].problem == "not ready: Failed"


def test_an_unreadable_network_status_is_a_problem(
    server: Server, cluster: Cluster, said: Said
) -> None:
    broken = ready("second-a")
    broken["metadata"]["annotations"] = {"k8s.v1.cni.cncf.io/network-status": "{"}
    server.on(f"GET {PODS}", pod_list(ready("calico-a"), broken))
    testbed = made(cluster, said)
    testbed.wait_ready()
    assert "network-status cannot be read" in testbed.pods[1].problem


def test_a_pod_that_is_refused_does_not_stop_the_others(
    server: Server, cluster: Cluster, said: Said
) -> None:
    quota = Answer(status=403, body={"message": "exceeded quota"})
    server.on(f"POST {PODS}", quota, Answer(status=201, body={}))
    server.on(f"GET {PODS}", pod_list(ready("calico-a"), ready("second-a")))
    testbed = made(cluster, said)
    testbed.wait_ready()
    assert sorted("exceeded quota" in pod.problem for pod in testbed.pods) == [False, True]


def test_the_service_account_may_come_late(server: Server, cluster: Cluster, said: Said) -> None:
    late = Answer(status=403, body={"message": 'serviceaccount "default" not found'})
    server.on(f"POST {PODS}", late, late, late, Answer(status=201, body={}))
    made(cluster, said).wait_ready()
    assert "2 of 2 pods ready" in said.text


def test_when_every_pod_is_refused_the_namespace_goes_again(
    server: Server, cluster: Cluster, said: Said
) -> None:
    server.on(f"POST {PODS}", {"message": "violates PodSecurity"}, status=403)
    with pytest.raises(TestbedError, match=r"no pod could be created: .* violates PodSecurity"):
        made(cluster, said)
    assert f"DELETE {NAMESPACE}" in server.requests


def test_a_namespace_of_somebody_else_is_never_deleted(
    server: Server, cluster: Cluster, said: Said
) -> None:
    server.on("POST /api/v1/namespaces", {"message": "exists"}, status=409)
    server.on(f"GET {NAMESPACE}", {"metadata": {"name": "podmatrix-r1", "uid": "u"}})
    server.on(f"GET {PODS}", pod_list())
    with pytest.raises(ClusterError, match="exists"):
        made(cluster, said)
    assert not any(request.startswith("DELETE") for request in server.requests)


def test_what_is_deleted_is_named_by_uid(server: Server, cluster: Cluster, said: Said) -> None:
    assert made(cluster, said).delete() == ()
    assert server.bodies[f"DELETE {NAMESPACE}"]["preconditions"] == {"uid": "u"}
    assert server.bodies[f"DELETE {PODS}/calico-a"]["preconditions"] == {"uid": "calico-a"}


def test_what_cannot_be_deleted_is_told_with_the_command(
    server: Server, cluster: Cluster, said: Said
) -> None:
    testbed = made(cluster, said)
    server.on(f"DELETE {NAMESPACE}", {"message": "may not"}, status=403)
    server.on(f"GET {NAMESPACE}", OURS)
    (left,) = testbed.delete()
    assert "namespace podmatrix-r1 is left in the cluster" in left
    assert left.endswith("remove it: kubectl delete namespace podmatrix-r1")
    assert left in said


def test_in_a_namespace_that_was_given_only_the_run_is_removed(
    server: Server, cluster: Cluster, said: Said
) -> None:
    given = "/api/v1/namespaces/given"
    server.on(f"GET {given}", {"metadata": {"name": "given"}})
    server.on(f"POST {given}/pods", {}, status=201)
    server.on(f"GET {given}/pods", pod_list())
    assert made(cluster, said, namespace="given").delete() == ()
    assert f"DELETE {given}" not in server.requests
    assert "POST /api/v1/namespaces" not in server.requests


def test_a_namespace_that_was_given_must_exist(
    server: Server, cluster: Cluster, said: Said
) -> None:
    server.on("GET /api/v1/namespaces/given", GONE)
    server.on("GET /api/v1/namespaces/given/pods", pod_list())
    with pytest.raises(TestbedError, match="--matrix-namespace=given: there is none"):
        made(cluster, said, namespace="given")


DUAL = "dual: {eth0: calico, net1: flannel}"


def test_a_missing_nad_is_made_in_our_namespace_and_used(
    server: Server, cluster: Cluster, said: Said
) -> None:
    server.on(f"POST {NADS.format('podmatrix-r1')}", {}, status=201)
    testbed = made(cluster, said, profile(DUAL))
    assert testbed.notes == (
        "NetworkAttachmentDefinition default/flannel-conf is missing: "
        "podmatrix-r1/flannel-conf stands in",
    )
    pods = {body["metadata"]["name"]: body for key, body in server.sent if key == f"POST {PODS}"}
    assert pods["dual-a"]["metadata"]["annotations"] == {
        "k8s.v1.cni.cncf.io/networks": "podmatrix-r1/flannel-conf"
    }


def test_without_multus_the_cure_is_named(server: Server, cluster: Cluster, said: Said) -> None:
    with pytest.raises(TestbedError, match=r"Multus is not installed.*networks need none"):
        made(cluster, said, profile(DUAL))
    assert f"DELETE {NAMESPACE}" in server.requests
