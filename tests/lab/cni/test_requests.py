"""What pods ask for in Multus' annotations, and what they get."""

import json
from typing import Any

import pytest

from tests.lab.inside import inside

BY_CALICO = "default via 169.254.1.1 dev eth0"


@pytest.fixture(scope="module")
def pods() -> dict[str, Any]:
    return inside("tests.lab.cni.scenarios:requests")


def networks(pod: dict[str, Any]) -> list[tuple[str, str]]:
    return [(ifname, network) for ifname, _, network in pod["added"]]


def status(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return list(json.loads(pod["annotations"]["k8s.v1.cni.cncf.io/network-status"]))


def test_json_form_chooses_address_mac_and_interface(pods: dict[str, Any]) -> None:
    wanted = {"mac": "02:00:00:00:00:77", "ips": ["10.244.0.77/24"]}
    assert pods["json"]["links"]["mgmt0"] == wanted


def test_interfaces_are_numbered_by_their_place(pods: dict[str, Any]) -> None:
    assert networks(pods["twice"]) == [
        ("eth0", "k8s-pod-network"),
        ("net1", "default/flannel-second"),
        ("extra", "default/flannel-second"),
    ]


def test_a_network_without_namespace_is_the_pods(pods: dict[str, Any]) -> None:
    assert networks(pods["own"])[1] == ("net1", "net/own")


def test_a_default_network_without_namespace_is_multus_own(pods: dict[str, Any]) -> None:
    assert networks(pods["own-default"]) == [("eth0", "kube-system/own")]


def test_default_network_can_be_json_too(pods: dict[str, Any]) -> None:
    assert networks(pods["default-json"]) == [("eth0", "default/flannel-conf")]


def test_default_route_moves_to_the_network_that_asks_for_it(pods: dict[str, Any]) -> None:
    assert pods["default-route"]["default"] == ["default via 10.244.0.1 dev net1"]


@pytest.mark.parametrize("name", ["json", "twice", "own", "own-default", "default-route"])
def test_network_status_agrees_with_the_interfaces(pods: dict[str, Any], name: str) -> None:
    pod = pods[name]
    assert {
        element["interface"]: {"mac": element["mac"], "ips": element["ips"]}
        for element in status(pod)
    } == {
        ifname: {"mac": link["mac"], "ips": [ip.partition("/")[0] for ip in link["ips"]]}
        for ifname, link in pod["links"].items()
    }


@pytest.mark.parametrize("name", ["json", "twice", "own", "own-default", "default-route"])
def test_pod_ips_are_those_of_the_default_network(pods: dict[str, Any], name: str) -> None:
    (default,) = (element for element in status(pods[name]) if element.get("default"))
    assert pods[name]["ips"] == default["ips"]


@pytest.mark.parametrize(
    ("bridge_plugin", "routes"),
    [
        pytest.param("0.9", [BY_CALICO], id="0.9-skips-the-second"),
        pytest.param("1.x", ["default via 10.244.0.1 dev net1", BY_CALICO], id="1.x-puts-it-first"),
    ],
)
def test_second_default_route_depends_on_the_bridge_plugin(
    bridge_plugin: str, routes: list[str]
) -> None:
    pod = inside("tests.lab.cni.scenarios:two_default_routes", bridge_plugin=bridge_plugin)
    assert pod["default"] == routes


def test_two_network_names_keep_two_stores_of_one_subnet() -> None:
    pods = inside("tests.lab.cni.scenarios:two_stores")
    first, second = pods["first"]["links"]["eth0"], pods["second"]["links"]["net1"]
    assert first["ips"] == second["ips"] == ["10.244.0.2/24"]


def test_without_multus_there_is_one_network_and_no_network_status() -> None:
    pods = inside("tests.lab.cni.scenarios:without_multus")
    assert list(pods["plain"]["links"]) == ["eth0"]
    assert not any("k8s.v1.cni" in key for key in pods["plain"]["annotations"])
    assert pods["nothing"]["message"] == "cni plugin not initialized"
