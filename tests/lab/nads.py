"""Networks and pods on them as kubectl creates and shows them."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from tests.lab.conftest import RunningLab

NETWORKS = "k8s.v1.cni.cncf.io/networks"
STATUS = "k8s.v1.cni.cncf.io/network-status"


def nad(name: str, config: Mapping[str, object]) -> dict[str, object]:
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name},
        "spec": {"config": json.dumps({"cniVersion": "0.3.1", **config})},
    }


def pod(name: str, networks: object, *, node: str = "k8s-master", **spec: object) -> dict[str, Any]:
    wanted = networks if isinstance(networks, str) else json.dumps(networks)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": {NETWORKS: wanted} if wanted else {}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "lab", "command": ["sleep", "600"], **spec}],
        },
    }


def shell(name: str, node: str) -> dict[str, Any]:
    """A privileged pod in the network of a node."""
    wanted = pod(name, "", node=node, securityContext={"privileged": True})
    wanted["spec"]["hostNetwork"] = True
    wanted["spec"]["volumes"] = [{"name": "cni", "hostPath": {"path": "/var/lib/cni"}}]
    mount = {"name": "cni", "mountPath": "/var/lib/cni"}
    wanted["spec"]["containers"][0]["volumeMounts"] = [mount]
    return wanted


def create(lab: RunningLab, *objects: Mapping[str, object]) -> None:
    subprocess.run(
        ["kubectl", "--kubeconfig", lab.kubeconfig, "create", "-f", "-"],
        input="\n".join(map(json.dumps, objects)),
        text=True,
        check=True,
        capture_output=True,
    )


def wait(lab: RunningLab, what: str, *names: str) -> None:
    waited = lab.kubectl(
        "wait", *(f"pod/{name}" for name in names), f"--for={what}", "--timeout=50s"
    )
    assert waited.code == 0, waited.err


def links(lab: RunningLab, name: str) -> dict[str, dict[str, Any]]:
    shown = json.loads(lab.execute(name, "ip", "-j", "-d", "address").out)
    return {link["ifname"]: link for link in shown if link["ifname"] != "lo"}


def addresses(link: Mapping[str, Any]) -> list[str]:
    return [
        f"{address['local']}/{address['prefixlen']}"
        for address in link["addr_info"]
        if address["family"] == "inet"
    ]


def routes(lab: RunningLab, name: str, ifname: str) -> list[str]:
    shown = lab.execute(name, "ip", "route", "show", "dev", ifname).out
    return [line.strip() for line in shown.splitlines()]


def status(lab: RunningLab, name: str) -> list[dict[str, Any]]:
    annotations = json.loads(lab.kubectl("get", "pod", name, "-o", "json").out)["metadata"]
    return list(json.loads(annotations["annotations"][STATUS]))


def events(lab: RunningLab, name: str) -> Iterator[tuple[str, str]]:
    shown = lab.kubectl(
        "get", "events", f"--field-selector=involvedObject.name={name}", "-o", "json"
    )
    for event in json.loads(shown.out)["items"]:
        yield event["reason"], event["message"]
