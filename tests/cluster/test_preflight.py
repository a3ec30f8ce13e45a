"""Rows S05, S13 and S15 from what an API tells; what it does not tell is never green."""

import json
from typing import Any

import pytest

from podmatrix.cluster.client import Cluster
from podmatrix.cluster.preflight import preflight
from podmatrix.model import Node, PreflightResult, Verdict
from podmatrix.profile import load_profile
from tests.cluster.server import Server

NODES = (
    Node(slot="a", name="n1", internal_ip="192.168.31.128"),
    Node(slot="b", name="n2", internal_ip="192.168.31.129"),
)
NAD = "GET /apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/flannel-conf"
POOLS = "GET /apis/crd.projectcalico.org/v1/ippools"
POOLS_V3 = "GET /apis/projectcalico.org/v3/ippools"
CONFIG_MAPS = "GET /api/v1/configmaps"
SERVICE_CIDRS = "GET /apis/networking.k8s.io/v1/servicecidrs"
API_SERVERS = "GET /api/v1/namespaces/kube-system/pods"
DAEMON_SETS = "GET /apis/apps/v1/daemonsets"
DAEMON_PODS = "GET /api/v1/namespaces/net/pods"


def pools(*cidrs: str) -> dict[str, Any]:
    items = [{"metadata": {"name": f"p{n}"}, "spec": {"cidr": c}} for n, c in enumerate(cidrs)]
    return {"items": items}


def flannel(network: str) -> dict[str, Any]:
    return config_map(json.dumps({"Network": network}))


def config_map(text: str) -> dict[str, Any]:
    metadata = {"name": "kube-flannel-cfg", "namespace": "kube-flannel"}
    return {"items": [{"metadata": metadata, "data": {"net-conf.json": text}}]}


def services(*cidrs: str) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": "kubernetes"}, "spec": {"cidrs": list(cidrs)}}]}


def daemon_set(name: str = "ds", desired: int = 2, ready: int = 2) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "net"},
        "spec": {"selector": {"matchLabels": {"app": "x"}}},
        "status": {"desiredNumberScheduled": desired, "numberReady": ready},
    }


def daemon_pod(node: str, ready: str = "True") -> dict[str, Any]:
    status = {"podIP": "1.2.3.4", "conditions": [{"type": "Ready", "status": ready}]}
    metadata = {"name": f"d-{node}", "namespace": "net"}
    return {
        "metadata": metadata,
        "spec": {"nodeName": node},
        "status": status | {"phase": "Running"},
    }


@pytest.fixture(autouse=True)
def _healthy(server: Server) -> None:
    config = '{"cniVersion":"0.3.0","type":"flannel","delegate":{"isDefaultGateway":true}}'
    server.on(NAD, {"spec": {"config": config}})
    server.on(POOLS, pools("10.200.0.0/16"))
    server.on(CONFIG_MAPS, flannel("10.244.0.0/16"))
    server.on(SERVICE_CIDRS, services("10.96.0.0/12"))
    server.on(DAEMON_SETS, {"items": [daemon_set()]})
    server.on(DAEMON_PODS, {"items": [daemon_pod("n1"), daemon_pod("n2")]})
    nodes = [
        {"metadata": {"name": node.name}, "spec": {"podCIDR": f"10.244.{number}.0/24"}}
        for number, node in enumerate(NODES)
    ]
    server.on("GET /api/v1/nodes", {"items": nodes})


def results(cluster: Cluster) -> dict[str, PreflightResult]:
    return {found.check: found for found in preflight(cluster, load_profile("owner"), NODES)}


def test_a_healthy_cluster_passes(cluster: Cluster) -> None:
    found = results(cluster)
    assert list(found) == [
        "S05-default-flannel-conf",
        "S13-cidrs",
        "S15-flannel",
        "S15-calico",
        "S15-multus",
    ]
    assert {(result.verdict, result.skipped) for result in found.values()} == {
        (Verdict.PASS, False)
    }


def nad(cluster: Cluster) -> PreflightResult:
    return results(cluster)["S05-default-flannel-conf"]


def test_a_missing_nad_is_said_to_be_made(server: Server, cluster: Cluster) -> None:
    del server.answers[NAD]
    result = nad(cluster)
    assert result.verdict is Verdict.OBSERVED
    assert "the harness makes one in its own namespace" in result.detail


@pytest.mark.parametrize("config", ["{", "[]", "{}", '{"plugins": []}', '{"plugins": [{}]}', "7"])
def test_a_nad_that_is_no_cni_configuration_fails(
    server: Server, cluster: Cluster, config: str
) -> None:
    server.on(NAD, {"spec": {"config": config}})
    assert nad(cluster).verdict is Verdict.FAIL


def cidrs(cluster: Cluster) -> PreflightResult:
    return results(cluster)["S13-cidrs"]


