"""Which requests are sent again, how often, and what is said in the end."""

import pytest

from podmatrix.cluster.client import Cluster
from podmatrix.cluster.failures import TRANSIENT, StatusError
from podmatrix.errors import ClusterError
from tests.cluster.server import Answer, Server

NODES = "GET /api/v1/nodes"


@pytest.mark.parametrize("status", sorted(TRANSIENT))
def test_a_transient_error_is_asked_again(server: Server, cluster: Cluster, status: int) -> None:
    server.on(NODES, Answer(status=status, body={"message": "x"}), {"items": []})
    assert cluster.nodes() == ()
    assert server.requests.count(NODES) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_final(server: Server, cluster: Cluster, status: int) -> None:
    server.on(NODES, {"message": "no"}, status=status)
    with pytest.raises(StatusError, match=f"cannot list the nodes: .* answered {status}, no"):
        cluster.nodes()
    assert server.requests.count(NODES) == 1


def test_what_stays_wrong_is_said_in_the_end(server: Server, cluster: Cluster) -> None:
    server.on(NODES, {"message": "etcd is away"}, status=503)
    with pytest.raises(StatusError, match="etcd is away") as caught:
        cluster.nodes()
    assert caught.value.status == 503
    assert server.requests.count(NODES) == 5


def test_retry_after_is_obeyed(server: Server, cluster: Cluster) -> None:
    again = Answer(status=429, body={}, headers={"Retry-After": "0"})
    server.on(NODES, again, again, again, {"items": []})
    assert cluster.nodes() == ()


@pytest.mark.parametrize("body", ["text", None, 7])
def test_an_answer_that_is_no_object_is_an_error(
    server: Server, cluster: Cluster, body: object
) -> None:
    server.on(NODES, Answer(body=body))
    with pytest.raises(ClusterError, match="answered no object"):
        cluster.nodes()
