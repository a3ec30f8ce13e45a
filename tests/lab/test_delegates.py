"""Networks by way of NetworkAttachmentDefinitions, as kubectl, ip and tcpdump show them in pods.

What is expected, words included, is what the plugins of a real cluster did with the same objects
(Kubernetes 1.34, Multus 4.2.4, containernetworking/plugins 1.1.1).
"""

import os
import shutil
import subprocess
from collections.abc import Mapping

import pytest

from podmatrix.polling import wait_until
from tests.lab.conftest import RunningLab
from tests.lab.nads import addresses, create, events, links, nad, pod, routes, shell, status, wait


def host_local(subnet: str, **more: object) -> dict[str, object]:
    return {"type": "host-local", "subnet": subnet, **more}


def macvlan(ipam: Mapping[str, object] | None = None, **more: object) -> dict[str, object]:
    return {"type": "macvlan", "master": "ens33", **({"ipam": ipam} if ipam else {}), **more}


ONE = host_local("10.58.0.0/30", rangeStart="10.58.0.2", rangeEnd="10.58.0.2")
STATIC = {
    "type": "static",
    "addresses": [{"address": "10.56.0.7/24", "gateway": "10.56.0.1"}],
    "routes": [{"dst": "10.67.0.0/16", "gw": "10.56.0.1"}],
}
WHERE = host_local(
    "10.55.0.0/24", rangeStart="10.55.0.100", rangeEnd="10.55.0.199", gateway="10.55.0.1"
)
ROUTE = [{"dst": "10.66.0.0/16"}]
NADS: dict[str, dict[str, object]] = {
    "mv": macvlan({**WHERE, "routes": ROUTE}),
    "far": macvlan(host_local("10.55.0.0/24", rangeStart="10.55.0.200")),
    "mv-static": macvlan(STATIC),
    "mv-asked": macvlan({"type": "static"}),
    "mv-by-default-route": {"type": "macvlan", "ipam": host_local("10.57.0.0/24")},
    "mv-small": macvlan(host_local("10.57.1.0/24"), mtu=1400),
    "mv-layer2": macvlan(),
    "mv-private": macvlan(mode="private"),
    "full": macvlan(ONE),
    "leaked": macvlan(ONE),
    "own-bridge": {
        "type": "bridge",
        "bridge": "own0",
        "isGateway": True,
        "ipMasq": True,
        "ipam": host_local("10.60.0.0/24"),
    },
    "bridge-layer2": {"type": "bridge", "bridge": "flat0"},
    "ptp": {
        "type": "ptp",
        "mtu": 1400,
        "ipam": host_local("10.62.0.0/24", routes=[{"dst": "10.0.0.0/9"}]),
    },
    "no-master": macvlan(host_local("10.57.0.0/24"), master="eth9"),
    "no-mode": macvlan(host_local("10.57.0.0/24"), mode="foo"),
    "too-big": macvlan(host_local("10.57.0.0/24"), mtu=9000),
    "no-ipam": macvlan({"type": "whereabouts"}),
    "host-bits": macvlan(host_local("10.58.0.5/24")),
    "outside": macvlan(host_local("10.58.0.0/24", rangeStart="10.59.0.5")),
    "no-plugin": {"type": "nope"},
    "version": {**macvlan(host_local("10.57.0.0/24")), "cniVersion": "9.9.9"},
    "listed": {"plugins": [macvlan(host_local("10.57.0.0/24"), master="eth9")]},
    "other-address": {
        "type": "bridge",
        "bridge": "own0",
        "isGateway": True,
        "ipam": host_local("10.61.0.0/24"),
    },
}
SEVERAL = "own-bridge,mv,default/flannel-conf@flan0,ptp"
ASKED = {"name": "mv-asked", "ips": ["10.56.1.9/24"], "mac": "02:11:22:33:44:55"}
RUNNING: dict[str, object] = {
    "near": "mv",
    "several": SEVERAL,
    "asked": [{**ASKED, "interface": "stat0"}],
    "moved": [{"name": "mv", "default-route": ["10.55.0.1"]}],
    "chosen": [{"name": "mv", "ips": ["10.55.0.177"]}],
    "first": "full",
    **{
        name: name
        for name in (
            *("mv-static", "mv-by-default-route", "mv-small", "mv-layer2", "mv-private"),
            *("own-bridge", "bridge-layer2", "ptp"),
        )
    },
}
REFUSED: dict[str, tuple[object, str]] = {
    "no-master": ("no-master", "Link not found"),
    "no-mode": ("no-mode", 'unknown macvlan mode: "foo"'),
    "too-big": ("too-big", "invalid MTU 9000, must be [0, master MTU(1500)]"),
    "no-ipam": (
        "no-ipam",
        'failed to find plugin "whereabouts" in path [/opt/cni/bin /opt/cni/bin]',
    ),
    "no-address": ("mv-asked", "IPAM plugin returned missing IP config"),
    "host-bits": (
        "host-bits",
        "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the "
        "network address is 10.58.0.0",
    ),
    "outside": ("outside", "invalid range set 0: RangeStart 10.59.0.5 not in network 10.58.0.0/24"),
    "no-plugin": ("no-plugin", 'failed to find plugin "nope" in path [/opt/cni/bin /opt/cni/bin]'),
    "version": (
        "version",
        'incompatible CNI versions; config is "9.9.9", plugin supports ["0.1.0"',
    ),
    "listed": ("listed", 'plugin type="macvlan" failed (add): Link not found'),
    "other-address": (
        "other-address",
        'failed to set bridge addr: "own0" already has an IP address different from 10.61.0.1/24',
    ),
    "second": (
        "full",
        "failed to allocate for range 0: no IP addresses available in range set: "
        "10.58.0.2-10.58.0.2",
    ),
    "after-leak": (
        "leaked",
        "failed to allocate for range 0: no IP addresses available in range set: "
        "10.58.0.2-10.58.0.2",
    ),
    "out-of-range": (
        [{"name": "mv", "ips": ["10.99.0.9"]}],
        "failed to allocate all requested IPs: 10.99.0.9",
    ),
    "same-name": (
        "mv@eth0",
        'DelegateAdd: cannot set "macvlan" interface name to "eth0": validateIfName: interface '
        "name eth0 already exists",
    ),
}


