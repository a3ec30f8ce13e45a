import pytest

from podmatrix.lab.apiserver.kinds.plain import NETWORK_ATTACHMENT_DEFINITIONS
from podmatrix.lab.apiserver.kinds.pod import PODS
from podmatrix.lab.apiserver.patches import json_patch, merge_patch, patched
from podmatrix.lab.apiserver.status import ApiError

STRATEGIC = "application/strategic-merge-patch+json"
POD = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}


@pytest.mark.parametrize(
    ("current", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_of_rfc_7386(current: object, patch: object, expected: object) -> None:
    assert merge_patch(current, patch) == expected


@pytest.mark.parametrize(
    ("current", "operation", "expected"),
    [
        ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": 1}, {"foo": "bar", "baz": 1}),
        ({"foo": [1, 3]}, {"op": "add", "path": "/foo/1", "value": 2}, {"foo": [1, 2, 3]}),
        ({"foo": [1]}, {"op": "add", "path": "/foo/-", "value": 2}, {"foo": [1, 2]}),
        ({"foo": [1, 2]}, {"op": "remove", "path": "/foo/0"}, {"foo": [2]}),
        ({"a": 1}, {"op": "replace", "path": "/a", "value": 2}, {"a": 2}),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "c": 1}),
        ({"a": 1}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": 1, "b": 1}),
        ({"a/b": {"~": 1}}, {"op": "replace", "path": "/a~1b/~0", "value": 2}, {"a/b": {"~": 2}}),
    ],
)
def test_json_patches_of_rfc_6902(current: object, operation: object, expected: object) -> None:
    assert json_patch(current, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/b"},
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "add", "path": "/b/c", "value": 1},
        {"op": "dance", "path": "/a"},
    ],
)
def test_a_json_patch_that_does_not_apply_is_an_error(operation: object) -> None:
    current = {"a": 1}
    with pytest.raises(ApiError) as error:
        json_patch(current, [operation])
    assert (error.value.code, current) == (422, {"a": 1})


@pytest.mark.parametrize(
    ("patch", "images"),
    [
        ([{"name": "b", "image": "2"}], {"a": "1", "b": "2"}),
        ([{"name": "c", "image": "3"}], {"a": "1", "b": "1", "c": "3"}),
        ([{"name": "a", "$patch": "delete"}], {"b": "1"}),
        ([{"$patch": "replace"}, {"name": "x", "image": "9"}], {"x": "9"}),
    ],
    ids=["change", "add", "delete", "replace"],
)
def test_a_strategic_patch_merges_containers_by_name(
    patch: list[object], images: dict[str, str]
) -> None:
    merged = patched(POD, {"spec": {"containers": patch}}, STRATEGIC, PODS)
    assert {one["name"]: one["image"] for one in merged["spec"]["containers"]} == images


def test_a_strategic_patch_of_a_custom_resource_is_refused() -> None:
    with pytest.raises(ApiError) as error:
        patched({}, {}, STRATEGIC, NETWORK_ATTACHMENT_DEFINITIONS)
    assert error.value.code == 415
