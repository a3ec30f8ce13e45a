"""The annotation as versions of Multus wrote it."""

import json

import pytest

from podmatrix.cluster.network_status import ANNOTATIONS, parse_network_status
from podmatrix.errors import ClusterError
from podmatrix.model import NetworkStatus

# Multus 4.2.4, pod with Calico and Flannel.
MULTUS_4 = """[{
    "name": "k8s-pod-network",
    "interface": "eth0",
    "ips": [
        "10.200.166.131"
    ],
    "mac": "06:9d:d8:eb:40:f2",
    "default": true,
    "dns": {}
},{
    "name": "default/flannel-second",
    "interface": "net1",
    "ips": [
        "10.244.0.5"
    ],
    "mac": "12:ab:f5:3e:34:b0",
    "dns": {},
    "gateway": [
        "10.244.0.1"
    ]
}]"""


def parse(*elements: dict[str, object]) -> tuple[NetworkStatus, ...]:
    return parse_network_status({ANNOTATIONS[0]: json.dumps(elements)})


def test_multus_4_is_read() -> None:
    assert parse_network_status({ANNOTATIONS[0]: MULTUS_4}) == (
        NetworkStatus(
            name="k8s-pod-network",
            interface="eth0",
            ips=("10.200.166.131",),
            mac="06:9d:d8:eb:40:f2",
            default=True,
        ),
        NetworkStatus(
            name="default/flannel-second",
            interface="net1",
            ips=("10.244.0.5",),
            mac="12:ab:f5:3e:34:b0",
            gateway=("10.244.0.1",),
        ),
    )


def test_the_old_name_of_the_annotation_is_known() -> None:
    assert parse_network_status({ANNOTATIONS[1]: MULTUS_4})[1].interface == "net1"


def test_a_pod_without_it_has_none() -> None:
    assert parse_network_status({"other": "x"}) == ()


def test_the_default_network_without_interface_is_eth0() -> None:
    (status,) = parse({"name": "", "ips": ["10.200.0.1"], "default": True, "dns": {}})
    assert (status.interface, status.name) == ("eth0", "")


def test_a_go_nil_is_no_gateway() -> None:
    (status,) = parse({"name": "x", "gateway": ["<nil>"], "mtu": 1480})
    assert (status.gateway, status.mtu) == ((), 1480)


@pytest.mark.parametrize("text", ["{", "{}", '"x"', "[1]", '[{"mtu": "big"}]', '[{"ips": 1}]'])
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(ClusterError, match="network-status cannot be read"):
        parse_network_status({ANNOTATIONS[0]: text})
