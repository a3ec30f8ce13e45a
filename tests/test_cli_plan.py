from tests.lab.machine import CLI, run


def test_the_plan_is_printed_without_a_cluster() -> None:
    shown = run(*CLI, "plan", "--profile", "isolated", "--nodes", "3")
    assert shown.code == 0
    assert "3 nodes: 12 pods" in shown.out
    assert "the two networks are kept apart (rule 1 of profile isolated" in shown.out


def test_a_profile_that_is_unknown_is_one_message() -> None:
    refused = run(*CLI, "plan", "--profile", "none-such")
    assert refused.code == 1
    assert refused.err.startswith("podmatrix: profile 'none-such' is unknown; give")
    assert "Traceback" not in refused.err
