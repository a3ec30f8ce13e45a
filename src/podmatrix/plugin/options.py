"""Options and ini keys -> one frozen Settings; what is wrong is a UsageError before anything ran.

Every option takes a value, so that none swallows a path; each is also an ini key with underscores.
"""

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from podmatrix.errors import PodmatrixError, SettingsError
from podmatrix.settings import DEFAULT_IMAGE, NodeChoice, Settings, Target

SETTINGS = pytest.StashKey[Settings]()
"""Set where the run selects suites of this checkout; absent elsewhere."""

CHECKOUT = Path(__file__).resolve().parents[3]
SUITES = CHECKOUT / "suites"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One command line option; `choices` are the values it takes, where they are few."""

    name: str
    metavar: str
    help: str
    choices: tuple[str, ...] = ()

    @property
    def dest(self) -> str:
        """Name of the attribute and of the ini key."""
        return self.name.lstrip("-").replace("-", "_")


DEFAULT_PROFILES = {Target.LAB: "owner", Target.KUBECONFIG: "full-mesh", Target.RECORD: ""}

OPTIONS = (
    Option(
        name="--kubeconfig",
        metavar="FILE",
        help="Run against the cluster of this kubeconfig; without it, the embedded lab is used",
    ),
    Option(name="--kube-context", metavar="NAME", help="Context of the kubeconfig to use"),
    Option(
        name="--in-cluster",
        metavar="yes|no",
        help="Run against the cluster this process runs in, with its service account",
        choices=("yes", "no"),
    ),
    Option(
        name="--matrix-profile",
        metavar="NAME|PATH",
        help="Declared networks and reachability (default: owner on the lab, else full-mesh)",
    ),
    Option(
        name="--matrix-nodes",
        metavar="N|all|NAME,...",
        help="Nodes that carry probe pods (default: all of the lab, else 2)",
    ),
    Option(name="--matrix-image", metavar="IMAGE", help=f"Probe image (default {DEFAULT_IMAGE})"),
    Option(
        name="--matrix-namespace",
        metavar="NAME",
        help="Existing namespace to use; without it one is made for the run and removed",
    ),
    Option(
        name="--matrix-keep",
        metavar="yes|no",
        help="Leave the probe pods in the cluster after the run (default no)",
        choices=("yes", "no"),
    ),
    Option(
        name="--matrix-attempts",
        metavar="N",
        help="Sweep rounds for required cells that fail (default 2)",
    ),
    Option(
        name="--matrix-timeout",
        metavar="SECONDS",
        help="How long pods may take to become ready, and one sweep round (default 120)",
    ),
    Option(
        name="--matrix-flaky",
        metavar="fail|warn",
        help="Whether a cell that passed on a later attempt fails its item (default fail)",
        choices=("fail", "warn"),
    ),
    Option(
        name="--matrix-agents",
        metavar="no",
        help="Pods that read the nodes; not built yet, only 'no' is taken",
        choices=("no",),
    ),
    Option(
        name="--matrix-report-dir",
        metavar="DIR",
        help="Where each run leaves its reports (default reports/)",
    ),
    Option(
        name="--matrix-record",
        metavar="FILE",
        help="Judge a saved report.json again; no cluster is touched",
    ),
    Option(
        name="--matrix-diagnose",
        metavar="never",
        help="Name hop and cause of wrong cells; not built yet, only 'never' is taken",
        choices=("never",),
    ),
    Option(name="--lab-topology", metavar="FILE", help="Topology of the embedded lab"),
    Option(name="--lab-nodes", metavar="N", help="Number of nodes of the embedded lab (default 2)"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare all options, each with its ini key."""
    group = parser.getgroup(
        "podmatrix", "podmatrix: what pod networks really do. Example: pytest --kubeconfig=FILE"
    )
    for option in OPTIONS:
        group.addoption(option.name, metavar=option.metavar, default=None, help=option.help)
        parser.addini(option.dest, option.help, default=None)


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Start again with `=` where an option of ours and its value are two words.

    pytest takes FILE of `--kubeconfig FILE` for a path while it looks for its rootdir, finds no
    configuration there and forgets ours: the run would select other tests.
    """
    words = [str(argument) for argument in early_config.invocation_params.args]
    joined = _joined(words)
    if joined == words:
        return
    if sys.argv[1:] != words:
        raise pytest.UsageError(f"write options with '=': pytest {shlex.join(joined)}")
    # The same process, so that exit status, signals and the terminal stay what they were.
    capture = early_config.pluginmanager.get_plugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)  # else it keeps what the new run prints
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *joined])


def _joined(words: list[str]) -> list[str]:
    """The arguments with each `--option value` of ours as `--option=value`."""
    ours = {option.name for option in OPTIONS}
    result: list[str] = []
    for word in words:
        if result and result[-1] in ours and not word.startswith("-"):
            result[-1] += f"={word}"
        else:
            result.append(word)
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Read the options. Raises UsageError with the cure."""
    given = [option.name for option in OPTIONS if config.getoption(option.dest) is not None]
    if not selects_suites(config):
        if given and not config.getoption("help", default=False):
            raise pytest.UsageError(
                f"{given[0]} is an option of the acceptance suites, and no argument selects them; "
                f"run it in {CHECKOUT}, or name them: pytest {SUITES} {given[0]}=..."
            )
        return
    try:
        config.stash[SETTINGS] = _settings(config)
    except PodmatrixError as exc:
        raise pytest.UsageError(str(exc)) from exc


