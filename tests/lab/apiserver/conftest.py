import itertools
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from kubernetes import client, config

from tests.lab.apiserver.cluster import ServedCluster, served_cluster
from tests.lab.apiserver.http import Http
from tests.lab.apiserver.pods import Namespace

_NUMBERS = itertools.count()


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedCluster]:
    """A served cluster of two nodes."""
    with served_cluster(tmp_path_factory.mktemp("cluster")) as served:
        yield served


@pytest.fixture(scope="package")
def http(cluster: ServedCluster) -> Http:
    """An HTTPS client with the client certificate of the kubeconfig."""
    loaded = _configuration(cluster.kubeconfig)
    context = ssl.create_default_context(cafile=str(cluster.ca))
    context.load_cert_chain(str(loaded.cert_file), loaded.key_file)
    return Http(cluster.url, context)


@pytest.fixture
def anonymous(cluster: ServedCluster) -> Http:
    """An HTTPS client without a certificate."""
    return Http(cluster.url, ssl.create_default_context(cafile=str(cluster.ca)))


@pytest.fixture
def namespace(http: Http) -> Iterator[Namespace]:
    """A namespace of its own, deleted afterwards."""
    name = f"test-{next(_NUMBERS)}"
    created = http.post("/api/v1/namespaces", {"metadata": {"name": name}})
    assert created.status == 201
    yield Namespace(http, name)
    http("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def core(cluster: ServedCluster) -> Iterator[client.CoreV1Api]:
    """The official client; one of its own for each test, since stream() changes it."""
    with client.ApiClient(_configuration(cluster.kubeconfig)) as api:
        yield client.CoreV1Api(api)


def _configuration(kubeconfig: Path) -> client.Configuration:
    loaded, official = client.Configuration(), cast("Any", config)
    official.load_kube_config(str(kubeconfig), client_configuration=loaded)
    return loaded
