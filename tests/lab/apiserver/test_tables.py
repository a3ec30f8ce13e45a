import pytest

from podmatrix.lab.apiserver.kinds.pod_columns import pod_status
from podmatrix.lab.apiserver.objects import now
from tests.lab.apiserver.http import Http
from tests.lab.apiserver.pods import Namespace, Object, pod

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
DAEMON_SET_COUNTS = ("Name", "Desired", "Current", "Ready", "Up-to-date", "Available")
METADATA = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}


def columns(table: Object, priority: int) -> list[str]:
    return [one["name"] for one in table["columnDefinitions"] if one["priority"] <= priority]


@pytest.mark.parametrize(
    ("path", "short", "wide"),
    [
        (
            "/api/v1/pods",
            ["Name", "Ready", "Status", "Restarts", "Age"],
            ["IP", "Node", "Nominated Node", "Readiness Gates"],
        ),
        (
            "/api/v1/nodes",
            ["Name", "Status", "Roles", "Age", "Version"],
            ["Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"],
        ),
        ("/api/v1/namespaces", ["Name", "Status", "Age"], []),
        (
            "/apis/apps/v1/daemonsets",
            [
                *["Name", "Desired", "Current", "Ready", "Up-to-date", "Available"],
                "Node Selector",
                "Age",
            ],
            ["Containers", "Images", "Selector"],
        ),
        ("/apis/k8s.cni.cncf.io/v1/network-attachment-definitions", ["Name", "Age"], []),
        ("/api/v1/serviceaccounts", ["Name", "Secrets", "Age"], []),
        ("/api/v1/configmaps", ["Name", "Data", "Age"], []),
    ],
)
def test_columns_are_those_of_a_real_server(
    http: Http, path: str, short: list[str], wide: list[str]
) -> None:
    table = http("GET", path, headers=TABLE).json
    assert columns(table, 0) == short
    assert columns(table, 1) == short + wide


def test_the_row_of_a_running_pod(namespace: Namespace) -> None:
    running = namespace.run(pod(nodeName="node1"))
    row = namespace.http("GET", namespace.pods, headers=TABLE).json["rows"][0]
    assert row["cells"][:4] == ["p", "1/1", "Running", "0"]
    assert row["cells"][5:] == [running["status"]["podIP"], "node1", "<none>", "<none>"]
    assert row["object"]["kind"] == "PartialObjectMetadata"


def test_the_row_of_a_pod_that_ended_says_so(namespace: Namespace) -> None:
    namespace.create(pod("p", "true", restartPolicy="Never"))
    namespace.wait_phase("Succeeded")
    row = namespace.http("GET", f"{namespace.pods}/p", headers=TABLE).json["rows"][0]
    assert row["cells"][1:3] == ["0/1", "Completed"]
    assert row["conditions"][0]["reason"] == "Succeeded"


def test_the_row_of_an_event(namespace: Namespace) -> None:
    namespace.run(pod())
    table = namespace.http("GET", namespace.events, headers=TABLE).json
    row = next(one["cells"] for one in table["rows"] if one["cells"][2] == "Started")
    assert row[1:7] == [
        "Normal",
        "Started",
        "pod/p",
        "spec.containers{main}",
        f"kubelet, {namespace.get()['spec']['nodeName']}",
        "Started container main",
    ]


def test_whole_objects_come_where_they_are_asked_for(namespace: Namespace) -> None:
    namespace.create(pod())
    query = {"includeObject": "Object"}
    row = namespace.http("GET", namespace.pods, headers=TABLE, **query).json["rows"][0]
    assert row["object"]["spec"]["containers"][0]["name"] == "main"


def test_metadata_alone_can_be_had(http: Http) -> None:
    listed = http("GET", "/api/v1/nodes", headers=METADATA).json
    assert listed["kind"] == "PartialObjectMetadataList"
    assert set(listed["items"][0]) == {"kind", "apiVersion", "metadata"}


def container(state: Object, *, ready: bool = False) -> Object:
    return {"name": "c", "ready": ready, "restartCount": 0, "state": state}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({"phase": "Failed", "reason": "SysctlForbidden"}, "SysctlForbidden"),
        (
            {
                "phase": "Pending",
                "containerStatuses": [container({"waiting": {"reason": "ContainerCreating"}})],
            },
            "ContainerCreating",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [container({"terminated": {"exitCode": 4}})],
            },
            "ExitCode:4",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [container({"running": {}})],
                "containerStatuses": [container({"waiting": {"reason": "PodInitializing"}})],
            },
            "Init:0/1",
        ),
    ],
)
def test_the_status_column_says_what_keeps_a_pod(status: Object, expected: str) -> None:
    assert pod_status({"metadata": {}, "spec": {}, "status": status}, now()) == expected


def test_a_pod_that_is_being_deleted_is_terminating() -> None:
    metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    going = {"metadata": metadata, "spec": {}, "status": {"phase": "Running"}}
    assert pod_status(going, now()) == "Terminating"
