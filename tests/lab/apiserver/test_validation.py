import pytest

from tests.lab.apiserver.http import Http
from tests.lab.apiserver.pods import Namespace, Object, pod

SYSCTL = {"name": "net.ipv4.ping_group_range", "value": "0 0"}
HOST_NETWORK_SYSCTL = "may not be specified when 'hostNetwork' is true"


def required(*expressions: Object) -> Object:
    """A required node affinity of one term."""
    terms = {"nodeSelectorTerms": [{"matchExpressions": list(expressions)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"containers": []}, "spec.containers", "Required value"),
        ({"containers": [{"image": "i"}]}, "spec.containers[0].name", "Required value"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image", "Required value"),
        (
            {"containers": [{"name": "a", "image": "i"}, {"name": "a", "image": "i"}]},
            "spec.containers[1].name",
            'Duplicate value: "a"',
        ),
        (
            {"restartPolicy": "Foo"},
            "spec.restartPolicy",
            'Unsupported value: "Foo": supported values: "Always", "OnFailure", "Never"',
        ),
        (
            {"hostNetwork": True, "securityContext": {"sysctls": [SYSCTL]}},
            "spec.securityContext.sysctls[0].name",
            f'Invalid value: "net.ipv4.ping_group_range": {HOST_NETWORK_SYSCTL}',
        ),
        (
            {"volumes": [{"name": "v"}, {"name": "v"}]},
            "spec.volumes[1].name",
            'Duplicate value: "v"',
        ),
        (
            {
                "containers": [
                    {
                        "name": "a",
                        "image": "i",
                        "volumeMounts": [{"name": "x", "mountPath": "/x"}],
                    }
                ]
            },
            "spec.containers[0].volumeMounts[0].name",
            'Not found: "x"',
        ),
        (
            {"affinity": required({"key": "a", "operator": "Foo"})},
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
            "nodeSelectorTerms[0].matchExpressions[0].operator",
            'Invalid value: "Foo": not a valid selector operator',
        ),
        (
            {"affinity": required({"key": "a", "operator": "In"})},
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
            "nodeSelectorTerms[0].matchExpressions[0].values",
            "Required value: must be specified when `operator` is 'In' or 'NotIn'",
        ),
    ],
)
def test_an_invalid_pod_is_refused_with_its_cause(
    namespace: Namespace, spec: Object, field: str, message: str
) -> None:
    answer = namespace.http.post(namespace.pods, pod(**spec))
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    cause = answer.json["details"]["causes"][0]
    assert (cause["field"], cause["message"]) == (field, message)
    assert answer.message == f'Pod "p" is invalid: {field}: {message}'


@pytest.mark.parametrize("name", ["P", "a_b", "-a", "a.", "a" * 254])
def test_a_bad_name_is_refused(namespace: Namespace, name: str) -> None:
    answer = namespace.http.post(namespace.pods, pod(name))
    assert answer.json["details"]["causes"][0]["field"] == "metadata.name"


def test_every_cause_is_told(namespace: Namespace) -> None:
    body = {"metadata": {"name": "P"}, "spec": {"containers": [{}]}}
    causes = namespace.http.post(namespace.pods, body).json["details"]["causes"]
    fields = ["metadata.name", "spec.containers[0].name", "spec.containers[0].image"]
    assert [one["field"] for one in causes] == fields


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"hostNetwork": "yes"}, "cannot unmarshal string into Go struct field PodSpec.spec.host"),
        (
            {"containers": [{"name": "a", "image": "i", "command": "id"}]},
            "field Container.spec.containers.command of type []string",
        ),
        ({"terminationGracePeriodSeconds": 1.5}, "cannot unmarshal number 1.5 into Go struct"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(
    namespace: Namespace, spec: Object, words: str
) -> None:
    answer = namespace.http.post(namespace.pods, pod(**spec))
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
    assert words in answer.message


def test_a_custom_resource_with_the_wrong_type_is_invalid(namespace: Namespace) -> None:
    nad = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "n"},
        "spec": {"config": 3},
    }
    answer = namespace.http.post(namespace.nads, nad)
    assert answer.status == 422
    assert "spec.config in body must be of type string" in answer.message


def test_strict_validation_names_unknown_and_repeated_fields(namespace: Namespace) -> None:
    body = (
        '{"metadata":{"name":"a","name":"b"},'
        '"spec":{"containers":[{"name":"a","image":"b","bar":1}],"foo":1}}'
    )
    answer = namespace.http.post(namespace.pods, body, fieldValidation="Strict")
    assert answer.status == 400
    for words in (
        'duplicate field "metadata.name"',
        'unknown field "spec.containers[0].bar"',
        'unknown field "spec.foo"',
    ):
        assert words in answer.message


def test_without_strict_validation_unknown_fields_are_dropped_with_a_warning(
    namespace: Namespace,
) -> None:
    answer = namespace.http.post(namespace.pods, pod(foo=1), dryRun="All")
    assert answer.status == 201
    assert "foo" not in answer.json["spec"]
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.foo\\""'


@pytest.mark.parametrize("body", ["", "{", "[1]", '"x"'])
def test_what_is_no_object_is_a_bad_request(namespace: Namespace, body: str) -> None:
    answer = namespace.http.post(namespace.pods, body)
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
    assert "must be of type Pod" in answer.message


def test_another_kind_is_a_bad_request(namespace: Namespace) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    assert namespace.http.post(namespace.pods, body).status == 400


def test_yaml_is_taken(namespace: Namespace) -> None:
    path = f"/api/v1/namespaces/{namespace.name}/configmaps"
    body = "metadata: {name: y}\ndata: {a: b}\n"
    answer = namespace.http("POST", path, body, headers={"Content-Type": "application/yaml"})
    assert answer.json["data"] == {"a": "b"}


def test_another_format_is_not_taken(namespace: Namespace) -> None:
    answer = namespace.http("POST", namespace.pods, "x", headers={"Content-Type": "text/plain"})
    assert answer.status == 415


def test_an_answer_that_cannot_be_given_is_not_acceptable(http: Http) -> None:
    assert http("GET", "/api/v1/nodes", headers={"Accept": "text/html"}).status == 406


def test_a_pod_in_a_namespace_that_does_not_exist_is_not_found(http: Http) -> None:
    answer = http.post("/api/v1/namespaces/nosuch/pods", pod())
    assert (answer.status, answer.message) == (404, 'namespaces "nosuch" not found')


def test_a_pod_without_its_service_account_is_forbidden(namespace: Namespace) -> None:
    answer = namespace.http.post(namespace.pods, pod(serviceAccountName="nobody"))
    assert answer.status == 403
    assert 'serviceaccount "nobody" not found' in answer.message


def test_the_spec_of_a_pod_cannot_be_changed(namespace: Namespace) -> None:
    namespace.create(pod())
    headers = {"Content-Type": "application/merge-patch+json"}
    patch = {"spec": {"nodeName": "node2"}}
    answer = namespace.http("PATCH", f"{namespace.pods}/p", patch, headers=headers)
    assert answer.status == 422
    assert "pod updates may not change fields other than" in answer.message
