"""The objects that are created."""

from typing import Any

import pytest
import yaml

from podmatrix.cluster.manifests import (
    MANIFESTS,
    nad_manifest,
    namespace_manifest,
    needed_nads,
    network_annotations,
    pod_manifest,
)
from podmatrix.errors import TestbedError
from podmatrix.model import PodRole
from podmatrix.profile import Profile, load_profile, parse_profile

NETWORKS = "k8s.v1.cni.cncf.io/networks"
DEFAULT_NETWORK = "v1.multus-cni.io/default-network"

TWO_NADS = """
apiVersion: podmatrix.io/v1alpha1
kind: Profile
metadata: {name: two}
networks:
  calico: {attach: default}
  flannel: {cni: flannel, attach: {default: default/flannel-conf, secondary: default/second}}
  other: {cni: macvlan, attach: default/macvlan-conf}
pods:
  flannel: {eth0: flannel}
  dual: {eth0: calico, net1: flannel}
  named: {eth0: calico, mgmt0: flannel, net2: other}
reachability: {default: required}
"""


@pytest.fixture
def owner() -> Profile:
    return load_profile("owner")


@pytest.fixture
def two() -> Profile:
    return parse_profile(TWO_NADS, source="two.yaml")


def role(profile: Profile, name: str) -> PodRole:
    return next(role for role in profile.roles(["a"]) if role.kind == name)


def pod(profile: Profile, name: str) -> dict[str, Any]:
    return pod_manifest(
        profile,
        role(profile, name),
        namespace="podmatrix-r1",
        hostname="k8s-master",
        image="probe:1",
        run_id="r1",
    )


def annotations(profile: Profile, name: str) -> dict[str, str]:
    return network_annotations(profile, role(profile, name), {})


def test_a_pod_says_whose_it_is(owner: Profile) -> None:
    metadata = pod(owner, "dual")["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("dual-a", "podmatrix-r1")
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "podmatrix",
        "podmatrix.io/run": "r1",
        "podmatrix.io/kind": "dual",
        "podmatrix.io/slot": "a",
    }


def test_a_pod_is_pinned_by_required_node_affinity(owner: Profile) -> None:
    affinity = pod(owner, "calico")["spec"]["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [
        {
            "matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["k8s-master"]}
            ]
        }
    ]


def test_a_pod_may_ping_without_privileges_and_dies_at_once(owner: Profile) -> None:
    spec = pod(owner, "calico")["spec"]
    assert spec["securityContext"]["sysctls"] == [
        {"name": "net.ipv4.ping_group_range", "value": "0 2147483647"}
    ]
    assert spec["terminationGracePeriodSeconds"] == 0
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert "tolerations" not in spec


def test_a_host_network_pod_sets_no_sysctl(owner: Profile) -> None:
    host = pod(owner, "host")
    assert host["spec"]["hostNetwork"] is True
    assert "securityContext" not in host["spec"]
    assert "annotations" not in host["metadata"]


def test_the_image_is_the_one_asked_for(owner: Profile) -> None:
    (container,) = pod(owner, "calico")["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("probe:1", "IfNotPresent")


def test_one_manifest_does_not_change_the_next(owner: Profile) -> None:
    pod(owner, "host")
    assert "hostNetwork" not in pod(owner, "calico")["spec"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("calico", {}),
        ("flannel", {DEFAULT_NETWORK: "default/flannel-conf"}),
        ("dual", {NETWORKS: "default/flannel-conf"}),
        ("host", {}),
    ],
)
def test_the_owners_annotations(owner: Profile, kind: str, expected: dict[str, str]) -> None:
    assert annotations(owner, kind) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("flannel", {DEFAULT_NETWORK: "default/flannel-conf"}),
        ("dual", {NETWORKS: "default/second"}),
        ("named", {NETWORKS: "default/second@mgmt0,default/macvlan-conf"}),
    ],
)
def test_roles_of_a_network_and_names_of_interfaces(
    two: Profile, kind: str, expected: dict[str, str]
) -> None:
    assert annotations(two, kind) == expected


def test_a_stand_in_takes_the_place_of_a_missing_nad(two: Profile) -> None:
    stand_ins = {"default/second": "podmatrix-r1/second"}
    found = network_annotations(two, role(two, "named"), stand_ins)
    assert found == {NETWORKS: "podmatrix-r1/second@mgmt0,default/macvlan-conf"}


def test_needed_nads_are_those_of_the_pods(two: Profile) -> None:
    assert needed_nads(two) == ("default/flannel-conf", "default/second", "default/macvlan-conf")


def config(profile: Profile, reference: str) -> dict[str, Any]:
    nad = nad_manifest(profile, reference, namespace="podmatrix-r1", run_id="r1")
    assert nad["metadata"]["namespace"] == "podmatrix-r1"
    found = yaml.safe_load(nad["spec"]["config"])
    assert isinstance(found, dict)
    return found


def test_the_stand_in_of_the_owners_nad_is_the_owners(owner: Profile) -> None:
    assert config(owner, "default/flannel-conf") == {
        "cniVersion": "0.3.0",
        "type": "flannel",
        "delegate": {"isDefaultGateway": True},
    }


def test_a_secondary_nad_shares_the_ipam_store_and_sets_no_default_route(two: Profile) -> None:
    second = config(two, "default/second")
    assert second["name"] == "flannel-conf"
    assert second["delegate"] == {"isDefaultGateway": False}


def test_a_nad_of_unknown_content_is_not_made_up(two: Profile) -> None:
    with pytest.raises(TestbedError, match="macvlan-conf is missing"):
        nad_manifest(two, "default/macvlan-conf", namespace="x", run_id="r1")


@pytest.mark.parametrize(("host_network", "level"), [(True, "privileged"), (False, "baseline")])
def test_pod_security_is_as_strict_as_the_pods_allow(host_network: bool, level: str) -> None:
    labels = namespace_manifest("n", "r1", host_network=host_network)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == level


@pytest.mark.parametrize("name", ["probe-pod.yaml", "flannel-conf.yaml"])
def test_manifests_are_whole_objects_that_kubectl_takes(name: str) -> None:
    document = yaml.safe_load((MANIFESTS / name).read_text())
    assert {"apiVersion", "kind", "metadata", "spec"} <= set(document)
    assert document["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "podmatrix"