@pytest.fixture(scope="module")
def lab(shared_lab: RunningLab) -> RunningLab:
    """With every NAD, and pods that use them."""
    create(shared_lab, *(nad(name, config) for name, config in NADS.items()))
    create(shared_lab, shell("master", "k8s-master"), shell("node", "k8s-node"))
    wait(shared_lab, "condition=Ready", "master", "node")
    store = "/var/lib/cni/networks/leaked"
    leak = f"mkdir -p {store} && printf 'gone\\r\\neth0' > {store}/10.58.0.2"
    assert shared_lab.execute("master", "sh", "-c", leak).code == 0
    create(
        shared_lab,
        *(pod(name, networks) for name, networks in RUNNING.items()),
        pod("far", "far", node="k8s-node"),
    )
    wait(shared_lab, "condition=Ready", *RUNNING, "far")
    create(shared_lab, *(pod(name, networks) for name, (networks, _) in REFUSED.items()))
    return shared_lab


def test_a_macvlan_is_a_device_of_the_nodes_nic(lab: RunningLab) -> None:
    link = links(lab, "near")["net1"]
    nic = links(lab, "master")["ens33"]
    data = link["linkinfo"]
    assert (data["info_kind"], data["info_data"]["mode"]) == ("macvlan", "bridge")
    assert (link["link_index"], link["mtu"]) == (nic["ifindex"], 1500)
    assert addresses(link)[0].startswith("10.55.0.1")
    assert link["addr_info"][0]["broadcast"] == "10.55.0.255"


def test_its_routes_are_those_of_the_ipam(lab: RunningLab) -> None:
    (own,) = addresses(links(lab, "near")["net1"])
    source = own.partition("/")[0]
    assert routes(lab, "near", "net1") == [
        f"10.55.0.0/24 proto kernel scope link src {source}",
        "10.66.0.0/16 via 10.55.0.1",
    ]


@pytest.mark.parametrize(
    ("name", "mtu", "mode", "found"),
    [
        ("mv-static", 1500, "bridge", ["10.56.0.7/24"]),
        ("mv-by-default-route", 1500, "bridge", ["10.57.0.2/24"]),
        ("mv-small", 1400, "bridge", ["10.57.1.2/24"]),
        ("mv-layer2", 1500, "bridge", []),
        ("mv-private", 1500, "private", []),
    ],
)
def test_a_macvlan_is_as_its_nad_says(
    lab: RunningLab, name: str, mtu: int, mode: str, found: list[str]
) -> None:
    link = links(lab, name)["net1"]
    shown = (link["mtu"], link["linkinfo"]["info_data"]["mode"], addresses(link))
    assert shown == (mtu, mode, found)
    assert link["operstate"] == "UP"


