from pathlib import Path

import pytest

from tests.plugin.commands import CHECKOUT, run_pytest

USAGE_ERROR = 4


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--kubeconfig=/nonexistent/config"], "/nonexistent/config does not exist; give a file"),
        (["--kubeconfig=/"], "is a directory; give a file"),
        (["--kubeconfig="], "--kubeconfig=: a value is needed (FILE)"),
        (["--kube-context=prod"], "--kube-context needs --kubeconfig=FILE"),
        (["--matrix-profile=nobody"], "nobody"),
        (["--matrix-nodes=0"], "at least one node is needed"),
        (["--matrix-nodes=a,,b"], "give a number, 'all', or names"),
        (["--matrix-nodes=a,a"], "a node is named twice"),
        (["--matrix-attempts=none"], "a whole number, 1 or more"),
        (["--matrix-timeout=0"], "a whole number, 1 or more"),
        (["--matrix-flaky=maybe"], "one of fail, warn"),
        (["--matrix-diagnose=failed"], "one of never"),
        (["--matrix-agents=yes"], "one of no"),
        (["--matrix-keep=yes"], "podmatrix lab up --detach"),
        (["--lab-nodes=many"], "a whole number, 1 or more"),
        (["--lab-topology=/nonexistent.yaml"], "does not exist; give a file"),
        (["--matrix-record=/nonexistent.json"], "does not exist; give a file"),
        (["--in-cluster=yes", "--kubeconfig=pyproject.toml"], "exclude each other"),
        (["--kubeconfig=pyproject.toml", "--lab-nodes=3"], "--lab-nodes is for the lab"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_wrong_option_is_a_usage_error_with_the_cure(args: list[str], message: str) -> None:
    done = run_pytest(*args)
    assert (done.returncode, message in done.stderr) == (USAGE_ERROR, True), done.stderr


@pytest.mark.parametrize("spelling", [["--kubeconfig", "{}"], ["--kubeconfig={}"]])
def test_both_spellings_of_kubeconfig_mean_the_suites(spelling: list[str], tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("no: kubeconfig\n")
    done = run_pytest(*(word.format(kubeconfig) for word in spelling))
    assert done.returncode == USAGE_ERROR
    assert str(kubeconfig) in done.stderr
    assert "collected" not in done.stdout


@pytest.mark.parametrize("spelling", [["--kubeconfig", "{}"], ["--kubeconfig={}"]])
def test_from_elsewhere_no_other_tests_run(spelling: list[str], tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    foreign = tmp_path / "test_foreign.py"
    foreign.write_text("def test_foreign():\n    pass\n")
    done = run_pytest(*(word.format(kubeconfig) for word in spelling), cwd=tmp_path)
    assert done.returncode == USAGE_ERROR
    assert f"run it in {CHECKOUT}" in done.stderr
    assert "passed" not in done.stdout


def test_a_foreign_project_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_foreign.py").write_text("def test_foreign():\n    pass\n")
    done = run_pytest("-q", cwd=tmp_path)
    assert done.returncode == 0
    assert "1 passed" in done.stdout


def test_the_harness_own_tests_start_no_lab() -> None:
    done = run_pytest("tests/plugin/test_options.py", "-k", "nothing_of_this_name")
    assert done.returncode == 5
    assert "nodes:" not in done.stdout
