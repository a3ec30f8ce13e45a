from podmatrix.expectations import expectations
from podmatrix.plan import make_plan, slots_for
from podmatrix.profile import Profile, load_profile
from podmatrix.report.expected import render_expected


def text(profile: Profile, slots: int = 2) -> str:
    plan = make_plan(profile, slots_for(slots))
    return render_expected(plan.cells, expectations(profile, plan.cells))


def row(label: str, of: str) -> str:
    return next(line for line in of.splitlines() if line.startswith(label))


def test_a_forbidden_cell_leads_to_the_rule_that_forbids_it() -> None:
    shown = text(load_profile("isolated"))
    assert row("calico cross-node", shown).split() == [
        *("calico", "cross-node"),
        *("2", "+a", "2", "-b", "2", "+a", "2", "-b", "2", "+a"),
    ]
    assert "b  forbidden, 8 cells: the two networks are kept apart (rule 1" in shown


def test_an_observed_cell_has_a_mark_of_its_own() -> None:
    assert row("dual net1 bound same-node", text(load_profile("owner"))).split()[4:6] == ["2", "ob"]


def test_every_cell_is_in_a_class() -> None:
    profile = load_profile("owner")
    shown = text(profile, slots=3)
    counts = [
        int(line.split(", ")[1].split()[0]) for line in shown.splitlines() if " cells: " in line
    ]
    assert sum(counts) == len(make_plan(profile, slots_for(3)).cells)


def test_a_cluster_with_one_network_needs_no_multus() -> None:
    profile = load_profile("single-network")
    assert not any(network.needs_multus for network in profile.networks.values())
    assert "a  required, 12 cells" in text(profile)
