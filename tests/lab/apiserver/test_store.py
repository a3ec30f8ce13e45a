import pytest

from podmatrix.lab.apiserver.objects import Object, name_of
from podmatrix.lab.apiserver.status import ApiError
from podmatrix.lab.apiserver.store import HISTORY, Change, Store


def thing(name: str, **more: object) -> Object:
    return {"metadata": {"name": name, "namespace": "ns"}, **more}


def test_every_write_has_a_version_of_its_own() -> None:
    store = Store()
    one, two = store.create("things", thing("a")), store.create("others", thing("a"))
    versions = [int(obj["metadata"]["resourceVersion"]) for obj in (one, two)]
    assert versions == [1, 2]


def test_objects_are_listed_by_namespace_and_name() -> None:
    store = Store()
    for name in ("b", "a"):
        store.create("things", thing(name))
    assert [name_of(one) for one in store.list("things", "ns")] == ["a", "b"]
    assert list(store.list("things", "other")) == []


def test_what_a_listener_writes_is_told_after_what_it_was_told() -> None:
    store, seen = Store(), []

    def answers(change: Change) -> None:
        if "answered" not in change.object:
            store.update("things", {**change.object, "answered": True})

    store.subscribe("things", answers)
    store.subscribe("things", lambda change: seen.append(change.type))
    store.create("things", thing("a"))
    assert seen == ["ADDED", "MODIFIED"]


def test_who_has_unsubscribed_hears_nothing() -> None:
    store = Store()
    seen: list[Change] = []
    stop = store.subscribe("things", seen.append)
    stop()
    store.create("things", thing("a"))
    assert seen == []


def test_changes_that_are_no_longer_kept_are_expired() -> None:
    store = Store()
    for number in range(HISTORY + 2):
        store.create("things", thing(f"t{number}"))
    with pytest.raises(ApiError, match="too old resource version: 1") as error:
        store.changes_after("things", 1)
    assert (error.value.code, error.value.reason) == (410, "Expired")


def test_deleting_what_is_not_there_changes_nothing() -> None:
    store = Store()
    assert store.delete("things", "ns", "a") is None
    assert store.version == 0
