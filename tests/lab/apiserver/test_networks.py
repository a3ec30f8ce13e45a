from tests.lab.apiserver.pods import Namespace, Object, pod


def with_network(name: str) -> Object:
    wanted = pod()
    wanted["metadata"]["annotations"] = {"k8s.v1.cni.cncf.io/networks": name}
    return wanted


def create_nad(namespace: Namespace, name: str) -> None:
    nad = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name},
        "spec": {"config": '{"type":"flannel"}'},
    }
    assert namespace.http.post(namespace.nads, nad).status == 201


def test_the_owners_nad_is_there(namespace: Namespace) -> None:
    path = "/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/flannel-conf"
    assert namespace.http.get(path).json["spec"]["config"] == (
        '{"cniVersion":"0.3.0","type":"flannel","delegate":{"isDefaultGateway":true}}'
    )


def test_a_pod_whose_nad_is_missing_stays_container_creating(namespace: Namespace) -> None:
    namespace.create(with_network("later"))
    event = namespace.event("FailedCreatePodSandBox")
    status = namespace.get()["status"]
    waiting = status["containerStatuses"][0]["state"]["waiting"]
    assert (status["phase"], waiting["reason"]) == ("Pending", "ContainerCreating")
    assert event["message"].startswith(
        "Failed to create pod sandbox: rpc error: code = Unknown desc = "
        "failed to setup network for sandbox"
    )
    assert namespace.event("NoNetworkFound")["source"] == {"component": "multus"}


def test_a_pod_starts_as_soon_as_its_nad_is_created(namespace: Namespace) -> None:
    namespace.create(with_network("later"))
    namespace.event("FailedCreatePodSandBox")
    create_nad(namespace, "later")
    namespace.wait_phase("Running")


def test_each_interface_is_told_in_an_event(namespace: Namespace) -> None:
    create_nad(namespace, "second")
    namespace.run(with_network("second"))
    path, query = namespace.events, {"fieldSelector": "reason=AddedInterface"}
    messages = [one["message"] for one in namespace.http.get(path, **query).json["items"]]
    assert messages[0].startswith("Add eth0 [10.200.")
    assert messages[1] == f"Add net1 [10.244.0.9/24] from {namespace.name}/second"


def test_daemon_sets_are_ready_on_every_node(namespace: Namespace) -> None:
    path = "/apis/apps/v1/namespaces/kube-flannel/daemonsets"
    found = namespace.http.get(path, labelSelector="app=flannel").json["items"][0]
    assert found["status"]["numberReady"] == found["status"]["desiredNumberScheduled"] == 2


def test_the_pool_is_there(namespace: Namespace) -> None:
    path = "/apis/crd.projectcalico.org/v1/ippools"
    spec = namespace.http.get(path).json["items"][0]["spec"]
    assert (spec["cidr"], spec["blockSize"], spec["natOutgoing"]) == ("10.200.0.0/16", 26, True)
