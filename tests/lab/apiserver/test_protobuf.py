import pytest

from podmatrix.lab.apiserver.protobuf import decode
from podmatrix.lab.apiserver.status import ApiError
from tests.lab.apiserver.http import Http

PROTOBUF = {"Content-Type": "application/vnd.kubernetes.protobuf"}

# What `kubectl create namespace apilab` of Kubernetes 1.34 sends.
NAMESPACE = bytes.fromhex(
    "6b38730a0f0a02763112094e616d657370616365121e0a160a066170696c616212001a0022002a003200"
    "3800420012001a020a001a002200"
).replace(b"k8s", b"k8s\0", 1)


def test_a_namespace_of_kubectl_is_read() -> None:
    assert decode(NAMESPACE) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "apilab"},
    }


def test_a_namespace_sent_as_protobuf_is_created(http: Http) -> None:
    answer = http("POST", "/api/v1/namespaces", NAMESPACE, headers=PROTOBUF)
    assert (answer.status, answer.json["metadata"]["name"]) == (201, "apilab")
    http("DELETE", "/api/v1/namespaces/apilab")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", NAMESPACE[:-20], NAMESPACE.replace(b"Namespace", b"Something")],
    ids=["empty", "json", "cut", "kind"],
)
def test_what_cannot_be_read_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(ApiError) as error:
        decode(body)
    assert error.value.code == 400
