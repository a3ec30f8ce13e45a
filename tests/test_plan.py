from collections import Counter

import pytest

from podmatrix.errors import ProfileError
from podmatrix.expectations import expectations
from podmatrix.model import Expect, Mode, Relation
from podmatrix.plan import LAYOUT_CHECKS, make_plan, slots_for
from podmatrix.profile import load_profile, parse_profile
from tests.samples import ISOLATED, isolated, owner

AB = ("a", "b")

# calico, flannel, dual and host on each of two slots: 8 pods. A slot has 5 attachments (calico 1,
# flannel 1, dual 2, host 1), both have 10. Natural: each pod aims at those of the other pods, so
# 6 pods with one attachment at 9 and the 2 dual ones at 8: 6 * 9 + 2 * 8.
NATURAL = 70
# Each dual pod: eth0 to 2 calico pods and the other dual's eth0, net1 to 2 flannel pods and the
# other dual's net1: 2 * (3 + 3).
BOUND_WITHIN = 12
# Asked for by the rule "from dual net1 bound to calico": 2 calico pods and the other dual's eth0.
BOUND_OBSERVED = 6


@pytest.mark.parametrize("name", ["owner", "full-mesh"])
def test_two_nodes_have_these_88_cells(name: str) -> None:
    profile = load_profile(name)
    cells = make_plan(profile, AB).cells
    expected = expectations(profile, cells)
    assert Counter((cell.mode, expected[cell.id].expect) for cell in cells) == {
        (Mode.NATURAL, Expect.REQUIRED): NATURAL,
        (Mode.BOUND, Expect.REQUIRED): BOUND_WITHIN,
        (Mode.BOUND, Expect.OBSERVE): BOUND_OBSERVED,
    }


def test_nothing_depends_on_when_or_where_it_is_planned() -> None:
    assert make_plan(owner(), AB) == make_plan(load_profile("owner"), list(AB))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_every_id_is_unique(n: int) -> None:
    plan = make_plan(owner(), slots_for(n))
    assert len({cell.id for cell in plan.cells}) == len(plan.cells)
    assert len({fact.id for fact in plan.facts}) == len(plan.facts)


def test_ids_use_slots_and_interfaces_only() -> None:
    ids = [cell.id for cell in make_plan(owner(), AB).cells]
    assert "dual-a-net1--flannel-b-eth0-icmp4" in ids
    assert "dual-a--flannel-b-eth0-icmp4" in ids
    assert "calico-a--host-b-icmp4" in ids


def test_no_pod_aims_at_itself() -> None:
    cells = make_plan(owner(), AB).cells
    assert not [cell for cell in cells if cell.source.pod_id == cell.destination.pod_id]


def test_host_pods_aim_at_everybody_and_everybody_at_them() -> None:
    cells = make_plan(owner(), AB).cells
    assert sum(cell.source.pod_id == "host-a" for cell in cells) == 9
    assert sum(cell.destination.pod_id == "host-a" for cell in cells) == 7


@pytest.mark.parametrize(
    ("cell_id", "network"),
    [
        ("dual-a--flannel-b-eth0-icmp4", "flannel"),
        ("dual-a--calico-b-eth0-icmp4", "calico"),
        ("dual-a--host-b-icmp4", "calico"),
        ("calico-a--flannel-b-eth0-icmp4", "calico"),
        ("host-a--flannel-b-eth0-icmp4", None),
    ],
)
def test_a_natural_source_leaves_by_the_network_its_routes_lead_to(
    cell_id: str, network: str | None
) -> None:
    cells = {cell.id: cell for cell in make_plan(owner(), AB).cells}
    assert cells[cell_id].source.network == network
    assert cells[cell_id].source.interface is None


def test_bound_cells_cross_networks_only_where_a_rule_says_bound() -> None:
    first_rule = (
        "    - {from: {kind: dual, interface: net1, mode: bound}, to: calico, expect: observe}\n"
    )
    profile = parse_profile(ISOLATED.replace(first_rule, ""), source="x")
    bound = [cell for cell in make_plan(profile, AB).cells if cell.mode is Mode.BOUND]
    assert {cell.source.network == cell.destination.network for cell in bound} == {True}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (", mode: bound", "", 0),
        ("from: flannel, to: calico", "from: calico, to: {network: flannel, kind: dual}", 2),
    ],
    ids=["an interface of a natural source", "shadowed by an earlier rule"],
)
def test_a_rule_that_decides_no_cell_is_refused(old: str, new: str, rule: int) -> None:
    profile = parse_profile(ISOLATED.replace(old, new), source="x")
    with pytest.raises(ProfileError, match=rf"x: reachability.rules.{rule}: decides no cell"):
        make_plan(profile, AB)


