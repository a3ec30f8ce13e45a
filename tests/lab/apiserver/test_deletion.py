import pytest

from podmatrix.polling import wait_until
from tests.lab.apiserver.cluster import ServedCluster
from tests.lab.apiserver.http import Http
from tests.lab.apiserver.pods import TIMEOUT_S, Namespace, pod

IGNORES_TERM = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")


def wait_ready(namespace: Namespace) -> None:
    """The command has set its trap."""
    log = f"{namespace.pods}/p/log"
    wait_until(lambda: namespace.http.get(log).text, timeout_s=TIMEOUT_S, what="output")


def test_a_pod_is_terminating_until_it_has_stopped(namespace: Namespace) -> None:
    namespace.run(pod("p", *IGNORES_TERM, terminationGracePeriodSeconds=60))
    wait_ready(namespace)
    answer = namespace.http("DELETE", f"{namespace.pods}/p").json
    assert answer["metadata"]["deletionGracePeriodSeconds"] == 60
    assert "deletionTimestamp" in namespace.get()["metadata"]
    assert namespace.event("Killing")["message"] == "Stopping container main"
    namespace.http("DELETE", f"{namespace.pods}/p", gracePeriodSeconds=0)
    namespace.wait_gone()


def test_a_shorter_grace_period_brings_the_end_forward(namespace: Namespace) -> None:
    namespace.run(pod("p", *IGNORES_TERM, terminationGracePeriodSeconds=60))
    wait_ready(namespace)
    namespace.http("DELETE", f"{namespace.pods}/p")
    namespace.http("DELETE", f"{namespace.pods}/p", gracePeriodSeconds=1)
    namespace.wait_gone()


def test_a_pod_that_heeds_sigterm_goes_at_once(namespace: Namespace) -> None:
    namespace.run(pod("p", terminationGracePeriodSeconds=60))
    namespace.http("DELETE", f"{namespace.pods}/p")
    namespace.wait_gone()


@pytest.mark.parametrize("spec", [{"nodeSelector": {"rank": "9"}}, {"restartPolicy": "Never"}])
def test_a_pod_of_which_nothing_runs_goes_at_once(
    namespace: Namespace, spec: dict[str, object]
) -> None:
    namespace.create(pod("p", "true", **{**spec, "terminationGracePeriodSeconds": 60}))
    if "restartPolicy" in spec:
        namespace.wait_phase("Succeeded")
    namespace.http("DELETE", f"{namespace.pods}/p")
    assert namespace.http.get(f"{namespace.pods}/p").status == 404


def test_a_pod_deleted_at_once_is_stopped_all_the_same(
    cluster: ServedCluster, namespace: Namespace
) -> None:
    uid = namespace.run(pod("p", *IGNORES_TERM))["metadata"]["uid"]
    namespace.http("DELETE", f"{namespace.pods}/p", gracePeriodSeconds=0)
    assert namespace.http.get(f"{namespace.pods}/p").status == 404
    wait_until(
        lambda: not any(uid in one.sandboxes for one in cluster.runtimes.values()),
        timeout_s=TIMEOUT_S,
        what="sandbox gone",
    )


def test_a_pod_of_the_same_name_starts_after_the_old_one_has_gone(namespace: Namespace) -> None:
    first = namespace.run(pod("p", *IGNORES_TERM))
    namespace.http("DELETE", f"{namespace.pods}/p", gracePeriodSeconds=0)
    second = namespace.run(pod())
    assert first["metadata"]["uid"] != second["metadata"]["uid"]


def test_a_waiting_pod_can_be_deleted(namespace: Namespace) -> None:
    waiting = pod(terminationGracePeriodSeconds=30)
    waiting["metadata"]["annotations"] = {"k8s.v1.cni.cncf.io/networks": "missing"}
    namespace.create(waiting)
    namespace.event("FailedCreatePodSandBox")
    namespace.http("DELETE", f"{namespace.pods}/p")
    namespace.wait_gone()


def test_a_namespace_goes_with_everything_in_it(http: Http, namespace: Namespace) -> None:
    namespace.run(pod("p", *IGNORES_TERM, terminationGracePeriodSeconds=1))
    wait_ready(namespace)
    path = f"/api/v1/namespaces/{namespace.name}"
    assert http("DELETE", path).json["status"] == {"phase": "Terminating"}
    refused = http.post(namespace.pods, pod("late"))
    assert (refused.status, refused.json["details"]["causes"][0]["reason"]) == (
        403,
        "NamespaceTerminating",
    )
    wait_until(lambda: http.get(path).status == 404, timeout_s=TIMEOUT_S, what="namespace gone")
    assert http.get(namespace.events).json["items"] == []


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_system_namespaces_stay(http: Http, name: str) -> None:
    assert http("DELETE", f"/api/v1/namespaces/{name}").status == 403


def test_a_new_namespace_has_its_service_account(namespace: Namespace) -> None:
    path = f"/api/v1/namespaces/{namespace.name}/serviceaccounts/default"
    assert namespace.http.get(path).status == 200


def test_an_unknown_propagation_policy_is_invalid(namespace: Namespace) -> None:
    namespace.create(pod())
    answer = namespace.http("DELETE", f"{namespace.pods}/p", {"propagationPolicy": "Foo"})
    assert answer.status == 422
