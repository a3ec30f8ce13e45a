import pytest

from podmatrix.lab.apiserver.kinds.columns import METADATA_LABELS
from podmatrix.lab.apiserver.selectors import field_selector, label_selector
from podmatrix.lab.apiserver.status import ApiError
from tests.lab.apiserver.http import Http

LABELLED = {"metadata": {"name": "n", "labels": {"app": "x", "rank": "3", "empty": ""}}}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("", True),
        ("app=x", True),
        ("app==x", True),
        ("app!=x", False),
        ("app=y", False),
        ("other!=x", True),
        ("app", True),
        ("!app", False),
        ("!other", True),
        ("app in (x,y)", True),
        ("app in (y)", False),
        ("app notin (y, z)", True),
        ("other notin (y)", True),
        ("rank>2", True),
        ("rank gt 3", False),
        ("rank lt 4", True),
        ("app > 1", False),
        ("empty=", True),
        ("app=x,rank=3", True),
        ("app=x,rank=4", False),
        ("app in (x),!other,rank!=4", True),
    ],
)
def test_label_selectors(selector: str, selected: bool) -> None:
    assert label_selector(selector)(LABELLED) is selected


@pytest.mark.parametrize("selector", ["a b c", "a in", "a in (b", "a in b", "a=b c=d"])
def test_a_label_selector_that_cannot_be_read_is_refused(selector: str) -> None:
    with pytest.raises(ApiError, match="unable to parse requirement") as error:
        label_selector(selector)
    assert error.value.code == 400


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("", True),
        ("metadata.name=n", True),
        ("metadata.name==n", True),
        ("metadata.name!=n", False),
        ("metadata.name=n,metadata.namespace=", True),
        ("metadata.name=n,metadata.namespace=x", False),
        (r"metadata.name=a\,b", False),
    ],
)
def test_field_selectors(selector: str, selected: bool) -> None:
    assert field_selector(selector, METADATA_LABELS)(LABELLED) is selected


def test_a_field_that_is_not_known_is_refused(http: Http) -> None:
    answer = http.get("/api/v1/pods", fieldSelector="foo=bar")
    assert (answer.status, answer.message) == (400, "field label not supported: foo")


@pytest.mark.parametrize(
    ("path", "selector"),
    [
        ("/api/v1/pods", "spec.nodeName=node1,status.phase!=Failed"),
        ("/api/v1/events", "involvedObject.name=p,involvedObject.uid=u,reason=Started"),
        ("/apis/events.k8s.io/v1/events", "regarding.name=p"),
        ("/api/v1/nodes", "metadata.name=node1"),
    ],
)
def test_the_usual_field_selectors_are_known(http: Http, path: str, selector: str) -> None:
    assert http.get(path, fieldSelector=selector).status == 200
