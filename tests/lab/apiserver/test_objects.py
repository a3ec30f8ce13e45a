import pytest

from tests.lab.apiserver.http import Http
from tests.lab.apiserver.pods import Namespace

MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


@pytest.fixture
def maps(namespace: Namespace) -> str:
    """The path of config maps."""
    return f"/api/v1/namespaces/{namespace.name}/configmaps"


@pytest.fixture
def one(http: Http, maps: str) -> str:
    """The path of a config map."""
    body = {"metadata": {"name": "one", "labels": {"app": "x"}}, "data": {"a": "1"}}
    assert http.post(maps, body).status == 201
    return f"{maps}/one"


def test_a_created_object_has_what_the_server_gives_it(http: Http, maps: str) -> None:
    metadata = http.post(maps, {"metadata": {"generateName": "cm-"}}).json["metadata"]
    assert metadata["name"].startswith("cm-")
    assert len(metadata["name"]) == len("cm-") + 5
    assert {"uid", "creationTimestamp", "resourceVersion", "namespace"} <= set(metadata)


def test_the_same_name_twice_is_a_conflict(http: Http, maps: str, one: str) -> None:
    answer = http.post(maps, {"metadata": {"name": "one"}})
    assert (answer.status, answer.json["reason"]) == (409, "AlreadyExists")
    assert answer.message == 'configmaps "one" already exists'


def test_lists_carry_a_version_and_items_without_kind(http: Http, maps: str, one: str) -> None:
    listed = http.get(maps).json
    assert (listed["kind"], len(listed["items"])) == ("ConfigMapList", 1)
    assert int(listed["metadata"]["resourceVersion"]) > 0
    assert "kind" not in listed["items"][0]


def test_an_update_with_an_old_version_is_a_conflict(http: Http, one: str) -> None:
    obj = http.get(one).json
    assert http("PUT", one, {**obj, "data": {"a": "2"}}).status == 200
    answer = http("PUT", one, {**obj, "data": {"a": "3"}})
    assert (answer.status, answer.json["reason"]) == (409, "Conflict")
    assert "please apply your changes to the latest version" in answer.message


def test_an_update_without_a_version_replaces(http: Http, one: str) -> None:
    assert http("PUT", one, {"metadata": {"name": "one"}, "data": {"b": "2"}}).status == 200
    assert http.get(one).json["data"] == {"b": "2"}


def test_an_update_that_changes_nothing_has_no_new_version(http: Http, one: str) -> None:
    obj = http.get(one).json
    again = http("PUT", one, obj).json
    assert again["metadata"]["resourceVersion"] == obj["metadata"]["resourceVersion"]


@pytest.mark.parametrize("headers", [MERGE, STRATEGIC], ids=["merge", "strategic"])
def test_a_patch_merges_labels_and_null_takes_away(
    http: Http, one: str, headers: dict[str, str]
) -> None:
    patch = {"metadata": {"labels": {"app": None, "new": "1"}}}
    patched = http("PATCH", one, patch, headers=headers).json
    assert patched["metadata"]["labels"] == {"new": "1"}
    assert patched["data"] == {"a": "1"}


def test_a_json_patch_is_applied_in_order(http: Http, one: str) -> None:
    patch = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "add", "path": "/data/b", "value": "2"},
        {"op": "remove", "path": "/data/a"},
    ]
    assert http("PATCH", one, patch, headers=JSON_PATCH).json["data"] == {"b": "2"}


def test_a_json_patch_that_does_not_apply_changes_nothing(http: Http, one: str) -> None:
    patch = [
        {"op": "remove", "path": "/data/a"},
        {"op": "test", "path": "/data/b", "value": "x"},
    ]
    assert http("PATCH", one, patch, headers=JSON_PATCH).status == 422
    assert http.get(one).json["data"] == {"a": "1"}


def test_server_side_apply_is_refused(http: Http, one: str) -> None:
    headers = {"Content-Type": "application/apply-patch+yaml"}
    answer = http("PATCH", one, {}, headers=headers)
    assert (answer.status, answer.json["reason"]) == (415, "UnsupportedMediaType")


def test_a_dry_run_stores_nothing(http: Http, maps: str) -> None:
    assert http.post(maps, {"metadata": {"name": "dry"}}, dryRun="All").status == 201
    assert http.get(f"{maps}/dry").status == 404


def test_the_generation_counts_changes_of_the_spec(http: Http, namespace: Namespace) -> None:
    nad = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "n"},
        "spec": {"config": "{}"},
    }
    assert http.post(namespace.nads, nad).json["metadata"]["generation"] == 1
    path, change = f"{namespace.nads}/n", {"spec": {"config": '{"a":1}'}}
    http("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, headers=MERGE)
    assert http("PATCH", path, change, headers=MERGE).json["metadata"]["generation"] == 2


def test_deleting_answers_with_a_status_that_names_the_object(http: Http, one: str) -> None:
    uid = http.get(one).json["metadata"]["uid"]
    answer = http("DELETE", one)
    assert answer.json["details"] == {"name": "one", "kind": "configmaps", "uid": uid}
    assert http.get(one).status == 404


def test_deleting_with_another_uid_is_a_conflict(http: Http, one: str) -> None:
    assert http("DELETE", one, {"preconditions": {"uid": "other"}}).status == 409
    assert http.get(one).status == 200


def test_a_collection_is_deleted_by_label(http: Http, maps: str, one: str) -> None:
    http.post(maps, {"metadata": {"name": "two"}})
    gone = http("DELETE", maps, labelSelector="app=x").json["items"]
    assert [each["metadata"]["name"] for each in gone] == ["one"]
    assert [each["metadata"]["name"] for each in http.get(maps).json["items"]] == ["two"]


def test_an_object_with_a_finalizer_waits_for_it(http: Http, one: str) -> None:
    http("PATCH", one, {"metadata": {"finalizers": ["podmatrix.io/test"]}}, headers=MERGE)
    http("DELETE", one)
    assert "deletionTimestamp" in http.get(one).json["metadata"]
    http("PATCH", one, {"metadata": {"finalizers": None}}, headers=MERGE)
    assert http.get(one).status == 404