def test_packets_of_a_macvlan_pass_the_wire_as_they_are(lab: RunningLab) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("needs tcpdump")
    if os.geteuid() != 0:
        pytest.skip("needs root: tcpdump sets its groups, which a lab of one user id refuses")
    near, far = links(lab, "near")["net1"], links(lab, "far")["net1"]
    target = addresses(far)[0].partition("/")[0]
    argv = ["kubectl", "--kubeconfig", str(lab.kubeconfig), "exec", "node", "--", "timeout", "20"]
    argv += ["tcpdump", "-l", "-e", "-n", "-c", "1", "-i", "ens33", f"icmp and dst {target}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stderr is not None
        said = ""
        while "listening on" not in said:
            line = it.stderr.readline()
            assert line, said
            said += line
        pinged = lab.execute("near", "ping", "-n", "-c", "2", "-W", "2", "-I", "net1", target)
        seen, _ = it.communicate()
    assert pinged.code == 0
    assert f"{near['address']} > {far['address']}, ethertype IPv4" in seen


def test_static_routes_go_by_their_gateway(lab: RunningLab) -> None:
    assert routes(lab, "mv-static", "net1") == [
        "10.56.0.0/24 proto kernel scope link src 10.56.0.7",
        "10.67.0.0/16 via 10.56.0.1",
    ]


def test_ptp_sends_everything_to_the_gateway(lab: RunningLab) -> None:
    (own,) = addresses(links(lab, "ptp")["net1"])
    source = own.partition("/")[0]
    assert routes(lab, "ptp", "net1") == [
        "10.0.0.0/9 via 10.62.0.1",
        f"10.62.0.0/24 via 10.62.0.1 src {source}",
        f"10.62.0.1 scope link src {source}",
    ]
    assert f"{source} dev veth" in lab.execute("master", "ip", "route").out
    assert lab.execute("ptp", "ping", "-n", "-c", "1", "-W", "2", "10.62.0.1").code == 0


def test_a_bridge_of_its_own_has_the_gateway_and_masquerades(lab: RunningLab) -> None:
    bridge = links(lab, "master")["own0"]
    assert addresses(bridge) == ["10.60.0.1/24"]
    (own,) = addresses(links(lab, "own-bridge")["net1"])
    rules = lab.execute("master", "iptables", "-t", "nat", "-S", "POSTROUTING").out
    assert f"-s {own.partition('/')[0]}/32" in rules


def test_a_bridge_without_ipam_gives_no_address(lab: RunningLab) -> None:
    link = links(lab, "bridge-layer2")["net1"]
    assert (addresses(link), link["operstate"]) == ([], "UP")
    assert status(lab, "bridge-layer2")[1] == {
        "name": "default/bridge-layer2",
        "interface": "net1",
        "mac": link["address"],
        "dns": {},
    }


@pytest.mark.parametrize("name", ["near", "ptp", "own-bridge"])
def test_plugins_make_links_without_a_queue(lab: RunningLab, name: str) -> None:
    assert "txqlen" not in links(lab, name)["net1"]


def test_several_networks_keep_their_order_and_numbers(lab: RunningLab) -> None:
    assert [(entry["interface"], entry["name"]) for entry in status(lab, "several")] == [
        ("eth0", "k8s-pod-network"),
        ("net1", "default/own-bridge"),
        ("net2", "default/mv"),
        ("flan0", "default/flannel-conf"),
        ("net4", "default/ptp"),
    ]


@pytest.mark.parametrize("name", ["several", "asked", "chosen", "near"])
def test_network_status_is_what_ip_shows(lab: RunningLab, name: str) -> None:
    shown = {
        ifname: (link["address"], [one.partition("/")[0] for one in addresses(link)])
        for ifname, link in links(lab, name).items()
    }
    told = {entry["interface"]: (entry["mac"], entry["ips"]) for entry in status(lab, name)}
    assert told == shown


def test_address_mac_and_name_can_be_asked_for(lab: RunningLab) -> None:
    link = links(lab, "asked")["stat0"]
    assert (link["address"], addresses(link)) == ("02:11:22:33:44:55", ["10.56.1.9/24"])
    assert addresses(links(lab, "chosen")["net1"]) == ["10.55.0.177/24"]


def test_the_default_route_can_be_moved(lab: RunningLab) -> None:
    assert lab.execute("moved", "ip", "route", "show", "default").out.split() == [
        *("default", "via", "10.55.0.1", "dev", "net1")
    ]


def test_each_interface_has_an_event(lab: RunningLab) -> None:
    told = [message for reason, message in events(lab, "several") if reason == "AddedInterface"]
    (own,) = addresses(links(lab, "several")["net2"])
    assert f"Add net2 [{own}] from default/mv" in told
    assert len(told) == 5


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_in_the_real_words(lab: RunningLab, name: str) -> None:
    networks, words = REFUSED[name]
    wanted = networks if isinstance(networks, str) else "mv"
    network = wanted.partition("@")[0]
    told = wait_until(
        lambda: (
            dict(failed) if "FailedCreatePodSandBox" in (failed := dict(events(lab, name))) else {}
        ),
        timeout_s=20,
        what=f"an event of {name}",
    )
    said = f'error adding container to network "{network}": {words}'
    assert said in told["FailedCreatePodSandBox"]
    assert told["AddedInterface"].startswith("Add eth0 [10.200.")
