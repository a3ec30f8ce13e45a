import pytest

from tests.lab.apiserver.cluster import ServedCluster
from tests.lab.apiserver.pods import Namespace, Object, pod

ALWAYS_FAILS = ("sh", "-c", "echo tried; exit 3")


def conditions(obj: Object) -> dict[str, str]:
    return {one["type"]: one["status"] for one in obj["status"]["conditions"]}


def state(obj: Object) -> Object:
    found: Object = obj["status"]["containerStatuses"][0]["state"]
    return found


def test_a_pod_has_the_defaults_of_a_real_api_server(namespace: Namespace) -> None:
    spec = namespace.create(pod())["spec"]
    tolerated = [one["key"] for one in spec["tolerations"]]
    assert spec["restartPolicy"] == "Always"
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["serviceAccountName"] == "default"
    assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert tolerated == ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]


def test_a_created_pod_is_answered_before_it_is_scheduled(namespace: Namespace) -> None:
    created = namespace.create(pod())
    assert created["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert "nodeName" not in created["spec"]


def test_a_running_pod_has_addresses_and_is_ready(namespace: Namespace) -> None:
    running = namespace.run(pod())
    status = running["status"]
    assert set(conditions(running).values()) == {"True"}
    assert status["podIP"].startswith("10.200.")
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["hostIP"] in ("192.168.31.128", "192.168.31.129")
    assert status["containerStatuses"][0]["ready"]
    assert "running" in state(running)


def test_a_host_network_pod_has_the_address_of_its_node(namespace: Namespace) -> None:
    status = namespace.run(pod(hostNetwork=True, nodeName="node2"))["status"]
    assert status["podIP"] == status["hostIP"] == "192.168.31.129"


def test_a_pod_start_is_told_in_events(namespace: Namespace) -> None:
    namespace.run(pod())
    assert namespace.reasons() == [
        ("default-scheduler", "Scheduled"),
        ("multus", "AddedInterface"),
        ("kubelet", "Pulled"),
        ("kubelet", "Created"),
        ("kubelet", "Started"),
    ]


def test_events_are_served_in_both_groups(namespace: Namespace) -> None:
    namespace.run(pod())
    path = f"/apis/events.k8s.io/v1/namespaces/{namespace.name}/events"
    found = namespace.http.get(path, fieldSelector="reason=Scheduled").json["items"][0]
    assert found["regarding"]["name"] == "p"
    assert found["note"].startswith(f"Successfully assigned {namespace.name}/p to node")
    assert found["reportingController"] == "default-scheduler"


def test_network_annotations_of_the_sandbox_are_on_the_pod(namespace: Namespace) -> None:
    annotations = namespace.run(pod())["metadata"]["annotations"]
    assert annotations["k8s.v1.cni.cncf.io/network-status"] == "[]"


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (5, "Failed")])
def test_a_pod_that_ends_for_good_says_how(namespace: Namespace, code: int, phase: str) -> None:
    namespace.create(pod("p", "sh", "-c", f"exit {code}", restartPolicy="Never"))
    ended = namespace.wait_phase(phase)
    assert state(ended)["terminated"]["exitCode"] == code
    assert conditions(ended)["Ready"] == "False"


def test_a_pod_that_fails_is_started_again_after_a_while(namespace: Namespace) -> None:
    namespace.create(pod("p", *ALWAYS_FAILS))
    waiting = namespace.wait(
        lambda obj: state(obj).get("waiting", {}).get("reason") == "CrashLoopBackOff"
    )
    container = waiting["status"]["containerStatuses"][0]
    assert waiting["status"]["phase"] == "Running"
    assert container["restartCount"] == 1
    assert container["lastState"]["terminated"]["exitCode"] == 3
    assert state(waiting)["waiting"]["message"].startswith("back-off 10s restarting failed")
    assert namespace.event("BackOff")["type"] == "Warning"


def test_a_pod_with_policy_on_failure_ends_with_success(namespace: Namespace) -> None:
    namespace.create(pod("p", "true", restartPolicy="OnFailure"))
    assert namespace.wait_phase("Succeeded")["status"]["containerStatuses"][0]["restartCount"] == 0


def test_a_command_that_does_not_exist_is_a_start_error(namespace: Namespace) -> None:
    namespace.create(pod("p", "nosuch"))
    event = namespace.event("Failed")
    assert event["message"].startswith("Error: failed to create containerd task: ")
    assert event["message"].endswith('exec: "nosuch": executable file not found in $PATH: unknown')
    last = namespace.wait(lambda obj: "waiting" in state(obj) and last_end(obj))
    assert (last_end(last)["reason"], last_end(last)["exitCode"]) == ("StartError", 128)


def last_end(obj: Object) -> Object:
    found: Object = obj["status"]["containerStatuses"][0]["lastState"].get("terminated", {})
    return found


def test_an_unsafe_sysctl_is_rejected_by_the_kubelet(namespace: Namespace) -> None:
    sysctls = {"sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}]}
    namespace.create(pod(securityContext=sysctls))
    status = namespace.wait_phase("Failed")["status"]
    assert status["reason"] == "SysctlForbidden"


def test_a_pod_that_must_not_be_root_and_would_be_waits(namespace: Namespace) -> None:
    namespace.create(pod(securityContext={"runAsNonRoot": True}))
    waiting = namespace.wait(lambda obj: state(obj).get("waiting", {}).get("message"))
    assert state(waiting)["waiting"]["reason"] == "CreateContainerConfigError"


def test_a_volume_the_lab_cannot_mount_keeps_the_pod_waiting(namespace: Namespace) -> None:
    container = {
        "name": "main",
        "image": "i",
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }
    volume = {"name": "v", "secret": {"secretName": "s"}}
    namespace.create(pod(containers=[container], volumes=[volume]))
    assert 'volume "v"' in namespace.event("FailedMount")["message"]
    assert namespace.get()["status"]["phase"] == "Pending"


def test_init_containers_run_first_and_in_order(namespace: Namespace) -> None:
    init = {"name": "first", "image": "i", "command": ["sh", "-c", "echo one"]}
    running = namespace.run(pod(initContainers=[init]))
    first = running["status"]["initContainerStatuses"][0]
    assert first["state"]["terminated"]["exitCode"] == 0
    assert namespace.http.get(f"{namespace.pods}/p/log", container="first").text == "one\n"


def test_environment_is_filled_in(namespace: Namespace) -> None:
    field = {"fieldRef": {"fieldPath": "spec.nodeName"}}
    env = [{"name": "A", "value": "1"}, {"name": "NODE", "valueFrom": field}]
    command = ["sh", "-c", "echo $(A) $NODE; sleep 300"]
    container = {"name": "main", "image": "i", "command": command, "env": env}
    namespace.run(pod(containers=[container], nodeName="node1"))
    log = f"{namespace.pods}/p/log"
    assert namespace.http.get(log, follow="false").text == "1 node1\n"


def test_a_pod_that_ended_leaves_no_sandbox(cluster: ServedCluster, namespace: Namespace) -> None:
    namespace.create(pod("p", "true", restartPolicy="Never"))
    uid = namespace.wait(
        lambda obj: (
            conditions(obj).get("PodReadyToStartContainers") == "False"
            and obj["status"]["phase"] == "Succeeded"
        )
    )["metadata"]["uid"]
    assert not any(uid in runtime.sandboxes for runtime in cluster.runtimes.values())
