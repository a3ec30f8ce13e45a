import pytest

from tests.lab.apiserver.http import Http

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


def test_version_is_the_declared_one(http: Http) -> None:
    version = http.get("/version").json
    assert (version["major"], version["minor"], version["gitVersion"]) == ("1", "34", "v1.34.4")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_ok(http: Http, path: str) -> None:
    assert http.get(path).text == "ok"


@pytest.mark.parametrize(
    ("path", "plural", "kind", "short"),
    [
        ("/api/v1", "pods", "Pod", "po"),
        ("/api/v1", "nodes", "Node", "no"),
        ("/api/v1", "namespaces", "Namespace", "ns"),
        ("/api/v1", "events", "Event", "ev"),
        ("/apis/apps/v1", "daemonsets", "DaemonSet", "ds"),
        (
            "/apis/k8s.cni.cncf.io/v1",
            "network-attachment-definitions",
            "NetworkAttachmentDefinition",
            "net-attach-def",
        ),
    ],
)
def test_resources_are_named_as_in_a_real_cluster(
    http: Http, path: str, plural: str, kind: str, short: str
) -> None:
    found = {one["name"]: one for one in http.get(path).json["resources"]}
    assert (found[plural]["kind"], found[plural]["shortNames"]) == (kind, [short])


def test_pods_have_exec_log_and_status(http: Http) -> None:
    names = {one["name"] for one in http.get("/api/v1").json["resources"]}
    assert {"pods/exec", "pods/log", "pods/status"} <= names


def test_groups_are_listed(http: Http) -> None:
    names = [one["name"] for one in http.get("/apis").json["groups"]]
    assert "k8s.cni.cncf.io" in names
    assert http.get("/apis/apps").json["preferredVersion"]["groupVersion"] == "apps/v1"


def test_aggregated_discovery_tells_all_resources_at_once(http: Http) -> None:
    answer = http("GET", "/apis", headers={"Accept": AGGREGATED})
    assert "as=APIGroupDiscoveryList" in answer.headers["Content-Type"]
    groups = {one["metadata"]["name"]: one for one in answer.json["items"]}
    resources = groups["apps"]["versions"][0]["resources"]
    assert resources[0]["responseKind"]["kind"] == "DaemonSet"


def test_openapi_says_that_fields_can_be_validated_by_the_server(http: Http) -> None:
    url = http.get("/openapi/v3").json["paths"]["api/v1"]["serverRelativeURL"]
    document = http.get(url).json
    patch = document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
    assert "fieldValidation" in [one["name"] for one in patch["parameters"]]
    assert "io.k8s.api.core.v1.Container" in document["components"]["schemas"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nosuch", 404),
        ("GET", "/api/v2", 404),
        ("GET", "/api/v1/nosuch", 404),
        ("GET", "/apis/apps/v1/deployments", 404),
        ("GET", "/api/v1/pods/p", 404),
        ("GET", "/api/v1/nodes/node1/proxy", 404),
        ("POST", "/api/v1/nodes", 405),
        ("POST", "/api/v1/pods", 405),
        ("POST", "/apis/apps/v1/namespaces/default/daemonsets", 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
        ("DELETE", "/version", 405),
    ],
)
def test_what_is_not_served_says_so(http: Http, method: str, path: str, status: int) -> None:
    assert http(method, path).status == status


def test_who_has_the_certificate_may_do_everything(http: Http) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert http.post(path, review).json["status"] == {"allowed": True}