def selects_suites(config: pytest.Config) -> bool:
    """Whether an argument is a folder, file or item of this checkout's suites, or above them."""
    for argument in config.args:
        path = (config.invocation_params.dir / argument.split("::", 1)[0]).resolve()
        if path == SUITES or SUITES in path.parents or path in SUITES.parents:
            return True
    return False


def _settings(config: pytest.Config) -> Settings:
    value = {option.dest: _value(config, option) for option in OPTIONS}
    target = _target(value)
    kubeconfig = _file(config, "--kubeconfig", value["kubeconfig"])
    if value["kube_context"] and not kubeconfig:
        raise SettingsError("--kube-context needs --kubeconfig=FILE")
    on_lab = target is Target.LAB
    for name in ("lab_topology", "lab_nodes"):
        if value[name] and not on_lab:
            raise SettingsError(f"--{name.replace('_', '-')} is for the lab: drop it here")
    if value["matrix_keep"] == "yes" and on_lab:
        raise SettingsError(
            "--matrix-keep=yes: the lab of a run goes with the run; "
            "start one with 'podmatrix lab up --detach' and give its --kubeconfig"
        )
    report_dir = Path(value["matrix_report_dir"] or "reports")
    return Settings(
        target=target,
        profile=value["matrix_profile"] or DEFAULT_PROFILES[target],
        nodes=NodeChoice.parse(value["matrix_nodes"] or ("all" if on_lab else "2")),
        kubeconfig=kubeconfig,
        context=value["kube_context"] or None,
        in_cluster=value["in_cluster"] == "yes",
        record=_file(config, "--matrix-record", value["matrix_record"]),
        image=value["matrix_image"] or DEFAULT_IMAGE,
        namespace=value["matrix_namespace"] or None,
        keep=value["matrix_keep"] == "yes",
        attempts=_number("--matrix-attempts", value["matrix_attempts"] or "2"),
        timeout_s=float(_number("--matrix-timeout", value["matrix_timeout"] or "120")),
        tolerate_flaky=value["matrix_flaky"] == "warn",
        report_dir=report_dir if report_dir.is_absolute() else config.rootpath / report_dir,
        lab_topology=_file(config, "--lab-topology", value["lab_topology"]),
        lab_nodes=_number("--lab-nodes", value["lab_nodes"]) if value["lab_nodes"] else None,
    )


def _value(config: pytest.Config, option: Option) -> str:
    value = config.getoption(option.dest)
    text = str(config.getini(option.dest) or "") if value is None else str(value)
    if value is not None and not text:
        raise SettingsError(f"{option.name}=: a value is needed ({option.metavar})")
    if text and option.choices and text not in option.choices:
        raise SettingsError(f"{option.name}={text}: one of {', '.join(option.choices)}")
    return text


def _target(value: dict[str, str]) -> Target:
    chosen = [
        name
        for name, given in (
            ("--kubeconfig", value["kubeconfig"]),
            ("--in-cluster", value["in_cluster"] == "yes"),
            ("--matrix-record", value["matrix_record"]),
        )
        if given
    ]
    if len(chosen) > 1:
        raise SettingsError(f"{' and '.join(chosen)} exclude each other: give one")
    if not chosen:
        return Target.LAB
    return Target.RECORD if chosen[0] == "--matrix-record" else Target.KUBECONFIG


def _file(config: pytest.Config, option: str, text: str) -> Path | None:
    if not text:
        return None
    path = config.invocation_params.dir / Path(text).expanduser()
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise SettingsError(f"{option}={text}: {path} {what}; give a file")
    if not os.access(path, os.R_OK):
        raise SettingsError(f"{option}={text}: {path} is not readable for this user")
    return path


def _number(option: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{option}={text}: a whole number, 1 or more")
    return int(text)
