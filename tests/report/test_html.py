from dataclasses import replace
from html.parser import HTMLParser

from podmatrix.model import Observations, Outcome, PreflightResult, Verdict
from podmatrix.report.html import render_html
from podmatrix.report.record import RunRecord
from tests.samples import record

U = Outcome.UNREACHABLE
WRONG_ONE = "calico-a--flannel-b-eth0-icmp4"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Elements with their attributes and text; complains about what is left open."""

    def __init__(self, judged: RunRecord) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(render_html(judged))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def classes(self, name: str) -> int:
        return sum(name in (attrs.get("class") or "").split() for _, attrs in self.tags)


def test_the_page_is_well_formed() -> None:
    assert Page(record(outcome={WRONG_ONE: U})).open == []


def test_verdict_and_counts_come_first() -> None:
    page = Page(record(outcome={WRONG_ONE: U}))
    start = page.text.index("not as declared: 1 cells")
    assert start < page.text.index("88 cells: 81 pass") < page.text.index("Reachability")


def test_every_cell_has_its_field_with_a_title() -> None:
    page = Page(record(outcome={WRONG_ONE: U}))
    titles = [attrs["title"] or "" for tag, attrs in page.tags if tag == "td" and "title" in attrs]
    assert len(titles) == 88
    assert f"{WRONG_ONE}\nexpected: required" in next(t for t in titles if WRONG_ONE in t)


def test_a_wrong_cell_is_marked_by_letter_and_links_to_its_details() -> None:
    page = Page(record(outcome={WRONG_ONE: U}))
    assert ("a", {"href": f"#{WRONG_ONE}"}) in page.tags
    assert ("tr", {"id": WRONG_ONE}) in page.tags
    assert "X +/-" in page.text
    assert "kubectl exec calico-a -- ping -c 3 10.244.1.4" in page.text


def test_a_run_that_is_as_declared_lists_no_wrong_cells() -> None:
    page = Page(record())
    assert "all as declared" in page.text
    assert "Wrong cells" not in page.text
    assert page.classes("fail") == 0


def test_nothing_is_loaded_and_nothing_runs() -> None:
    page = Page(record(outcome={WRONG_ONE: U}))
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert "http" not in render_html(record()).replace("http-equiv", "")


def test_light_and_dark_follow_the_reader() -> None:
    assert "prefers-color-scheme: dark" in render_html(record())


def hostile(seen: Observations) -> Observations:
    evil = '<script>alert(1)</script>" onmouseover="x\x1b'
    return replace(
        seen,
        nodes=tuple(replace(node, name=evil) for node in seen.nodes),
        pods=tuple(replace(pod, problem=evil) for pod in seen.pods),
        cells=tuple(replace(o, detail=evil, repeat=evil) for o in seen.cells),
        preflight=(PreflightResult(check=evil, verdict=Verdict.FAIL, detail=evil),),
        notes=(evil,),
    )


def test_strings_from_a_cluster_stay_text() -> None:
    page = Page(record(outcome={WRONG_ONE: U}, change=hostile))
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if "onmouseover" in attrs]
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in render_html(record(change=hostile))


def test_a_run_without_cells_is_a_page_too() -> None:
    page = Page(replace(record(), cells=(), layout=(), preflight=()))
    assert "No cell was planned." in page.text
    assert "proves nothing" in page.text
