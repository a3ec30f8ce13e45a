"""What is run inside of namespaces for the tests of this folder; each returns JSON."""

import json
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from typing import Any

from podmatrix.lab.cni import multus
from podmatrix.lab.runtime import NetworkPluginError
from tests.lab.scene import DUAL, FLANNEL_SECOND, ON_FLANNEL, Scene

NETWORKS = "k8s.v1.cni.cncf.io/networks"
DEFAULT = "v1.multus-cni.io/default-network"


def _left_behind(scene: Scene) -> dict[str, Any]:
    """Everything on the first node that belongs to pods."""
    node = scene.nodes[0]
    links = json.loads(node.netns.run(["ip", "-j", "link", "show", "type", "veth"]))
    networks = node.files / "var/lib/cni/networks"
    return {
        "links": [link["ifname"] for link in links if link["ifname"] != "ens33"],
        "routes": node.netns.run(["ip", "route", "show", "scope", "link", "metric", "1024"]),
        "files": sorted(file.name for file in networks.rglob("*") if file.name[0].isdigit()),
        "calico": [str(address) for address in node.block.allocations],
        "chains": node.netns.run(["iptables-save", "-t", "filter"]).count(":cali-tw-"),
        "states": [file.name for file in (node.files / "var/lib/cni/multus").glob("*")],
    }


def _refused(scene: Scene, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    sandbox = scene.sandbox(name, annotations)
    try:
        multus.add(scene.nodes[0], sandbox, scene.lookup)
    except NetworkPluginError as exc:
        links = json.loads(sandbox.netns.run(["ip", "-j", "link", "show"]))
        return {
            "message": str(exc),
            "reason": exc.reason,
            "event": exc.event,
            "in_pod": [link["ifname"] for link in links],
        }
    return {"message": "was not refused"}


def refusals() -> dict[str, Any]:
    """Pods that cannot be plugged in, and what is left of them."""
    scene = Scene()
    scene.nads |= {
        ("default", "sriov"): '{"cniVersion":"0.3.1","type":"sriov"}',
        ("default", "not-json"): "{",
        ("default", "nothing"): "{}",
    }
    answers = {
        name: _refused(scene, name, annotations)
        for name, annotations in {
            "missing": {NETWORKS: "absent"},
            "missing-default": {DEFAULT: "absent"},
            "two-defaults": {DEFAULT: "default/flannel-conf,default/flannel-second"},
            "syntax": {NETWORKS: "Flannel_Conf"},
            "no-plugin": {NETWORKS: "default/flannel-second,default/sriov"},
            "not-json": {NETWORKS: "default/not-json"},
            "nothing": {NETWORKS: "default/nothing"},
            "same-name": {NETWORKS: "default/flannel-second@eth0"},
            "no-name": {NETWORKS: '[{"namespace":"x"}]'},
            "wrong-type": {NETWORKS: '[{"name":5}]'},
            "other-node": {
                NETWORKS: '[{"name":"flannel-second","namespace":"default","ips":["10.244.1.9"]}]'
            },
        }.items()
    }
    subnet_file = scene.nodes[0].files / "run/flannel/subnet.env"
    subnet_file.unlink()
    answers["no-subnet-file"] = _refused(scene, "no-subnet-file", DUAL)
    return {"answers": answers, "left": _left_behind(scene)}


def isolation() -> dict[str, Any]:
    """Pods of the namespace `net` where Multus isolates namespaces."""
    scene = Scene({"multus": {"namespace_isolation": True}})
    for namespace in ("net", "other"):
        scene.nads[namespace, "nad"] = FLANNEL_SECOND
    answers = {
        name: _refused(scene, name, {NETWORKS: network})
        for name, network in (("own", "nad"), ("common", "default/flannel-second"))
    }
    return {**answers, "other": _refused(scene, "other", {NETWORKS: "other/nad"})}


def exhaustion() -> dict[str, Any]:
    """Pods on a node whose addresses are all taken."""
    scene = Scene({"calico": {"block_size": 31}})
    node = scene.nodes[0]
    store = node.files / "var/lib/cni/networks/flannel-conf"
    store.mkdir(parents=True)
    for address in list(IPv4Network(node.pod_cidr).hosts())[1:]:
        (store / str(address)).write_text("somebody\r\neth0")
    flannel = _refused(scene, "flannel", ON_FLANNEL)
    dual = _refused(scene, "dual", DUAL)
    for name in ("first", "second"):
        scene.add(0, name)
    calico = _refused(scene, "calico", {})
    scene.delete("first")
    again = scene.add(0, "again")
    return {"flannel": flannel, "dual": dual, "calico": calico, "again": again.ips}


def masquerading() -> dict[str, Any]:
    """A Flannel that leaves masquerading to the plugin."""
    scene = Scene({"flannel": {"ip_masq": False}})
    scene.add(0, "flannel", ON_FLANNEL)
    sandbox_id = scene.pods["flannel"][1].sandbox_id
    rules = scene.nodes[0].netns.run(["iptables", "-t", "nat", "-S"])
    scene.delete("flannel")
    after = scene.nodes[0].netns.run(["iptables", "-t", "nat", "-S"])
    lines = {"during": rules.splitlines(), "after": after.splitlines()}
    return {
        "sandbox_id": sandbox_id,
        **{when: [line for line in text if "CNI-" in line] for when, text in lines.items()},
    }


def life() -> dict[str, Any]:
    """Pods come in parallel and go, twice each."""
    scene = Scene()
    before = _left_behind(scene)
    kinds: dict[str, dict[str, str]] = {"calico": {}, "flannel": ON_FLANNEL, "dual": DUAL}
    names = [(f"{kind}{number}", kinds[kind]) for kind in kinds for number in range(4)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda pod: scene.add(0, *pod), names))
    during = _left_behind(scene)
    for node, sandbox, _ in list(scene.pods.values()):
        multus.delete(node, sandbox)
        multus.delete(node, sandbox)
    after = _left_behind(scene)
    gone = scene.sandbox("gone")
    multus.add(scene.nodes[0], gone, scene.lookup)
    gone.netns.delete()
    multus.delete(scene.nodes[0], gone)
    return {
        "before": before,
        "during": during,
        "after": after,
        "namespace_gone_first": _left_behind(scene),
        "addresses": [cidr for result in results for added in result.added for cidr in added.cidrs],
    }


