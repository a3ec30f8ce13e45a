import re
import subprocess
from pathlib import Path

import pytest

import fixtures
from podmatrix.plugin.options import OPTIONS

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = {
    "pyproject.toml",
    "tox.ini",
    "conftest.py",
    "Makefile",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "src",
    "fixtures",
    "suites",
    "manifests",
    "reports",
    "tests",
    "docs",
    "benchmarks",
    "requirements",
}
CODE = ("src", "fixtures", "suites", "tests", "benchmarks")
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
MODULES = [ROOT / "conftest.py", *(path for top in CODE for path in (ROOT / top).rglob("*.py"))]


def test_the_top_level_is_what_the_design_names() -> None:
    assert {name for name in TOP_LEVEL if not (ROOT / name).exists()} == set()


def test_nothing_else_is_kept_at_the_top_level() -> None:
    kept = {path.split("/")[0] for path in _kept_files()}
    assert {name for name in kept if not name.startswith(".")} <= TOP_LEVEL


def test_fixtures_are_those_of_this_checkout() -> None:
    cure = f"another installed package is named fixtures: uninstall it, or run pytest in {ROOT}"
    assert Path(fixtures.__file__).resolve().is_relative_to(ROOT), cure


def test_no_module_is_longer_than_350_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > 350} == {}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_package_has_one_version_and_its_hashes(lock: Path) -> None:
    entries = re.findall(r"^\S.*(?:\n[ ]+--hash=.*)*", lock.read_text(), re.MULTILINE)
    packages = [entry for entry in entries if not entry.startswith("#")]
    wrong = [
        entry
        for entry in packages
        if not re.match(r"[a-z0-9.-]+==\S+( ; .+)? \\\n +--hash=sha256:[0-9a-f]{64}", entry)
    ]
    assert packages
    assert wrong == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_locks_name_no_host_and_no_folder_of_a_machine(lock: Path) -> None:
    assert re.findall(r".*(?:://|--index|--find-links|file:|(?<![\w.])/).*", lock.read_text()) == []


def test_what_tests_need_is_locked_alike_for_development() -> None:
    test, dev = (_pins(ROOT / "requirements" / name) for name in ("test.txt", "dev.txt"))
    assert test <= dev


@pytest.mark.parametrize("option", [option.name for option in OPTIONS])
def test_the_readme_explains_every_option(option: str) -> None:
    assert f"| `{option}` |" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("script", [".ci/run", ".ci/setup.sh"])
def test_scripts_can_be_executed_and_are_valid(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = "bash" if "bash" in path.read_text().splitlines()[0] else "sh"
    subprocess.run([shell, "-n", path], check=True)


def _kept_files() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what lies here may be anybody's")
    listing = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files"]
    done = subprocess.run(listing, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def _pins(lock: Path) -> set[str]:
    return set(re.findall(r"^[a-z0-9.-]+==[^ ]+", lock.read_text(), re.MULTILINE))
