import ssl

import pytest
import trustme

from tests.lab.apiserver.http import Http


@pytest.mark.parametrize(
    "path",
    ["/version", "/api", "/api/v1/nodes", "/healthz", "/nosuch", "/openapi/v3", "/api/v1/pods"],
)
def test_without_client_certificate_every_path_is_unauthorized(anonymous: Http, path: str) -> None:
    answer = anonymous.get(path)
    assert (answer.status, answer.json["kind"], answer.json["reason"]) == (
        401,
        "Status",
        "Unauthorized",
    )


def test_without_client_certificate_exec_is_refused_before_the_upgrade(anonymous: Http) -> None:
    path = "/api/v1/namespaces/default/pods/p/exec"
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
    }
    assert anonymous("GET", path, headers=upgrade, command="id", stdout=1).status == 401


def test_a_certificate_of_another_authority_opens_nothing(anonymous: Http) -> None:
    stranger = trustme.CA().issue_cert(common_name="tester")
    stranger.configure_cert(anonymous.context)
    with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
        anonymous.get("/api/v1/nodes")


def test_with_the_client_certificate_requests_are_answered(http: Http) -> None:
    assert http.get("/api/v1/nodes").status == 200