def test_a_rule_may_be_idle_on_one_node() -> None:
    text = ISOLATED.replace("to: flannel,", "to: {network: flannel, relation: cross-node},")
    assert make_plan(parse_profile(text, source="x"), ("a",)).cells


def test_host_pods_of_one_node_are_not_asked_about_each_other() -> None:
    text = ISOLATED.replace("  host: {", "  agent: {hostNetwork: true}\n  host: {")
    ids = {cell.id for cell in make_plan(parse_profile(text, source="x"), AB).cells}
    assert "host-a--agent-b-icmp4" in ids
    assert "host-a--agent-a-icmp4" not in ids


def test_isolation_needs_no_added_controls_where_others_can_serve() -> None:
    assert not [cell for cell in make_plan(isolated(), AB).cells if cell.control]


def test_a_control_is_added_where_a_forbidden_source_would_be_heard_nowhere() -> None:
    # On its own node nothing shares net1's network with the dual pod: only the host can answer it.
    text = ISOLATED.replace("  flannel: {eth0: flannel}\n", "").replace("observe", "forbidden")
    text = text.replace(text.splitlines()[-1] + "\n", "")  # speaks of pods that are gone
    added = [cell for cell in make_plan(parse_profile(text, source="x"), AB).cells if cell.control]
    assert [cell.id for cell in added] == ["dual-a-net1--host-a-icmp4", "dual-b-net1--host-b-icmp4"]


def test_slots_go_on_after_z() -> None:
    assert slots_for(28)[-3:] == ("z", "aa", "ab")
    assert len(set(slots_for(800))) == 800


def test_one_node_has_only_cells_of_one_node() -> None:
    relations = {cell.relation for cell in make_plan(owner(), ("a",)).cells}
    assert relations == {Relation.SAME_NODE}


def test_a_second_family_doubles_the_cells_of_its_network() -> None:
    text = ISOLATED.replace("[10.200.0.0/16]", '[10.200.0.0/16, "fd00:10:200::/56"]')
    cells = make_plan(parse_profile(text, source="x"), AB).cells
    six = [cell for cell in cells if cell.family == 6]
    assert {cell.destination.network for cell in six} == {"calico"}
    assert "calico-a--calico-b-eth0-icmp6" in {cell.id for cell in six}
    assert "flannel-a--calico-b-eth0-icmp6" not in {cell.id for cell in six}


def test_facts_of_a_dual_pod_are_all_named() -> None:
    facts = [fact.id for fact in make_plan(owner(), ("a",)).facts if fact.kind == "dual"]
    each = ("present", "mtu", "pool", "address-unique")
    assert facts == [
        *("dual-a-node", "dual-a-interfaces", "dual-a-default-route"),
        *(f"dual-a-eth0-{check}" for check in (*each, "prefix", "network-status")),
        *(f"dual-a-net1-{check}" for check in (*each, "node-subnet", "network-status")),
    ]


def test_of_a_host_pod_only_its_place_and_address_are_asked() -> None:
    facts = [fact.check for fact in make_plan(owner(), ("a",)).facts if fact.kind == "host"]
    assert facts == ["node", "node-address"]


def test_every_check_is_described() -> None:
    assert {fact.check for fact in make_plan(owner(), AB).facts} == set(LAYOUT_CHECKS)


def test_without_multus_nobody_writes_network_status() -> None:
    text = """
apiVersion: podmatrix.io/v1alpha1
kind: Profile
metadata: {name: one}
networks: {net: {attach: default}}
pods: {plain: {eth0: net}}
reachability: {default: required}
"""
    facts = make_plan(parse_profile(text, source="x"), AB).facts
    assert "network-status" not in {fact.check for fact in facts}


def test_names_that_make_two_cells_one_are_refused() -> None:
    # Kind `dual-a` on slot b, and interface `b` of kind `dual` on slot a.
    text = ISOLATED.replace("net1: flannel", "b: flannel").replace("net1", "b")
    text = text.replace("  host: {hostNetwork: true}", "  dual-a: {eth0: calico}")
    with pytest.raises(ProfileError, match=r"two things would be called dual-a-b.*rename"):
        make_plan(parse_profile(text, source="x"), AB)
