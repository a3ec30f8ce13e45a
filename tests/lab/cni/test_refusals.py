"""Pods that cannot be plugged in: the real plugins' words, and nothing left behind."""

from typing import Any

import pytest

from tests.lab.inside import inside

MULTUS = 'plugin type="multus" name="multus-cni-network" failed (add): '
LOADING = "Multus: [net/{0}/uid-of-{0}]: error loading k8s delegates k8s args: "
ADDING = '[net/{0}/uid-of-{0}:{1}]: error adding container to network "{1}": '
SELECTED = (
    "TryLoadPodDelegates: error in getting k8s network for pod: "
    "GetNetworkDelegates: failed getting the delegate: "
)
BY_DEFAULT = (
    "TryLoadPodDelegates: error in loading K8s cluster default network from pod annotation: "
    "tryLoadK8sPodDefaultNetwork: "
)
NOT_FOUND = (
    "cannot find a network-attachment-definition (absent) in namespace ({}): "
    'network-attachment-definitions.k8s.cni.cncf.io "absent" not found'
)
NO_NAME = (
    "cannot find a network-attachment-definition () in namespace (x): "
    "resource name may not be empty"
)
FULL = "no IP addresses available in range set: 10.244.0.1-10.244.0.254"
MESSAGES = {
    "missing": LOADING + SELECTED + "getKubernetesDelegate: " + NOT_FOUND.format("net"),
    "missing-default": (
        LOADING
        + BY_DEFAULT
        + "failed getting the delegate: getKubernetesDelegate: "
        + NOT_FOUND.format("kube-system")
    ),
    "two-defaults": (
        LOADING
        + BY_DEFAULT
        + "more than one default network is specified: default/flannel-conf,default/flannel-second"
    ),
    "syntax": (
        LOADING
        + "parsePodNetworkAnnotation: parsePodNetworkObjectName: Failed to parse: one or more "
        "items did not match comma-delimited format (must consist of lower case alphanumeric "
        "characters). Must start and end with an alphanumeric character), mismatch @ "
        "'Flannel_Conf'"
    ),
    "wrong-type": (
        LOADING
        + "parsePodNetworkAnnotation: failed to parse pod Network Attachment Selection Annotation "
        "JSON format: json: cannot unmarshal number into Go struct field "
        "NetworkSelectionElement.name of type string"
    ),
    "no-name": LOADING + SELECTED + "getKubernetesDelegate: " + NO_NAME,
    "nothing": (
        LOADING
        + SELECTED
        + "LoadDelegateNetConf: failed with: LoadDelegateNetConfList: delegate must have the "
        "'type' or 'plugin' field"
    ),
    "no-plugin": (
        ADDING.format("{0}", "sriov")
        + 'failed to find plugin "sriov" in path [/opt/cni/bin /opt/cni/bin]'
    ),
    "same-name": (
        ADDING.format("{0}", "flannel-conf")
        + 'DelegateAdd: cannot set "flannel" interface name to "eth0": '
        "validateIfName: interface name eth0 already exists"
    ),
    "other-node": (
        ADDING.format("{0}", "flannel-conf")
        + "failed to delegate add: failed to allocate all requested IPs: 10.244.1.9"
    ),
    "no-subnet-file": (
        ADDING.format("{0}", "flannel-conf")
        + "failed to load flannel 'subnet.env' file: open /run/flannel/subnet.env: "
        "no such file or directory. Check the flannel pod log for this node."
    ),
}


@pytest.fixture(scope="module")
def refusals() -> dict[str, Any]:
    return inside("tests.lab.cni.scenarios:refusals")


@pytest.fixture(scope="module")
def exhaustion() -> dict[str, Any]:
    return inside("tests.lab.cni.scenarios:exhaustion")


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_the_plugins_own(refusals: dict[str, Any], name: str) -> None:
    assert refusals["answers"][name]["message"] == MULTUS + MESSAGES[name].format(name)


@pytest.mark.parametrize(
    ("name", "namespace"), [("missing", "net"), ("missing-default", "kube-system")]
)
def test_multus_posts_an_event_for_a_missing_nad(
    refusals: dict[str, Any], name: str, namespace: str
) -> None:
    answer = refusals["answers"][name]
    assert (answer["reason"], answer["event"]) == ("NoNetworkFound", NOT_FOUND.format(namespace))


def test_no_other_refusal_has_an_event(refusals: dict[str, Any]) -> None:
    assert {name for name, answer in refusals["answers"].items() if answer["reason"]} == {
        "missing",
        "missing-default",
        "no-name",
    }


def test_a_nad_that_is_not_json_is_refused(refusals: dict[str, Any]) -> None:
    assert refusals["answers"]["not-json"]["message"].endswith(
        "GetCNIConfig: err in getCNIConfigFromSpec: failed to unmarshal Spec.Config: "
        "unexpected end of JSON input"
    )


def test_isolated_namespaces_share_the_default_one_only() -> None:
    answers = inside("tests.lab.cni.scenarios:isolation")
    said = {name: answer["message"] for name, answer in answers.items()}
    assert (said["own"], said["common"]) == ("was not refused", "was not refused")
    assert said["other"].endswith(
        "GetNetworkDelegates: namespace isolation enabled, annotation violates permission, pod is "
        "in namespace net but refers to target namespace other"
    )


def test_refused_pods_leave_nothing_on_the_node(refusals: dict[str, Any]) -> None:
    assert refusals["left"] == {
        "links": [],
        "routes": "",
        "files": [],
        "calico": [],
        "chains": 0,
        "states": [],
    }


def test_refused_pods_have_no_interface(refusals: dict[str, Any]) -> None:
    assert {tuple(answer["in_pod"]) for answer in refusals["answers"].values()} == {("lo",)}


@pytest.mark.parametrize("name", ["flannel", "dual"])
def test_flannel_says_that_its_subnet_is_used_up(exhaustion: dict[str, Any], name: str) -> None:
    message = ADDING.format(name, "flannel-conf") + "failed to delegate add: "
    assert exhaustion[name]["message"] == (
        f"{MULTUS}{message}failed to allocate for range 0: {FULL}"
    )


def test_calico_says_that_its_block_is_used_up(exhaustion: dict[str, Any]) -> None:
    assert exhaustion["calico"]["message"] == MULTUS + ADDING.format(
        "calico", "k8s-pod-network"
    ) + (
        'plugin type="calico" failed (add): failed to request IPv4 addresses: Assigned 0 out of 1 '
        "requested IPv4 addresses; No more free affine blocks and strict affinity enabled"
    )


def test_an_address_that_was_given_back_is_used_again(exhaustion: dict[str, Any]) -> None:
    assert len(exhaustion["again"]) == 1
