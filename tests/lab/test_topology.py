from ipaddress import IPv4Address
from pathlib import Path

import pytest

from podmatrix.errors import TopologyError
from podmatrix.lab.topology import Topology, load_topology

OWNER = Path(__file__).parents[2] / "manifests/lab/owner.yaml"
SECOND = "second_underlay: {nic: ens34, cidr: 10.31.0.0/24}"
HEADER = "apiVersion: podmatrix.io/v1alpha1\nkind: Topology\n"


@pytest.fixture
def topology_file(tmp_path: Path) -> Path:
    return tmp_path / "lab.yaml"


def test_the_owners_file_is_the_default() -> None:
    assert load_topology(OWNER) == load_topology(None) == Topology()


def test_a_file_changes_what_it_names(topology_file: Path) -> None:
    topology_file.write_text(HEADER + "nic: eth0\ncalico: {encapsulation: vxlan}\n")
    topology = load_topology(topology_file)
    assert (topology.nic, topology.calico.encapsulation, topology.flannel.vni) == (
        "eth0",
        "vxlan",
        1,
    )


def test_an_unquoted_bridge_plugin_is_the_version_it_says(topology_file: Path) -> None:
    topology_file.write_text(HEADER + "bridge_plugin: 0.9\n")
    assert load_topology(topology_file).bridge_plugin == "0.9"


@pytest.mark.parametrize(
    ("text", "path", "cure"),
    [
        ("calico: {pool: 10.244.0.0/16}", "flannel.network", "overlaps calico.pool"),
        ("flannel: {network: 10.96.0.0/16}", "service_cidr", "overlaps flannel.network"),
        ("service_cidr: 10.200.0.0/12", "service_cidr", "its first address and the prefix length"),
        ("service_cidr: 10.192.0.0/12", "service_cidr", "overlaps calico.pool"),
        ("calico: {pool: 192.168.0.0/16}", "calico.pool", "overlaps underlay.cidr"),
        ("underlay: {mtu: 575}", "underlay.mtu", "greater than or equal to 576"),
        ("underlay: {mtu: 600}", "underlay.mtu", "at least 626"),
        ("calico: {pool: 10.200/16}", "calico.pool", "its first address and the prefix length"),
        ("calico: {mtu: 500}", "calico.mtu", "greater than or equal to 576"),
        ("nodees: []", "nodees", "did you mean nodes?"),
        ("flannel: {vnii: 2}", "flannel.vnii", "did you mean vni?"),
        ("nodes: []", "nodes", "at least 1"),
        ("nodes: [{name: a}]", "nodes[0].address", "required"),
        ("nodes: [{name: A, address: 192.168.31.9}]", "nodes[0].name", "pattern"),
        (
            "nodes: [{name: a, address: 192.168.31.9}, {name: a, address: 192.168.31.8}]",
            "nodes[1].name",
            "its own name",
        ),
        (
            "nodes: [{name: a, address: 192.168.31.9}, {name: b, address: 192.168.31.9}]",
            "nodes[1].address",
            "its own address",
        ),
        ("nodes: [{name: a, address: 10.0.0.1}]", "nodes[0].address", "choose one between"),
        ("nodes: [{name: a, address: 192.168.31.1}]", "nodes[0].address", "its own address"),
        ("underlay: {gateway: 10.0.0.1}", "underlay.gateway", "choose an address in it"),
        ("nic: interface0123456", "nic", "at most 15"),
        ("bridge_plugin: '2'", "bridge_plugin", "'0.9' or '1.x'"),
        ("calico: {encapsulation: gre}", "calico.encapsulation", "'vxlan' or 'none'"),
        ("calico: {pool: 10.200.0.0/27}", "calico.block_size", "longer prefix"),
        ("flannel: {network: 10.244.0.0/24}", "flannel.network", "/24 for each"),
        ("flannel: {iface: ens34}", "flannel.iface", "choose ens33"),
        ("calico: {nic: ens34}", "calico.nic", "choose ens33"),
        (f"{SECOND}\nflannel: {{iface: eth0}}", "flannel.iface", "choose ens33 or ens34"),
        ("second_underlay: {cidr: 10.31.0.0/24, nic: ens33}", "second_underlay.nic", "of its own"),
        ("second_underlay: {nic: ens34}", "second_underlay.cidr", "add the key"),
        ("second_underlay: {cidr: 10.31.0.0/24, mtuu: 1}", "second_underlay.mtuu", "mean mtu?"),
        ("second_underlay: {cidr: 10.244.9.0/24}", "second_underlay.cidr", "overlaps flannel"),
        (
            "second_underlay: {cidr: 10.31.0.0/25}",
            "nodes[0].second_address",
            "choose one between 10.31.0.1 and 10.31.0.126",
        ),
        (
            "nodes: [{name: a, address: 192.168.31.9, second_address: 10.31.0.9}]",
            "nodes[0].second_address",
            "add second_underlay",
        ),
        (
            f"{SECOND}\nnodes: [{{name: a, address: 192.168.31.9, second_address: 10.31.0.8}}, "
            "{name: b, address: 192.168.31.8}]",
            "nodes[1].second_address",
            "its own address",
        ),
    ],
)
def test_an_error_names_file_path_and_cure(
    topology_file: Path, text: str, path: str, cure: str
) -> None:
    topology_file.write_text(f"{HEADER}{text}\n")
    with pytest.raises(TopologyError) as caught:
        load_topology(topology_file)
    assert str(caught.value).startswith(f"{topology_file}: {path}: ")
    assert cure in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is not YAML"),
        ("", "holds no mapping"),
        ("kind: Topology", "apiVersion: must be podmatrix.io/v1alpha1"),
        ("apiVersion: podmatrix.io/v1alpha1\nkind: Profile", "kind: must be Topology"),
    ],
)
def test_what_is_no_topology_is_said_so(topology_file: Path, text: str, said: str) -> None:
    topology_file.write_text(text)
    with pytest.raises(TopologyError, match=said):
        load_topology(topology_file)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(TopologyError, match=r"^/nowhere/lab\.yaml: .*No such file"):
        load_topology(Path("/nowhere/lab.yaml"))


