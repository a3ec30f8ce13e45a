"""Addresses: host-local's files and Calico's block."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from podmatrix.lab.cni import ipam_host_local
from podmatrix.lab.cni.ipam_calico import Block, Exhausted
from podmatrix.lab.cni.spec import CniArgs, PluginError

CONFIG = {
    "name": "cbr0",
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/29"}]]},
}


def pod(name: str, *ips: str) -> CniArgs:
    return CniArgs(
        container_id=name,
        netns=None,
        ifname="eth0",
        pod_namespace="net",
        pod_name=name,
        pod_uid="",
        ips=ips,
    )


def add(files: Path, name: str, *ips: str) -> str:
    (ip,) = ipam_host_local.add(files, CONFIG, pod(name, *ips)).ips
    return str(ip.address.ip)


def test_first_address_is_the_gateways(tmp_path: Path) -> None:
    assert [add(tmp_path, name) for name in "abc"] == ["10.244.0.2", "10.244.0.3", "10.244.0.4"]


def test_addresses_go_round(tmp_path: Path) -> None:
    assert add(tmp_path, "a") == "10.244.0.2"
    ipam_host_local.delete(tmp_path, CONFIG, pod("a"))
    assert [add(tmp_path, name) for name in "bcdef"][-1] == "10.244.0.2"


def test_files_are_those_of_the_real_plugin(tmp_path: Path) -> None:
    add(tmp_path, "a")
    store = tmp_path / "var/lib/cni/networks/cbr0"
    assert (store / "10.244.0.2").read_bytes() == b"a\r\neth0"
    assert (store / "last_reserved_ip.0").read_text() == "10.244.0.2"


def test_requested_address_is_given(tmp_path: Path) -> None:
    assert add(tmp_path, "a", "10.244.0.5/29") == "10.244.0.5"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("10.244.0.1", "requested ip 10.244.0.1 is subnet's gateway"),
        ("10.244.9.1", "failed to allocate all requested IPs: 10.244.9.1"),
        ("10.244.0.2", "requested IP address 10.244.0.2 is not available in range set"),
    ],
)
def test_impossible_requests_are_refused(tmp_path: Path, address: str, message: str) -> None:
    add(tmp_path, "a")
    with pytest.raises(PluginError, match=message):
        add(tmp_path, "b", address)


def test_a_container_gets_no_second_address(tmp_path: Path) -> None:
    add(tmp_path, "a")
    with pytest.raises(PluginError, match="duplicate allocation is not allowed"):
        add(tmp_path, "a")


def test_full_subnet_is_said_in_the_plugins_words(tmp_path: Path) -> None:
    for name in "abcde":
        add(tmp_path, name)
    with pytest.raises(
        PluginError, match=r"no IP addresses available in range set: 10\.244\.0\.1-"
    ):
        add(tmp_path, "f")


def test_block_hands_out_what_was_free_longest() -> None:
    block = Block(IPv4Network("10.200.0.0/30"))
    assert [str(block.assign(name)) for name in "ab"] == ["10.200.0.0", "10.200.0.1"]
    block.release("a")
    assert [str(block.assign(name)) for name in "cde"] == ["10.200.0.2", "10.200.0.3", "10.200.0.0"]


def test_block_knows_its_owners() -> None:
    block = Block(IPv4Network("10.200.0.0/30"))
    block.assign("a")
    assert block.allocations == {IPv4Address("10.200.0.0"): "a"}


def test_used_up_block_is_said_in_calicos_words() -> None:
    block = Block(IPv4Network("10.200.0.0/32"))
    block.assign("a")
    with pytest.raises(Exhausted, match="Assigned 0 out of 1 requested IPv4 addresses"):
        block.assign("b")
