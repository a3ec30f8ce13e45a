"""Bad kubeconfigs and servers: each says what is wrong, where, and the cure."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from podmatrix.cluster.client import Cluster, connect
from podmatrix.errors import ClusterError, PodmatrixError, SettingsError
from tests.cluster.server import Server, kubeconfig


@pytest.fixture
def written(server: Server, tmp_path: Path) -> Path:
    return kubeconfig(tmp_path / "config", server.url)


def change(path: Path, **changes: object) -> Path:
    document = yaml.safe_load(path.read_text()) | changes
    path.write_text(yaml.safe_dump(document))
    return path


def refused(
    path: Path | None, context: str | None = None, kind: type[PodmatrixError] = PodmatrixError
) -> str:
    with pytest.raises(kind) as caught:
        connect(kubeconfig=path, context=context)
    return str(caught.value)


def test_a_wrong_option_and_a_silent_server_are_told_apart(written: Path) -> None:
    assert "context 'nobody' is unknown" in refused(written, "nobody", SettingsError)
    path = change(written, clusters=[{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}])
    assert "https://127.0.0.1:1" in refused(path, kind=ClusterError)


def test_a_good_one_connects(written: Path) -> None:
    cluster = connect(kubeconfig=written)
    assert cluster.server_version == "v1.34.4"
    cluster.close()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'x'}: no such file" in refused(tmp_path / "x")


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    assert f"{tmp_path}: cannot be read" in refused(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not YAML"),
        ("\x00", "not YAML"),
        ("just text", "no kubeconfig"),
        ("", "no kubeconfig"),
        ("clusters: 7", "no kubeconfig"),
    ],
)
def test_another_file_is_told_from_a_kubeconfig(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    assert words in refused(path)


def test_bytes_that_are_no_text_are_not_yaml(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not YAML" in refused(path)


def test_an_unknown_context_lists_those_there_are(written: Path) -> None:
    assert "context 'prod' is unknown; contexts there: c" in refused(written, "prod")


def test_without_a_current_context_one_must_be_named(written: Path) -> None:
    path = change(written, **{"current-context": ""})
    assert "no current-context; name one with --kube-context" in refused(path)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"users": []}, id="no user"),
        pytest.param({"users": None}, id="users empty"),
        pytest.param({"clusters": [{"name": "other", "cluster": {}}]}, id="no such cluster"),
        pytest.param({"contexts": [{"name": "c"}]}, id="context without content"),
        pytest.param({"contexts": [{"name": "c", "context": "k"}]}, id="context is text"),
    ],
)
def test_entries_that_lead_nowhere_are_an_error(written: Path, changes: dict[str, Any]) -> None:
    assert str(written) in refused(change(written, **changes))


@pytest.mark.parametrize(
    "user",
    [
        pytest.param({"client-certificate-data": "%"}, id="no base64"),
        pytest.param({"client-certificate": "/nowhere/c.crt"}, id="no such file"),
    ],
)
def test_a_certificate_that_is_none_is_an_error(
    written: Path, server: Server, user: dict[str, str]
) -> None:
    url = server.url.replace("http:", "https:")
    clusters = [{"name": "k", "cluster": {"server": url}}]
    path = change(written, clusters=clusters, users=[{"name": "u", "user": user}])
    assert str(written) in refused(path)


def test_a_server_that_is_down_is_named(written: Path) -> None:
    path = change(written, clusters=[{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}])
    text = refused(path)
    assert "https://127.0.0.1:1 (context c of" in text
    assert "is the cluster up" in text


def test_tls_to_a_server_without_it_is_named(written: Path, server: Server) -> None:
    url = server.url.replace("http:", "https:")
    path = change(written, clusters=[{"name": "k", "cluster": {"server": url}}])
    assert "no TLS connection with" in refused(path)


@pytest.mark.parametrize(
    ("status", "message", "cure"),
    [
        (401, "Unauthorized", "credentials are not accepted"),
        (403, "forbidden: User system:anonymous", "credentials are not accepted"),
        (403, "forbidden: User jane", "rights are missing"),
    ],
)
def test_a_refusal_tells_its_cure(
    written: Path, server: Server, status: int, message: str, cure: str
) -> None:
    server.on("GET /version", {"message": message}, status=status)
    text = refused(written)
    assert f"answered {status}, {message}" in text
    assert cure in text


def test_nothing_is_taken_from_the_environment(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(written))
    assert "give --kubeconfig=FILE" in refused(None)


def test_outside_a_pod_there_is_no_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SettingsError, match="this is no pod of a cluster"):
        connect(kubeconfig=None, in_cluster=True)


@pytest.fixture
def nodes(server: Server, cluster: Cluster) -> Cluster:
    server.on(
        "GET /api/v1/nodes",
        {
            "items": [
                {
                    "metadata": {"name": "b", "labels": {"kubernetes.io/hostname": "host-b"}},
                    "spec": {
                        "unschedulable": True,
                        "podCIDRs": ["10.244.1.0/24"],
                        "taints": [{"key": "k", "effect": "NoSchedule"}],
                    },
                    "status": {
                        "addresses": [
                            {"type": "Hostname", "address": "b"},
                            {"type": "InternalIP", "address": "192.168.31.129"},
                            {"type": "InternalIP", "address": "fd00::129"},
                        ],
                        "conditions": [{"type": "Ready", "status": "True"}],
                    },
                },
                {"metadata": {"name": "a"}, "spec": {}, "status": {}},
            ]
        },
    )
    return cluster


def test_nodes_are_read_and_sorted(nodes: Cluster) -> None:
    a, b = nodes.nodes()
    assert (a.name, a.ready, a.internal_ip, a.hostname) == ("a", False, "", "a")
    assert (b.name, b.ready, b.schedulable, b.hostname) == ("b", True, False, "host-b")
    assert (b.internal_ip, b.pod_cidrs) == ("192.168.31.129", ("10.244.1.0/24",))
    assert b.taints == ("k=:NoSchedule",)
