from dataclasses import replace

import pytest

from podmatrix.expectations import expect_cell, expectations
from podmatrix.model import Cell, Expect
from podmatrix.plan import make_plan
from podmatrix.profile import Profile, parse_profile
from tests.samples import ISOLATED, isolated, owner


def cell_of(profile: Profile, cell_id: str) -> Cell:
    return next(cell for cell in make_plan(profile, ("a", "b")).cells if cell.id == cell_id)


@pytest.mark.parametrize(
    ("cell_id", "expect"),
    [
        ("calico-a--flannel-b-eth0-icmp4", Expect.FORBIDDEN),
        ("flannel-a--dual-a-eth0-icmp4", Expect.FORBIDDEN),
        ("calico-a--dual-b-net1-icmp4", Expect.FORBIDDEN),
        ("dual-a--flannel-b-eth0-icmp4", Expect.REQUIRED),
        ("host-a--flannel-b-eth0-icmp4", Expect.REQUIRED),
        ("dual-a-net1--calico-b-eth0-icmp4", Expect.OBSERVE),
        ("dual-a-net1--flannel-b-eth0-icmp4", Expect.REQUIRED),
    ],
)
def test_the_first_rule_that_matches_decides(cell_id: str, expect: Expect) -> None:
    profile = isolated()
    assert expect_cell(profile, cell_of(profile, cell_id)).expect is expect


def test_the_reason_quotes_the_rule() -> None:
    cell = cell_of(isolated(), "calico-a--flannel-b-eth0-icmp4")
    assert expect_cell(isolated(), cell).reason == (
        "kept apart (rule 2 of profile apart, from network calico to network flannel)"
    )


def test_the_reason_names_the_default_where_no_rule_matches() -> None:
    cell = cell_of(owner(), "calico-a--flannel-b-eth0-icmp4")
    assert "profile owner" in expect_cell(owner(), cell).reason
    assert "default is required" in expect_cell(owner(), cell).reason


def test_a_rule_can_speak_of_one_relation() -> None:
    text = ISOLATED.replace("to: flannel,", "to: {network: flannel, relation: cross-node},", 1)
    profile = parse_profile(text, source="x")
    cross = cell_of(profile, "calico-a--flannel-b-eth0-icmp4")
    same = cell_of(profile, "calico-a--flannel-a-eth0-icmp4")
    assert expect_cell(profile, cross).expect is Expect.FORBIDDEN
    assert expect_cell(profile, same).expect is Expect.REQUIRED


def test_a_side_that_is_left_out_matches_everything() -> None:
    text = ISOLATED.replace("from: calico, to: flannel,", "from: calico,")
    profile = parse_profile(text, source="x")
    cell = cell_of(profile, "calico-a--host-b-icmp4")
    assert expect_cell(profile, cell).expect is Expect.FORBIDDEN
    assert "from network calico to anything" in expect_cell(profile, cell).reason


def test_a_control_is_never_asserted() -> None:
    cell = replace(cell_of(owner(), "calico-a--calico-b-eth0-icmp4"), control=True)
    assert expect_cell(owner(), cell).expect is Expect.OBSERVE


def test_every_cell_has_an_expectation() -> None:
    cells = make_plan(owner(), ("a", "b")).cells
    assert list(expectations(owner(), cells)) == [cell.id for cell in cells]