def test_more_nodes_continue_names_and_addresses() -> None:
    nodes = Topology().with_nodes(4).nodes
    assert [(node.name, str(node.address)) for node in nodes[2:]] == [
        ("k8s-node2", "192.168.31.130"),
        ("k8s-node3", "192.168.31.131"),
    ]


def test_more_nodes_continue_second_addresses_that_are_declared() -> None:
    nodes = [{"name": "a", "address": "192.168.31.9", "second_address": "10.31.0.77"}]
    second = {"nic": "ens34", "cidr": "10.31.0.0/24"}
    topology = Topology.model_validate({"nodes": nodes, "second_underlay": second})
    assert str(topology.with_nodes(2).nodes[1].second_address) == "10.31.0.78"


def test_the_mtu_of_a_tunnel_is_that_of_its_nic_less_the_overhead() -> None:
    second = {"nic": "ens34", "cidr": "10.31.0.0/24", "mtu": 1400}
    topology = Topology.model_validate({"second_underlay": second, "flannel": {"iface": "ens34"}})
    assert topology.flannel_mtu == 1350
    assert topology.calico_mtu("none") == 1380  # felix takes the smallest NIC's, whichever is its


def test_fewer_nodes_are_the_first_ones() -> None:
    assert [node.name for node in Topology().with_nodes(1).nodes] == ["k8s-master"]


@pytest.mark.parametrize(("count", "said"), [(0, "at least one"), (200, "192.168.31.255")])
def test_a_count_that_does_not_fit_is_refused(count: int, said: str) -> None:
    with pytest.raises(TopologyError, match=said):
        Topology().with_nodes(count)


def test_the_nth_node_has_the_nth_subnet() -> None:
    topology = Topology().with_nodes(3)
    subnets = [str(topology.pod_cidr(node.name)) for node in topology.nodes]
    assert subnets == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]


def test_mtus_follow_from_the_underlay() -> None:
    topology = Topology()
    assert (topology.calico_mtu("ipip"), topology.calico_mtu("none")) == (1480, 1480)
    assert (topology.calico_mtu("vxlan"), topology.flannel_mtu) == (1450, 1450)


def test_an_address_is_an_address() -> None:
    assert Topology().nodes[0].address == IPv4Address("192.168.31.128")