def requests() -> dict[str, Any]:
    """What the JSON form of the annotation can ask for."""
    scene = Scene()
    namespace_rules = {("net", "own"), ("kube-system", "own")}
    for key in namespace_rules:
        scene.nads[key] = scene.nads["default", "flannel-conf"]
    selection = {
        "name": "flannel-second",
        "namespace": "default",
        "ips": ["10.244.0.77/24"],
        "mac": "02:00:00:00:00:77",
        "interface": "mgmt0",
    }
    pods = {
        "json": {NETWORKS: json.dumps([selection])},
        "twice": {NETWORKS: "default/flannel-second, default/flannel-second@extra"},
        "own": {NETWORKS: "own"},
        "own-default": {DEFAULT: "own"},
        "default-json": {DEFAULT: '[{"name":"flannel-conf","namespace":"default"}]'},
        "default-route": {
            NETWORKS: json.dumps(
                [
                    {
                        "name": "flannel-second",
                        "namespace": "default",
                        "default-route": ["10.244.0.1"],
                    }
                ]
            )
        },
    }
    return {name: _seen(scene, name, annotations) for name, annotations in pods.items()}


def two_default_routes(bridge_plugin: str) -> dict[str, Any]:
    """A dual pod by way of a NAD with isDefaultGateway."""
    scene = Scene({"bridge_plugin": bridge_plugin})
    return _seen(scene, "dual", {NETWORKS: "default/flannel-conf"})


def two_stores() -> dict[str, Any]:
    """Two NADs of different network names over one subnet."""
    scene = Scene()
    scene.nads["default", "other"] = (
        '{"cniVersion":"0.3.0","type":"flannel","delegate":{"isDefaultGateway":false}}'
    )
    first = _seen(scene, "first", ON_FLANNEL)
    second = _seen(scene, "second", {NETWORKS: "default/other"})
    return {"first": first, "second": second}


def without_multus() -> dict[str, Any]:
    """Nodes whose first CNI configuration is not Multus', or that have none."""
    scene = Scene()
    directory = scene.nodes[0].files / "etc/cni/net.d"
    (directory / "00-multus.conf").unlink()
    plain = _seen(scene, "plain", DUAL)
    for file in directory.iterdir():
        file.unlink()
    return {"plain": plain, "nothing": _refused(scene, "nothing", {})}


def _seen(scene: Scene, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    result = scene.add(0, name, annotations)
    netns = scene.pods[name][1].netns
    links = json.loads(netns.run(["ip", "-j", "address", "show"]))
    return {
        "links": {
            link["ifname"]: {
                "mac": link["address"],
                "ips": [
                    f"{address['local']}/{address['prefixlen']}"
                    for address in link["addr_info"]
                    if address["family"] == "inet"
                ],
            }
            for link in links
            if link["ifname"] != "lo"
        },
        "default": netns.run(["ip", "route", "show", "default"]).split(" \n")[:-1],
        "ips": result.ips,
        "annotations": dict(result.annotations),
        "added": [(added.ifname, added.cidrs, added.network) for added in result.added],
    }
