from collections.abc import Callable
from pathlib import Path

import pytest

from podmatrix.errors import SandboxError
from podmatrix.lab.tools import LAB_TOOLS, check_tools, distribution, install_command


def without(*absent: str) -> Callable[..., str | None]:
    return lambda name, path: None if name in absent else f"/usr/bin/{name}"


def test_nothing_is_said_where_all_are_there() -> None:
    check_tools(which=without())


@pytest.mark.parametrize("name", [tool.name for tool in LAB_TOOLS])
def test_a_missing_tool_is_named_with_the_command_that_installs_it(name: str) -> None:
    with pytest.raises(SandboxError, match=rf"the lab needs {name}: .*install|apk add"):
        check_tools(which=without(name))


@pytest.mark.parametrize(
    ("where", "command"),
    [
        ("debian", "apt-get install -y fping iproute2 iputils-ping"),
        ("fedora", "dnf install -y fping iproute iputils"),
        ("alpine", "apk add fping iproute2 iputils-ping"),
        (None, "apt-get install -y fping iproute2 iputils-ping"),
    ],
)
def test_one_command_installs_what_is_missing(where: str | None, command: str) -> None:
    missing = [tool for tool in LAB_TOOLS if tool.name in ("ip", "bridge", "ping", "fping")]
    assert install_command(missing, where) == command


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("ID=debian\n", "debian"),
        ("ID=ubuntu\nID_LIKE=debian\n", "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "fedora"),
        ("ID=alpine\n", "alpine"),
        ("ID=nixos\n", None),
    ],
)
def test_the_distribution_is_read_from_os_release(
    tmp_path: Path, text: str, family: str | None
) -> None:
    (tmp_path / "os-release").write_text(text)
    assert distribution(tmp_path / "os-release") == family


def test_a_machine_without_os_release_has_no_known_distribution(tmp_path: Path) -> None:
    assert distribution(tmp_path / "os-release") is None
