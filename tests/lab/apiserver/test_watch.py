import json
from typing import Any

from kubernetes import client, watch

from tests.lab.apiserver.http import Http
from tests.lab.apiserver.pods import Namespace, pod


def events(http: Http, path: str, **query: object) -> list[tuple[str, str]]:
    """Type and name of the events of a watch of one second."""
    answer = http.get(path, watch=1, timeoutSeconds=1, **query)
    assert answer.status == 200, answer.text
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return [(one["type"], one["object"]["metadata"].get("name", "")) for one in lines]


def config_maps(namespace: Namespace) -> str:
    return f"/api/v1/namespaces/{namespace.name}/configmaps"


def create(namespace: Namespace, name: str, **labels: str) -> None:
    body = {"metadata": {"name": name, "labels": labels}}
    assert namespace.http.post(config_maps(namespace), body).status == 201


def test_a_watch_without_version_begins_with_what_there_is(namespace: Namespace) -> None:
    create(namespace, "one")
    assert events(namespace.http, config_maps(namespace)) == [("ADDED", "one")]


def test_a_watch_from_a_version_tells_what_came_after(namespace: Namespace) -> None:
    create(namespace, "one")
    path = config_maps(namespace)
    version = namespace.http.get(path).json["metadata"]["resourceVersion"]
    create(namespace, "two")
    namespace.http("PUT", f"{path}/one", {"metadata": {"name": "one"}, "data": {"a": "b"}})
    namespace.http("DELETE", f"{path}/two")
    assert events(namespace.http, path, resourceVersion=version) == [
        ("ADDED", "two"),
        ("MODIFIED", "one"),
        ("DELETED", "two"),
    ]


def test_a_change_of_labels_moves_an_object_into_and_out_of_a_selection(
    namespace: Namespace,
) -> None:
    path = config_maps(namespace)
    version = namespace.http.get(path).json["metadata"]["resourceVersion"]
    create(namespace, "one")
    for labels in ({"app": "x"}, {}):
        body = {"metadata": {"name": "one", "labels": labels}}
        namespace.http("PUT", f"{path}/one", body)
    selected = events(namespace.http, path, resourceVersion=version, labelSelector="app=x")
    assert selected == [("ADDED", "one"), ("DELETED", "one")]


def test_bookmarks_carry_the_newest_version(namespace: Namespace) -> None:
    query = {"watch": 1, "timeoutSeconds": 1, "allowWatchBookmarks": "true"}
    line = json.loads(namespace.http.get(config_maps(namespace), **query).text)
    assert (line["type"], line["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    assert int(line["object"]["metadata"]["resourceVersion"]) > 0


def test_initial_events_end_with_a_marked_bookmark(namespace: Namespace) -> None:
    create(namespace, "one")
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    seen = events(namespace.http, config_maps(namespace), **query)
    assert seen == [("ADDED", "one"), ("BOOKMARK", ""), ("BOOKMARK", "")]


def test_initial_events_need_their_version_match(namespace: Namespace) -> None:
    query = {"watch": 1, "sendInitialEvents": "true"}
    assert namespace.http.get(config_maps(namespace), **query).status == 422


def test_a_watch_as_table_has_its_columns_once(namespace: Namespace) -> None:
    create(namespace, "one")
    create(namespace, "two")
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    path = config_maps(namespace)
    answer = namespace.http("GET", path, headers=headers, watch=1, timeoutSeconds=1)
    tables = [json.loads(line)["object"] for line in answer.text.splitlines()]
    assert [bool(one["columnDefinitions"]) for one in tables] == [True, False]
    assert [one["rows"][0]["cells"][0] for one in tables] == ["one", "two"]


def test_the_official_client_sees_a_pod_become_running_and_go(
    core: client.CoreV1Api, namespace: Namespace
) -> None:
    official: Any = watch
    stream, seen = official.Watch(), []
    version = namespace.http.get(namespace.pods).json["metadata"]["resourceVersion"]
    namespace.create(pod())
    for change in stream.stream(
        core.list_namespaced_pod, namespace.name, resource_version=version, timeout_seconds=10
    ):
        seen.append((change["type"], change["object"].status.phase))
        if seen.count(("MODIFIED", "Running")) == 1:
            namespace.http("DELETE", f"{namespace.pods}/p")
        if change["type"] == "DELETED":
            stream.stop()
    assert seen[0] == ("ADDED", "Pending")
    assert ("MODIFIED", "Running") in seen
    assert seen[-1][0] == "DELETED"