@pytest.mark.parametrize(
    ("request_", "body", "words"),
    [
        (POOLS, pools("10.244.0.0/18"), "p0 10.244.0.0/18 overlaps Flannel network"),
        (POOLS, pools("10.100.0.0/16"), "overlaps service CIDR kubernetes[0] 10.96.0.0/12"),
        (CONFIG_MAPS, flannel("10.0.0.0/8"), "Calico pool p0 10.200.0.0/16 overlaps Flannel"),
        (SERVICE_CIDRS, services("fd00::/112", "10.244.0.0/20"), "kubernetes[1] 10.244.0.0/20"),
    ],
)
def test_an_overlap_names_the_pair(
    server: Server, cluster: Cluster, request_: str, body: object, words: str
) -> None:
    server.on(request_, body)
    result = cidrs(cluster)
    assert result.verdict is Verdict.FAIL
    assert words in result.detail


@pytest.mark.parametrize("request_", [POOLS, SERVICE_CIDRS])
def test_what_may_not_be_read_is_never_green(
    server: Server, cluster: Cluster, request_: str
) -> None:
    server.on(request_, {"message": "forbidden"}, status=403)
    result = cidrs(cluster)
    assert result.skipped
    assert "forbidden" in result.detail


def test_what_is_not_there_is_never_green(server: Server, cluster: Cluster) -> None:
    del server.answers[POOLS]
    result = cidrs(cluster)
    assert result.skipped
    assert "not known: Calico pool; no IPPool in this cluster" in result.detail


def test_pools_are_found_behind_calicos_own_api_too(server: Server, cluster: Cluster) -> None:
    server.answers[POOLS_V3] = server.answers.pop(POOLS)
    assert cidrs(cluster).verdict is Verdict.PASS


def test_pod_cidrs_stand_in_for_flannels_network(server: Server, cluster: Cluster) -> None:
    del server.answers[CONFIG_MAPS]
    server.on(POOLS, pools("10.244.1.0/26"))
    assert "overlaps podCIDR of node n2 10.244.1.0/24" in cidrs(cluster).detail


def test_older_clusters_tell_the_service_cidr_by_a_flag(server: Server, cluster: Cluster) -> None:
    del server.answers[SERVICE_CIDRS]
    command = ["kube-apiserver", "--service-cluster-ip-range=10.244.0.0/24,fd00::/112"]
    server.on(API_SERVERS, {"items": [{"spec": {"containers": [{"command": command}]}}]})
    assert cidrs(cluster).verdict is Verdict.FAIL


@pytest.mark.parametrize("text", ["{", "[]", '{"Network": "10.244/16"}'])
def test_a_broken_flannel_configuration_fails(server: Server, cluster: Cluster, text: str) -> None:
    server.on(CONFIG_MAPS, config_map(text))
    assert cidrs(cluster).verdict is Verdict.FAIL


def daemon(cluster: Cluster) -> PreflightResult:
    return results(cluster)["S15-multus"]


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ([daemon_pod("n1")], "no multus pod on node n2"),
        ([daemon_pod("n1"), daemon_pod("n2", "False")], "multus pod d-n2 on n2: Running"),
    ],
)
def test_a_daemon_that_is_not_ready_is_named(
    server: Server, cluster: Cluster, pods: list[dict[str, Any]], words: str
) -> None:
    server.on(DAEMON_PODS, {"items": pods})
    result = daemon(cluster)
    assert (result.verdict, result.detail) == (Verdict.FAIL, words)


def test_no_daemon_set_is_unknown(server: Server, cluster: Cluster) -> None:
    server.on(DAEMON_SETS, {"items": []})
    assert daemon(cluster).skipped


def test_daemons_that_may_not_be_read_are_unknown(server: Server, cluster: Cluster) -> None:
    server.on(DAEMON_SETS, {"message": "forbidden"}, status=403)
    assert daemon(cluster).skipped


def test_two_daemon_sets_are_one_too_many(server: Server, cluster: Cluster) -> None:
    server.on(DAEMON_SETS, {"items": [daemon_set("old"), daemon_set("new")]})
    assert "net/old, net/new; keep one" in daemon(cluster).detail


@pytest.mark.parametrize(
    ("desired", "ready", "verdict", "skipped"),
    [
        (2, 2, Verdict.PASS, False),
        (2, 1, Verdict.FAIL, False),
        (0, 0, Verdict.FAIL, False),
        (1, 1, Verdict.OBSERVED, True),
    ],
)
def test_without_its_pods_a_daemon_set_speaks_for_itself(
    server: Server, cluster: Cluster, desired: int, ready: int, verdict: Verdict, skipped: bool
) -> None:
    server.on(DAEMON_PODS, {"items": []})
    server.on(DAEMON_SETS, {"items": [daemon_set(desired=desired, ready=ready)]})
    result = daemon(cluster)
    assert (result.verdict, result.skipped) == (verdict, skipped)
